//! Who owns a group, by whose decision, and which of two such claims is the better one.

use crate::roster::{NodeId, Precedence};
use std::cmp::{Ordering, Reverse};

/// One takeover adds one to the epoch: a claim that is so far ahead of ours is nonsense, and must
/// neither be believed nor wedge the group.
pub const MAX_LEAP: u64 = 1 << 32;

/// Who owns a group, by whose decision. The default is "nobody yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Claim {
    /// Grows with every change of owner; 0 while nobody has claimed the group.
    pub epoch: u64,
    /// `None` also stands for a node that is not configured here.
    pub owner: Option<NodeId>,
    pub cause: Cause,
}

/// Why the owner owns it: decides whether the group returns to its preferred node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cause {
    /// The owner is the preferred node.
    #[default]
    Home,
    /// The preferred node was away: the group returns when it is back, if the policy says so.
    Failover,
    /// An operator put it there, or the preferred node could not start it: it stays.
    Stay,
}

impl Claim {
    /// The claim that replaces this one.
    pub fn succeed(self, owner: NodeId, cause: Cause) -> Self {
        Self {
            epoch: self.epoch.saturating_add(1),
            owner: Some(owner),
            cause,
        }
    }
}

/// The better of two claims: the higher epoch; else the one of a preferred node; else the lower
/// node name. The same on every node, whichever comes first. "Preferred" is what the writer of
/// the claim said, so that nodes whose haresources differ still agree.
pub fn better_claim(one: Claim, other: Claim, precedence: &Precedence) -> Claim {
    match compare(one, other, precedence) {
        Ordering::Less => other,
        Ordering::Equal | Ordering::Greater => one,
    }
}

/// Greater is better. Owner and cause come last only to make the order total.
fn compare(one: Claim, other: Claim, precedence: &Precedence) -> Ordering {
    let rank = |claim: Claim| {
        let owned = claim.owner.is_some();
        (claim.epoch, owned, claim.cause == Cause::Home)
    };
    let name = |claim: Claim| Reverse(claim.owner.map(|owner| precedence.rank(owner)));
    let last = |claim: Claim| claim.cause == Cause::Failover;
    rank(one)
        .cmp(&rank(other))
        .then_with(|| name(one).cmp(&name(other)))
        .then_with(|| last(one).cmp(&last(other)))
}

/// Is a claim that we hear worth more than a broken counter? A node that knows of no claim yet
/// believes what the others agreed on while it was away, short of the end of all numbers.
pub fn believable(heard: Claim, mine: Claim) -> bool {
    let most = match mine.epoch {
        0 => u64::MAX - MAX_LEAP,
        epoch => epoch.saturating_add(MAX_LEAP),
    };
    heard.epoch <= most
}
