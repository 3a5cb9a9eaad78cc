//! The wire of heartbeat: what a packet says, who may have said it, and its two framings.
//!
//! `message` is the ordered list of fields, `auth` the keys and digests, `frame` the bytes.
//! Everything here is pure: bytes in, values out. No socket, clock, randomness or logging.

pub mod auth;
mod error;
pub mod message;

pub use auth::{Key, Keys, Method};
pub use error::{Reject, WireError};
pub use message::{Message, Value};
