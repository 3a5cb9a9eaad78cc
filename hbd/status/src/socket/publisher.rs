//! The daemon loop's side of followers: numbers changes and notices and queues them for everyone
//! who follows. Never waits.
//!
//! Call it from the loop that owns the state, and call [`Publisher::notice`] for what happened
//! before [`Publisher::publish`] of how it is now: then a follower's snapshot and the lines after
//! it join without gap or double.

use super::{outbox::Outbox, pages, server::Responder};
use crate::{Change, Notice, Reply, Snapshot, Volatile, diff};
use std::sync::Arc;

#[derive(Debug, Default)]
pub struct Publisher {
    seq: u64,
    /// What followers have, volatile fields aside; kept only while there are any.
    last: Option<Snapshot>,
    followers: Vec<Arc<Outbox>>,
}

impl Publisher {
    pub fn new() -> Publisher {
        Publisher::default()
    }

    /// Does anybody follow? If not, building a snapshot to publish is a waste.
    pub fn is_followed(&mut self) -> bool {
        self.followers.retain(|follower| !follower.is_closed());
        if self.followers.is_empty() {
            self.last = None;
        }
        !self.followers.is_empty()
    }

    /// Tells followers how it is now; does nothing if only volatile fields differ.
    pub fn publish(&mut self, snapshot: &Snapshot) {
        if !self.is_followed() {
            return;
        }
        if let Some(last) = &self.last {
            let changes = diff(last, snapshot, Volatile::Skip);
            if changes.is_empty() {
                return;
            }
            let seq = self.number();
            if let [Change::Whole { .. }] = changes.as_slice() {
                // In lines of bounded length, as every snapshot.
                let snapshot = snapshot.clone();
                self.send(&Reply::Snapshot { seq, snapshot });
            } else {
                self.send(&Reply::Change { seq, changes });
            }
        }
        self.last = Some(snapshot.clone());
    }

    /// Tells followers what happened.
    pub fn notice(&mut self, notice: &Notice) {
        if !self.is_followed() {
            return;
        }
        let seq = self.number();
        let notice = notice.clone();
        self.send(&Reply::Notice { seq, notice });
    }

    /// Answers [`crate::Request::Snapshot`].
    pub fn snapshot(&mut self, responder: Responder, snapshot: &Snapshot) {
        // First the others, so that `seq` says what the snapshot contains.
        self.publish(snapshot);
        responder.send(self.numbered(snapshot));
    }

    /// Answers [`crate::Request::Follow`]: the snapshot now, everything after it from here on.
    /// Following twice on one connection starts anew with a snapshot, and doubles nothing.
    pub fn follow(&mut self, responder: Responder, snapshot: &Snapshot) {
        self.publish(snapshot);
        let outbox = Arc::clone(responder.outbox());
        responder.send(self.numbered(snapshot));
        self.followers
            .retain(|follower| !Arc::ptr_eq(follower, &outbox));
        self.followers.push(outbox);
        if self.last.is_none() {
            self.last = Some(snapshot.clone());
        }
    }

    fn numbered(&self, snapshot: &Snapshot) -> Reply {
        Reply::Snapshot {
            seq: self.seq,
            snapshot: snapshot.clone(),
        }
    }

    fn number(&mut self) -> u64 {
        self.seq = self.seq.wrapping_add(1);
        self.seq
    }

    fn send(&mut self, reply: &Reply) {
        let lines = pages::lines(reply);
        self.followers.retain(|follower| follower.push_all(&lines));
    }
}
