//! Scenarios: clusters as people build them, put up on the bed from the repository's own samples.
//!
//! They start things, wait for conditions and tell what is so; what must be so is for the demo and the
//! tests to say.

pub mod director;
pub mod dr;
pub mod imported;
pub mod nat;
pub mod pair;
pub mod programs;
pub mod rivals;
pub mod site;
pub mod status;
pub mod table;
pub mod tun;
