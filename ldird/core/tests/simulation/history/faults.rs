//! What goes wrong in a history, and when.

use super::super::belief::Belief;
use super::super::drawing::{REALS, draw_config, row, service_key};
use super::World;
use super::names::Nameless;
use ha_status::Role;
use ldird_core::Director;
use ldird_core::config::Config;
use ldird_core::conversation::{Reach, Step};
use ldird_core::input::{Finding, Input};
use std::time::Duration;

impl World {
    /// Draws what goes wrong after a step.
    pub(super) fn misfortune(&mut self) -> Result<(), String> {
        if self.random.chance(self.plan.flapping) {
            let last = 1 + self.random.below(REALS.into()) as u8;
            let up = self.random.chance(60);
            self.alive.insert(row(last), up);
            self.summary.faults += 1;
            self.note(|_| {
                format!(
                    "fault {} is {}",
                    row(last),
                    if up { "alive" } else { "dead" }
                )
            });
        }
        if self.random.chance(self.plan.meddling)
            && let Some((key, what)) = self.kernel.meddle(&mut self.random)
        {
            self.summary.faults += 1;
            self.meddled.insert(key);
            self.note(|_| format!("fault somebody {what}"));
            // Foreign services may be edited by their owners.
            self.foreign
                .retain(|key, service| self.kernel.table.get(key) == Some(service));
        }
        // A reload brings up to seven new checks, whose answers are steps: were more than one in seven
        // followed by another reload, a history would never end.
        const RELOADING_MAX: u64 = 14;
        let reloading = (self.plan.reloading * self.weight_of_moment()).min(RELOADING_MAX);
        if self.random.chance(reloading) {
            let config = draw_config(&mut self.random, self.plan.crowded);
            self.load(config)?;
        }
        self.perhaps_names_are_found()?;
        if self.random.chance(reloading) {
            self.others_change()?;
        }
        if self.random.chance(self.plan.maintaining) {
            self.toggle_maintenance()?;
        }
        if self.random.chance(self.plan.stalling) {
            self.stand_still();
        }
        if self.random.chance(self.plan.ordering) {
            self.order()?;
        }
        if self.random.chance(self.plan.turning) {
            self.turn()?;
        }
        self.perhaps_a_moment()?;
        let percent = self.weight_of_moment();
        self.perhaps_an_opinion(percent)?;
        if self.random.chance(self.plan.stubborn) {
            self.refuse_for_long();
        }
        if self.random.chance(self.plan.killing) {
            self.kill()?;
        }
        Ok(())
    }

    /// Another configuration.
    pub(super) fn load(&mut self, config: Config) -> Result<(), String> {
        self.config = config;
        self.foreign
            .retain(|key, _| self.config.services.iter().all(|s| s.key != *key));
        self.summary.reloads += 1;
        self.feed(Input::Reload(self.config.clone()))?;
        // The files are still there; the shell says so again after each reload.
        for (service, real) in self.maintenance.clone() {
            self.feed(Input::Maintenance {
                service,
                real,
                active: true,
            })?;
        }
        Ok(())
    }

    pub(super) fn others_change(&mut self) -> Result<(), String> {
        let keys = (0..4).map(service_key);
        self.others = keys.filter(|_| self.random.chance(20)).collect();
        self.feed(Input::Others(self.others.clone()))
    }

    /// SIGSTOP, or a machine that does not get round to us: every time limit passes meanwhile, and
    /// what runs looks dead.
    fn stand_still(&mut self) {
        const LEAST_MS: u64 = 2000;
        let time = Duration::from_millis(LEAST_MS + self.random.below(6000));
        self.note(|_| format!("fault the director stands still for {time:?}"));
        self.summary.stalls += 1;
        self.summary.faults += 1;
        self.now += time;
        self.belief.stood_still();
        for (_, _, input) in &mut self.pending {
            if let Input::Probed { verdict, .. } = input {
                verdict.finding = Finding::Down;
                "timed out".clone_into(&mut verdict.message);
                verdict.took = time;
            }
        }
    }

    /// What seldom lasts long enough for something to come in between is hit more often, where the
    /// kernel is slow.
    pub(super) fn weight_of_moment(&self) -> u64 {
        let step = self.director.state().step;
        let rare = matches!(
            step,
            Step::Reading(Reach::List) | Step::Applying { overtaken: true }
        );
        if rare && self.plan.sluggish > 0 {
            10
        } else {
            1
        }
    }

    /// Percent of steps after which a hasty history ends. A list is seldom asked for.
    pub(super) fn haste(&self) -> u64 {
        let listing = self.director.state().step == Step::Reading(Reach::List);
        if listing && self.plan.crowded {
            30
        } else {
            self.weight_of_moment()
        }
    }

    /// The resource becomes active here, or stops; now and then that is said twice.
    fn turn(&mut self) -> Result<(), String> {
        if self.random.chance(80) {
            self.role = match self.role {
                Role::Active => Role::Standby,
                Role::Standby => Role::Active,
            };
        }
        self.summary.turns += 1;
        self.feed(Input::Turn(self.role))
    }

    fn perhaps_a_moment(&mut self) -> Result<(), String> {
        let percent = self.plan.turning * self.weight_of_moment().min(3);
        if !self.moments.chance(percent) {
            return Ok(());
        }
        let moment = self.moment();
        self.feed(moment)
    }

    /// A hand-over begins: the table goes in before the resource is active here, or stays when it stops.
    pub(super) fn moment(&mut self) -> Input {
        self.summary.moments += 1;
        let table = Duration::from_millis(200 + self.moments.below(8000));
        if self.moments.chance(50) {
            Input::Prepare { table }
        } else {
            Input::Yield { table }
        }
    }

    fn refuse_for_long(&mut self) {
        let Some(service) = self.random.pick(&self.config.services) else {
            return;
        };
        let key = service.key;
        let time = Duration::from_secs(3 + self.random.below(20));
        self.note(|_| format!("fault nothing can be added to {key} for {time:?}"));
        self.summary.faults += 1;
        self.kernel.stubborn.insert(key, self.now + time);
    }

    pub(super) fn toggle_maintenance(&mut self) -> Result<(), String> {
        let Some(service) = self.random.pick(&self.config.services).cloned() else {
            return Ok(());
        };
        let Some(real) = self.random.pick(&service.reals) else {
            return Ok(());
        };
        let place = (service.key, real.configured);
        let active = !self.maintenance.remove(&place);
        if active {
            self.maintenance.insert(place);
        }
        self.feed(Input::Maintenance {
            service: place.0,
            real: place.1,
            active,
        })
    }

    /// kill -9, and a new director finds the table as it is.
    pub(super) fn kill(&mut self) -> Result<(), String> {
        self.note(|_| "fault kill -9 and restart".to_owned());
        self.summary.restarts += 1;
        self.summary.faults += 1;
        self.pending.clear();
        self.maintenance.clear();
        self.kept = None;
        self.proven.clear();
        self.holds.clear();
        self.forget_opinions();
        self.leaving.clear();
        self.lingering.clear();
        self.fresh.clear();
        self.nameless = Nameless::new(&self.config);
        self.belief = Belief::default();
        self.compared = None;
        self.belief.configure(&self.config);
        self.director = Director::in_role(self.config.clone(), self.role, self.now);
        self.drain()?;
        if self.random.chance(50) {
            self.leave_behind(&self.ours.clone());
            self.feed(Input::LeftBehind(self.ours.clone().into()))?;
        } else {
            self.ours.clear();
        }
        self.repeat_orders()?;
        self.feed(Input::Others(self.others.clone()))
    }
}
