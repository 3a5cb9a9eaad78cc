//! The decisions of a director as plain synchronous state machines: when each real server is
//! checked, whether it is up, which table the kernel should hold, and which edits lead there.
//!
//! No sockets, no clocks, no processes, no runtime: time is an argument, everything else is an
//! [`input::Input`] or an [`output::Output`].

pub mod asking;
pub mod config;
pub mod desired;
pub mod diff;
pub mod director;
pub mod health;
pub mod input;
pub mod output;
mod report;
pub mod schedule;
pub mod table;

pub use director::Director;
