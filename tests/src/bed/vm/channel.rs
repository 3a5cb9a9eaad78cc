//! What the two sides of the emulated machine say to each other: one JSON value per line.

use serde::{Deserialize, Serialize};

/// Names of the virtio ports, the same on both sides.
pub(super) const CONTROL: &str = "lab.control";
pub(super) const OUTPUT: &str = "lab.output";
pub(super) const ERRORS: &str = "lab.errors";

/// From the host to the inside. The first line is a job, later ones are sizes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToInside {
    Job(Job),
    Resize(Size),
}

/// What to run inside, as if it had been started outside.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) argv: Vec<String>,
    pub(super) folder: String,
    pub(super) environment: Vec<(String, String)>,
    /// The terminal's size; absent means plain pipes.
    pub(super) terminal: Option<Size>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Size {
    pub(super) rows: u16,
    pub(super) columns: u16,
}

/// From the inside to the host.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToHost {
    /// The inside is up and about to start the job.
    Booted,
    /// The job ended with this exit code, 128 + signal if a signal ended it.
    Ended(u8),
    /// The job could not be started.
    Failed(String),
}
