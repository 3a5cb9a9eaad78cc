//! The two halves of the status socket: a unix stream with one JSON value per line.
//!
//! `client` is for whoever asks; `server` listens for a daemon and hands its loop one request at
//! a time; `publisher` is the loop's side of followers; `outbox` is each client's bounded queue.

pub mod client;
pub mod codec;
mod outbox;
pub mod publisher;
pub mod server;

#[cfg(test)]
mod tests;

pub use client::{Client, ClientError};
pub use publisher::Publisher;
pub use server::{BindError, ClientId, ClientRequest, Credentials, Responder, Server, Serving};
