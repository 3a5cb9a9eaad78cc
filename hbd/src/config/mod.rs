//! Configuration: ha.cf, haresources and authkeys of one directory, read together into one checked
//! value, or refused with every fault at once.
//!
//! The files are those of Heartbeat 3.0.6 (Heartbeat specification 1.2 to 1.7) and work unchanged.
//! Blocking: reads files and may ask the resolver. A running daemon calls [`load`] off its loop.

pub mod authkeys;
pub mod directives;
pub mod ha_cf;
pub mod haresources;
pub mod host;
pub mod load;
pub mod value;

pub mod medium;
pub mod ping;

mod checks;
mod directive;
mod draft;
mod files;
mod grammar;
mod handlers;
mod loaded;
mod media;
mod odd;
mod parser;
mod pings;

pub use directive::{Directive, Support};
pub use host::{Host, ThisHost};
pub use load::{Options, load};
pub use loaded::{Life, Loaded, Logging, ScriptLimits};
pub use media::DEFAULT_BAUD;
pub use medium::MediumSpec;

#[cfg(test)]
mod tests;
