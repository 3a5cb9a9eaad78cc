//! What a daemon needs around its loop: configuration lines and diagnostics, the log and what of it
//! is shown, the service manager, signals, real-time scheduling and the guarantee that only one
//! instance runs.
//!
//! Shared by hbd and ldird. Knows nothing of clusters or virtual services.

pub mod claim;
pub mod conf;
pub mod diagnostic;
pub mod inherited;
pub mod journal;
pub mod lockfile;
pub mod log;
pub mod pace;
pub mod realtime;
pub mod repeat;
pub mod service;
pub mod signals;
pub mod wall;

pub use conf::{Line, Source, Span, Word};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
