//! The lab: whole programs on real parts, for people who want to see and for tests that must know.
//!
//! The library is the bed and the command line; scenarios use it, the binary only calls it.

pub mod bed;
pub mod bench;
pub mod cli;
pub mod demo;
pub mod mutants;
pub mod scenario;
pub mod score;
pub mod suite;
