//! Rings of serial lines: what a node hears for the first time on one line goes on over its others,
//! as the old manual promised and the old daemon never did (Heartbeat specification 3.5, 3.6).
//!
//! Nothing circles for ever: numbered messages go on once, a node's own ones not at all, and every
//! step takes one from `ttl`.

use super::Cluster;
use crate::config::LinkId;
use crate::output::Output;
use crate::sequence::Verdict;
use crate::wire::Message;

/// How far a message may still travel.
const TTL: &str = "ttl";

/// Is it news, as far as numbers tell? Whether its sender is believed is for each node to judge.
pub(super) fn is_news(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Accept(_) | Verdict::Premature { .. } | Verdict::Unproven => true,
        Verdict::Duplicate | Verdict::Old | Verdict::Stale | Verdict::Replay { .. } => false,
    }
}

impl Cluster {
    /// Passes a message of another node on, if there is somebody to pass it on to.
    pub(super) fn pass_on_along(&mut self, from: LinkId, message: &Message) {
        let lines = self.config.links.iter().filter(|(_, link)| link.passes_on);
        let (mut here, mut others) = (false, false);
        for (id, _) in lines {
            here |= id == from;
            others |= id != from;
        }
        let left = message.decimal(TTL).unwrap_or(0).saturating_sub(1);
        if !here || !others || left == 0 {
            return;
        }
        let mut message = message.clone();
        message.set_decimal(TTL, left);
        self.outbox.push(Output::PassOn { message, from });
    }

    /// Is it for this node alone?
    pub(super) fn ends_here(&self, message: &Message) -> bool {
        message.text("dest") == Some(self.config.local.as_str())
    }
}
