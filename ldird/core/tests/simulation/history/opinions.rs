//! Second opinions: what other directors say, if they say anything, and what must hold of a last real
//! server that stays because of that.

use super::World;
use ha_status::{Found, Health, Role, Stage, VirtualService};
use ldird_core::config;
use ldird_core::conversation::Goal;
use ldird_core::input::Input;
use ldird_core::opinion::{QuestionId, Silence};
use ldird_core::table::ServiceKey;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What was asked, and since when somebody stays.
#[derive(Debug, Default)]
pub(super) struct Opinions {
    /// The last question of each service, and whether it has no answer yet: the first one counts.
    asked: BTreeMap<ServiceKey, (QuestionId, bool)>,
    since: BTreeMap<ServiceKey, Instant>,
}

impl World {
    /// Others are asked: they answer yes or no, know nothing, answer late or never.
    pub(super) fn ask_others(&mut self, service: ServiceKey, question: QuestionId) {
        self.opinions.asked.insert(service, (question, true));
        if self.others_say.chance(10) {
            return;
        }
        let views = self.draw_views();
        let (least, spread) = match self.others_say.below(6) {
            0 => (700, 1500),
            _ => (1, 60),
        };
        let delay = least + self.others_say.below(spread);
        let input = Input::Opinion {
            service,
            question,
            views,
        };
        self.sent += 1;
        let at = self.now + Duration::from_millis(delay);
        self.pending.push((at, self.sent, input));
    }

    fn draw_views(&mut self) -> Result<Vec<(String, Found)>, Silence> {
        let random = &mut self.others_say;
        let found = match random.below(9) {
            0 => return Err(Silence::Nobody("no hbd".to_owned())),
            1 => Found::Unknown,
            2 | 3 => Found::Checked { up: 0, more: true },
            // The first one is there in any case.
            _ => Found::Checked {
                up: 1 | random.below(8),
                more: false,
            },
        };
        Ok(vec![("lb2".to_owned(), found)])
    }

    /// Now and then an answer comes at a bad moment: to an earlier question, twice, or to none.
    pub(super) fn perhaps_an_opinion(&mut self, percent: u64) -> Result<(), String> {
        let mut services = self.config.services.iter();
        let asks = services.any(|service| service.options.opinion.is_some());
        if !asks || !self.others_say.chance(percent) {
            return Ok(());
        }
        let Some(service) = self.others_say.pick(&self.config.services) else {
            return Ok(());
        };
        let service = service.key;
        let question = self.opinions.asked.get(&service).copied();
        let question = question.map_or(QuestionId(0), |(question, _)| question);
        let views = self.draw_views();
        self.feed(Input::Opinion {
            service,
            question,
            views,
        })
    }

    /// Does this answer, or another input, end what is held of a service? Then it has ended.
    pub(super) fn compare_ends(&mut self, input: &Input) -> Result<(), String> {
        if self.director.state().goal == Goal::Clean {
            return Ok(());
        }
        let ended = match input {
            Input::Opinion {
                service,
                question,
                views,
            } if self.opinions.asked.get(service) == Some(&(*question, true)) => {
                self.opinions.asked.insert(*service, (*question, false));
                let finds = views.iter().flatten().any(|(_, found)| match found {
                    Found::Checked { up, .. } => *up != 0,
                    Found::Unknown => false,
                });
                if finds { Vec::new() } else { vec![*service] }
            }
            Input::Reload(_) => self.config.services.iter().map(|one| one.key).collect(),
            _ => Vec::new(),
        };
        if ended.is_empty() {
            return Ok(());
        }
        let shown = self.director.services(self.now, 0);
        for key in ended {
            self.opinions.since.remove(&key);
            let service = shown.iter().find(|one| one.id == key.to_string());
            if service.is_some_and(|service| service.opinion.is_some()) {
                return Err(format!("{key} keeps its last server although that is over"));
            }
        }
        Ok(())
    }

    /// A last server stays only where the file says so, while it fails, and for as long as it may.
    pub(super) fn compare_opinion(
        &mut self,
        service: &config::VirtualService,
        shown: &VirtualService,
    ) -> Result<(), String> {
        let Some(opinion) = &shown.opinion else {
            self.opinions.since.remove(&service.key);
            return Ok(());
        };
        let rules = service.options.opinion;
        let rules = rules.ok_or("a last server stays although nobody asked for that")?;
        let since = *self.opinions.since.entry(service.key).or_insert(self.now);
        if self.now.duration_since(since) > rules.longest {
            return Err("the last server stays for too long".to_owned());
        }
        if self.role == Role::Standby {
            return Err("a last server stays on standby".to_owned());
        }
        let mut reals = shown.reals.iter();
        let kept = reals.find(|real| real.address == opinion.real);
        let kept = kept.ok_or("who stays is not there")?;
        if kept.health != Health::Down || kept.stage != Some(Stage::Held) {
            return Err(format!("{} stays although it does not fail", kept.address));
        }
        let mut serving = shown.reals.iter().filter(|real| {
            // An agent may keep it out, also one that has not been heard yet.
            let undisturbed = real.weight > 0 && real.overrides.is_empty() && real.agent.is_none();
            undisturbed && real.health == Health::Up
        });
        if let Some(other) = serving.next() {
            let kept = &kept.address;
            return Err(format!("{kept} stays although {} is up", other.address));
        }
        Ok(())
    }

    pub(super) fn forget_opinions(&mut self) {
        self.opinions.since.clear();
        self.opinions.asked.clear();
    }
}
