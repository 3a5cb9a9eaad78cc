//! What operators have said of real servers, kept on disk for the director's next life, and whom they
//! meant by what they typed.

use crate::instance::Instance;
use crate::kept::{self, File, Kept};
use crate::ledger;
use ha_status::{Override, Says};
use ldird_core::config::{Check, Config, VirtualService};
use ldird_core::overrides::{Place, Slot};
use ldird_core::table::{DestinationKey, ServiceKey};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;

const SUFFIX: &str = "overrides";
/// So many words at once; a site with more wants another configuration.
pub(crate) const ORDERS_MAX: usize = 4096;
/// The kernel keeps weights as a C `int` and refuses negative ones.
pub(crate) const WEIGHT_MAX: u32 = i32::MAX as u32;
/// Seconds. Nobody means a longer time; who does gives none.
pub(crate) const FOR_MAX_S: u64 = 365 * 86_400;
/// Longest reason that is kept, in characters.
pub(crate) const WHY_MAX: usize = 200;

type Said = BTreeMap<(Place, Slot), Override>;

/// All that holds, and the file that follows it.
#[derive(Debug)]
pub(crate) struct OrderBook {
    said: Said,
    kept: Kept<Said>,
}

impl OrderBook {
    /// Takes over what earlier lives were told and is not over at `now_ms`. A line that is damaged is
    /// lost alone; how many there were is given back. Needs a runtime.
    pub(crate) fn open(instance: &Instance, now_ms: u64) -> (Self, usize) {
        let file = File::of(instance, SUFFIX, text);
        let mut found = kept::find(instance, SUFFIX);
        let mut said = Said::new();
        let mut damaged = 0;
        for line in found
            .iter()
            .flat_map(|one| one.text.lines())
            .take(ORDERS_MAX)
        {
            match parse(line) {
                Some((place, order)) if order.until_ms.is_none_or(|until| until > now_ms) => {
                    said.insert((place, Slot::of(order.says)), order);
                }
                Some(_) => {}
                None => damaged += 1,
            }
        }
        found.retain(|one| one.path != file.path);
        let content = (!said.is_empty()).then(|| said.clone());
        // Best effort: what cannot be written is lost with this life.
        let written = match &content {
            Some(said) => file.write(said),
            None => kept::remove(&file.path),
        };
        if written.is_ok() {
            let _ = kept::remove_all(&found);
        }
        let kept = Kept::new(file, content);
        (Self { said, kept }, damaged)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&(Place, Slot), &Override)> {
        self.said.iter()
    }

    /// Has an operator put it into maintenance?
    pub(crate) fn maintains(&self, place: Place) -> bool {
        self.said.contains_key(&(place, Slot::Maintenance))
    }

    /// Is there room for so many more?
    pub(crate) fn has_room(&self, more: usize) -> bool {
        self.said.len() + more <= ORDERS_MAX
    }

    pub(crate) fn set(&mut self, place: Place, slot: Slot, order: Option<Override>) {
        match order {
            Some(order) => self.said.insert((place, slot), order),
            None => self.said.remove(&(place, slot)),
        };
        self.kept
            .set((!self.said.is_empty()).then(|| self.said.clone()));
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.kept.is_settled()
    }

    /// Something more has been written; gives the error. Dropping the future loses nothing.
    pub(crate) async fn written(&mut self) -> Option<String> {
        self.kept.written().await
    }

    /// Lets the last content reach the disk: it holds for the next life as well.
    pub(crate) async fn settle(self) {
        self.kept.settle().await;
    }
}

fn text(said: &Said) -> String {
    let lines = said.iter().map(|((place, _), order)| {
        let (service, real) = place;
        let line = json!({
            "service": service.to_string(),
            "real": real.to_string(),
            "override": order,
        });
        format!("{line}\n")
    });
    lines.collect()
}

fn parse(line: &str) -> Option<(Place, Override)> {
    let value: Value = serde_json::from_str(line).ok()?;
    let service = ledger::parse(value.get("service")?.as_str()?)?;
    let real: SocketAddr = value.get("real")?.as_str()?.parse().ok()?;
    let real = DestinationKey {
        address: real.ip(),
        port: real.port(),
    };
    let order = serde_json::from_value(value.get("override")?.clone()).ok()?;
    Some(((service, real), order))
}

/// The real servers that are meant, in file order.
pub(crate) fn meant(config: &Config, service: &str, real: &str) -> Result<Vec<Place>, String> {
    let services = config.services.iter();
    let mut services = services.filter(|one| is_called(one, service)).peekable();
    if services.peek().is_none() {
        return Err(format!(
            "{service}: no such virtual service; name it as ldird show does, or say all"
        ));
    }
    let mut found = Vec::new();
    let mut off = false;
    for one in services {
        for row in &one.reals {
            let key = row.configured;
            if key.to_string() != real && key.address.to_string() != real {
                continue;
            }
            off |= row.check == Check::Off;
            if row.check != Check::Off {
                found.push((one.key, key));
            }
        }
    }
    match (found.is_empty(), off) {
        (false, true | false) => Ok(found),
        (true, true) => Err(format!("{real}: checktype=off, so it is not used at all")),
        (true, false) => Err(format!("{real}: no such real server in {service}")),
    }
}

fn is_called(service: &VirtualService, name: &str) -> bool {
    let by_key = match service.key {
        ServiceKey::Address { address, .. } => address.to_string() == name,
        ServiceKey::Fwmark { mark, .. } => mark.to_string() == name,
    };
    by_key || name == "all" || service.key.to_string() == name || service.name == name
}

/// What is said, in words: `gets weight 5, also while its checks fail`.
pub(crate) fn sentence(says: Says) -> String {
    match says {
        Says::Maintenance => "is in maintenance".to_owned(),
        Says::Drain => "gets no new connections".to_owned(),
        Says::Weight {
            weight,
            regardless: false,
        } => format!("has weight {weight} while its checks pass"),
        Says::Weight {
            weight,
            regardless: true,
        } => format!("has weight {weight}, also while its checks fail"),
    }
}

#[cfg(test)]
mod tests;
