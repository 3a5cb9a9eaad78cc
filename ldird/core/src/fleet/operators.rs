//! What operators say of real servers, by files and by words, and what would come of it.

use super::{Fleet, ask_anew};
use crate::output::Notice;
use crate::overrides::{Emptied, Order, Place, Slot};
use crate::table::{DestinationKey, ServiceKey};
use std::collections::BTreeSet;
use std::time::Instant;

impl Fleet {
    /// A maintenance file came or went.
    pub(crate) fn maintain(
        &mut self,
        key: ServiceKey,
        real: DestinationKey,
        active: bool,
        now: Instant,
    ) {
        let Some(service) = self.services.get_mut(&key) else {
            return;
        };
        for row in service.reals.values_mut() {
            if row.config.configured != real {
                continue;
            }
            row.in_folder = active;
            if row.settle_maintenance(now) {
                self.revision += 1;
                self.changed.insert(key);
                ask_anew(row, &mut self.schedule, now);
            }
        }
        self.overrule_opinion((key, real), now);
    }

    /// An operator says this of a real server, or nothing any more.
    pub(crate) fn overrule(
        &mut self,
        place: Place,
        slot: Slot,
        order: Option<Order>,
        now: Instant,
    ) {
        self.overrides.set(place, slot, order);
        let orders = self.overrides.get(&place);
        let (key, real) = place;
        let Some(service) = self.services.get_mut(&key) else {
            return;
        };
        for row in service.reals.values_mut() {
            if row.config.configured == real {
                row.orders.clone_from(&orders);
                self.revision += 1;
                self.changed.insert(key);
                if row.settle_maintenance(now) {
                    ask_anew(row, &mut self.schedule, now);
                }
            }
        }
        self.overrule_opinion(place, now);
    }

    /// Ends what was said for a time that is up.
    pub(super) fn end_overrides(&mut self, now: Instant) -> Vec<Notice> {
        let ended = self.overrides.ended(now).into_iter();
        let ended = ended.map(|(place, says)| {
            self.overrule(place, Slot::of(says), None, now);
            let (service, real) = place;
            Notice::OverrideEnded {
                service,
                real,
                says,
            }
        });
        ended.collect()
    }

    /// The services that somebody serves, and that nobody would if this were said.
    pub(crate) fn emptied_by(&self, orders: &[(Place, Slot, Option<Order>)]) -> Vec<Emptied> {
        let keys: BTreeSet<ServiceKey> = orders.iter().map(|((key, _), _, _)| *key).collect();
        let services = keys.into_iter().filter_map(|key| self.services.get(&key));
        let emptied = services.filter_map(|service| {
            let mut then = service.clone();
            for ((key, real), slot, order) in orders {
                let rows = then.reals.values_mut();
                for row in rows.filter(|row| row.config.configured == *real) {
                    if *key == service.config.key {
                        row.orders.set(*slot, order.clone());
                        // What it is found to be when maintenance ends is not known yet.
                        row.health.maintenance = row.in_folder || row.orders.maintenance();
                    }
                }
            }
            (service.is_served() && !then.is_served()).then(|| Emptied {
                service: service.config.key,
                fallback: then.fallback().map(|one| one.key),
            })
        });
        emptied.collect()
    }
}
