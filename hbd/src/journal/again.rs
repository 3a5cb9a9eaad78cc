//! What is told of a notice that comes again and again: groups that stay stuck and a machine that
//! keeps standing still are counted between their lines.

use super::Journal;
use hbd_core::output::Notice;
use std::time::Instant;

impl Journal {
    /// What the lines of the notice end with, mostly nothing. `None` if it is to be counted only.
    pub fn again(&mut self, notice: &Notice, now: Instant) -> Option<String> {
        match notice {
            Notice::GroupStuck { group, reason, .. } => {
                let attempts = self.stuck(*group, reason, now)?;
                Some(match attempts {
                    1 => String::new(),
                    _ => format!(" (tried {attempts} times since last told)"),
                })
            }
            Notice::LocalStall { late } => {
                let (count, worst) = self.stalled(*late, now)?;
                Some(match count {
                    1 => String::new(),
                    _ => format!(" ({count} times since last told, at most {worst:.0?})"),
                })
            }
            Notice::GroupRunning { group, .. } | Notice::GroupStopped { group } => {
                self.unstuck(*group);
                Some(String::new())
            }
            Notice::LocalStatus(_)
            | Notice::NodeStatus { .. }
            | Notice::NodeDead { .. }
            | Notice::NodeLeft { .. }
            | Notice::NodeRestarted { .. }
            | Notice::NodeReturned { .. }
            | Notice::LinkUp { .. }
            | Notice::LinkDead { .. }
            | Notice::PingAnswers { .. }
            | Notice::PingSilent { .. }
            | Notice::PingsLost
            | Notice::LateHeartbeat { .. }
            | Notice::SameName
            | Notice::SameNameGone
            | Notice::UnknownNode { .. }
            | Notice::Replay { .. }
            | Notice::PacketsLost { .. }
            | Notice::PacketsRecovered { .. }
            | Notice::PacketsGone { .. }
            | Notice::OldPeer { .. }
            | Notice::HaresourcesDiffer { .. }
            | Notice::GroupTakeover { .. }
            | Notice::GroupYield { .. }
            | Notice::GroupFailed { .. }
            | Notice::GroupConflictLost { .. }
            | Notice::GroupConflictWon { .. }
            | Notice::GroupLost { .. }
            | Notice::CutOff
            | Notice::Reconnected
            | Notice::GroupHomeless { .. }
            | Notice::Standby { .. }
            | Notice::ShutdownStarted
            | Notice::ShutdownComplete
            | Notice::ShutdownHolding { .. }
            | Notice::GroupLeftBehind { .. }
            | Notice::GroupForced { .. } => Some(String::new()),
        }
    }
}
