//! What happens when things come at the wrong moment, step by step.
#![allow(clippy::unwrap_used)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test picks the moment that it starts from"
)]

mod agents;
mod bed;
mod moments;
mod opinions;
mod options;
mod others;
mod revisions;
mod role;
mod rows;
mod steps;
mod succession;
mod verdicts;
