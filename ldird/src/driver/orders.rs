//! An operator's word about real servers: whom it means, what it would do, and that it is kept.

use super::Driver;
use crate::config::Configuration;
use crate::orders::{self, FOR_MAX_S, ORDERS_MAX, WEIGHT_MAX, WHY_MAX};
use crate::standing::now_ms;
use crate::wording::Line;
use crate::wording::age;
use ha_status::socket::Responder;
use ha_status::{Action, Override, Says, Severity, Word};
use ldird_core::input::Input;
use ldird_core::overrides::{Emptied, Order, Place, Slot};
use ldird_core::table::{DestinationKey, ServiceKey};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

impl<R: FnOnce(&Configuration)> Driver<R> {
    /// What earlier lives were told, before the first verdict.
    pub(super) fn repeat_orders(&mut self) {
        let said: Vec<_> = self.orders.iter().map(|(k, o)| (*k, o.clone())).collect();
        for ((place, slot), shown) in said {
            let order = Some(order(shown));
            self.feed(Input::Overrule { place, slot, order });
        }
    }

    /// Answered when it is on disk.
    pub(super) fn overrule(&mut self, action: &Action, who: &str, reply: Responder) {
        match self.say(action, who) {
            Ok(text) => {
                self.told.push((reply, text));
                self.answer_told();
            }
            Err(text) => reply.answer(Err(text)),
        }
    }

    fn say(&mut self, action: &Action, who: &str) -> Result<String, String> {
        let Action::Overrule {
            service,
            real,
            word,
            for_s,
            why,
            force,
        } = action
        else {
            return Err("not an operator's word".to_owned());
        };
        // The command line has looked already; whoever speaks to the socket has not.
        if let Word::Weight { weight } = word
            && *weight > WEIGHT_MAX
        {
            return Err(format!("a weight is a number from 0 to {WEIGHT_MAX}"));
        }
        if for_s.is_some_and(|seconds| seconds > FOR_MAX_S) {
            return Err(format!("nothing lasts longer than {FOR_MAX_S} s"));
        }
        let places = orders::meant(&self.configuration.core, service, real)?;
        let (slot, says) = match *word {
            Word::Drain => (Slot::Weight, Some(Says::Drain)),
            Word::Undrain => (Slot::Weight, None),
            Word::Weight { weight } => {
                let regardless = *force;
                (Slot::Weight, Some(Says::Weight { weight, regardless }))
            }
            Word::Maintenance { on } => (Slot::Maintenance, on.then_some(Says::Maintenance)),
        };
        if says.is_some() && !self.orders.has_room(places.len()) {
            return Err(format!(
                "{ORDERS_MAX} words are kept at most: end some of them"
            ));
        }
        let since_ms = now_ms();
        let shown = says.map(|says| Override {
            says,
            by: who.to_owned(),
            why: ha_status::printable(why).chars().take(WHY_MAX).collect(),
            since_ms,
            until_ms: for_s.map(|seconds| since_ms + seconds * 1000),
        });
        let change = |place| (place, slot, shown.clone().map(order));
        let changes: Vec<_> = places.iter().map(|place| change(*place)).collect();
        let emptied = self.director.emptied_by(&changes);
        if !emptied.is_empty() && !force {
            return Err(would_empty(&emptied));
        }
        let mut text = String::new();
        for (place, slot, order) in changes {
            let _ = writeln!(text, "{}", self.outcome(place, order.as_ref()));
            self.orders.set(place, slot, shown.clone());
            self.view.drains.remove(&place);
            self.reconsider(place.0);
            if says == Some(Says::Maintenance) {
                self.mail_maintenance(place);
            }
            self.feed(Input::Overrule { place, slot, order });
        }
        let _ = write!(text, "on this director; the other one has its own");
        Ok(text)
    }

    /// What is said of one server, and what it has to do with that.
    fn outcome(&self, place: Place, order: Option<&Order>) -> String {
        let (service, real) = place;
        let Some(Order { shown, .. }) = order else {
            return format!("{real} of {service}: as its checks and the file say again");
        };
        let mut text = format!("{real} of {service}: {}", orders::sentence(shown.says));
        if let Some(until) = shown.until_ms {
            let length = age(until.saturating_sub(shown.since_ms));
            let _ = write!(text, ", for {length}");
        }
        if let Some((active, inactive)) = self.connections(service, real)
            && gives_nothing(shown.says)
        {
            let _ = write!(
                text,
                "; {active} active and {inactive} inactive connections are left (ldird show says \
                 how fast they end)"
            );
            let services = &self.configuration.core.services;
            let service = services.iter().find(|one| one.key == service);
            if service.is_some_and(|one| one.spec.persistent.is_some()) {
                text.push_str("; persistent clients stay with it");
            }
        }
        text
    }

    /// Active and inactive ones, as the kernel counted last.
    fn connections(&self, service: ServiceKey, real: DestinationKey) -> Option<(u32, u32)> {
        let services = &self.configuration.core.services;
        let configured = services.iter().find(|one| one.key == service)?;
        let row = configured.reals.iter().find(|one| one.configured == real)?;
        let counted = self.view.counters.get(&service)?.reals.get(&row.key)?;
        Some((counted.active, counted.inactive))
    }

    /// Its time is up.
    pub(super) fn order_ended(&mut self, place: Place, says: Says) {
        self.orders.set(place, Slot::of(says), None);
        self.view.drains.remove(&place);
        self.reconsider(place.0);
    }

    /// The disk has what was said, or could not take it.
    pub(super) fn orders_written(&mut self, error: Option<String>) {
        match (&error, &self.orders_unkept) {
            (Some(error), unkept) if unkept.as_ref() != Some(error) => {
                let text = format!(
                    "What operators said of real servers cannot be kept on disk: {error}; it holds \
                     as long as this director runs, and is tried again"
                );
                self.tell(&Line::new(Severity::Error, text));
            }
            (None, Some(_)) => {
                let text = "What operators said of real servers is on disk now";
                self.tell(&Line::new(Severity::Notice, text));
            }
            _ => {}
        }
        self.orders_unkept = error;
        self.answer_told();
    }

    fn answer_told(&mut self) {
        if self.orders.is_settled() {
            for (reply, mut text) in self.told.drain(..) {
                if let Some(error) = &self.orders_unkept {
                    let _ = write!(
                        text,
                        "; NOT on disk ({error}): a restart of ldird forgets it until there is room"
                    );
                }
                reply.answer(Ok(text));
            }
        }
    }
}

/// As the core wants it: the end is a moment, not a time of day.
fn order(shown: Override) -> Order {
    let left = shown.until_ms.map(|until| until.saturating_sub(now_ms()));
    Order {
        until: left.map(|left| Instant::now() + Duration::from_millis(left)),
        shown,
    }
}

fn gives_nothing(says: Says) -> bool {
    match says {
        Says::Maintenance | Says::Drain => true,
        Says::Weight { weight, .. } => weight == 0,
    }
}

fn would_empty(emptied: &[Emptied]) -> String {
    let each = emptied.iter().map(|Emptied { service, fallback }| {
        let then = match fallback {
            Some(fallback) => format!("its fallback {fallback} would serve"),
            None => "nobody would serve".to_owned(),
        };
        format!("{service} has no other real server that takes connections: {then}")
    });
    let each: Vec<String> = each.collect();
    format!(
        "nothing is changed: {}; --force does it all the same",
        each.join("; ")
    )
}
