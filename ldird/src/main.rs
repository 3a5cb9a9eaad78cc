//! x
mod config;
mod probes;
fn main() {}
