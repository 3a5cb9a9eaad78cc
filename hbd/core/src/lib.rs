//! The heartbeat protocol and the decisions of a cluster node as plain synchronous state machines:
//! who is alive, who owns which resource group, and what must be said to the others.
//!
//! No sockets, no clocks, no processes, no runtime: time is an argument, everything else is an
//! [`input::Input`] or an [`output::Output`].

pub mod cluster;
pub mod config;
pub mod input;
pub mod output;
pub mod sequence;
pub mod wire;

pub use cluster::Cluster;
