//! What an old Heartbeat has told about its resources (Heartbeat specification 7), and what its
//! words call for. Two sets are all it speaks of: the groups that name it as preferred node (its
//! *local* ones), and all others.
//!
//! ```text
//! it says                       what follows here
//! starting                      a full report of ours; it is in flux until its next stable one
//! resource, full                its sets; a stable one after a flux is answered with ours
//! resource, of mach_down        its sets grow
//! ask_resources me              accepted at once, or it could neither give nor stop for a while
//! ask_resources done            what it gave is free, and it is told that it is taken
//! ```
//!
//! It cannot be stopped while we are in flux or a conversation is open (7.10), so neither ever
//! lasts: our reports are always stable, and `done` says that a start has begun, not that it has
//! ended. The old one counts intentions as well (7.1), and accepts `me` while its scripts still run.
//! Which side gives back is up to the holder's own `auto_failback`; the other's is not asked.

use crate::wire::Message;
use ha_status::{HoldSet, RunState};

/// A message about resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Starting,
    /// It holds exactly this.
    Full {
        holds: HoldSet,
        stable: bool,
    },
    /// It holds this as well.
    More(HoldSet),
    /// It wants to give these away.
    Gives(HoldSet),
    /// It has released these.
    Gave(HoldSet),
    /// Nothing that concerns us.
    Other,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    /// Say what we hold.
    Report,
    /// Say that we can take these.
    Accept(HoldSet),
    /// Take these, and say so.
    Take(HoldSet),
}

impl Word {
    pub(crate) fn read(message: &Message) -> Self {
        let set = message.text("rsc_hold");
        match message.kind() {
            "starting" => Self::Starting,
            "resource" if message.text("rtype") == Some("full") => Self::Full {
                holds: hold_set(set.unwrap_or("none")),
                stable: message.text("isstable") == Some("1"),
            },
            "resource" => Self::More(hold_set(set.unwrap_or("none"))),
            "ask_resources" => {
                let set = hold_set(set.unwrap_or("all"));
                match message.text("info") {
                    Some("me") => Self::Gives(set),
                    Some("done") => Self::Gave(set),
                    Some(_) | None => Self::Other,
                }
            }
            _ => Self::Other,
        }
    }
}

fn hold_set(word: &str) -> HoldSet {
    match word {
        "local" => HoldSet::Local,
        "foreign" => HoldSet::Foreign,
        "all" => HoldSet::All,
        _ => HoldSet::None,
    }
}

/// One life of an old peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OldPeer {
    /// `None` until it has said so.
    holds: Option<HoldSet>,
    /// Nothing is moving there.
    stable: bool,
    giving: bool,
}

impl OldPeer {
    pub(crate) fn hear(&mut self, word: Word) -> Answer {
        match word {
            Word::Starting => {
                self.stable = false;
                Answer::Report
            }
            Word::Full { holds, stable } => {
                self.holds = Some(holds);
                let settled = stable && !self.stable;
                self.stable = stable;
                if settled {
                    Answer::Report
                } else {
                    Answer::Nothing
                }
            }
            Word::More(set) => {
                let holds = self.holds.unwrap_or(HoldSet::None);
                self.holds = Some(HoldSet::of(
                    holds.has_local() || set.has_local(),
                    holds.has_foreign() || set.has_foreign(),
                ));
                Answer::Nothing
            }
            Word::Gives(set) => {
                self.giving = true;
                Answer::Accept(set)
            }
            Word::Gave(set) if self.giving => {
                self.giving = false;
                let holds = self.holds.unwrap_or(HoldSet::All);
                self.holds = Some(HoldSet::of(
                    holds.has_local() && !set.has_local(),
                    holds.has_foreign() && !set.has_foreign(),
                ));
                self.stable = true;
                Answer::Take(set)
            }
            Word::Gave(_) | Word::Other => Answer::Nothing,
        }
    }

    /// Has it said what it holds?
    pub(crate) fn has_reported(self) -> bool {
        self.holds.is_some()
    }

    /// Whether it runs a group, which names it as the preferred node or another one.
    pub(crate) fn run(self, at_home: bool) -> RunState {
        match self.holds {
            Some(holds) if holds.has_home(at_home) => RunState::Running,
            Some(_) if self.stable => RunState::Stopped,
            Some(_) | None => RunState::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
