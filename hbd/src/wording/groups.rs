//! The words for resource groups: who runs them, why they move, and what went wrong.

use super::{Line, Wording, critical, error, info, warning};
use ha_status::Severity::Info;
use ha_status::Timing;
use hbd_core::config::{GroupId, NodeName};
use hbd_core::output::YieldReason;

impl Wording {
    pub(super) fn takeover(
        &self,
        group: GroupId,
        from: Option<&NodeName>,
        epoch: u64,
    ) -> Vec<Line> {
        let group = self.group(group);
        match from {
            Some(node) => vec![
                Line::new(Info, format!("Resources being acquired from {node}.")),
                Line::new(
                    Info,
                    format!("taking over {group} from {node}, epoch {epoch}"),
                ),
            ],
            None => info(format!("taking {group}, which nobody runs, epoch {epoch}")),
        }
    }

    pub(super) fn yielded(&self, group: GroupId, to: &NodeName, reason: YieldReason) -> Vec<Line> {
        let group = self.group(group);
        info(format!("{group} goes to {to} ({})", reason_words(reason)))
    }

    pub(super) fn running(&self, group: GroupId, timing: &Timing) -> Vec<Line> {
        info(format!("{} runs here after {timing}", self.group(group)))
    }

    pub(super) fn stopped(&self, group: GroupId) -> Vec<Line> {
        info(format!("{} is stopped here", self.group(group)))
    }

    pub(super) fn failed(&self, group: GroupId, resource: &str, reason: &str) -> Vec<Line> {
        let group = self.group(group);
        error(format!("{group} failed here: {resource}: {reason}"))
    }

    pub(super) fn stuck(&self, group: GroupId, resource: &str, reason: &str) -> Vec<Line> {
        critical(format!(
            "Resource STOP failure. {} may still be active here, so nobody else starts it: \
             {resource}: {reason}",
            self.group(group)
        ))
    }

    pub(super) fn lost(&self, group: GroupId, resource: &str, reason: &str) -> Vec<Line> {
        error(format!(
            "{} failed here and is stopped: {resource}: {reason}",
            self.group(group)
        ))
    }

    pub(super) fn conflict_lost(&self, group: GroupId, to: &NodeName) -> Vec<Line> {
        error(format!(
            "Both machines own {}! {to} keeps it, this node lets go",
            self.group(group)
        ))
    }

    pub(super) fn conflict_won(&self, group: GroupId, against: &NodeName) -> Vec<Line> {
        error(format!(
            "Both machines own {}! This node keeps it, {against} lets go",
            self.group(group)
        ))
    }

    pub(super) fn homeless(&self, group: GroupId) -> Vec<Line> {
        error(format!(
            "No one owns {}: no node can run it now",
            self.group(group)
        ))
    }

    pub(super) fn left_behind(&self, group: GroupId, node: &NodeName) -> Vec<Line> {
        critical(format!(
            "node {node} has ended and could not stop {}: it is not started here; once you \
             are sure that nothing of it is active there: hbd takeover --force",
            self.group(group)
        ))
    }

    pub(super) fn forced(&self, group: GroupId) -> Vec<Line> {
        warning(format!(
            "an operator vouches that nothing of {} is active where it could not be stopped",
            self.group(group)
        ))
    }
}

fn reason_words(reason: YieldReason) -> &'static str {
    match reason {
        YieldReason::Failback => "failback to its preferred node",
        YieldReason::Standby => "standby",
        YieldReason::Takeover => "it asked to take over",
        YieldReason::Shutdown => "this node ends",
        YieldReason::Deaf => "it runs it and does not hear this node",
        YieldReason::Disputed => "it runs it as well and will not let go",
        YieldReason::StartFailed => "it could not be started here",
    }
}
