//! What operators say of single servers, and when that ends, in the harness's own hand.

use super::World;
use ha_status::{Override, Says};
use ldird_core::config::RealServer;
use ldird_core::input::Input;
use ldird_core::overrides::{Order, Slot};
use ldird_core::table::ServiceKey;
use std::time::Duration;

impl World {
    /// Something is said of a server, or taken back.
    pub(super) fn order(&mut self) -> Result<(), String> {
        let said: Vec<_> = self.orders.keys().copied().collect();
        if self.random.chance(30)
            && let Some((place, slot)) = self.random.pick(&said).copied()
        {
            self.orders.remove(&(place, slot));
            let order = None;
            return self.feed(Input::Overrule { place, slot, order });
        }
        let Some(service) = self.random.pick(&self.config.services).cloned() else {
            return Ok(());
        };
        let Some(real) = self.random.pick(&service.reals) else {
            return Ok(());
        };
        let place = (service.key, real.configured);
        let says = match self.random.below(10) {
            0..3 => Says::Maintenance,
            3..7 => Says::Drain,
            _ => Says::Weight {
                weight: self.random.below(5) as u32,
                regardless: self.random.chance(30),
            },
        };
        let seconds = Duration::from_secs(1 + self.random.below(15));
        let order = Order {
            shown: Override {
                says,
                by: "somebody".to_owned(),
                why: String::new(),
                since_ms: 0,
                until_ms: None,
            },
            until: self.random.chance(50).then(|| self.now + seconds),
        };
        let slot = Slot::of(says);
        // What is up by now ends before the new word counts.
        self.end_orders();
        self.orders.insert((place, slot), order.clone());
        let order = Some(order);
        self.feed(Input::Overrule { place, slot, order })
    }

    /// What was said for a time that is up.
    pub(super) fn end_orders(&mut self) {
        let now = self.now;
        let over = |order: &Order| order.until.is_some_and(|until| until <= now);
        let ended: Vec<_> = self
            .orders
            .iter()
            .filter(|(_, order)| over(order))
            .collect();
        let ended: Vec<_> = ended.into_iter().map(|(key, _)| *key).collect();
        for (place, slot) in ended {
            self.orders.remove(&(place, slot));
            if slot == Slot::Maintenance {
                self.belief.order(place, false);
            }
        }
    }

    /// A new director is told what the one before was told and is not over.
    pub(super) fn repeat_orders(&mut self) -> Result<(), String> {
        self.end_orders();
        for ((place, slot), order) in self.orders.clone() {
            let order = Some(order);
            self.feed(Input::Overrule { place, slot, order })?;
        }
        Ok(())
    }

    /// An operator vouches for it, whatever the checks say.
    pub(super) fn is_vouched_for(&self, key: ServiceKey, real: &RealServer) -> bool {
        let order = self.orders.get(&((key, real.configured), Slot::Weight));
        order.is_some_and(|order| {
            matches!(
                order.shown.says,
                Says::Weight {
                    regardless: true,
                    ..
                }
            )
        })
    }

    /// The weight that it should have, told a second time.
    pub(super) fn weight_of(
        &self,
        key: ServiceKey,
        real: &RealServer,
        alive: bool,
        quiescent: bool,
    ) -> Option<u32> {
        let place = (key, real.configured);
        let nothing = if quiescent { Some(0) } else { None };
        if self.orders.contains_key(&(place, Slot::Maintenance)) {
            return nothing;
        }
        let said = self.orders.get(&(place, Slot::Weight));
        let (weight, anyway) = match said.map(|order| order.shown.says) {
            Some(Says::Drain) => return Some(0),
            Some(Says::Weight { weight, regardless }) => (weight, regardless),
            Some(Says::Maintenance) | None => {
                let full = self.belief.full_weight(place, real.weight);
                return full.filter(|_| alive).or(nothing);
            }
        };
        // Health, also where the agent says it.
        let alive = alive && self.belief.full_weight(place, real.weight).is_some();
        if alive || anyway {
            Some(weight)
        } else {
            nothing
        }
    }
}
