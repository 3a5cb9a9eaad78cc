//! The status socket, seen from the loop: who may ask for what, which actions are still without an
//! answer, and who follows.
//!
//! Clients, their limits and their queues are `ha_status`'s business: a slow one is cut off there.
//! Looking is for everyone who may open the socket (root and group haclient); acting is checked
//! again by the credentials that the kernel gives.

mod admins;
mod metrics;

use admins::Admins;
use ha_status::socket::{BindError, ClientRequest, Publisher, Responder, Server, Serving};
use ha_status::{Action, ClusterSnapshot, Hello, Notice, Reply, Request, SCHEMA_VERSION, Snapshot};
use hbd_core::input::{Command, CommandId};
use std::collections::BTreeMap;
use std::path::Path;
use tokio::sync::mpsc;

/// Requests that may wait for the loop; each client has at most one, others wait in their tasks.
const REQUESTS_MAX: usize = 64;
/// Actions without an answer yet; more are refused.
const PENDING_MAX: usize = 256;
/// Everybody outside may do nothing, the group everything.
const SOCKET_MODE: u32 = 0o660;
/// The old daemon's group of those who may talk to it.
const GROUP: &str = "haclient";

pub struct Control {
    serving: Serving,
    requests: mpsc::Receiver<ClientRequest>,
    publisher: Publisher,
    pending: BTreeMap<CommandId, Responder>,
    next: u64,
    admins: Admins,
}

/// What the loop must do for a request.
#[derive(Debug)]
pub enum Ask {
    Snapshot(Responder),
    Follow(Responder),
    Metrics(Responder),
    Command(CommandId, Command),
    Reload(Responder),
}

impl Control {
    /// Binds the socket and answers from now on.
    pub async fn open(path: &Path, node: &str) -> Result<Self, BindError> {
        let server = Server::bind(path, SOCKET_MODE, GROUP).await?;
        let (sender, requests) = mpsc::channel(REQUESTS_MAX);
        let hello = Hello {
            version: SCHEMA_VERSION,
            program: "hbd".to_owned(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            name: node.to_owned(),
            pid: std::process::id(),
        };
        Ok(Self {
            serving: server.start(&hello, sender),
            requests,
            publisher: Publisher::new(),
            pending: BTreeMap::new(),
            next: 0,
            admins: Admins::read(GROUP),
        })
    }

    /// The next request. Cancel-safe.
    pub async fn next(&mut self) -> ClientRequest {
        match self.requests.recv().await {
            Some(request) => request,
            // The server lives as long as we do.
            None => std::future::pending().await,
        }
    }

    /// What a request means; `None` if it was refused and answered.
    pub fn understand(&mut self, request: ClientRequest) -> Option<Ask> {
        let ClientRequest {
            credentials,
            request,
            reply,
            ..
        } = request;
        let action = match request {
            Request::Snapshot => return Some(Ask::Snapshot(reply)),
            Request::Follow => return Some(Ask::Follow(reply)),
            Request::Metrics => return Some(Ask::Metrics(reply)),
            Request::Act { action } => action,
        };
        if !credentials.is_some_and(|credentials| self.admins.may_act(credentials)) {
            refuse(reply, format!("only root and group {GROUP} may do that"));
            return None;
        }
        if self.pending.len() >= PENDING_MAX {
            refuse(reply, "too many actions are under way".to_owned());
            return None;
        }
        let command = match action {
            Action::Standby { set } => Command::Standby(set),
            Action::Takeover { set } => Command::Takeover(set),
            Action::Stop => Command::Shutdown,
            Action::Reload { .. } => return Some(Ask::Reload(reply)),
        };
        let id = self.command_id();
        self.pending.insert(id, reply);
        Some(Ask::Command(id, command))
    }

    /// A name for a command that nobody waits for.
    pub fn command_id(&mut self) -> CommandId {
        self.next = self.next.wrapping_add(1);
        CommandId(self.next)
    }

    /// Answers whoever asked for the command.
    pub fn done(&mut self, id: CommandId, result: Result<String, String>) {
        if let Some(reply) = self.pending.remove(&id) {
            answer(reply, result);
        }
    }

    pub fn snapshot(&mut self, reply: Responder, snapshot: &Snapshot) {
        self.publisher.snapshot(reply, snapshot);
    }

    pub fn follow(&mut self, reply: Responder, snapshot: &Snapshot) {
        self.publisher.follow(reply, snapshot);
    }

    pub fn metrics(reply: Responder, snapshot: &ClusterSnapshot) {
        let text = metrics::render(snapshot);
        reply.send(Reply::Metrics { text });
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
        drop(self.pending);
        self.serving.close().await;
    }
}

/// Answers an action.
pub fn answer(reply: Responder, result: Result<String, String>) {
    reply.send(match result {
        Ok(text) => Reply::Done { text },
        Err(text) => Reply::Error { text },
    });
}

fn refuse(reply: Responder, text: String) {
    answer(reply, Err(text));
}
