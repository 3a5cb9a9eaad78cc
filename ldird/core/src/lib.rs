//! The decisions of a director as plain synchronous state machines: when each real server is
//! checked, whether it is up, which table the kernel should hold, and which edits lead there.
//!
//! No sockets, no clocks, no processes, no runtime: time is an argument, everything else is an
//! [`input::Input`] or an [`output::Output`].

mod agent;
pub mod alerts;
mod asking;
pub mod calls;
pub mod config;
pub mod conversation;
mod desired;
pub mod diff;
pub mod director;
mod enforce;
mod fleet;
pub mod health;
mod hold;
pub mod input;
mod ledger;
mod merge;
pub mod opinion;
pub mod options;
pub mod output;
pub mod overrides;
mod punctual;
mod ramp;
mod refusals;
mod report;
mod schedule;
pub mod shadow;
pub mod sync;
pub mod table;
mod watched;

pub use director::Director;
pub use fleet::Prospect;
