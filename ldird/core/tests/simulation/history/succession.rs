//! Who is not in the file any more and serves until those that are new there have been checked.

use super::super::drawing::{FALLBACK, row};
use super::World;
use ha_status::{Health, VirtualService};
use ldird_core::config::Config;
use ldird_core::output::Notice;
use ldird_core::overrides::Place;
use ldird_core::table::{DestinationKey, Edit, ServiceKey};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Nobody stays longer.
const LONGEST: Duration = Duration::from_secs(30);

/// Real servers, with their weights.
fn weights(config: &Config) -> BTreeMap<Place, u32> {
    let services = config.services.iter();
    let weights = services.flat_map(|service| {
        let reals = service.reals.iter();
        reals.map(|real| ((service.key, real.configured), real.weight))
    });
    weights.collect()
}

impl World {
    pub(super) fn note_leaving(&mut self, notice: &Notice) {
        if let Notice::LeavesLater { service, real } = notice {
            self.leaving.insert((*service, *real), self.now);
            self.lingering.insert((*service, *real), self.now);
        }
    }

    /// Before the belief is about another configuration.
    pub(super) fn succeed(&mut self, config: &Config) {
        self.forget_gone();
        let (next, known) = (weights(config), self.belief.places());
        // In a service that is new itself nobody comes in the place of another.
        let services: BTreeSet<ServiceKey> = known.iter().map(|(key, _)| *key).collect();
        let is_new = |place: &Place| services.contains(&place.0) && !known.contains(place);
        let fresh = |place: &Place| self.fresh.contains_key(place) || is_new(place);
        self.fresh = next
            .clone()
            .into_iter()
            .filter(|(place, _)| fresh(place))
            .collect();
        let serves = |key: &ServiceKey| config.services.iter().any(|one| one.key == *key);
        self.leaving
            .retain(|place, _| !next.contains_key(place) && serves(&place.0));
        self.leave_with_the_role();
    }

    /// On standby nobody serves here, and nobody is waited for: who was leaving does not come back when
    /// the role does.
    pub(super) fn leave_with_the_role(&mut self) {
        if self.holds_back() {
            self.leaving.clear();
            self.lingering.clear();
            self.fresh.clear();
        }
    }

    /// Where nobody is waited for, nobody is leaving any more; and who has had its verdict is new no
    /// more, whatever it is asked later.
    pub(super) fn forget_gone(&mut self) {
        let belief = &self.belief;
        self.fresh.retain(|place, _| belief.is_unasked(place));
        let waits = |key: ServiceKey| {
            let mut fresh = self.fresh.iter().filter(|(place, _)| place.0 == key);
            fresh.any(|(place, weight)| {
                let full = self.belief.full_weight(*place, *weight);
                self.belief.is_awaited(place) && full.is_some_and(|weight| weight > 0)
            })
        };
        let keys: BTreeSet<ServiceKey> = self.leaving.keys().map(|(key, _)| *key).collect();
        let gone: BTreeSet<ServiceKey> = keys.into_iter().filter(|key| !waits(*key)).collect();
        self.leaving.retain(|(key, _), _| !gone.contains(key));
    }

    fn is_recent(&self, since: Option<&Instant>) -> bool {
        since.is_some_and(|since| self.now.duration_since(*since) < LONGEST)
    }

    /// Nobody who is not in the file gets weight but who is leaving; and who is leaving does not go while
    /// nobody knows of those in its place.
    pub(super) fn check_succession(
        &self,
        edit: &Edit,
        shown: &mut Option<Vec<VirtualService>>,
    ) -> Result<(), String> {
        let key = edit.service();
        match edit {
            Edit::AddDestination(_, real, spec) | Edit::EditDestination(_, real, spec) => {
                let mut services = self.config.services.iter();
                let service = services.find(|one| one.key == key);
                let known = *real == row(FALLBACK)
                    || service.is_some_and(|one| one.reals.iter().any(|one| one.key == *real));
                if spec.weight > 0 && !known && !self.is_recent(self.lingering.get(&(key, *real))) {
                    return Err(format!("{real} of {key} got weight and is not in the file"));
                }
            }
            Edit::DeleteDestination(_, real) if self.is_recent(self.leaving.get(&(key, *real))) => {
                let shown = shown.get_or_insert_with(|| self.director.services(self.now, 0));
                if let Some(awaited) = self.awaited(key, shown) {
                    return Err(format!("{real} of {key} is gone before {awaited} is known"));
                }
            }
            Edit::DeleteDestination(..)
            | Edit::AddService(..)
            | Edit::EditService(..)
            | Edit::DeleteService(_) => {}
        }
        Ok(())
    }

    /// Somebody new in this service who may serve and has had no verdict.
    fn awaited(&self, key: ServiceKey, shown: &[VirtualService]) -> Option<DestinationKey> {
        let service = self.config.services.iter().find(|one| one.key == key)?;
        let shown = shown.iter().find(|one| one.id == key.to_string())?;
        let rows = service.reals.iter().zip(&shown.reals);
        let mut awaited = rows.filter(|(real, shown)| {
            let place = (key, real.configured);
            let full = self.belief.full_weight(place, real.weight);
            let may_serve = full.is_some_and(|weight| weight > 0);
            shown.health == Health::Unknown && may_serve && self.fresh.contains_key(&place)
        });
        awaited.next().map(|(real, _)| real.configured)
    }
}
