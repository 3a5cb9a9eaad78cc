//! What an operator has said of single real servers, and what counts where several have a say.
//!
//! Precedence, everywhere and in this order: maintenance, override, health, configuration. It is
//! decided in [`weight`] and nowhere else. Health is what the checks say, with weights that are held
//! (`hold`) before a verdict and a slow start (`ramp`) after one, and what the server's own agent asks
//! for (`agent`).

use crate::table::{DestinationKey, ServiceKey};
use ha_status::{Override, Says};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// An operator's word, and when it ends by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// As it is shown.
    pub shown: Override,
    pub until: Option<Instant>,
}

/// Words that replace each other: maintenance is one thing, how much a server gets another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    Maintenance,
    Weight,
}

impl Slot {
    pub fn of(says: Says) -> Self {
        match says {
            Says::Maintenance => Self::Maintenance,
            Says::Drain | Says::Weight { .. } => Self::Weight,
        }
    }
}

/// All that holds for one real server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    maintenance: Option<Order>,
    weight: Option<Order>,
}

impl Orders {
    pub(crate) fn set(&mut self, slot: Slot, order: Option<Order>) {
        match slot {
            Slot::Maintenance => self.maintenance = order,
            Slot::Weight => self.weight = order,
        }
    }

    pub(crate) fn maintenance(&self) -> bool {
        self.maintenance.is_some()
    }

    /// How much it gets, if somebody has said so.
    pub(crate) fn says(&self) -> Option<Says> {
        self.weight.as_ref().map(|order| order.shown.says)
    }

    /// The stronger first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Order> {
        self.maintenance.iter().chain(&self.weight)
    }

    fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// Everything that has a say in a real server's place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Say {
    /// `checktype=off`: the file does not use it at all.
    pub(crate) off: bool,
    /// A file of the maintenance directory, or an operator.
    pub(crate) maintenance: bool,
    pub(crate) operator: Option<Says>,
    /// The checks have found it well, or nobody asks; and its agent does not take it out.
    pub(crate) healthy: bool,
    /// Who gets nothing stays in the table at weight 0.
    pub(crate) quiescent: bool,
    /// The file's weight, or what the agent makes of it.
    pub(crate) configured: u32,
}

/// The weight at which a real server stands in the table, `None` if it is not in it: the precedence
/// of all who have a say.
pub(crate) fn weight(say: Say) -> Option<u32> {
    let nothing = say.quiescent.then_some(0);
    if say.off {
        return None;
    }
    if say.maintenance {
        return nothing;
    }
    match (say.operator, say.healthy) {
        // No new connections; those that it has go on, so it stays, whatever the checks say.
        (Some(Says::Drain), true | false) => Some(0),
        // Also where checks fail: the operator vouches for it.
        (
            Some(Says::Weight {
                weight,
                regardless: true,
            }),
            true | false,
        ) => Some(weight),
        (
            Some(Says::Weight {
                weight,
                regardless: false,
            }),
            true,
        ) => Some(weight),
        (None | Some(Says::Maintenance), true) => Some(say.configured),
        // No weight sends a client to a server that is known dead.
        (
            None
            | Some(
                Says::Maintenance
                | Says::Weight {
                    regardless: false, ..
                },
            ),
            false,
        ) => nothing,
    }
}

/// Where an order is: a real server as the file names it.
pub type Place = (ServiceKey, DestinationKey);

/// A service that an operator's word would leave without a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emptied {
    pub service: ServiceKey,
    /// Who would serve it then.
    pub fallback: Option<DestinationKey>,
}

/// All orders, also of servers that the configuration in force does not name: the next may.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides(BTreeMap<Place, Orders>);

impl Overrides {
    pub(crate) fn get(&self, place: &Place) -> Orders {
        self.0.get(place).cloned().unwrap_or_default()
    }

    pub(crate) fn set(&mut self, place: Place, slot: Slot, order: Option<Order>) {
        let orders = self.0.entry(place).or_default();
        orders.set(slot, order);
        if orders.is_empty() {
            self.0.remove(&place);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let orders = self.0.values().flat_map(Orders::iter);
        orders.filter_map(|order| order.until).min()
    }

    /// Those whose time is up.
    pub(crate) fn ended(&self, now: Instant) -> Vec<(Place, Says)> {
        let all = self.0.iter();
        let all = all.flat_map(|(place, orders)| orders.iter().map(|order| (*place, order)));
        all.filter(|(_, order)| order.until.is_some_and(|until| until <= now))
            .map(|(place, order)| (place, order.shown.says))
            .collect()
    }
}

/// When a server that gets no new connections has none left, at the pace at which they have ended so
/// far; `None` while that says nothing.
pub fn drained_in(at_first: u32, left: u32, passed: Duration) -> Option<Duration> {
    let ended = at_first.checked_sub(left).filter(|ended| *ended > 0)?;
    Some(passed.mul_f64(f64::from(left) / f64::from(ended)))
}

#[cfg(test)]
mod tests;
