//! The negotiate check of radius (specification 2.17): one login with a password, which the server
//! must accept.
//!
//! A reply that is not signed with our secret is none, as for every RADIUS client; a wrong secret
//! shows as one that came and could not be believed.

mod packet;

use super::awake::Late;
use super::datagrams::{self, Pace};
use super::random;
use super::services::Dialogue;
use super::{Answer, Means, Probe};
use packet::{Account, Code, Reading};
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

/// Sent once more if no answer came in a third of the time.
const SENDS: u32 = 2;
const PATIENCE: u32 = 3;

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Radius {
    /// The real server and its check port.
    target: SocketAddr,
    account: Account,
    /// For everything.
    timeout: Duration,
}

/// Secrets are not for logs.
impl std::fmt::Debug for Radius {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Radius({})", self.target)
    }
}

impl Radius {
    pub(crate) fn probe(dialogue: Dialogue) -> Probe {
        Probe::Radius(Self {
            target: dialogue.target,
            account: Account {
                login: dialogue.login.unwrap_or_default(),
                passwd: dialogue.passwd.unwrap_or_default(),
                secret: dialogue.secret.unwrap_or_default(),
            },
            timeout: dialogue.timeout.min(dialogue.checktimeout),
        })
    }

    pub(super) async fn ask(&self, means: &Means) -> Answer {
        let mut unbelieved = false;
        let exchange = Box::pin(self.exchange(means, &mut unbelieved));
        match means.awake.within(self.timeout, exchange).await {
            Ok(Ok(Code::Accept)) => Answer::up("Access-Accept"),
            Ok(Ok(Code::Reject)) => Answer::down("Access-Reject"),
            Ok(Ok(Code::Challenge)) => Answer::down("Access-Challenge"),
            Ok(Err(error)) => Answer::failed(&error),
            Err(Late { ours: true }) => Answer::too_slow(),
            Err(Late { ours: false }) if unbelieved => {
                Answer::down("a reply that is not signed with our secret")
            }
            Err(Late { ours: false }) => Answer::down(
                "no reply: the server is silent, or does not know this director or its secret",
            ),
        }
    }

    async fn exchange(&self, means: &Means, unbelieved: &mut bool) -> io::Result<Code> {
        let socket = means.dialler.connect_udp(self.target)?;
        let (id, authenticator) = (random::bytes::<1>()[0], random::bytes());
        let here = socket.local_addr()?.ip();
        let Some(request) = packet::request(id, &authenticator, here, &self.account) else {
            return Err(io::Error::other(
                "login or passwd is longer than RADIUS can carry",
            ));
        };
        let pace = Pace {
            first: self.timeout / PATIENCE,
            sends: SENDS,
        };
        datagrams::ask(&socket, &request, pace, |bytes| {
            match packet::read(bytes, id, &authenticator, &self.account.secret) {
                Reading::Foreign => ControlFlow::Continue(()),
                Reading::Unsigned => {
                    *unbelieved = true;
                    ControlFlow::Continue(())
                }
                Reading::Reply(code) => ControlFlow::Break(code),
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests;
