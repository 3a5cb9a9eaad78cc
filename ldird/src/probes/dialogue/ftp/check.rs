//! The check of ftp: the control connection, a data connection of either kind, one deadline.

use super::{Act, Event, Ftp, Wish};
use crate::probes::stream::finish;
use crate::probes::{Answer, Dialogue, Means, Pattern, Probe, want};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Room for one read of each connection, bytes.
const READ_BYTES: usize = 1024;
const DATA_READ_BYTES: usize = 16 * 1024;
const GOODBYE: &[u8] = b"QUIT\r\n";
/// Who comes without a login of the file's.
const ANONYMOUS: &[u8] = b"anonymous";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FtpCheck {
    /// The real server and its check port.
    target: SocketAddr,
    wish: Wish,
    /// For the whole check.
    timeout: Duration,
}

/// The data connection.
#[derive(Debug)]
enum Channel {
    None,
    Offered(TcpListener),
    Open(TcpStream),
}

/// What the data connection brought.
enum Brought {
    Server(TcpStream),
    Bytes(usize),
    Nothing,
}

impl FtpCheck {
    /// The user and the password are the old daemon's where the file gives none. It gave a password
    /// only where the file names the service.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "other services find faults in what a file asks for"
    )]
    pub(crate) fn probe(dialogue: Dialogue) -> Result<Probe, String> {
        let receive: Option<Arc<Pattern>> = dialogue.receive;
        let file = match dialogue.request.first() {
            Some(b'/') => dialogue.request,
            Some(_) | None => [b"/", dialogue.request.as_slice()].concat(),
        };
        let host = rustix::system::uname();
        let password = || [b"ldirectord@", host.nodename().to_bytes()].concat();
        let wish = Wish {
            user: dialogue.login.unwrap_or_else(|| ANONYMOUS.to_vec()),
            password: dialogue.passwd.unwrap_or_else(password),
            // Without a pattern no file is fetched, so checks are the same that differ in it.
            file: receive.as_ref().map_or_else(Vec::new, |_| file),
            receive,
        };
        Ok(Probe::Ftp(Box::new(Self {
            target: dialogue.target,
            wish,
            timeout: dialogue.timeout,
        })))
    }

    pub(in crate::probes) async fn ask(&self, means: &Means) -> Answer {
        let mut ftp = Ftp::new(self.wish.clone(), self.target.is_ipv6());
        let (mut verdict, mut connected) = (None, false);
        // On the heap, so that waiting connect checks stay small.
        let held = Box::pin(self.hold(means, &mut ftp, &mut connected, &mut verdict));
        let late = means.awake.within(self.timeout, held).await.err();
        match (verdict, late, ftp.out_of_time()) {
            (Some(verdict), _, _) => verdict,
            (None, _, Some(text)) => Answer::up(text),
            (None, Some(late), None) if late.ours => Answer::too_slow(),
            (None, _, None) if !connected => Answer::down("connection timed out"),
            (None, _, None) => Answer::down(format!("timed out waiting for {}", ftp.awaited())),
        }
    }

    /// The verdict stands before the goodbyes are said.
    async fn hold(
        &self,
        means: &Means,
        ftp: &mut Ftp,
        connected: &mut bool,
        verdict: &mut Option<Answer>,
    ) {
        match means.dialler.connect(self.target).await {
            Ok(mut control) => {
                *connected = true;
                *verdict = Some(self.transfer(means, &mut control, ftp).await);
                if control.write_all(GOODBYE).await.is_ok() {
                    finish(&mut control, ftp.buffer()).await;
                }
            }
            Err(error) => *verdict = Some(Answer::failed(&error)),
        }
    }

    async fn transfer(&self, means: &Means, control: &mut TcpStream, ftp: &mut Ftp) -> Answer {
        let mut channel = Channel::None;
        let mut fault = None;
        loop {
            match ftp.next() {
                Act::Listen => {
                    let heard = listen(control, &mut channel, ftp, fault.is_some()).await;
                    if let Err(error) = heard {
                        fault.get_or_insert(error);
                        ftp.heard(0);
                    }
                }
                Act::Say(bytes) => {
                    let said = control.write_all(&bytes).await;
                    fault = fault.or(said.err());
                }
                Act::Dial(port) => {
                    let server = SocketAddr::new(self.target.ip(), port);
                    let dialled = means.dialler.connect(server).await;
                    if let Some(want) = dialled.as_ref().err().and_then(want::of) {
                        return Answer::unasked(want);
                    }
                    ftp.happened(Event::Dialled(dialled.is_ok()));
                    channel = dialled.map_or(Channel::None, Channel::Open);
                }
                Act::Offer => match offer(control).await {
                    Ok((listener, address)) => {
                        channel = Channel::Offered(listener);
                        ftp.happened(Event::Offered(Some(address)));
                    }
                    Err(error) => match want::of(&error) {
                        Some(want) => return Answer::unasked(want),
                        None => ftp.happened(Event::Offered(None)),
                    },
                },
                Act::Up(text) => return Answer::up(text),
                Act::Down(text) => return Answer::down(text),
                Act::Gone => {
                    let closed = || Answer::down("connection closed");
                    return fault.as_ref().map_or_else(closed, Answer::failed);
                }
            }
        }
    }
}

/// A port where the server may come, at the address under which it knows us.
async fn offer(control: &TcpStream) -> io::Result<(TcpListener, SocketAddr)> {
    let ip = control.local_addr()?.ip();
    let listener = TcpListener::bind((ip, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Waits for either connection. A control connection that is `mute` has ended.
async fn listen(
    control: &mut TcpStream,
    channel: &mut Channel,
    ftp: &mut Ftp,
    mute: bool,
) -> io::Result<()> {
    let wants_data = ftp.wants_data();
    let ended = mute || ftp.has_ended();
    let mut data = Vec::new();
    let buffer = ftp.buffer();
    buffer.reserve(READ_BYTES);
    tokio::select! {
        read = control.read_buf(buffer), if !ended => {
            ftp.heard(read?);
        }
        brought = bring(channel, &mut data), if wants_data => match brought {
            Brought::Server(stream) => {
                *channel = Channel::Open(stream);
                ftp.happened(Event::Accepted);
            }
            Brought::Bytes(length) if length > 0 => ftp.happened(Event::Data(&data)),
            Brought::Bytes(_) | Brought::Nothing => ftp.happened(Event::DataEnd),
        },
        // Neither is left: that is an end, too.
        else => ftp.happened(Event::DataEnd),
    }
    Ok(())
}

/// What the data connection brings next. A broken one ends the file.
async fn bring(channel: &mut Channel, data: &mut Vec<u8>) -> Brought {
    match channel {
        Channel::None => Brought::Nothing,
        Channel::Offered(listener) => match listener.accept().await {
            Ok((stream, _)) => Brought::Server(stream),
            Err(_) => Brought::Nothing,
        },
        Channel::Open(stream) => {
            data.reserve(DATA_READ_BYTES);
            Brought::Bytes(stream.read_buf(data).await.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests;
