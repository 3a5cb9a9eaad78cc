//! The better of two claims, for all pairs.

use hbd_core::ownership::{self, Cause, Claim, MAX_LEAP, believable};
use hbd_core::roster::{NodeId, Precedence};

/// In the order of their names.
const NODES: [NodeId; 3] = [NodeId::new(70), NodeId::new(3), NodeId::new(41)];

fn better_claim(one: Claim, other: Claim) -> Claim {
    ownership::better_claim(one, other, &Precedence::new(NODES))
}

fn claims() -> Vec<Claim> {
    let owners = [None, Some(NODES[0]), Some(NODES[1]), Some(NODES[2])];
    let mut all = Vec::new();
    for epoch in [0, 1, 2, u64::MAX] {
        for owner in owners {
            for cause in [Cause::Home, Cause::Failover, Cause::Stay] {
                all.push(Claim {
                    epoch,
                    owner,
                    cause,
                });
            }
        }
    }
    all
}

#[test]
fn the_better_claim_is_the_same_on_every_node() {
    for one in claims() {
        for other in claims() {
            let better = better_claim(one, other);
            assert!(better == one || better == other);
            assert_eq!(better, better_claim(other, one), "{one:?} {other:?}");
        }
    }
}

#[test]
fn the_better_claim_does_not_depend_on_the_order_of_hearing() {
    for a in claims() {
        for b in claims() {
            for c in claims() {
                let one = better_claim(better_claim(a, b), c);
                let other = better_claim(a, better_claim(b, c));
                assert_eq!(one, other, "{a:?} {b:?} {c:?}");
            }
        }
    }
}

#[test]
fn the_rules_of_the_better_claim_hold_in_their_order() {
    for one in claims() {
        for other in claims() {
            let better = better_claim(one, other);
            let (Some(a), Some(b)) = (one.owner, other.owner) else {
                continue;
            };
            let expected = if one.epoch != other.epoch {
                one.epoch.max(other.epoch) == better.epoch
            } else if (one.cause == Cause::Home) != (other.cause == Cause::Home) {
                better.cause == Cause::Home
            } else {
                let first = NODES.iter().find(|node| [a, b].contains(node));
                better.owner.as_ref() == first
            };
            assert!(expected, "{one:?} {other:?} {better:?}");
        }
    }
}

#[test]
fn epochs_end_without_wrapping() {
    let last = Claim {
        epoch: u64::MAX,
        ..Claim::default()
    };
    assert_eq!(last.succeed(NODES[0], Cause::Home).epoch, u64::MAX);
}

#[test]
fn an_absurd_epoch_is_not_believed_unless_the_others_have_agreed_on_it() {
    let claim = |epoch| Claim {
        epoch,
        ..Claim::default()
    };
    for mine in [1, 7, 1 << 40] {
        assert!(believable(claim(mine + MAX_LEAP), claim(mine)));
        assert!(!believable(claim(mine + MAX_LEAP + 1), claim(mine)));
    }
    // A node that comes back to a cluster that has got far.
    assert!(believable(claim(1 << 60), claim(0)));
    assert!(!believable(claim(u64::MAX), claim(0)));
}
