//! The table in the kernel for a moment on standby, so that clients do not see a hand-over: it goes in
//! before the resource is active here, and stays for a while when it stops.
//!
//! Never where this machine is a real server of its own table: what the active director sends here is
//! to be served, and would be sent on.

use super::Driver;
use crate::config::Configuration;
use ha_status::Role;
use ha_status::socket::Responder;
use ldird_core::config::Config;
use ldird_core::input::Input;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

/// A table that was prepared and is not wanted by then leaves again: whoever prepared it has died, or
/// the resource takes too long to stop where it is active. Longer than hbd waits, which says so.
const PREPARED_FOR: Duration = Duration::from_secs(60);
/// The address is gone long before, and with it whatever came for the table.
const LEFT_FOR: Duration = Duration::from_secs(1);
/// So many addresses of real servers are looked at, each in some microseconds; the loop has no time for
/// more, and a larger table is not in the kernel on standby.
const ADDRESSES_MAX: usize = 1024;

impl<R: FnOnce(&Configuration)> Driver<R> {
    /// The resource is about to become active here, or on another director while it is active here: may
    /// the table be in the kernels of both? Answered when this one has it.
    pub(super) fn prepare(&mut self, reply: Responder) {
        let Some(reply) = self.may_turn(Role::Standby, reply) else {
            return;
        };
        if let Some(why) = obstacle(&self.configuration.core) {
            reply.answer(Err(why));
            return;
        }
        if self.standing.role == Role::Active {
            reply.answer(Ok("active".to_owned()));
            return;
        }
        if let Some(overtaken) = self.preparing.replace(reply) {
            overtaken.answer(Err("overtaken by another one".to_owned()));
        }
        self.feed(Input::Prepare {
            table: PREPARED_FOR,
        });
    }

    /// The kernel has what was asked for.
    pub(super) fn answer_preparations(&mut self, whole: bool) {
        if let Some(reply) = self.preparing.take() {
            reply.answer(if whole {
                Ok("prepared".to_owned())
            } else {
                Err("the kernel refuses a part of the table".to_owned())
            });
        }
    }

    /// The resource stops here, and another director takes over.
    pub(super) fn give_way(&mut self, who: &str, reply: Responder) {
        if self.standing.role == Role::Standby || obstacle(&self.configuration.core).is_some() {
            self.turn(Role::Standby, who, reply);
            return;
        }
        let Some(reply) = self.may_turn(Role::Standby, reply) else {
            return;
        };
        self.begin_yield(who, reply);
        self.feed(Input::Yield { table: LEFT_FOR });
    }
}

/// Why the table must not be in the kernel on standby.
fn obstacle(config: &Config) -> Option<String> {
    // A fallback of 127.0.0.1 is each director's own, and nobody sends anything to another one's.
    let services = config.services.iter();
    let fallbacks = services.filter_map(|service| service.fallback.as_ref());
    let fallbacks = fallbacks.map(|fallback| fallback.key.address);
    let fallbacks = fallbacks.filter(|address| !address.is_loopback());
    let reals = config.services.iter().flat_map(|service| &service.reals);
    let reals = reals.map(|real| real.key.address);
    let addresses: BTreeSet<IpAddr> = reals.chain(fallbacks).collect();
    if addresses.len() > ADDRESSES_MAX {
        return Some(format!(
            "the table has more than {ADDRESSES_MAX} real servers"
        ));
    }
    let here = addresses.into_iter().find(|address| is_here(*address));
    here.map(|address| format!("this machine is the real server {address}"))
}

/// May it be an address of this machine? Only the kernel knows, and a socket can be bound to nothing else.
fn is_here(address: IpAddr) -> bool {
    match UdpSocket::bind((address, 0)) {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::AddrNotAvailable,
    }
}
