//! The status socket, seen from a daemon's loop: who may ask for what, who asked, and who follows. The
//! same rules for both daemons.
//!
//! Looking is for everyone who may open the socket (root and group haclient); acting is checked again
//! by the credentials that the kernel gives, and is written down.

use super::{
    admins::Admins,
    caller::Credentials,
    place::BindError,
    publisher::Publisher,
    server::{ClientRequest, Responder, Server, Serving},
};
use crate::opinion::QUESTION_MAX;
use crate::{Action, Hello, Notice, Reply, Request, SCHEMA_VERSION, Snapshot, Word};
use std::path::Path;
use tokio::sync::mpsc;

/// Requests that may wait for the loop; each client has at most one, others wait in their tasks.
const REQUESTS_MAX: usize = 64;

/// Everybody outside may do nothing, the group everything.
const SOCKET_MODE: u32 = 0o660;

/// The old daemons' group of those who may talk to them.
pub const GROUP: &str = "haclient";

#[derive(Debug)]
pub struct Control {
    serving: Serving,
    requests: mpsc::Receiver<ClientRequest>,
    publisher: Publisher,
    admins: Admins,
}

/// What the loop is asked for.
#[derive(Debug)]
pub enum Asked {
    Snapshot(Responder),
    Follow(Responder),
    Metrics(Responder),
    /// What is found of these services; by somebody who may act, for others are asked as well.
    Opinion {
        services: Vec<u64>,
        reply: Responder,
    },
    /// By somebody who may.
    Act {
        action: Action,
        /// `alice (uid 1000, pid 123)`, for the log.
        who: String,
        reply: Responder,
    },
}

impl Control {
    /// Binds the socket and answers from now on. `name` is the node's or the configuration's.
    pub async fn open(
        path: &Path,
        program: &str,
        release: &str,
        name: &str,
    ) -> Result<Self, BindError> {
        let server = Server::bind(path, SOCKET_MODE, GROUP).await?;
        Ok(Self::over(server, &hello(program, release, name)))
    }

    /// The same as soon as it can be done, for a daemon whose work matters more than being watched.
    /// Must be called inside a runtime.
    pub fn open_later(path: &Path, program: &str, release: &str, name: &str) -> Self {
        let server = Server::unbound(path, SOCKET_MODE, GROUP);
        Self::over(server, &hello(program, release, name))
    }

    fn over(server: Server, hello: &Hello) -> Self {
        let (sender, requests) = mpsc::channel(REQUESTS_MAX);
        Self {
            serving: server.start(hello, sender),
            requests,
            publisher: Publisher::new(),
            admins: Admins::read(GROUP),
        }
    }

    /// The next request. Cancel-safe.
    pub async fn next(&mut self) -> ClientRequest {
        match self.requests.recv().await {
            Some(request) => request,
            // The server has ended: nobody can connect.
            None => std::future::pending().await,
        }
    }

    /// What a request means; `None` if it was refused and answered.
    pub fn understand(&self, request: ClientRequest) -> Option<Asked> {
        let reply = request.reply;
        let action = match request.request {
            Request::Snapshot => return Some(Asked::Snapshot(reply)),
            Request::Follow => return Some(Asked::Follow(reply)),
            Request::Metrics => return Some(Asked::Metrics(reply)),
            Request::Opinion { services } => {
                return self.understand_opinion(services, request.credentials, reply);
            }
            Request::Act { action } => action,
        };
        let Some(who) = request.credentials.filter(|who| self.admins.may_act(*who)) else {
            reply.answer(Err(format!("only root and group {GROUP} may do that")));
            return None;
        };
        let who = self.admins.describe(who);
        Some(Asked::Act { action, who, reply })
    }

    fn understand_opinion(
        &self,
        services: Vec<u64>,
        who: Option<Credentials>,
        reply: Responder,
    ) -> Option<Asked> {
        let refusal = if !who.is_some_and(|who| self.admins.may_act(who)) {
            format!("only root and group {GROUP} may do that")
        } else if services.is_empty() || services.len() > QUESTION_MAX {
            format!("1 to {QUESTION_MAX} services can be asked about")
        } else {
            return Some(Asked::Opinion { services, reply });
        };
        reply.answer(Err(refusal));
        None
    }

    /// Answers [`Request::Snapshot`].
    pub fn snapshot(&mut self, reply: Responder, snapshot: &Snapshot) {
        self.publisher.snapshot(reply, snapshot);
    }

    /// Answers [`Request::Follow`].
    pub fn follow(&mut self, reply: Responder, snapshot: &Snapshot) {
        self.publisher.follow(reply, snapshot);
    }

    /// Tells followers what happened.
    pub fn notice(&mut self, notice: &Notice) {
        self.publisher.notice(notice);
    }

    /// Does anybody want to know how it is now?
    pub fn is_followed(&mut self) -> bool {
        self.publisher.is_followed()
    }

    /// Tells followers how it is now.
    pub fn publish(&mut self, snapshot: &Snapshot) {
        self.publisher.publish(snapshot);
    }

    /// Lets last lines go out and removes the socket.
    pub async fn close(self) {
        self.serving.close().await;
    }
}

fn hello(program: &str, release: &str, name: &str) -> Hello {
    Hello {
        version: SCHEMA_VERSION,
        program: program.to_owned(),
        release: release.to_owned(),
        name: name.to_owned(),
        pid: std::process::id(),
    }
}

impl Responder {
    /// Answers an action.
    pub fn answer(self, result: Result<String, String>) {
        self.send(match result {
            Ok(text) => Reply::Done { text },
            Err(text) => Reply::Error { text },
        });
    }
}

impl Action {
    /// As an operator would type it.
    pub fn word(&self) -> &'static str {
        match self {
            Action::Standby { .. } => "standby",
            Action::Takeover { .. } => "takeover",
            Action::Serve => "active",
            Action::HoldBack => "standby",
            Action::Prepare => "prepare",
            Action::Yield => "standby, for another director",
            Action::Overrule { word, .. } => match word {
                Word::Drain => "drain",
                Word::Undrain => "undrain",
                Word::Weight { .. } => "weight",
                Word::Maintenance { .. } => "maintenance",
            },
            Action::Stop => "stop",
            Action::Reload { force: false } => "reload",
            Action::Reload { force: true } => "reload --force",
        }
    }
}
