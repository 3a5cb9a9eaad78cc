//! Rise counts, slow starts, held weights and rows that are put back: what must hold of them, in the
//! harness's own hand, and that they come at all.

use super::World;
use ha_status::{Asks, Health, RealServer, Role, Stage, VirtualService};
use ldird_core::config::{self, Check};
use ldird_core::output::Notice;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A repair waits at most a minute, and then for a reading of the whole table.
const REPAIRED: Duration = Duration::from_secs(75);

/// What histories have to meet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) rises: u64,
    /// Weights that changed in steps.
    pub(crate) steps: u64,
    pub(crate) panics: u64,
    pub(crate) repairs: u64,
    /// Who leaves when others have been checked.
    pub(crate) leavings: u64,
    /// Names that had no address and have one.
    pub(crate) found: u64,
    /// Agents that ask for something else, and that do not answer.
    pub(crate) wishes: u64,
    pub(crate) silences: u64,
    /// Last servers that stayed because others find one up, and that left because they do not.
    pub(crate) opinions: u64,
    pub(crate) shared: u64,
    pub(crate) missed: u64,
}

impl Told {
    pub(super) fn note(&mut self, notice: &Notice) {
        match notice {
            Notice::Rising { .. } => self.rises += 1,
            Notice::RealWeighted { .. } => self.steps += 1,
            Notice::Panic { .. } => self.panics += 1,
            Notice::Enforced { .. } => self.repairs += 1,
            Notice::LeavesLater { .. } => self.leavings += 1,
            Notice::AgentAsks { .. } => self.wishes += 1,
            Notice::AgentSilent { .. } => self.silences += 1,
            Notice::SecondOpinion { .. } => self.opinions += 1,
            Notice::OpinionShared { .. } => self.shared += 1,
            Notice::NoOpinion { .. } => self.missed += 1,
            _ => {}
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.rises += other.rises;
        self.steps += other.steps;
        self.panics += other.panics;
        self.repairs += other.repairs;
        self.leavings += other.leavings;
        self.found += other.found;
        self.wishes += other.wishes;
        self.silences += other.silences;
        self.opinions += other.opinions;
        self.shared += other.shared;
        self.missed += other.missed;
    }

    /// Has everything come?
    pub(crate) fn is_whole(&self) -> bool {
        let Self {
            rises,
            steps,
            panics,
            repairs,
            leavings,
            found,
            wishes,
            silences,
            opinions,
            shared,
            missed,
        } = *self;
        let counts = [
            rises, steps, panics, repairs, leavings, found, wishes, silences, opinions, shared,
            missed,
        ];
        counts.iter().all(|count| *count > 0)
    }
}

/// A service whose weights are held.
#[derive(Debug)]
pub(super) struct Holding {
    since: Instant,
    /// Its real servers that were up when it was last shown: who falls now is held as well.
    up: BTreeSet<String>,
}

impl World {
    /// Does what is shown keep the promises of the options?
    pub(super) fn compare_options(&mut self, shown: &[VirtualService]) -> Result<(), String> {
        for (service, shown) in self.config.services.clone().iter().zip(shown) {
            let told = |what: String| format!("{}: {what}", shown.id);
            self.compare_panic(service, shown).map_err(told)?;
            self.compare_opinion(service, shown).map_err(told)?;
            for (real, row) in shown.reals.iter().zip(&service.reals) {
                let stage = real.stage;
                let place = (service.key, row.configured);
                let full = self.belief.full_weight(place, row.weight).unwrap_or(0);
                let odd = match stage {
                    None => false,
                    Some(Stage::Held) => {
                        let why = shown.panic.is_some() || shown.opinion.is_some();
                        !why || real.health != Health::Down
                    }
                    // A reload may ask for fewer passes than it has; the next one counts.
                    Some(Stage::Rising { of, .. }) => of != service.options.risecount,
                    Some(Stage::SlowStart { weight, .. }) => {
                        let more = weight > full || (weight == 0) != (full == 0);
                        let asked = service.options.slowstart.is_some();
                        let up = real.health == Health::Up && self.role == Role::Active;
                        more || !asked || !up
                    }
                };
                if odd {
                    return Err(told(format!("{} is in {stage:?}", real.address)));
                }
            }
        }
        Ok(())
    }

    /// Weights are held because many fail, of all that fail meanwhile, and not for longer than the
    /// file allows.
    fn compare_panic(
        &mut self,
        service: &config::VirtualService,
        shown: &VirtualService,
    ) -> Result<(), String> {
        let Some(panic) = &shown.panic else {
            self.holds.remove(&service.key);
            return Ok(());
        };
        let options = service.options.panic;
        let options = options.ok_or("weights are held although nobody asked for that")?;
        let up = shown.reals.iter().filter(|one| one.health == Health::Up);
        let up = up.map(|one| one.address.clone()).collect();
        if let Some(holding) = self.holds.get_mut(&service.key) {
            let was_up = std::mem::replace(&mut holding.up, up);
            if self.now.duration_since(holding.since) > options.longest {
                return Err("weights are held for too long".to_owned());
            }
            // By its check: the word of its own agent counts, whatever is held.
            let by_agent = |one: &&RealServer| {
                let agent = one.agent.as_ref();
                agent.is_some_and(|agent| agent.asks == Asks::Down)
            };
            let fell = shown.reals.iter().filter(|one| one.health == Health::Down);
            let fell = fell.filter(|one| !by_agent(one));
            let mut fell = fell.filter(|one| was_up.contains(&one.address));
            return match fell.find(|one| one.stage != Some(Stage::Held)) {
                Some(one) => Err(format!("{} fell and is not held", one.address)),
                None => Ok(()),
            };
        }
        let since = self.now;
        self.holds.insert(service.key, Holding { since, up });
        let checked = |real: &&config::RealServer| matches!(real.check, Check::Probe(_));
        let checked = service.reals.iter().filter(checked).count();
        let down = shown.reals.iter().filter(|one| one.health == Health::Down);
        let out = shown.reals.iter();
        let out = out.filter(|one| one.health == Health::Maintenance).count();
        let (down, pool) = (down.count() as u64, checked.saturating_sub(out) as u64);
        if down < 2 || panic.failing < 2 || down * 100 <= pool * u64::from(options.percent) {
            return Err(format!("{down} of {pool} are no panic"));
        }
        Ok(())
    }

    /// Somebody changes a service whose file says that it is put back.
    pub(super) fn provoke(&mut self) -> Result<(), String> {
        let mut services = self.config.services.iter();
        let enforced = services.find(|service| service.options.enforce && !service.incomplete);
        let Some(key) = enforced.map(|service| service.key) else {
            return Ok(());
        };
        if self.holds_back() || !self.random.chance(30) {
            return Ok(());
        }
        let Some(service) = self.kernel.table.get_mut(&key) else {
            return Ok(());
        };
        for spec in service.destinations.values_mut() {
            spec.weight += 1;
        }
        "sh".clone_into(&mut service.spec.scheduler);
        self.note(|_| format!("fault somebody changed all of {key}"));
        let until = self.now + REPAIRED;
        while self.now < until {
            self.step()?;
        }
        self.everything_is_right()
    }
}
