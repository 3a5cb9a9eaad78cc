//! The messages of the old protocol, built and read: their own fields (Heartbeat specification
//! 5.2, 7.2, appendix B). `Voice` adds the standard fields, numbers and keeps what can be sent
//! again. Decides nothing.

use crate::config::Config;
use crate::extension;
use crate::roster::Roster;
use crate::sequence::{Acknowledgement, Answer, HISTORY_LENGTH, History, NAK_REASON, Request};
use crate::wire::Message;
use ha_status::HoldSet;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Non-sequenced messages begin with this.
const UNSEQUENCED: &str = "NS_";

/// What `ld` says before the first load average is known.
const NO_LOAD: &str = "n/a";

/// Acknowledgements come for every tenth number: of so many it is remembered when they were sent.
const TIMED: usize = 64;

/// The longest load average that is passed on; the kernel's has some 30 bytes.
const MAX_LOAD: usize = 64;

/// A message kind that this node understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Status,
    Shutdone,
    Reqnodes,
    Ack,
    Rexmit,
    NakRexmit,
    /// What directors ask each other, and the answers.
    Question,
    Finding,
    /// Accounted for, then ignored.
    Other,
}

/// What every acceptable message says about itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header<'a> {
    pub(crate) kind: Kind,
    pub(crate) source: &'a str,
    pub(crate) generation: u64,
    /// `None` for `NS_` types.
    pub(crate) seq: Option<u64>,
    pub(crate) uuid: Option<[u8; 16]>,
}

impl<'a> Header<'a> {
    /// `None` if a mandatory field is missing (specification 5.2).
    pub(crate) fn read(message: &'a Message) -> Option<Self> {
        let kind = message.text("t").filter(|kind| !kind.is_empty())?;
        message.hex("ts").filter(|at| *at > 0)?;
        let seq = if kind.starts_with(UNSEQUENCED) {
            None
        } else {
            Some(message.hex("seq").filter(|seq| *seq > 0)?)
        };
        Some(Self {
            kind: match kind {
                "status" => Kind::Status,
                "shutdone" => Kind::Shutdone,
                "reqnodes" => Kind::Reqnodes,
                "NS_ackmsg" => Kind::Ack,
                "NS_rexmit" => Kind::Rexmit,
                "NS_nak_rexmit" => Kind::NakRexmit,
                "NS_hbask" => Kind::Question,
                "NS_hbsay" => Kind::Finding,
                _ => Kind::Other,
            },
            source: message.text("src")?,
            generation: message.hex("hg").unwrap_or(0),
            seq,
            uuid: message.binary("srcuuid").and_then(|id| id.try_into().ok()),
        })
    }
}

/// Is the message for this node? `destuuid` decides if it is there (specification 5.5 step 3).
pub(crate) fn addressed_to(message: &Message, config: &Config) -> bool {
    match message.binary("destuuid") {
        Some(id) if id.iter().any(|byte| *byte != 0) => id == config.uuid,
        Some(_) | None => message
            .text("dest")
            .is_none_or(|name| name == config.local.as_str()),
    }
}

/// The own fields of `status`; the extension's follow.
pub(crate) fn status(state: &str, deadtime: Duration) -> Message {
    let deadtime = u64::try_from(deadtime.as_millis()).unwrap_or(u64::MAX);
    let mut message = Message::new("status").with("st", state);
    message.set_hex("dt", deadtime);
    message.with("protocol", "1")
}

pub(crate) fn starting() -> Message {
    Message::new("starting")
}

/// A full report of what this node holds, for old peers.
pub(crate) fn resource(held: HoldSet) -> Message {
    Message::new("resource")
        .with("rsc_hold", hold_word(held))
        .with("rtype", "full")
        .with("isstable", "1")
}

/// The report that opens a shutdown.
pub(crate) fn resource_shutdown() -> Message {
    Message::new("resource")
        .with("rsc_hold", hold_word(HoldSet::None))
        .with("rtype", "full")
        .with("isstable", "0")
        .with("info", "shutdown")
}

/// A step of the conversation by which a node gives groups away.
pub(crate) fn ask_resources(step: &'static str, set: HoldSet) -> Message {
    Message::new("ask_resources")
        .with("rsc_hold", hold_word(set))
        .with("info", step)
}

/// An old daemon in `legacy` mode lets go of the group and answers.
pub(crate) fn ip_request(group: &str) -> Message {
    Message::new("ip-request").with("ipaddr", group)
}

/// Nothing of the group is active here; `held`: until just now there was.
pub(crate) fn ip_request_resp(dest: &str, group: &str, held: bool) -> Message {
    Message::new("ip-request-resp")
        .with("dest", dest)
        .with("ipaddr", group)
        .with("weown", if held { "yes" } else { "no" })
        .with("ok", "OK")
}

/// The answer to `query-cstatus`: this node has no client of that name.
pub(crate) fn client_is_offline(dest: &str, client: &str, asker: &str) -> Message {
    Message::new("respond-cstatus")
        .with("dest", dest)
        .with("result", "OK")
        .with("cn", client)
        .with("to_id", asker)
        .with("cs", "offline")
}

pub(crate) fn shutdone() -> Message {
    Message::new("shutdone").with("st", "dead")
}

/// The configured nodes, each followed by a blank (specification 6.3), and exactly these: in any
/// order, but an old daemon logs errors about a ping node in the list and about a living node that
/// is missing, and adds whatever else is there as a node that it then waits for. One that gets no
/// answer asks each second and never becomes active.
pub(crate) fn repnodes(dest: &str, roster: &Roster) -> Message {
    let mut list = String::new();
    for id in roster.order() {
        list.push_str(roster.name(id).as_str());
        list.push(' ');
    }
    Message::default()
        .with("dest", dest)
        .with("t", "repnodes")
        .with("nodelist", list)
        .with("delnodelist", " ")
}

pub(crate) fn ack(dest: &str, seq: u64) -> Message {
    let mut message = Message::new("NS_ackmsg").with("dest", dest);
    message.set_hex("ackseq", seq);
    message
}

pub(crate) fn rexmit(dest: &str, request: Request) -> Message {
    let mut message = Message::new("NS_rexmit").with("dest", dest);
    message.set_decimal("firstseq", request.first);
    message.set_decimal("lastseq", request.last);
    message
}

fn nak_rexmit(dest: &str, seq: u64) -> Message {
    let mut message = Message::new("NS_nak_rexmit");
    message.set_hex("firstseq", seq);
    message.with("dest", dest).with("info", NAK_REASON)
}

fn hold_word(set: HoldSet) -> &'static str {
    match set {
        HoldSet::None => "none",
        HoldSet::Local => "local",
        HoldSet::Foreign => "foreign",
        HoldSet::All => "all",
    }
}

/// The node that a message is for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Addressee {
    pub(crate) uuid: Option<[u8; 16]>,
    /// Of the life that is meant; `None` for old peers, who do not ask.
    pub(crate) generation: Option<u64>,
}

/// This node's voice: stamps, numbers and remembers what is sent.
#[derive(Debug)]
pub(crate) struct Voice {
    source: String,
    uuid: [u8; 16],
    generation: u64,
    ttl: usize,
    load: String,
    wall: (Instant, u64),
    history: History,
    /// When the last numbers were sent, those that were sent again left out.
    sent: VecDeque<(u64, Instant)>,
}

impl Voice {
    pub(crate) fn new(config: &Config, roster: &Roster) -> Self {
        Self {
            source: config.local.as_str().to_owned(),
            uuid: config.uuid,
            generation: config.generation,
            ttl: usize::from(config.hopfudge) + roster.len() + config.pings.len(),
            load: NO_LOAD.to_owned(),
            wall: config.wall,
            history: History::new(config.max_rexmit_delay),
            sent: VecDeque::new(),
        }
    }

    /// Adds the standard fields in their order (specification 5.2); `destuuid` is that of the
    /// node named by `dest`, zero if unknown. Sequenced messages are numbered and kept, the others
    /// say which life of that node they are for.
    pub(crate) fn say(
        &mut self,
        mut message: Message,
        addressee: Addressee,
        now: Instant,
    ) -> Message {
        let sequenced = !message.kind().starts_with(UNSEQUENCED);
        if message.text("dest").is_some() {
            if let Some(generation) = addressee.generation.filter(|_| !sequenced) {
                message.set_hex(extension::ADDRESSEE, generation);
            }
            let uuid = addressee.uuid.unwrap_or_default();
            message.push_binary("destuuid", uuid.to_vec());
        }
        message.push_text("src", self.source.as_str());
        message.push_binary("srcuuid", self.uuid.to_vec());
        if sequenced {
            message.set_hex("seq", self.history.next_seq());
        }
        message.set_hex("hg", self.generation);
        message.set_hex("ts", (self.wall_clock(now) / 1000).max(1));
        if sequenced {
            message.push_text("ld", self.load.as_str());
        }
        message.push_text("ttl", self.ttl.to_string());
        if sequenced {
            if self.sent.len() == TIMED {
                self.sent.pop_front();
            }
            self.sent.push_back((self.history.next_seq(), now));
            self.history.record(for_history(&message));
        }
        message
    }

    /// A node has everything up to this number. How long that took, if the number is news and was
    /// sent only once.
    pub(crate) fn acknowledge(&mut self, node: &str, seq: u64, now: Instant) -> Option<Duration> {
        match self.history.acknowledge(node, seq) {
            Acknowledgement::Advanced => {
                let (_, sent) = self.sent.iter().find(|(number, _)| *number == seq)?;
                Some(now.saturating_duration_since(*sent))
            }
            Acknowledgement::Known | Acknowledgement::Corrupted { .. } => None,
        }
    }

    pub(crate) fn forget(&mut self, node: &str) {
        self.history.forget(node);
    }

    /// Everything to send in answer to a request for lost messages. `first` and `last` as the
    /// wire gave them.
    pub(crate) fn resend(
        &mut self,
        node: &str,
        addressee: Addressee,
        (first, last): (u64, u64),
        now: Instant,
    ) -> Vec<Message> {
        // Anything older is refused anyway; this bounds the refusals per request.
        let oldest = self.history.highest().saturating_sub(HISTORY_LENGTH as u64);
        self.sent.retain(|(seq, _)| !(first..=last).contains(seq));
        let answers = self
            .history
            .answer(node, first.max(oldest.max(1)), last, now);
        let message = |answer| match answer {
            Answer::Resend(message) => Some(message),
            Answer::Nak { seq } => Some(self.say(nak_rexmit(node, seq), addressee, now)),
            Answer::BeyondHighest { .. } => None,
        };
        answers.into_iter().filter_map(message).collect()
    }

    /// The load average that goes into `ld`.
    pub(crate) fn set_load(&mut self, load: &str) {
        let clean = load.lines().next().unwrap_or_default().trim();
        if !clean.is_empty() && clean.len() <= MAX_LOAD {
            clean.clone_into(&mut self.load);
        }
    }

    pub(crate) fn set_wall_clock(&mut self, now: Instant, milliseconds: u64) {
        self.wall = (now, milliseconds);
    }

    /// Milliseconds since 1970.
    pub(crate) fn wall_clock(&self, now: Instant) -> u64 {
        let (then, milliseconds) = self.wall;
        let elapsed = now.saturating_duration_since(then).as_millis();
        milliseconds.saturating_add(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }
}

/// The copy that may be sent again: a status without its report, which would be out of date and,
/// with a thousand groups, 500 times as large as all the rest.
fn for_history(message: &Message) -> Message {
    let mut copy = message.clone();
    for field in extension::FIELDS {
        copy.remove(field);
    }
    copy
}
