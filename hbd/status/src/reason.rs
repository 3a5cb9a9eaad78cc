//! Why things are as they are: the causal chain of a group's owner, why packets are refused, and
//! why none leave.
//! Values for programs; `Display` says each in one sentence, the same in `hbd status`, `hbd why`
//! and `hbtui`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Why a group is where it is, and what it is waiting for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupReason {
    /// Who claimed it last; `None` while nobody has.
    pub claim: Option<ClaimReason>,
    /// No node can run it now, whoever claimed it last.
    pub homeless: bool,
    /// What keeps it from starting here, or from going to its preferred node.
    pub waiting: Option<Waiting>,
    /// Filled while this node owns it and no other node could take it: those that live, and why
    /// each could not.
    pub unfit: Vec<Unfit>,
}

/// How a node came to own a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimReason {
    pub owner: String,
    pub cause: ClaimCause,
}

/// What made a node the owner of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum ClaimCause {
    /// It is the preferred node.
    Preferred,
    /// It is the preferred node and came back.
    CameBack,
    /// An operator moved it there.
    Moved,
    /// It was next after the owner before.
    Next {
        before: String,
        #[serde(flatten)]
        fate: Fate,
    },
    /// It was next, for the preferred node was not there.
    Instead { preferred: String },
    /// It has it until the preferred node returns.
    UntilReturn,
    /// It keeps it until an operator moves it.
    Stays,
    /// It ran it all along while the nodes could not hear each other.
    Kept,
    /// It runs it and does not hear the node that answers.
    Deaf,
    /// It ran it beside the node that answers and is an old Heartbeat, which never lets go by itself.
    Disputed,
}

/// What became of the owner before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// It is heard no more on any of so many links. Over a single one nobody can tell a dead node
    /// from a cut cable.
    Silent {
        links: u32,
    },
    Left,
    Leaving,
    /// It could not start the group.
    Failed,
}

/// What a group waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum Waiting {
    /// No interface of this node has a carrier.
    NoCarrier,
    /// This node's cable is just back: somebody must be heard first.
    CarrierBack,
    /// Another node has the name of this one.
    SameName,
    /// This node is still joining.
    Joining,
    /// The node has never been heard and is not declared dead yet.
    Unheard { node: String },
    /// The node is an old Heartbeat that has not given the group away.
    OldPeer { node: String },
    /// The preferred node lives and its haresources does not list the group.
    Differs { node: String },
    /// The node has not answered this daemon, or has not agreed yet.
    Answer { node: String },
    /// The node must find out first what it holds.
    Examined { node: String },
    /// The node must stop the group first.
    Stopped { node: String },
    /// The node could not stop it.
    Stuck { node: String },
    /// The node has ended and could not stop it.
    LeftBehind { node: String },
    /// It went back to its preferred node so often lately that this must be steady first.
    HoldDown {
        node: String,
        times: u32,
        /// How long it must have been there, milliseconds.
        steady_ms: u64,
    },
    /// It runs here until the node, whose it is now, is ready for it.
    Lingering { node: String },
}

/// A node that lives and could not take a group over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfit {
    pub node: String,
    pub failed: Attempt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempt {
    Start,
    Stop,
}

impl fmt::Display for GroupReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.claim {
            None => f.write_str("nobody has claimed it yet")?,
            Some(claim) => claim.fmt(f)?,
        }
        if self.homeless {
            f.write_str("; no node can run it now")?;
        }
        if let Some(waiting) = &self.waiting {
            write!(f, "; {waiting}")?;
        }
        for (place, unfit) in self.unfit.iter().enumerate() {
            f.write_str(if place == 0 {
                "; a failover is not possible now: "
            } else {
                ", "
            })?;
            unfit.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for ClaimReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = &self.owner;
        match &self.cause {
            ClaimCause::Preferred => write!(f, "{owner} is its preferred node"),
            ClaimCause::CameBack => write!(f, "{owner} is its preferred node and came back"),
            ClaimCause::Moved => write!(f, "an operator moved it to {owner}"),
            ClaimCause::Next { before, fate } => write!(f, "{before} {fate}; {owner} was next"),
            ClaimCause::Instead { preferred } => {
                write!(f, "{preferred} was not there; {owner} was next")
            }
            ClaimCause::UntilReturn => {
                write!(f, "{owner} has it until its preferred node returns")
            }
            ClaimCause::Stays => write!(f, "{owner} keeps it until it is moved"),
            ClaimCause::Kept => write!(
                f,
                "{owner} ran it all along while the nodes could not hear each other"
            ),
            ClaimCause::Deaf => write!(f, "{owner} runs it and does not hear this node"),
            ClaimCause::Disputed => write!(f, "{owner} ran it as well and would not let go"),
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent { links: 1 } => {
                "fell silent (over the only link nobody can tell a dead node from a cut cable)"
            }
            Self::Silent { links: _ } => "fell silent on every link",
            Self::Left => "left",
            Self::Leaving => "is shutting down",
            Self::Failed => "could not start it",
        })
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCarrier => {
                f.write_str("no interface of this node has a carrier: it takes nothing")
            }
            Self::CarrierBack => f.write_str(
                "the cable of this node is just back: it listens before it takes anything",
            ),
            Self::SameName => {
                f.write_str("another node has the name of this one: it takes nothing")
            }
            Self::Joining => f.write_str("this node is not active yet"),
            Self::Unheard { node } => write!(f, "waiting to hear {node}"),
            Self::OldPeer { node } => write!(
                f,
                "{node} runs an old Heartbeat, which has not given it to this node"
            ),
            Self::Differs { node } => write!(
                f,
                "its preferred node {node} lives and does not list it: make haresources equal"
            ),
            Self::Answer { node } => write!(f, "waiting for {node} to answer"),
            Self::Examined { node } => write!(f, "waiting for {node} to examine it"),
            Self::Stopped { node } => write!(f, "waiting for {node} to stop it"),
            Self::Stuck { node } => write!(
                f,
                "{node} could not stop it; once you are sure that nothing of it is active there: \
                 hbd takeover --force"
            ),
            Self::LeftBehind { node } => write!(
                f,
                "{node} has ended and could not stop it; once you are sure that nothing of it is \
                 active there: hbd takeover --force"
            ),
            Self::HoldDown {
                node,
                times,
                steady_ms,
            } => {
                let wait = Duration::from_millis(*steady_ms).as_secs_f32();
                write!(
                    f,
                    "it went back to {node} {times} times lately, so {node} must be steady for \
                     {wait} s before it goes there again"
                )
            }
            Self::Lingering { node } => {
                write!(f, "served here until {node} is ready for it")
            }
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.failed {
            Attempt::Start => "start",
            Attempt::Stop => "stop",
        };
        write!(f, "{} could not {what} it", self.node)
    }
}

/// Why packets are refused or doubtful.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedReason {
    /// Neither of heartbeat's framings, or not signed.
    NotOurs,
    /// Signed with another key.
    WrongKey,
    /// Signed with a key number or method that authkeys does not have.
    UnknownKey,
    TooLong,
    /// Signed with our key, but no message.
    Malformed,
    /// It calls itself by this node's own name.
    SameName,
    /// It has this node's identity: a cloned machine.
    SameIdentity,
    /// It calls itself by a name that ha.cf lacks.
    NotConfigured {
        /// As it came, which may be anything.
        name: String,
    },
    /// Of a life of its sender that is over: recorded, or its clock was set back.
    Replay {
        /// What the packets call their generation.
        generation: u64,
        /// The sender's last one that was believed.
        known: u64,
    },
    /// It has not answered this daemon's life: it does not hear this node, or was recorded.
    Unanswered,
    /// Many send them: no more are told apart.
    Others,
}

impl RefusedReason {
    /// What it means and what to do about it, in one sentence; `node` is the sender as far as it
    /// is known.
    pub fn meaning(&self, node: Option<&str>) -> String {
        let node = node.unwrap_or("its sender");
        match self {
            Self::NotOurs => "neither of heartbeat's framings, or not signed".to_owned(),
            Self::WrongKey => {
                "signed with another key than that of our authkeys (the file must be \
                 the same on every node)"
                    .to_owned()
            }
            Self::UnknownKey => {
                "its key number or method is not in our authkeys (the file must be \
                 the same on every node)"
                    .to_owned()
            }
            Self::TooLong => "longer than any message".to_owned(),
            Self::Malformed => "signed with our key, but malformed".to_owned(),
            Self::SameName => format!(
                "calls itself {node}, which is this node: two machines must not have one name \
                 (see `uname -n`, nodeinfo and --node there)"
            ),
            Self::SameIdentity => "has the identity of this node: one was cloned from the other; \
                 stop hbd on one of them, remove hb_uuid from its state directory and start it \
                 again"
                .to_owned(),
            Self::NotConfigured { name } => format!(
                "calls itself {}, and has our key, but ha.cf has no such node",
                name.escape_default()
            ),
            Self::Replay { generation, known } => format!(
                "of generation {generation}, while generation {known} of {node} was heard \
                 already: recorded packets, or its clock or state directory was set back; in that \
                 case stop hbd there, set the clock, remove hb_uuid and hb_generation from its \
                 state directory and start it again"
            ),
            Self::Unanswered => format!(
                "{node} is heard but does not answer this daemon: it does not hear this node (its \
                 cable, its firewall, its media), or somebody plays back what it said long ago"
            ),
            Self::Others => "packets of further senders are refused or doubtful, too".to_owned(),
        }
    }
}

/// Why a message does not leave on a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendTrouble {
    NoInterface,
    NoBroadcast,
    /// The name of the peer does not resolve.
    NoPeer,
    /// No address but those that move between nodes.
    NoSource,
    /// ENETDOWN.
    Down,
    /// ENETUNREACH or EHOSTUNREACH.
    Unreachable,
    /// A serial line that is not there.
    NoDevice,
    /// Another process has the serial line.
    Busy,
    /// Nothing leaves on the serial line.
    Stuck,
    /// ENOBUFS, ENOMEM or EAGAIN.
    NoBuffers,
    /// EPERM or EACCES.
    Denied,
    /// EMSGSIZE.
    TooLong,
    /// The kernel took a part of it.
    Cut,
    /// Any other error of the kernel.
    Other {
        errno: i32,
    },
}

impl fmt::Display for SendTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoInterface => "no such interface",
            Self::NoBroadcast => "no IPv4 broadcast address",
            Self::NoPeer => "the name of the peer does not resolve",
            Self::NoSource => "no address of this node's own to speak from",
            Self::Down => "the interface is down",
            Self::Unreachable => "no route to the peer",
            Self::NoDevice => "no such device",
            Self::Busy => "another process has the line",
            Self::Stuck => "nothing leaves: no cable, or the other end is off or holds it back",
            Self::NoBuffers => "the kernel has no room for it (ENOBUFS): its queue is full",
            Self::Denied => "the kernel does not let it leave (EPERM): a packet filter?",
            Self::TooLong => "longer than the medium carries (EMSGSIZE)",
            Self::Cut => "the kernel took a part of it only",
            Self::Other { errno } => {
                return std::io::Error::from_raw_os_error(*errno).fmt(f);
            }
        })
    }
}

#[cfg(test)]
mod tests;
