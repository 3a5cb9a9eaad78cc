//! The wire of heartbeat: what a packet says, who may have said it, and its two framings.
//!
//! `message` is the ordered list of fields, `auth` the keys and digests, `frame` the bytes.
//! Everything here is pure: bytes in, values out. No socket, clock, randomness or logging.

pub mod auth;
mod error;
pub mod frame;
pub mod message;

pub use auth::{Key, Keys, Method};
pub use error::{Reject, WireError};
pub use frame::{
    FrameReader, decode, decode_unsigned, encode_classic, encode_netstring, encode_unsigned,
};
pub use message::{Message, Value};
