//! A service and the second opinion about it: when its own ends, and what it tells another director.

use super::{Virtual, Watched};
use crate::config::Check;
use crate::health::State;
use crate::opinion::OpinionEnd;
use ha_status::Found;
use std::time::{Duration, Instant};

impl Virtual {
    /// Why its last real server need not be kept any more, as far as that shows in what is known of its
    /// real servers.
    pub(crate) fn opinion_ends(&self) -> Option<OpinionEnd> {
        let quiescent = self.config.quiescent;
        let kept = self.reals.get(&self.opinion.as_ref()?.real);
        let serves = |row: &Watched| row.weight(quiescent).is_some_and(|weight| weight > 0);
        let others = self.reals.values().filter(|row| !row.kept && !row.held);
        let recovered = kept.is_some_and(|row| row.health.state == State::Up)
            || self.spared
            || !self.succession.is_empty()
            || others.into_iter().any(serves);
        if recovered {
            return Some(OpinionEnd::Recovered);
        }
        (!kept.is_some_and(serves)).then_some(OpinionEnd::Overruled)
    }

    /// The verdict on its last real server counts again.
    pub(crate) fn let_go(&mut self) {
        let kept = self.opinion.take();
        if let Some(row) = kept.and_then(|kept| self.reals.get_mut(&kept.real)) {
            row.kept = false;
        }
    }

    /// Which of its real servers pass their checks, as another director wants to know: the last check is
    /// not older than this, and passed.
    pub(crate) fn found(&self, within: Duration, now: Instant) -> Found {
        let rows = self.reals.values().enumerate();
        let passing = rows.filter(|(_, row)| row.passes(within, now));
        let (mut up, mut more) = (0, false);
        for (place, _) in passing {
            match u32::try_from(place)
                .ok()
                .and_then(|bit| 1_u64.checked_shl(bit))
            {
                Some(bit) => up |= bit,
                None => more = true,
            }
        }
        // One that has not been asked of late may be up: that nobody is, is not known.
        let known = up > 0 || more || self.reals.values().all(|row| row.is_fresh(within, now));
        if known {
            Found::Checked { up, more }
        } else {
            Found::Unknown
        }
    }
}

impl Watched {
    /// Was it checked lately, and passed? In maintenance, or taken out by its own agent, it does not.
    fn passes(&self, within: Duration, now: Instant) -> bool {
        let probed = matches!(self.config.check, Check::Probe(_));
        probed && self.is_fresh(within, now) && self.health.failures == 0 && self.serves()
    }

    /// Is what is known of it of late? Always of one that is not asked.
    fn is_fresh(&self, within: Duration, now: Instant) -> bool {
        let age = self
            .health
            .checked
            .map(|at| now.saturating_duration_since(at));
        let asked = matches!(self.config.check, Check::Probe(_)) && !self.health.maintenance;
        !asked || age.is_some_and(|age| age <= within)
    }
}
