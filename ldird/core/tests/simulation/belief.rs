//! What a director must believe of each real server, told a second time: `failurecount`, sharing,
//! maintenance, verdicts from before the first table, and those that were not to be had.

use super::agents::Agent;
use ha_status::{Asks, Health, Stage};
use ldird_core::config::{AgentCheck, Check, Config, ProbeId, RealServer};
use ldird_core::input::{Finding, Verdict};
use ldird_core::table::{DestinationKey, ServiceKey, Table};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unknown,
    Up,
    Down,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    check: Check,
    limit: u32,
    /// `risecount`.
    rise: u32,
    state: State,
    failures: u32,
    passes: u32,
    maintenance: bool,
    /// By a file, and by an operator.
    folder: bool,
    ordered: bool,
    /// The first table has shown whether it carries traffic.
    placed: bool,
    /// The last verdict before that.
    early: Option<bool>,
    /// Who is asked for it, and what is believed of that.
    agent: Option<(ProbeId, Agent)>,
}

/// What is believed of every row, in the harness's own hand.
#[derive(Debug, Default)]
pub(crate) struct Belief {
    rows: BTreeMap<(ServiceKey, DestinationKey), Row>,
    /// The same in file order.
    order: Vec<(ServiceKey, DestinationKey)>,
    /// Probes that an answer is awaited of.
    asked: BTreeSet<ProbeId>,
    /// Of these, those that ran while the director stood still.
    doubtful: BTreeSet<ProbeId>,
    /// Grows whenever something that is shown may have changed.
    revision: u64,
    /// Maintenance by an operator's word.
    orders: BTreeSet<(ServiceKey, DestinationKey)>,
}

impl Belief {
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// A new director, or another configuration of the same one.
    pub(crate) fn configure(&mut self, config: &Config) {
        self.revision += 1;
        let old = std::mem::take(&mut self.rows);
        self.order.clear();
        for service in &config.services {
            for real in &service.reals {
                let place = (service.key, real.configured);
                let fresh = Row::new(real, [service.failurecount, service.options.risecount]);
                let mut row = old.get(&place).map_or(fresh, |old| fresh.after(old));
                row.ordered = self.orders.contains(&place);
                row.settle();
                self.rows.insert(place, row);
                self.order.push(place);
            }
        }
        let wanted: BTreeSet<ProbeId> = self.rows.values().flat_map(Row::probes).collect();
        self.asked.retain(|probe| wanted.contains(probe));
        self.doubtful.retain(|probe| wanted.contains(probe));
    }

    pub(crate) fn places(&self) -> BTreeSet<(ServiceKey, DestinationKey)> {
        self.rows.keys().copied().collect()
    }

    /// Could it be up, and has it had no verdict?
    pub(crate) fn is_awaited(&self, place: &(ServiceKey, DestinationKey)) -> bool {
        let row = self.rows.get(place);
        row.is_some_and(|row| {
            row.probe().is_some() && row.state == State::Unknown && !row.maintenance
        })
    }

    /// The same, or is that to be seen when its maintenance ends?
    pub(crate) fn is_unasked(&self, place: &(ServiceKey, DestinationKey)) -> bool {
        let maintained = self.rows.get(place).is_some_and(|row| row.maintenance);
        maintained || self.is_awaited(place)
    }

    pub(crate) fn asked(&mut self, probe: ProbeId) {
        self.asked.insert(probe);
    }

    pub(crate) fn stood_still(&mut self) {
        self.doubtful.clone_from(&self.asked);
    }

    pub(crate) fn answered(&mut self, probe: ProbeId, verdict: &Verdict) {
        let doubtful = self.doubtful.remove(&probe);
        if !self.asked.remove(&probe) {
            return;
        }
        let finding = match verdict.finding {
            Finding::Down if doubtful => Finding::CouldNotAsk,
            finding => finding,
        };
        self.heard(probe, finding, verdict);
        let up = match finding {
            Finding::Up => true,
            Finding::Down => false,
            Finding::CouldNotAsk => return,
        };
        let of_probe = self.rows.values_mut();
        for row in of_probe.filter(|row| row.probe() == Some(probe)) {
            if row.placed {
                let before = (row.state, row.failures, row.passes);
                row.judge(up);
                self.revision += u64::from(before != (row.state, row.failures, row.passes));
            } else {
                row.early = Some(up);
            }
        }
    }

    /// An agent has its say in every row of its server.
    fn heard(&mut self, probe: ProbeId, finding: Finding, verdict: &Verdict) {
        let agents = self.rows.values_mut().filter_map(|row| row.agent.as_mut());
        for (_, agent) in agents.filter(|(id, _)| *id == probe) {
            let before = *agent;
            agent.answered(finding, verdict.noted.agent.as_ref());
            self.revision += u64::from(before != *agent);
        }
    }

    /// The weight that a server which is well is to have, `None` for no place in the table.
    pub(crate) fn full_weight(
        &self,
        place: (ServiceKey, DestinationKey),
        configured: u32,
    ) -> Option<u32> {
        match self.rows.get(&place)?.agent {
            Some((_, agent)) => agent.weight(configured),
            None => Some(configured),
        }
    }

    /// A whole table was read for a new configuration: who was found serving there.
    pub(crate) fn placed(&mut self, table: &Table) -> Vec<(ServiceKey, DestinationKey)> {
        self.revision += 1;
        let mut serving = Vec::new();
        for ((service, real), row) in &mut self.rows {
            if std::mem::replace(&mut row.placed, true) {
                continue;
            }
            let spec = table
                .get(service)
                .and_then(|row| row.destinations.get(real));
            if row.state == State::Unknown && spec.is_some_and(|spec| spec.weight > 0) {
                row.state = State::Up;
                serving.push((*service, *real));
            }
            if let Some((_, agent)) = &mut row.agent {
                agent.found = spec.map(|spec| spec.weight);
            }
            if let Some(up) = row.early.take() {
                row.judge(up);
            }
        }
        serving
    }

    /// Has the table shown whether it carries traffic?
    pub(crate) fn is_placed(&self, place: (ServiceKey, DestinationKey)) -> bool {
        self.rows.get(&place).is_some_and(|row| row.placed)
    }

    pub(crate) fn maintain(&mut self, place: (ServiceKey, DestinationKey), active: bool) {
        self.revision += 1;
        let Some(row) = self.rows.get_mut(&place) else {
            return;
        };
        row.folder = active;
        row.settle();
    }

    /// An operator's word about maintenance, which outlives the row.
    pub(crate) fn order(&mut self, place: (ServiceKey, DestinationKey), active: bool) {
        self.revision += 1;
        if active {
            self.orders.insert(place);
        } else {
            self.orders.remove(&place);
        }
        if let Some(row) = self.rows.get_mut(&place) {
            row.ordered = active;
            row.settle();
        }
    }

    /// Is that what is shown?
    pub(crate) fn compare(&self, shown: &[ha_status::VirtualService]) -> Result<(), String> {
        let real = |service: &'_ ha_status::VirtualService| service.reals.len();
        let count: usize = shown.iter().map(real).sum();
        if count != self.order.len() {
            return Err(format!("{count} rows are shown, not {}", self.order.len()));
        }
        let shown = shown.iter().flat_map(|service| &service.reals);
        for (real, place) in shown.zip(&self.order) {
            let row = self.rows.get(place).ok_or("a row without belief")?;
            let agents = match (row.agent, &real.agent) {
                (Some((_, agent)), Some(shown)) => agent.is_shown(shown),
                (believed, shown) => believed.is_none() && shown.is_none(),
            };
            if !agents {
                return Err(format!("{place:?}: {row:?}, shown {:?}", real.agent));
            }
            let passes = match real.stage {
                Some(Stage::Rising { passes, .. }) => passes,
                // Of the two, this is what is shown.
                Some(Stage::Held) => row.passes,
                Some(Stage::SlowStart { .. }) | None => 0,
            };
            let shown = (real.health, real.failures, passes);
            if (row.health(), row.failures, row.passes) != shown {
                let (service, address) = place;
                return Err(format!(
                    "{service} {address}: to be believed {row:?}, shown {shown:?}",
                ));
            }
        }
        Ok(())
    }
}

impl Row {
    fn new(real: &RealServer, [limit, rise]: [u32; 2]) -> Self {
        Self {
            check: real.check,
            limit,
            rise,
            state: match real.check {
                Check::On => State::Up,
                Check::Off | Check::Probe(_) => State::Unknown,
            },
            failures: 0,
            passes: 0,
            maintenance: false,
            folder: false,
            ordered: false,
            placed: false,
            early: None,
            agent: real
                .agent
                .map(|AgentCheck { probe, .. }| (probe, Agent::new(false))),
        }
    }

    /// What is kept of a row of the configuration before.
    fn after(self, old: &Self) -> Self {
        let (limit, rise) = (self.limit, self.rise);
        let agent = self.agent.map(|(probe, _)| match old.agent {
            Some((_, known)) => (probe, known),
            None => (probe, Agent::new(true)),
        });
        match (old.check, self.check) {
            (was, is) if was == is => Self {
                limit,
                rise,
                agent,
                ..*old
            },
            (Check::Probe(_), Check::Probe(_)) => Self {
                check: self.check,
                limit,
                rise,
                failures: 0,
                passes: 0,
                early: None,
                agent,
                ..*old
            },
            (Check::On | Check::Off, _) | (_, Check::On | Check::Off) => Self {
                maintenance: old.maintenance,
                folder: old.folder,
                ordered: old.ordered,
                agent,
                ..self
            },
        }
    }

    fn probe(&self) -> Option<ProbeId> {
        match self.check {
            Check::Probe(probe) => Some(probe),
            Check::On | Check::Off => None,
        }
    }

    fn probes(&self) -> impl Iterator<Item = ProbeId> + use<> {
        let agent = self.agent.map(|(probe, _)| probe);
        self.probe().into_iter().chain(agent)
    }

    fn settle(&mut self) {
        let active = self.folder || self.ordered;
        let before = std::mem::replace(&mut self.maintenance, active);
        if before != active {
            self.passes = 0;
        }
        if before && !active {
            self.failures = 0;
            self.state = match self.check {
                Check::On => State::Up,
                Check::Off | Check::Probe(_) => State::Unknown,
            };
        }
    }

    fn judge(&mut self, up: bool) {
        if self.maintenance {
            return;
        }
        self.failures = if up { 0 } else { self.failures + 1 };
        let down = self.state == State::Down;
        self.passes = if up && down { self.passes + 1 } else { 0 };
        if self.passes >= self.rise {
            self.passes = 0;
        }
        self.state = match self.state {
            State::Down if self.passes > 0 => State::Down,
            _ if up => State::Up,
            State::Up if self.failures < self.limit => State::Up,
            State::Up | State::Unknown | State::Down => State::Down,
        };
    }

    fn health(&self) -> Health {
        let agent = self.agent.map(|(_, agent)| agent.asks());
        match (self.check, self.maintenance, self.state) {
            (Check::Off, _, _) => Health::Off,
            (_, true, _) => Health::Maintenance,
            (_, false, State::Unknown) => Health::Unknown,
            (_, false, State::Up) => match agent {
                Some(Asks::Maintenance) => Health::Maintenance,
                Some(Asks::Down) => Health::Down,
                Some(Asks::Serve | Asks::Drain) | None => Health::Up,
            },
            (_, false, State::Down) => Health::Down,
        }
    }
}
