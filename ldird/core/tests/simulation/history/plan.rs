//! Which faults a history has, and how many of them.

use super::super::random::Random;

/// What is drawn apart from all else came later; so older seeds kept their meaning.
const APART: u64 = 92 << 40;

/// What a history's seed draws.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) flapping: u64,
    pub(super) hanging: u64,
    pub(super) meddling: u64,
    pub(super) reloading: u64,
    pub(super) killing: u64,
    pub(super) maintaining: u64,
    /// Checks that cannot be asked.
    pub(super) wanting: u64,
    /// The director stands still for seconds.
    pub(super) stalling: u64,
    /// The resource comes and goes.
    pub(super) turning: u64,
    /// Operators have their say.
    pub(super) ordering: u64,
    /// Refusals that last.
    pub(super) stubborn: u64,
    /// Answers of the kernel that take long.
    pub(super) sluggish: u64,
    /// Every table is a big one, and the kernel slow.
    pub(super) crowded: bool,
    /// The stop comes in the middle of it.
    pub(super) hasty: bool,
}

/// Half of the faults are on in a history, each more or less.
pub(super) fn swarm(random: &mut Random, most: u64) -> u64 {
    if random.chance(50) {
        1 + random.below(most)
    } else {
        0
    }
}

impl Plan {
    pub(super) fn draw(random: &mut Random, seed: u64) -> Self {
        let mut apart = Random::new(seed ^ APART);
        let crowded = apart.chance(4);
        let sluggish = if crowded {
            3
        } else {
            apart.below(4).saturating_sub(1)
        } * 15;
        let mut plan = Plan {
            flapping: swarm(random, 30),
            hanging: swarm(random, 20),
            meddling: swarm(random, 5),
            reloading: swarm(random, 4),
            killing: swarm(random, 2),
            maintaining: swarm(random, 4),
            wanting: swarm(random, 15),
            stalling: swarm(random, 2),
            turning: swarm(random, 3),
            ordering: swarm(random, 4),
            stubborn: swarm(random, 3),
            sluggish,
            crowded,
            hasty: random.chance(25),
        };
        if crowded {
            plan.reloading = plan.reloading.max(2);
            plan.hasty = true;
        }
        plan
    }
}
