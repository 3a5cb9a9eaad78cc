//! The status socket, seen from hbd's loop: which commands of the core a request means, and which of
//! them are still without an answer. Who may act is `ha_status`'s business, the same for both daemons.

mod metrics;

use ha_status::socket::{Asked, BindError, ClientRequest, Control as Socket, Responder};
use ha_status::{Action, ClusterSnapshot, Notice, Reply, Snapshot};
use hbd_core::input::{AskId, Command, CommandId};
use hbd_core::output::{Silence, View};
use std::collections::BTreeMap;
use std::path::Path;

/// Actions without an answer yet; more are refused.
const PENDING_MAX: usize = 256;
/// How this daemon says hello.
const PROGRAM: &str = "hbd";
const RELEASE: &str = env!("CARGO_PKG_VERSION");

pub struct Control {
    socket: Socket,
    pending: BTreeMap<CommandId, Responder>,
    /// Directors that have asked for an opinion; the core bounds how many.
    asking: BTreeMap<AskId, Responder>,
    next: u64,
}

/// What the loop must do for a request.
#[derive(Debug)]
pub enum Ask {
    Snapshot(Responder),
    Follow(Responder),
    Metrics(Responder),
    /// What the directors of other nodes find of these services.
    Opinion(AskId, Vec<u64>),
    /// With who asked and for what, for the log.
    Command(CommandId, Command, String),
    Reload(Responder, String),
}

impl Control {
    /// Binds the socket and answers from now on.
    pub async fn open(path: &Path, node: &str) -> Result<Self, BindError> {
        Ok(Self::over(
            Socket::open(path, PROGRAM, RELEASE, node).await?,
        ))
    }

    /// Binds it as soon as that can be done: the node's work matters more than being watched.
    pub fn open_later(path: &Path, node: &str) -> Self {
        Self::over(Socket::open_later(path, PROGRAM, RELEASE, node))
    }

    fn over(socket: Socket) -> Self {
        Self {
            socket,
            pending: BTreeMap::new(),
            asking: BTreeMap::new(),
            next: 0,
        }
    }

    /// The next request. Cancel-safe.
    pub async fn next(&mut self) -> ClientRequest {
        self.socket.next().await
    }

    /// What a request means; `None` if it was refused and answered.
    pub fn understand(&mut self, request: ClientRequest) -> Option<Ask> {
        let (action, who, reply) = match self.socket.understand(request)? {
            Asked::Snapshot(reply) => return Some(Ask::Snapshot(reply)),
            Asked::Follow(reply) => return Some(Ask::Follow(reply)),
            Asked::Metrics(reply) => return Some(Ask::Metrics(reply)),
            Asked::Opinion { services, reply } => {
                let id = AskId(self.command_id().0);
                self.asking.insert(id, reply);
                return Some(Ask::Opinion(id, services));
            }
            Asked::Act { action, who, reply } => (action, who, reply),
        };
        if self.pending.len() >= PENDING_MAX {
            reply.answer(Err("too many actions are under way".to_owned()));
            return None;
        }
        let said = format!("{who} asks for: {}", action.word());
        let command = match action {
            Action::Standby { set } => Command::Standby(set),
            Action::Takeover { set, force: false } => Command::Takeover(set),
            Action::Takeover { set, force: true } => Command::ForcedTakeover(set),
            Action::Stop => Command::Shutdown,
            Action::Reload { force: _ } => return Some(Ask::Reload(reply, said)),
            Action::Serve
            | Action::HoldBack
            | Action::Prepare
            | Action::Yield
            | Action::Overrule { .. } => {
                reply.answer(Err("a node has no table: ask ldird".to_owned()));
                return None;
            }
        };
        let id = self.command_id();
        self.pending.insert(id, reply);
        Some(Ask::Command(id, command, said))
    }

    /// A name for a command that nobody waits for.
    pub fn command_id(&mut self) -> CommandId {
        self.next = self.next.wrapping_add(1);
        CommandId(self.next)
    }

    /// Answers whoever asked for the command.
    pub fn done(&mut self, id: CommandId, result: Result<String, String>) {
        if let Some(reply) = self.pending.remove(&id) {
            reply.answer(result);
        }
    }

    /// Answers the director that asked.
    pub fn opinion(&mut self, id: AskId, views: Result<Vec<View>, Silence>) {
        let Some(reply) = self.asking.remove(&id) else {
            return;
        };
        let why = match views {
            Ok(views) => return reply.send(Reply::Opinion { views }),
            Err(Silence::NobodyElse) => "no other node is heard that could be asked",
            Err(Silence::Busy) => "too many questions at the same time",
            Err(Silence::NoAnswer) => "no other node has answered in time",
        };
        reply.answer(Err(why.to_owned()));
    }

    pub fn snapshot(&mut self, reply: Responder, snapshot: &Snapshot) {
        self.socket.snapshot(reply, snapshot);
    }

    pub fn follow(&mut self, reply: Responder, snapshot: &Snapshot) {
        self.socket.follow(reply, snapshot);
    }

    pub fn metrics(reply: Responder, snapshot: &ClusterSnapshot) {
        let text = metrics::render(snapshot);
        reply.send(Reply::Metrics { text });
    }

    /// Tells followers what happened.
    pub fn notice(&mut self, notice: &Notice) {
        self.socket.notice(notice);
    }

    /// Does anybody want to know how it is now?
    pub fn is_followed(&mut self) -> bool {
        self.socket.is_followed()
    }

    /// Tells followers how it is now.
    pub fn publish(&mut self, snapshot: &Snapshot) {
        self.socket.publish(snapshot);
    }

    /// Lets last lines go out and removes the socket.
    pub async fn close(self) {
        drop((self.pending, self.asking));
        self.socket.close().await;
    }
}
