//! The way that a client's packets take: to the virtual address, at the door of this real server
//! (direct routing) or through its tunnel. A check of the server's own address does not see that the
//! virtual one is missing on its `lo`, or that its service is not bound to it.
//!
//! Half a handshake of TCP is made by hand: the director holds the virtual address itself, so its
//! kernel would neither send such a connection out nor take the answer, which comes from an address
//! of its own. The first packet leaves past IPVS, the answer is seen by a packet socket, and the
//! connection is taken back before the server's program hears of it.
//! Nothing of this machine is changed: no rule, no route, no setting, nothing to clean up.

mod door;
mod next_hop;
mod segment;
mod tap;

pub(crate) use door::Wrap;

use super::means::TAPS_MAX;
use super::{Answer, Means};
use door::Door;
use segment::{Ends, Flags, Said, Segment};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tap::Tap;
use tokio::time::timeout;

/// The first packet is sent so often, as packets get lost; each further pause is twice as long.
const SENDS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Packets looked at in one check.
const PACKETS_MAX: u32 = 100;
/// For asking the kernel which of our addresses it would use; nothing is sent there.
const ANY_PORT: u16 = 9;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    virtual_server: SocketAddr,
    real: IpAddr,
    wrap: Wrap,
    timeout: Duration,
}

/// What the clients' way says of a server that is up otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Walked {
    /// It answers there as well, or it is this machine.
    Through,
    /// It does not, for this reason; or we could not find out.
    Not(Answer),
}

impl Path {
    /// `None` if the two are of different families: nobody knows which address of ours a server
    /// behind such a tunnel could answer.
    pub(crate) fn new(
        virtual_server: SocketAddr,
        real: IpAddr,
        wrap: Wrap,
        timeout: Duration,
    ) -> Option<Self> {
        (virtual_server.is_ipv4() == real.is_ipv4()).then_some(Self {
            virtual_server,
            real,
            wrap,
            timeout,
        })
    }

    pub(super) async fn walk(&self, means: &Means) -> Walked {
        // Whoever waits for a place does not spend the server's time.
        let place = timeout(self.timeout, means.taps.acquire()).await;
        let Ok(Ok(_place)) = place else {
            let text = format!("{TAPS_MAX} others are being asked on the clients' way");
            return Walked::Not(Answer::unasked(text));
        };
        let walk = Box::pin(self.shake_hands(means));
        let server = self.virtual_server;
        match means.awake.within(self.timeout, walk).await {
            Ok(Ok(None | Some(Said::Open))) => Walked::Through,
            Ok(Ok(Some(Said::Refused))) => Walked::Not(Answer::down(format!(
                "connection refused on the clients' way, at {server}"
            ))),
            Ok(Err(answer)) => Walked::Not(answer),
            Err(late) if late.ours => Walked::Not(Answer::too_slow()),
            Err(_) => Walked::Not(Answer::down(format!(
                "no answer on the clients' way, from {server}: is that address on its lo?"
            ))),
        }
    }

    /// What the server answers to the beginning of a connection; `None` if it is this machine.
    async fn shake_hands(&self, means: &Means) -> Result<Option<Said>, Answer> {
        let Some(source) = self.source(means)? else {
            return Ok(None);
        };
        self.shake_hands_from(source, means).await.map(Some)
    }

    async fn shake_hands_from(&self, source: IpAddr, means: &Means) -> Result<Said, Answer> {
        // While this one holds the port nobody else connects from it.
        let (_port, local) = reserved(source).map_err(|error| Answer::failed(&error))?;
        let ends = Ends::new(local, self.virtual_server);
        let ends = ends.ok_or_else(|| Answer::unasked("no address of ours is of its family"))?;
        let segment = Segment {
            ends,
            sequence: u32::from_ne_bytes(super::random::bytes()),
        };
        let tap = Tap::open(&segment, PACKETS_MAX);
        let tap = tap.map_err(|error| Answer::failed(&error))?;
        let door = Door::open(self.wrap, self.real, &ends, &means.dialler)?;
        let said = said(&segment, tap, &door).await;
        said.map_err(|error| Answer::failed(&error))
    }

    /// Our address on the way to the real server; `None` if that is ours as well.
    fn source(&self, means: &Means) -> Result<Option<IpAddr>, Answer> {
        let real = SocketAddr::new(self.real, ANY_PORT);
        let socket = means.dialler.connect_udp(real);
        let local = socket.and_then(|socket| socket.local_addr());
        let source = local.map_err(|error| Answer::failed(&error))?.ip();
        if source == self.real {
            Ok(None)
        } else if source == self.virtual_server.ip() {
            Err(Answer::unasked(
                "the virtual address is our own on the way to it: checksource=ADDRESS names another",
            ))
        } else {
            Ok(Some(source))
        }
    }
}

/// A port of this address, and what holds it.
fn reserved(source: IpAddr) -> io::Result<(Socket, SocketAddr)> {
    let source = SocketAddr::new(source, 0);
    let port = Socket::new(Domain::for_address(source), Type::STREAM, None)?;
    port.bind(&source.into())?;
    let local = port.local_addr()?.as_socket();
    let local = local.ok_or_else(|| io::Error::other("no local port"))?;
    Ok((port, local))
}

/// Sends the first packet until somebody answers.
async fn said(segment: &Segment, mut tap: Tap, door: &Door) -> io::Result<Said> {
    let send = |flags| door.send(&segment.bytes(flags));
    let mut pause = FIRST_PAUSE;
    for turn in 1..=SENDS {
        send(Flags::Syn)?;
        let heard = tap.hear(segment);
        let said = if turn < SENDS {
            let Ok(said) = timeout(pause, heard).await else {
                pause *= 2;
                continue;
            };
            said?
        } else {
            heard.await?
        };
        if said == Said::Open {
            // Whoever did not hear it lets the half connection go by itself.
            let _ = send(Flags::Reset);
        }
        return Ok(said);
    }
    Err(io::Error::other("nothing was sent"))
}

#[cfg(test)]
mod tests;
