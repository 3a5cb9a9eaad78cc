//! What the configuration asks the machine: its name, its interfaces, the resolver, the services
//! database. A trait, so that tests and `hbd check --offline` need no machine.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt as _;
use thiserror::Error;

/// The machine as the configuration sees it.
pub trait Host {
    /// `uname -n`.
    fn name(&self) -> String;
    /// The IPv4 broadcast address of an interface.
    fn broadcast(&self, interface: &str) -> Result<Ipv4Addr, InterfaceFault>;
    /// Does the interface exist?
    fn has_interface(&self, interface: &str) -> bool;
    /// Is this path a terminal's, or any other character device's?
    fn tty(&self, path: &str) -> Result<(), TtyFault>;
    /// The first IPv4 address of a host name or dotted quad.
    fn resolve(&self, name: &str) -> Option<Ipv4Addr>;
    /// The UDP port of a service name.
    fn udp_service(&self, name: &str) -> Option<u16>;
    /// Is this configuration for another machine? Then nothing of this one is checked.
    fn is_elsewhere(&self) -> bool {
        false
    }
}

/// Why an interface cannot carry broadcasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InterfaceFault {
    #[error("no such interface")]
    Missing,
    #[error("it has no IPv4 broadcast address")]
    NoBroadcast,
}

/// Why a path cannot be a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TtyFault {
    Missing,
    /// No character device.
    NoDevice,
}

/// The machine we run on.
#[derive(Debug, Clone, Copy)]
pub struct ThisHost;

impl Host for ThisHost {
    fn name(&self) -> String {
        let uname = rustix::system::uname();
        uname.nodename().to_string_lossy().into_owned()
    }

    fn broadcast(&self, interface: &str) -> Result<Ipv4Addr, InterfaceFault> {
        if !self.has_interface(interface) {
            return Err(InterfaceFault::Missing);
        }
        broadcast_address(interface).ok_or(InterfaceFault::NoBroadcast)
    }

    fn has_interface(&self, interface: &str) -> bool {
        interface_index(interface).is_some()
    }

    fn tty(&self, path: &str) -> Result<(), TtyFault> {
        let found = fs::metadata(path).map_err(|_| TtyFault::Missing)?;
        if found.file_type().is_char_device() {
            Ok(())
        } else {
            Err(TtyFault::NoDevice)
        }
    }

    fn resolve(&self, name: &str) -> Option<Ipv4Addr> {
        let addresses = (name, 0).to_socket_addrs().ok()?;
        addresses
            .map(|address| address.ip())
            .find_map(|ip| match ip {
                IpAddr::V4(ip) => Some(ip),
                IpAddr::V6(_) => None,
            })
    }

    fn udp_service(&self, name: &str) -> Option<u16> {
        let services = fs::read_to_string("/etc/services").ok()?;
        find_udp_service(&services, name)
    }
}

/// Another machine: every interface and serial line is believed, names resolve to a placeholder.
#[derive(Debug, Clone, Copy)]
pub struct Elsewhere;

impl Host for Elsewhere {
    fn name(&self) -> String {
        ThisHost.name()
    }

    fn broadcast(&self, _: &str) -> Result<Ipv4Addr, InterfaceFault> {
        Ok(Ipv4Addr::BROADCAST)
    }

    fn has_interface(&self, _: &str) -> bool {
        true
    }

    fn tty(&self, _: &str) -> Result<(), TtyFault> {
        Ok(())
    }

    fn resolve(&self, name: &str) -> Option<Ipv4Addr> {
        Some(name.parse().unwrap_or(Ipv4Addr::UNSPECIFIED))
    }

    fn udp_service(&self, _: &str) -> Option<u16> {
        None
    }

    fn is_elsewhere(&self) -> bool {
        true
    }
}

/// A line of services(5): `name port/protocol aliases… # comment`.
pub(super) fn find_udp_service(services: &str, name: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let official = words.next()?;
        let (port, protocol) = words.next()?.split_once('/')?;
        let named = official == name || words.any(|alias| alias == name);
        (named && protocol == "udp").then(|| port.parse().ok())?
    })
}

/// From the socket API and not from `/sys`, which may show another network namespace.
pub(crate) fn interface_index(interface: &str) -> Option<u32> {
    let socket = any_socket()?;
    rustix::net::netdevice::name_to_index(socket, interface).ok()
}

fn any_socket() -> Option<std::os::fd::OwnedFd> {
    use rustix::net::{AddressFamily, SocketType, socket};
    socket(AddressFamily::INET, SocketType::DGRAM, None).ok()
}

/// SIOCGIFBRDADDR, which answers 0.0.0.0 for interfaces that cannot broadcast.
#[expect(
    unsafe_code,
    reason = "no safe wrapper of this ioctl among our dependencies"
)]
fn broadcast_address(interface: &str) -> Option<Ipv4Addr> {
    use std::os::fd::AsRawFd;
    let socket = any_socket()?;
    // SAFETY: `ifreq` is plain bytes, for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let room = request.ifr_name.len().checked_sub(1)?;
    if interface.len() > room {
        return None;
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    // SAFETY: the request is valid for the call and its name ends in NUL.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFBRDADDR, &raw mut request) };
    if result != 0 {
        return None;
    }
    // SAFETY: the kernel filled in a socket address, and `sockaddr_in` fits into the union.
    let address =
        unsafe { std::ptr::read((&raw const request.ifr_ifru).cast::<libc::sockaddr_in>()) };
    let ip = Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr));
    let usable = i32::from(address.sin_family) == libc::AF_INET && !ip.is_unspecified();
    usable.then_some(ip)
}
