//! Tells the neighbours who has an address now: `arp.rs` for IPv4, `ndp.rs` for IPv6.
//!
//! The first announcement leaves at once, five more follow 200 ms apart, because switches and
//! hosts may lose one. They stop when the address is no longer held, or
//! another node is about to have it. Nobody waits for them, and a
//! frame that cannot be sent is not worth more than a debug line.

mod arp;
mod ndp;

use crate::resources::address::Placement;
use crate::resources::kernel::Kernel;
use crate::resources::view::View;
use socket2::Socket;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

/// Announcements after the first.
const REPEATS: u32 = 5;
/// Their distance.
const INTERVAL: Duration = Duration::from_millis(200);

/// After so long the last announcement has left.
pub const ANNOUNCED_AFTER: Duration = Duration::from_millis(1100);

/// Sends announcements; clones share the socket.
#[derive(Clone)]
pub struct Announcer {
    /// `None` where the system denies link-level sockets.
    packet: Option<Arc<Socket>>,
}

/// One address on one interface, ready to be announced.
#[derive(Debug, Clone)]
struct Announcement {
    placement: Placement,
    mac: [u8; 6],
}

impl Announcer {
    /// Opens the link-level socket. Without it addresses work, but neighbours learn of a takeover
    /// only when their tables expire; the error says why.
    pub fn new() -> (Self, Option<io::Error>) {
        match arp::socket() {
            Ok(socket) => {
                let packet = Some(Arc::new(socket));
                (Self { packet }, None)
            }
            Err(error) => (Self { packet: None }, Some(error)),
        }
    }

    /// Announces these held addresses now, and again in the background.
    pub fn announce(&self, placements: &[Placement], view: &View, kernel: &Kernel) {
        let announcements: Vec<Announcement> = placements
            .iter()
            .filter_map(|placement| {
                // Interfaces without ARP (loopback, tunnels) have no neighbours to tell.
                let mac = view.link(placement.link)?.mac?;
                let placement = placement.clone();
                Some(Announcement { placement, mac })
            })
            .collect();
        if announcements.is_empty() {
            return;
        }
        self.send(&announcements);
        tokio::spawn(self.clone().repeat(announcements, kernel.clone()));
    }

    async fn repeat(self, mut announcements: Vec<Announcement>, kernel: Kernel) {
        for _ in 0..REPEATS {
            tokio::time::sleep(INTERVAL).await;
            announcements.retain(|announcement| kernel.speaks_for(&announcement.placement));
            self.send(&announcements);
        }
    }

    fn send(&self, announcements: &[Announcement]) {
        for announcement in announcements {
            let Announcement { placement, mac } = announcement;
            let result = match placement.ip {
                IpAddr::V4(ip) => self.send_arp(placement.link, *mac, ip),
                IpAddr::V6(ip) => ndp::send(placement.link, *mac, ip),
            };
            if let Err(error) = result {
                let (ip, device) = (placement.ip, &placement.device);
                tracing::debug!("{ip} on {device} was not announced: {error}");
            }
        }
    }

    fn send_arp(&self, link: u32, mac: [u8; 6], ip: Ipv4Addr) -> io::Result<()> {
        match &self.packet {
            Some(socket) => arp::send(socket, link, mac, ip),
            None => Ok(()),
        }
    }
}

/// All nodes of an IPv6 link (RFC 4291 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

#[cfg(test)]
mod tests;
