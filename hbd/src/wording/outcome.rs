//! The words for what came of a command.

use super::Wording;
use hbd_core::output::{Done, Refusal, Setback, SetbackCause};

/// How an operator goes on when a node holds what it could not stop.
const FORCE: &str = "once you are sure that nothing of it is active there, go on with \
                     hbd takeover --force";

impl Wording {
    /// The answer to whoever asked.
    pub fn outcome(&self, result: &Result<Done, Refusal>) -> Result<String, String> {
        match result {
            Ok(Done::Moved(0)) => Ok("nothing to move".to_owned()),
            Ok(Done::Moved(1)) => Ok("1 group moved".to_owned()),
            Ok(Done::Moved(count)) => Ok(format!("{count} groups moved")),
            Ok(Done::Released) => Ok("everything is released".to_owned()),
            Err(refusal) => Err(self.refusal(refusal)),
        }
    }

    fn refusal(&self, refusal: &Refusal) -> String {
        match refusal {
            Refusal::Joining => "this node is not active yet".to_owned(),
            Refusal::Leaving => "this node is shutting down".to_owned(),
            Refusal::OldPeer(node) => {
                format!(
                    "{node} runs an old Heartbeat, which hbd does not ask: call hb_standby or \
                     hb_takeover there"
                )
            }
            Refusal::Busy(count) => format!("{count} commands are under way"),
            Refusal::NoTaker { group, others_live } => {
                let why = if *others_live {
                    "the others are not ready for it"
                } else {
                    "no other node is active"
                };
                format!("no other node can take {}: {why}", self.group(*group))
            }
            Refusal::Setbacks(setbacks) => {
                let texts: Vec<String> = setbacks.iter().map(|one| self.setback(one)).collect();
                texts.join("; ")
            }
            Refusal::StillHeld(groups) => {
                format!("could not be stopped: {}", self.groups(groups))
            }
        }
    }

    fn setback(&self, setback: &Setback) -> String {
        let (group, to) = (self.group(setback.group), &setback.to);
        match &setback.cause {
            SetbackCause::OwnedBy(Some(node)) => {
                format!("{group} did not stay on {to}: {node} owns it")
            }
            SetbackCause::OwnedBy(None) => format!("{group} did not stay on {to}: nobody owns it"),
            SetbackCause::StartFailed => format!("{to} could not start {group}"),
            SetbackCause::Stuck => format!("{to} could not stop {group} before; {FORCE}"),
            SetbackCause::UnderWay => format!("{group} is still under way to {to}"),
            SetbackCause::StuckOn(node) => format!("{node} could not stop {group}; {FORCE}"),
            SetbackCause::LeftBehindBy(node) => {
                format!("{node} has ended and could not stop {group}; {FORCE}")
            }
            SetbackCause::Barred => {
                format!("{to} takes nothing now, {group} included; hbd why tells the reason")
            }
        }
    }
}
