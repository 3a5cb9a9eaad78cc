//! How connections are opened: from which address, through which interface, with which mark.

use super::switch::Switch;
use socket2::{Domain, SockRef, Socket, Type};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

/// Where connections come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
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
        let socket_ref = SockRef::from(&socket);
        if self.source_for(target).is_some() {
            // Each target has all ports of the source address, but for those that its own ended
            // connections still hold (TIME_WAIT, a minute). Only thrift: where the kernel has no such
            // option, the address has its ports once for all targets.
            let _ = Switch::BindAddressNoPort.on(&socket_ref);
        }
        self.prepare(&socket_ref, target)?;
        socket.connect(target).await
    }

    /// A datagram socket that talks with this target only. What the target's machine refuses comes as
    /// an error of a later send or receive.
    pub(super) fn connect_udp(&self, target: SocketAddr) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(target), Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        self.prepare(&SockRef::from(&socket), target)?;
        socket.connect(&target.into())?;
        UdpSocket::from_std(socket.into())
    }

    /// For a socket of any kind, before it is connected.
    pub(super) fn prepare(&self, socket: &SockRef<'_>, target: SocketAddr) -> io::Result<()> {
        if let Some(device) = &self.device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        if self.mark != 0 {
            socket.set_mark(self.mark)?;
        }
        match self.source_for(target) {
            Some(source) => socket.bind(&SocketAddr::new(source, 0).into()),
            None => Ok(()),
        }
    }

    fn source_for(&self, target: SocketAddr) -> Option<IpAddr> {
        let source = self.source?;
        (source.is_ipv4() == target.is_ipv4()).then_some(source)
    }
}

/// `from 10.0.0.9 through eth1 with mark 5`, as far as it is said.
impl fmt::Display for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.source.map(|source| format!("from {source}"));
        let device = self.device.as_ref();
        let device = device.map(|device| format!("through {device}"));
        let mark = (self.mark != 0).then(|| format!("with mark {}", self.mark));
        let parts: Vec<String> = [source, device, mark].into_iter().flatten().collect();
        f.write_str(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Dialler;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

    /// A datagram goes there and back, from the source where its family fits.
    async fn there_and_back(local: IpAddr, source: IpAddr, seen: IpAddr) {
        let server = UdpSocket::bind((local, 0)).unwrap();
        let dialler = Dialler {
            source: Some(source),
            ..Dialler::default()
        };
        let socket = dialler.connect_udp(server.local_addr().unwrap()).unwrap();
        socket.send(b"ping").await.unwrap();
        let mut buffer = [0; 16];
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from.ip()), (b"ping".as_slice(), seen));
        server.send_to(b"pong", from).unwrap();
        let length = socket.recv(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], b"pong");
    }

    #[tokio::test]
    async fn datagrams_come_from_the_source_of_their_family() {
        let source = IpAddr::from(Ipv4Addr::new(127, 0, 0, 7));
        there_and_back(Ipv4Addr::LOCALHOST.into(), source, source).await;
        let v6 = IpAddr::from(Ipv6Addr::LOCALHOST);
        there_and_back(v6, source, v6).await;
    }

    /// Of either family: the option is IPv4's, and the kernel takes it for both.
    #[tokio::test]
    async fn connections_come_from_the_source_of_their_family() {
        for local in [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ] {
            let source = match local {
                IpAddr::V4(_) => Ipv4Addr::new(127, 0, 0, 7).into(),
                IpAddr::V6(_) => local,
            };
            let server = TcpListener::bind((local, 0)).unwrap();
            let dialler = Dialler {
                source: Some(source),
                ..Dialler::default()
            };
            let target = server.local_addr().unwrap();
            let stream = dialler.connect(target).await.unwrap();
            let (_, from) = server.accept().unwrap();
            assert_eq!(from.ip(), source);
            assert_eq!(stream.local_addr().unwrap(), from);
        }
    }

    #[tokio::test]
    async fn a_datagram_to_a_closed_port_is_refused() {
        let closed: SocketAddr = {
            let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            server.local_addr().unwrap()
        };
        let socket = Dialler::default().connect_udp(closed).unwrap();
        socket.send(b"ping").await.unwrap();
        let error = socket.recv(&mut [0; 16]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    }
}
