//! The heartbeat protocol and the decisions of a cluster node as plain synchronous state machines:
//! who is alive, who owns which resource group, and what must be said to the others.
//!
//! No sockets, no clocks, no processes, no runtime: time is an argument, everything else is an
//! [`input::Input`] or an [`output::Output`].

mod carriers;
pub mod cluster;
pub mod config;
mod deafness;
mod extension;
mod footing;
mod greeting;
mod holddown;
pub mod input;
mod legacy;
mod links;
mod membership;
mod messages;
mod namesake;
mod old_peer;
mod opinions;
mod outbox;
pub mod output;
mod own_life;
pub mod ownership;
mod pace;
mod pings;
mod quality;
mod random;
mod reception;
pub mod roster;
pub mod sequence;
pub mod shadow;
mod speech;
pub mod table;
pub mod takeover;
mod third_parties;
pub mod wire;

pub use cluster::Cluster;
