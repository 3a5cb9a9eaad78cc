//! How connections are opened: from which address, through which interface, with which mark.

use socket2::SockRef;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::{TcpSocket, TcpStream};

/// Where connections come from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dialler {
    /// The local address, for targets of its family.
    pub(crate) source: Option<IpAddr>,
    /// The interface.
    pub(crate) device: Option<String>,
    /// The firewall mark of the packets, 0 for none.
    pub(crate) mark: u32,
}

impl Dialler {
    pub(super) async fn connect(&self, target: SocketAddr) -> io::Result<TcpStream> {
        let socket = match target {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        self.prepare(&SockRef::from(&socket), target)?;
        socket.connect(target).await
    }

    /// For a socket of any kind, before it is connected.
    pub(super) fn prepare(&self, socket: &SockRef<'_>, target: SocketAddr) -> io::Result<()> {
        if let Some(device) = &self.device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        if self.mark != 0 {
            socket.set_mark(self.mark)?;
        }
        match self.source {
            Some(source) if source.is_ipv4() == target.is_ipv4() => {
                socket.bind(&SocketAddr::new(source, 0).into())
            }
            Some(_) | None => Ok(()),
        }
    }
}
