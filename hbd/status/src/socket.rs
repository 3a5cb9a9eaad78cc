//! The two halves of the status socket: a unix stream with one JSON value per line.
//!
//! `client` is for whoever asks; `server` listens for a daemon and hands its loop one request at a
//! time, `place` keeps its socket where clients look for it, `caller` says who asked, `seats` who
//! gets a place; `directors` finds those of ldird; `control` is what a loop sees of it,
//! with `admins` who may act; `publisher` is the loop's side of followers; `outbox` is each
//! client's bounded queue; `pages` cuts large snapshots into lines.

mod accounts;
mod admins;
mod caller;
pub mod client;
pub mod codec;
pub mod control;
pub mod directors;
mod outbox;
mod pages;
mod place;
pub mod publisher;
mod seats;
pub mod server;

#[cfg(test)]
mod tests;

pub use caller::{ClientId, Credentials};
pub use client::{Client, ClientError};
pub use control::{Asked, Control};
pub use place::BindError;
pub use publisher::Publisher;
pub use seats::{CLIENTS_MAX, ROOT_PLACES};
pub use server::{ClientRequest, Responder, Server, Serving};
