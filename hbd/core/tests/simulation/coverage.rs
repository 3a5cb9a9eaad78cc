//! Which (state, event) pairs of groups and nodes the histories have met: promises about pairs that
//! never happen are worth nothing.

use crate::setup::place_of;
use ha_status::{ClusterPhase, NodeStatus, RunState};
use hbd_core::Cluster;
use hbd_core::input::{Command, Input};
use hbd_core::wire::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Instant;

/// What a node can be for the receiver of a message. Ping nodes say nothing.
const STATUSES: [&str; 5] = ["init", "up", "active", "left", "dead"];

/// What a message between nodes of the extension can be: all of these come, whatever the sender is
/// taken for.
const KINDS: [&str; 5] = [
    "status",
    "status again",
    "shutdone",
    "NS_ackmsg",
    "NS_rexmit",
];

/// Every pair that comes: a group's state with an answer of its scripts or with what it holds, a
/// node's state with its cables or a command. An answer comes to what was asked for, and to nothing
/// else. A forced takeover is the operator's word against every promise, so stories tell it.
const PAIRS: [(&str, &[&str]); 10] = [
    ("unknown", &["probed", "lost", "mended"]),
    ("stopped", &["lost", "mended"]),
    (
        "starting",
        &[
            "started",
            "start failed",
            "start failed, held",
            "lost",
            "mended",
        ],
    ),
    ("running", &["lost", "mended"]),
    (
        "stopping",
        &[
            "stopped",
            "stop failed",
            "start failed, held",
            "lost",
            "mended",
        ],
    ),
    ("failed", &["lost", "mended"]),
    ("stuck", &["lost", "mended"]),
    ("joining", &NODE_EVENTS),
    ("active", &NODE_EVENTS),
    ("leaving", &NODE_EVENTS),
];

const NODE_EVENTS: [&str; 5] = ["plugged", "unplugged", "standby", "takeover", "shutdown"];

/// What comes so seldom that it need not: the answer of a start that lay unread in a process that
/// stood still, while what it read before made it stop the group.
const SELDOM: [(&str, &str); 2] = [("stopping", "started"), ("stopping", "start failed")];

/// How often each pair came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coverage {
    pairs: BTreeMap<(&'static str, &'static str), u64>,
    /// By the status of the sender and the kind.
    messages: [[u64; KINDS.len()]; STATUSES.len()],
    /// Kinds of messages that no node of the extension says to another.
    strange: BTreeSet<String>,
    /// Double owners that ended while only one of them heard the other.
    pub(crate) yielded: u64,
    /// Nodes that no longer heard the gateway.
    pub(crate) gateway_lost: u64,
    /// Preparations that a start followed, and those that were undone.
    pub(crate) fulfilled: u64,
    pub(crate) undone: u64,
    /// Groups that went on until their next owner was ready.
    pub(crate) lingered: u64,
}

impl Coverage {
    /// A node is about to be told something.
    pub(crate) fn note(&mut self, core: &Cluster, input: &Input, now: Instant) {
        let (group, event) = match input {
            Input::Tick
            | Input::Prepared { .. }
            | Input::Unprepared { .. }
            | Input::Lingers { .. }
            | Input::Received(_)
            | Input::Rejected { .. }
            | Input::LinkWrite { .. }
            | Input::PingAnswered { .. }
            | Input::Ask { .. }
            | Input::Inquired { .. }
            | Input::Load(_)
            | Input::WallClock(_) => return,
            Input::Probed { group, .. } => (Some(group), "probed"),
            Input::Started { group, result, .. } => {
                let failed = result.as_ref().err();
                let event = match failed.map(|failure| failure.still_held) {
                    None => "started",
                    Some(false) => "start failed",
                    Some(true) => "start failed, held",
                };
                (Some(group), event)
            }
            Input::Stopped { group, result } => {
                let event = if result.is_ok() {
                    "stopped"
                } else {
                    "stop failed"
                };
                (Some(group), event)
            }
            Input::Lost { group, .. } => (Some(group), "lost"),
            Input::Mended { group } => (Some(group), "mended"),
            Input::Carrier { carrier, .. } => {
                (None, if *carrier { "plugged" } else { "unplugged" })
            }
            Input::Command { command, .. } => (None, command_word(*command)),
        };
        let Some(view) = core.snapshot(now) else {
            return;
        };
        let state = match group {
            Some(group) => run_word(view.groups[place_of(*group)].state),
            None => phase_word(view.phase),
        };
        *self.pairs.entry((state, event)).or_default() += 1;
    }

    /// A node is about to be told something by another one, which it takes for that.
    pub(crate) fn hear(&mut self, sender: NodeStatus, message: &Message) {
        let sender = match sender {
            NodeStatus::Init => 0,
            NodeStatus::Up => 1,
            NodeStatus::Active => 2,
            NodeStatus::Left => 3,
            NodeStatus::Dead => 4,
            NodeStatus::Ping => return,
        };
        let kind = match message.kind() {
            "status" if message.text("hbn").is_none() => "status again",
            kind => kind,
        };
        match KINDS.iter().position(|known| *known == kind) {
            Some(kind) => self.messages[sender][kind] += 1,
            // Some 200 messages must be lost in a row.
            None if kind == "NS_nak_rexmit" => {}
            None => _ = self.strange.insert(kind.to_owned()),
        }
    }

    /// Pairs that never came although they can, or came although they cannot.
    pub(crate) fn surprises(&self) -> Vec<String> {
        let expected = PAIRS
            .iter()
            .flat_map(|(state, events)| events.iter().map(move |event| (*state, *event)));
        let expected: BTreeSet<_> = expected.collect();
        let met: BTreeSet<_> = self.pairs.keys().copied().collect();
        let mut text = Vec::new();
        for pair in expected.difference(&met) {
            text.push(format!("{pair:?} never came"));
        }
        for pair in met.difference(&expected) {
            if !SELDOM.contains(pair) {
                text.push(format!("{pair:?} came"));
            }
        }
        for (status, counts) in STATUSES.iter().zip(&self.messages) {
            let never = KINDS.iter().zip(counts).filter(|(_, count)| **count == 0);
            text.extend(never.map(|(kind, _)| format!("{kind} of a node {status} never came")));
        }
        text.extend(self.strange.iter().map(|kind| format!("{kind} came")));
        text
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (pair, count) in &other.pairs {
            *self.pairs.entry(*pair).or_default() += count;
        }
        self.yielded += other.yielded;
        self.gateway_lost += other.gateway_lost;
        self.fulfilled += other.fulfilled;
        self.undone += other.undone;
        self.lingered += other.lingered;
        self.strange.extend(other.strange.iter().cloned());
        let mine = self.messages.as_flattened_mut().iter_mut();
        for (mine, other) in mine.zip(other.messages.as_flattened()) {
            *mine += other;
        }
    }

    /// A line for each pair.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        for ((state, event), count) in &self.pairs {
            writeln!(text, "    {state:<10} {event:<18} {count:>9}").expect("a String takes it");
        }
        write!(text, "    {:<10}", "sender").expect("a String takes it");
        for kind in KINDS {
            write!(text, " {kind:>12}").expect("a String takes it");
        }
        for (status, counts) in STATUSES.iter().zip(&self.messages) {
            write!(text, "\n    {status:<10}").expect("a String takes it");
            for count in counts {
                write!(text, " {count:>12}").expect("a String takes it");
            }
        }
        text.push('\n');
        text
    }
}

fn command_word(command: Command) -> &'static str {
    match command {
        Command::Standby(_) => "standby",
        Command::Takeover(_) => "takeover",
        Command::ForcedTakeover(_) => "forced takeover",
        Command::Shutdown => "shutdown",
    }
}

fn run_word(run: RunState) -> &'static str {
    match run {
        RunState::Unknown => "unknown",
        RunState::Stopped => "stopped",
        RunState::Starting => "starting",
        RunState::Running => "running",
        RunState::Stopping => "stopping",
        RunState::Failed => "failed",
        RunState::Stuck => "stuck",
    }
}

fn phase_word(phase: ClusterPhase) -> &'static str {
    match phase {
        ClusterPhase::Starting => "joining",
        ClusterPhase::Running => "active",
        ClusterPhase::Stopping => "leaving",
    }
}
