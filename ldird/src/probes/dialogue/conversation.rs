//! The check: a script spoken with a real server over TCP, UDP or TLS, under one deadline.

use super::pop::Login;
use super::{Imap, Move, Pop, Script, SimpleTcp, Smtp, Talk};
use crate::probes::stream::{self, Stream, finish, host_name, no_tls, server_name};
use crate::probes::{Answer, Dialogue, Means, Probe, Trust};
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UdpSocket;

/// Room for one read, bytes: conversations are short.
const READ_BYTES: usize = 1024;
/// Longest datagram.
const DATAGRAM_MAX_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Conversation {
    /// The real server and its check port.
    pub(crate) target: SocketAddr,
    way: Way,
    script: Script,
    /// For the whole check.
    timeout: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Way {
    Tcp,
    Udp,
    /// TLS from the start, to a server of this name.
    Tls(ServerName<'static>, Trust),
}

impl Conversation {
    pub(crate) fn smtp(dialogue: Dialogue) -> Result<Probe, String> {
        Self::probe(&dialogue, Way::Tcp, Script::Smtp(Smtp::default()))
    }

    pub(crate) fn pop(dialogue: Dialogue) -> Result<Probe, String> {
        let script = Pop::new(login(&dialogue));
        Self::probe(&dialogue, Way::Tcp, Script::Pop(script))
    }

    pub(crate) fn pops(dialogue: Dialogue) -> Result<Probe, String> {
        let script = Pop::new(login(&dialogue));
        Self::probe(&dialogue, tls(&dialogue), Script::Pop(script))
    }

    pub(crate) fn imap(dialogue: Dialogue) -> Result<Probe, String> {
        let script = Imap::new(login(&dialogue));
        Self::probe(&dialogue, Way::Tcp, Script::Imap(script))
    }

    pub(crate) fn imaps(dialogue: Dialogue) -> Result<Probe, String> {
        let script = Imap::new(login(&dialogue));
        Self::probe(&dialogue, tls(&dialogue), Script::Imap(script))
    }

    pub(crate) fn nntp(dialogue: Dialogue) -> Result<Probe, String> {
        Self::probe(&dialogue, Way::Tcp, Script::Nntp)
    }

    pub(crate) fn simpletcp(dialogue: Dialogue) -> Result<Probe, String> {
        let way = if dialogue.udp { Way::Udp } else { Way::Tcp };
        let script = SimpleTcp::new(&dialogue.request, dialogue.receive.clone());
        Self::probe(&dialogue, way, Script::SimpleTcp(script))
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "other services find faults in what a file asks for"
    )]
    fn probe(dialogue: &Dialogue, way: Way, script: Script) -> Result<Probe, String> {
        Ok(Probe::Talk(Box::new(Self {
            target: dialogue.target,
            way,
            script,
            timeout: dialogue.timeout,
        })))
    }

    pub(in crate::probes) async fn ask(&self, means: &Means) -> Answer {
        let mut talk = Talk::new(self.script.clone());
        let mut verdict = None;
        // On the heap, so that waiting connect checks stay small.
        let held = Box::pin(self.hold(means, &mut talk, &mut verdict));
        let late = means.awake.within(self.timeout, held).await.err();
        match (verdict, late) {
            (Some(verdict), _) => verdict,
            (None, Some(late)) if late.ours => Answer::too_slow(),
            (None, _) if !talk.begun => Answer::down("connection timed out"),
            (None, _) => Answer::down(format!("timed out waiting for {}", talk.script.awaited())),
        }
    }

    /// The verdict stands before the goodbyes are said.
    async fn hold(&self, means: &Means, talk: &mut Talk, verdict: &mut Option<Answer>) {
        if self.way == Way::Udp {
            *verdict = Some(match means.dialler.connect_udp(self.target) {
                Ok(socket) => over_datagrams(&socket, talk).await,
                Err(error) => Answer::failed(&error),
            });
            return;
        }
        match self.open(means).await {
            Ok(mut stream) => {
                let until = stream.certificate_until();
                *verdict = Some(over(&mut *stream, talk).await.with_certificate(until));
                part(&mut *stream, talk).await;
            }
            Err(answer) => *verdict = Some(answer),
        }
    }

    async fn open(&self, means: &Means) -> Result<Box<dyn Stream>, Answer> {
        let connected = means.dialler.connect(self.target).await;
        let stream = connected.map_err(|error| Answer::failed(&error))?;
        match &self.way {
            Way::Tls(name, trust) => {
                let secured = stream::secure(stream, name, trust, self.target, means).await;
                secured.map_err(|fault| no_tls(&fault, ""))
            }
            Way::Tcp | Way::Udp => Ok(Box::new(stream)),
        }
    }
}

/// What the file gives; without a login name there is none.
fn login(dialogue: &Dialogue) -> Option<Login> {
    let user = dialogue.login.clone()?;
    let password = dialogue.passwd.clone().unwrap_or_default();
    Some(Login { user, password })
}

fn tls(dialogue: &Dialogue) -> Way {
    let name = host_name(dialogue.virtualhost.as_deref());
    Way::Tls(
        server_name(name, dialogue.target.ip()),
        dialogue.trust.clone(),
    )
}

/// The whole conversation over a stream.
async fn over(stream: &mut dyn Stream, talk: &mut Talk) -> Answer {
    // A server may say its last word before it has heard ours: what it said counts.
    let mut fault = None;
    loop {
        match talk.next() {
            Move::Listen => {
                let buffer = talk.buffer();
                buffer.reserve(READ_BYTES);
                let read = stream.read_buf(buffer).await;
                heard(read, talk, &mut fault);
            }
            Move::Say(bytes) => {
                let said = say(stream, &bytes).await;
                fault = fault.or(said.err());
            }
            Move::SayLast(bytes) => {
                let said = say(stream, &bytes).await;
                let closed = stream.shutdown().await;
                fault = fault.or(said.and(closed).err());
            }
            Move::Up(text) => return Answer::up(text),
            Move::Down(text) => return Answer::down(text),
            Move::Gone => return gone(fault.as_ref()),
        }
    }
}

async fn say(stream: &mut dyn Stream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Says goodbye where the protocol has a word for it, and lets the server do so.
async fn part(stream: &mut dyn Stream, talk: &mut Talk) {
    let Some(goodbye) = talk.script.goodbye() else {
        return;
    };
    if say(stream, goodbye).await.is_ok() {
        finish(stream, talk.buffer()).await;
    }
}

/// The same over datagrams; an empty one is the end.
async fn over_datagrams(socket: &UdpSocket, talk: &mut Talk) -> Answer {
    let mut fault = None;
    loop {
        match talk.next() {
            Move::Listen => {
                let buffer = talk.buffer();
                buffer.reserve(DATAGRAM_MAX_BYTES);
                let read = socket.recv_buf(buffer).await;
                heard(read, talk, &mut fault);
            }
            Move::Say(bytes) | Move::SayLast(bytes) if bytes.is_empty() => {}
            Move::Say(bytes) | Move::SayLast(bytes) => {
                fault = fault.or(socket.send(&bytes).await.err());
            }
            Move::Up(text) => return Answer::up(text),
            Move::Down(text) => return Answer::down(text),
            Move::Gone => return gone(fault.as_ref()),
        }
    }
}

/// Tells the conversation what a read brought.
fn heard(read: io::Result<usize>, talk: &mut Talk, fault: &mut Option<io::Error>) {
    match read {
        Ok(length) => talk.heard(length),
        Err(error) => {
            fault.get_or_insert(error);
            talk.heard(0);
        }
    }
}

/// A conversation that broke is told by what broke it.
fn gone(fault: Option<&io::Error>) -> Answer {
    fault.map_or_else(|| Answer::down("connection closed"), Answer::failed)
}

#[cfg(test)]
mod tests;
