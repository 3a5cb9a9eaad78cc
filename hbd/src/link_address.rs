//! Addresses of packet sockets (packet(7)), which `announce` sends to and a shadow listens at.

use socket2::{SockAddr, SockAddrStorage};
use std::io;

/// Everybody on the link with this index, for packets of this ethertype.
#[expect(
    unsafe_code,
    reason = "neither std nor socket2 can build a sockaddr_ll"
)]
pub fn link_address(link: u32, ethertype: u16) -> io::Result<SockAddr> {
    let index = i32::try_from(link).map_err(io::Error::other)?;
    let address = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?,
        sll_protocol: ethertype.to_be(),
        sll_ifindex: index,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0],
    };
    let length =
        libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is one of the address structures that a `sockaddr_storage` is made to
    // hold, it is plain data, and `view_as` checks that it fits.
    unsafe {
        *storage.view_as::<libc::sockaddr_ll>() = address;
    }
    // SAFETY: the storage holds an initialised `sockaddr_ll` of that length with its family set.
    Ok(unsafe { SockAddr::new(storage, length) })
}
