//! What real servers' own agents say, on its way to the rows that it concerns.

use super::{Fleet, of_probe};
use crate::agent::Change;
use crate::config::ProbeId;
use crate::input::Verdict;
use crate::output::Notice;
use ha_status::Role;
use std::time::Instant;

impl Fleet {
    /// An agent was asked; it has its say in every service of its server.
    pub(super) fn agent_asked(
        &mut self,
        probe: ProbeId,
        verdict: &Verdict,
        now: Instant,
    ) -> Vec<Notice> {
        let mut notices = Vec::new();
        let standby = self.role == Role::Standby;
        let mut changed = Vec::new();
        for place in of_probe(&self.askers, probe) {
            let Some(service) = self.services.get_mut(&place.service) else {
                continue;
            };
            let slow = service.config.options.slowstart.is_some() && !standby;
            let quiescent = service.config.quiescent;
            let Some(row) = service.reals.get_mut(&place.real) else {
                continue;
            };
            let before = (row.agent.clone(), row.weight(quiescent));
            let change = row.hear_agent(verdict, slow, now);
            if before.0 == row.agent && before.1 == row.weight(quiescent) {
                continue;
            }
            self.revision += 1;
            changed.push(place.service);
            if change != Change::Nothing {
                notices.extend(row.agent_notice(place.service, change));
            }
        }
        self.changed.extend(&changed);
        let changed = changed.into_iter();
        notices.extend(changed.filter_map(|key| self.review(key, false, now)));
        notices
    }
}
