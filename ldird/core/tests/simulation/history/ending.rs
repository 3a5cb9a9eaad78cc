//! The end of a history: a stop, with whatever comes in between and after.

use super::super::drawing::{draw_config, row, service_key};
use super::{STEPS_MAX, World};
use ha_status::Role;
use ldird_core::input::Input;
use ldird_core::overrides::Slot;
use ldird_core::table::ServiceKey;
use std::collections::BTreeSet;
use std::time::Duration;

impl World {
    /// Our services leave as `cleanstop` says, everybody else's stay. It ends in any case, also where
    /// the kernel refuses everything; then nothing follows.
    pub(super) fn stop(&mut self) -> Result<(), String> {
        let (refusing, restless) = (self.random.chance(20), self.random.chance(50));
        self.note(|_| format!("stop, refusing {refusing}, restless {restless}"));
        self.kernel.stubborn.clear();
        let percent = if refusing { 60 } else { 0 };
        (self.kernel.refuses, self.kernel.unreadable) = (percent, percent);
        let often = if self.plan.crowded { 70 } else { 30 };
        let mut wanted_elsewhere = self.others.clone();
        self.feed(Input::Shutdown)?;
        for _ in 0..STEPS_MAX {
            if self.ended {
                break;
            }
            if restless && self.moments.chance(often) {
                let moment = self.moment();
                self.feed(moment)?;
            }
            if restless {
                self.perhaps_an_opinion(often)?;
            }
            if self.ended {
                break;
            }
            if restless && self.random.chance(often) {
                self.intrude()?;
                wanted_elsewhere.extend(&self.others);
            } else {
                self.step()?;
            }
        }
        if !self.ended {
            return Err("the stop never ends".to_owned());
        }
        self.left_as_wanted(refusing, &wanted_elsewhere)?;
        self.nothing_follows()
    }

    /// Something comes in that has nothing to say any more.
    fn intrude(&mut self) -> Result<(), String> {
        match self.random.below(8) {
            0 => self.feed(Input::Tick),
            1 => self.toggle_maintenance(),
            2 => {
                let config = draw_config(&mut self.random, self.plan.crowded);
                self.feed(Input::Reload(config))
            }
            3 => self.feed(Input::LeftBehind(self.ours.clone().into())),
            4 => self.others_change(),
            5 => self.feed(Input::Turn(self.role)),
            6 => self.order(),
            _ => self.feed(Input::Shutdown),
        }
    }

    fn left_as_wanted(
        &self,
        refusing: bool,
        wanted_elsewhere: &BTreeSet<ServiceKey>,
    ) -> Result<(), String> {
        let kept = |key: &ServiceKey| {
            let mut services = self.config.services.iter();
            services.any(|service| service.key == *key && !service.cleanstop)
        };
        // On standby they have left already; what somebody puts there since is not ours.
        let held = self.holds_back();
        let wanted = self.config.services.iter().filter(|_| !held);
        let configured = wanted.map(|service| service.key);
        let mut gone: Vec<ServiceKey> = configured.chain(self.ours.iter().copied()).collect();
        gone.retain(|key| !kept(key) && !wanted_elsewhere.contains(key));
        let there = |key: &&ServiceKey| self.kernel.table.contains_key(key);
        if let Some(key) = gone.iter().find(there).filter(|_| !refusing) {
            return Err(format!("{key} is still there after the stop"));
        }
        for (key, service) in &self.foreign {
            if self.kernel.table.get(key) != Some(service) {
                return Err(format!("{key} is not ours and did not survive the stop"));
            }
        }
        Ok(())
    }

    /// Late answers, and all that nobody waits for.
    fn nothing_follows(&mut self) -> Result<(), String> {
        let late = std::mem::take(&mut self.pending);
        let late = late.into_iter().map(|(_, _, input)| input);
        let others = [
            Input::Tick,
            Input::Reload(self.config.clone()),
            Input::LeftBehind(self.ours.clone().into()),
            Input::Others(BTreeSet::new()),
            Input::Maintenance {
                service: service_key(0),
                real: row(1),
                active: true,
            },
            Input::Overrule {
                place: (service_key(0), row(1)),
                slot: Slot::Weight,
                order: None,
            },
            Input::Turn(Role::Active),
            Input::Turn(Role::Standby),
            Input::Yield {
                table: Duration::ZERO,
            },
            Input::Prepare {
                table: Duration::ZERO,
            },
            Input::Shutdown,
        ];
        for input in late.chain(others) {
            self.summary.coverage.met(self.director.state(), &input);
            self.director.handle(input, self.now);
            if self.director.poll().is_some() || self.director.deadline().is_some() {
                return Err("something follows the end".to_owned());
            }
        }
        Ok(())
    }
}
