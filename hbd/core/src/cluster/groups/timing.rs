//! Where the time goes until a group runs here: from the last word of an owner that died, or from the
//! moment the group became this node's, over the wait for others to what the start itself took.

use crate::cluster::Cluster;
use crate::cluster::snapshot::milliseconds;
use crate::config::GroupId;
use crate::input::{ScriptSteps, Steps};
use crate::ownership::Claim;
use crate::roster::NodeId;
use crate::takeover::Run;
use ha_status::{NodeStatus, ScriptTiming, Timing};
use std::time::{Duration, Instant};

/// The way of a group to this node, until it runs here.
#[derive(Debug, Clone)]
pub(super) struct Course {
    /// When the group became this node's, or is started without having become so.
    begun: Instant,
    /// How long the owner before was silent until then, if it died.
    silence: Option<Duration>,
    /// When the shell was asked to start it, lastly.
    asked: Option<Instant>,
    /// What the shell told of that start.
    steps: Steps,
}

impl Course {
    fn begin(silence: Option<Duration>, now: Instant) -> Self {
        Self {
            begun: now,
            silence,
            asked: None,
            steps: Steps::default(),
        }
    }

    /// It runs now.
    fn end(self, now: Instant) -> Timing {
        let Steps {
            address,
            table,
            prepared,
            scripts,
        } = self.steps;
        let silence = self.silence.unwrap_or_default();
        let asked = self.asked.unwrap_or(self.begun);
        let waited = asked.saturating_duration_since(self.begun);
        let scripts = scripts.map(|scripts: ScriptSteps| ScriptTiming {
            total_ms: milliseconds(scripts.total),
            slowest: scripts.slowest,
            slowest_ms: milliseconds(scripts.longest),
        });
        Timing {
            total_ms: milliseconds(silence + now.saturating_duration_since(self.begun)),
            silence_ms: self.silence.map(milliseconds),
            waiting_ms: milliseconds(waited),
            address_ms: address.map(milliseconds),
            table_ms: table.map(milliseconds),
            prepared: prepared && table.is_some(),
            scripts,
        }
    }
}

impl Cluster {
    /// A claim replaces that of `from`: does the group set out for this node?
    pub(super) fn note_course(
        &mut self,
        id: GroupId,
        from: Option<NodeId>,
        claim: Claim,
        now: Instant,
    ) {
        let comes = claim.owner == Some(self.roster.local()) && from != claim.owner;
        // What is up already needs no way here.
        let is_up = matches!(self.group(id).runner.run(), Run::Starting | Run::Running);
        if comes && !is_up {
            let silence = from.and_then(|owner| self.silence(owner, now));
            self.group_mut(id).course = Some(Course::begin(silence, now));
        }
    }

    /// How long a node that is dead has been silent.
    fn silence(&self, node: NodeId, now: Instant) -> Option<Duration> {
        let peer = self.membership.peer(node)?;
        let heard = peer.heard.filter(|_| peer.status == NodeStatus::Dead)?;
        Some(now.saturating_duration_since(heard))
    }

    /// The shell is asked to start it.
    pub(super) fn note_asked(&mut self, id: GroupId, now: Instant) {
        let course = &mut self.group_mut(id).course;
        let course = course.get_or_insert_with(|| Course::begin(None, now));
        course.asked = Some(now);
    }

    /// The shell has started it, and says what took how long.
    pub(in crate::cluster) fn note_steps(&mut self, id: GroupId, steps: Steps) {
        if self.is_group(id)
            && let Some(course) = &mut self.group_mut(id).course
        {
            course.steps = steps;
        }
    }

    /// It runs here: how long that took. Kept for as long as it runs.
    pub(super) fn arrive(&mut self, id: GroupId, now: Instant) -> Timing {
        let group = self.group_mut(id);
        let course = group.course.take();
        let timing = course.unwrap_or_else(|| Course::begin(None, now)).end(now);
        group.timing = Some(timing.clone());
        timing
    }
}
