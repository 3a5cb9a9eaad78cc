//! Options of a socket that are on or off, and that neither socket2 nor rustix has.

use socket2::SockRef;
use std::io;
use std::os::fd::AsRawFd as _;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    /// What a raw socket sends with it is no client's packet to IPVS (`ip_vs_in` lets it pass), which
    /// would else choose a real server for it.
    NoDefragmentation,
    /// The local port is chosen as the connection begins, and not as the address is bound.
    BindAddressNoPort,
}

impl Switch {
    pub(super) fn on(self, socket: &SockRef<'_>) -> io::Result<()> {
        let name = match self {
            Self::NoDefragmentation => libc::IP_NODEFRAG,
            Self::BindAddressNoPort => libc::IP_BIND_ADDRESS_NO_PORT,
        };
        set(socket, name)
    }
}

#[expect(unsafe_code, reason = "neither socket2 nor rustix has these options")]
fn set(socket: &SockRef<'_>, name: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&on)).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open, and the value is an int of that length, which the kernel reads
    // before the call ends.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            name,
            (&raw const on).cast(),
            length,
        )
    };
    if set == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
