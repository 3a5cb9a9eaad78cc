//! What is checked of a history: after every edit, when the faults have stopped, and at the end.

use super::World;
use ha_status::Stage;
use ldird_core::config::{Check, RealServer, VirtualService};
use ldird_core::overrides::Slot;
use ldird_core::table::{DestinationKey, DestinationSpec, Edit, Service, ServiceKey, Tunnel};
use std::collections::{BTreeMap, BTreeSet};

impl World {
    /// Has a service of the kernel's anybody to serve?
    pub(super) fn serves(&self, key: ServiceKey) -> bool {
        let service = self.kernel.table.get(&key);
        service.is_some_and(|service| service.destinations.values().any(|spec| spec.weight > 0))
    }

    /// Whatever the kernel refuses, a batch never leaves a service empty that had, and should have,
    /// somebody to serve. `served` are those of its services that were served before. What somebody
    /// takes away between the reading and the edits cannot be seen: the kernel has no such question.
    pub(super) fn check_batch(
        &self,
        served: &BTreeSet<ServiceKey>,
        results: &[(Edit, Result<(), String>)],
    ) -> Result<(), String> {
        let lost = |key: &&ServiceKey| !self.serves(**key) && !self.meddled.contains(key);
        for key in served.iter().filter(lost) {
            let ours = self.config.services.iter().any(|one| one.key == *key);
            let wanted = results.iter().any(|(edit, _)| match edit {
                Edit::AddDestination(of, _, spec) | Edit::EditDestination(of, _, spec) => {
                    of == key && spec.weight > 0
                }
                _ => false,
            });
            if ours && wanted {
                return Err(format!("{key} lost its last server to a refused edit"));
            }
        }
        Ok(())
    }

    /// `before` is what the kernel held of the service, `shown` what the director shows while the
    /// batch is made.
    pub(super) fn check_edit(
        &self,
        before: Option<&Service>,
        edit: &Edit,
        shown: &mut Option<Vec<ha_status::VirtualService>>,
    ) -> Result<(), String> {
        if self.holds_back() && !matches!(edit, Edit::DeleteService(_)) {
            return Err("the table is edited on standby".to_owned());
        }
        self.check_succession(edit, shown)?;
        self.check_nameless(edit)?;
        let key = edit.service();
        let after = self.kernel.table.get(&key);
        let foreign = self.foreign.get(&key);
        if foreign.is_some() && before == foreign && after != foreign {
            return Err(format!("{key} is not ours and was touched"));
        }
        if let (Some(before), Some(after)) = (before, after) {
            loses_nothing(before, after).map_err(|what| format!("{key} lost {what}"))?;
        }
        if let Edit::AddDestination(_, row, spec) | Edit::EditDestination(_, row, spec) = edit
            && spec.weight > 0
        {
            let mut services = self.config.services.iter();
            let service = services.find(|service| service.key == key);
            let real = service.and_then(|s| s.reals.iter().find(|real| real.key == *row));
            let checked = real.is_some_and(|real| {
                let probed = matches!(real.check, Check::Probe(_));
                probed && !self.is_vouched_for(key, real)
            });
            if !checked {
                return Ok(());
            }
            let rows = shown.get_or_insert_with(|| self.director.services(self.now, 0));
            let Some(shown) = self.shown_up(rows, key, *row) else {
                return Err(format!("{row} of {key} got weight before a check passed"));
            };
            let place = (key, *row);
            let ordered = self.orders.contains_key(&(place, Slot::Weight));
            let full = real.and_then(|real| self.belief.full_weight(place, real.weight));
            let due = match shown.stage {
                Some(Stage::SlowStart { weight, .. }) => Some(weight),
                Some(Stage::Held | Stage::Rising { .. }) | None => full,
            };
            if !ordered && due != Some(spec.weight) {
                return Err(format!("{row} of {key} is due {due:?}"));
            }
        }
        Ok(())
    }

    /// As it is shown, if it is up, or held as if it were.
    fn shown_up<'a>(
        &self,
        rows: &'a [ha_status::VirtualService],
        key: ServiceKey,
        row: DestinationKey,
    ) -> Option<&'a ha_status::RealServer> {
        let (id, address) = (key.to_string(), row.to_string());
        let service = rows.iter().find(|service| service.id == id);
        let real = service.and_then(|s| s.reals.iter().find(|real| real.address == address));
        real.filter(|real| {
            let proven = real.checked_ms.is_some() || self.proven.contains(&(key, row));
            let held = real.stage == Some(Stage::Held);
            (real.health == ha_status::Health::Up || held) && proven
        })
    }

    pub(super) fn everything_is_right(&self) -> Result<(), String> {
        for service in &self.config.services {
            if self.holds_back() {
                self.is_out(service)?;
                continue;
            }
            let mut wanted = self.expected(service);
            let actual = self.kernel.table.get(&service.key);
            // What others settled; that no edit takes it away is checked at every edit.
            if let Some(actual) = actual {
                wanted.spec.keep(&actual.spec, None);
                for (row, spec) in &mut wanted.destinations {
                    if let Some(actual) = actual.destinations.get(row) {
                        spec.tunnel = actual.tunnel;
                    }
                }
            }
            if actual != Some(&wanted) {
                return Err(format!(
                    "{}: want {wanted:?}\n  kernel has {actual:?}",
                    service.key
                ));
            }
        }
        for (key, service) in &self.foreign {
            if self.kernel.table.get(key) != Some(service) {
                return Err(format!("{key} is not ours and was touched"));
            }
        }
        Ok(())
    }

    /// On standby a service is not in the table, but for what a stop would leave there as well.
    fn is_out(&self, service: &VirtualService) -> Result<(), String> {
        let key = service.key;
        let spared = !service.cleanstop || self.others.contains(&key);
        if self.kernel.table.contains_key(&key) && !spared {
            return Err(format!("{key} is in the table on standby"));
        }
        Ok(())
    }

    /// The specification in a second hand: from the truth about the servers, not from the core.
    pub(super) fn expected(&self, service: &VirtualService) -> Service {
        let mut destinations = BTreeMap::new();
        let spec = |real: &RealServer, weight| DestinationSpec {
            forwarding: real.forwarding,
            weight,
            upper: real.upper,
            lower: real.lower,
            tunnel: Tunnel::Ipip,
        };
        let mut served = false;
        for real in &service.reals {
            let alive = match real.check {
                Check::Off => continue,
                Check::On => true,
                Check::Probe(_) => self.alive.get(&real.key).copied().unwrap_or(true),
            };
            let weight = self.weight_of(service.key, real, alive, service.quiescent);
            if let Some(weight) = weight {
                served |= weight > 0;
                destinations.insert(real.key, spec(real, weight));
            }
        }
        let spared = self.spared(service);
        served |= spared.values().any(|spec| spec.weight > 0);
        destinations.extend(spared);
        let all_off = service.reals.iter().all(|real| real.check == Check::Off);
        if let Some(fallback) = &service.fallback
            && !served
            && !all_off
        {
            let spec = DestinationSpec {
                forwarding: fallback.forwarding,
                weight: 1,
                upper: 0,
                lower: 0,
                tunnel: Tunnel::Ipip,
            };
            destinations.insert(fallback.key, spec);
        }
        Service {
            spec: service.spec.clone(),
            destinations,
        }
    }
}

/// What no file has a word for stays in every row that stays what it is.
fn loses_nothing(held: &Service, service: &Service) -> Result<(), String> {
    if held.spec.pe != service.spec.pe {
        return Err("its persistence engine".to_owned());
    }
    for (row, spec) in &service.destinations {
        if let Some(held) = held.destinations.get(row)
            && held.forwarding == spec.forwarding
            && held.tunnel != spec.tunnel
        {
            return Err(format!("the tunnel of {row}"));
        }
    }
    Ok(())
}
