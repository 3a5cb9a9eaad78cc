//! The kernel's table as a model that can refuse, answer late, and be edited by somebody else. The
//! same edits are run on the real kernel by `tests/` (scenario `kernel`), which keeps it honest.

use super::random::Random;
use ldird_core::diff;
use ldird_core::table::{Edit, ServiceKey, Table};
use std::collections::BTreeMap;
use std::time::Instant;

#[derive(Debug, Default)]
pub(crate) struct Kernel {
    pub(crate) table: Table,
    /// Percent of edits refused for no reason of theirs.
    pub(crate) refuses: u64,
    /// Percent of readings that fail.
    pub(crate) unreadable: u64,
    /// Services to which nothing can be added until then.
    pub(crate) stubborn: BTreeMap<ServiceKey, Instant>,
}

impl Kernel {
    pub(crate) fn read(&self, random: &mut Random) -> Result<&Table, String> {
        if random.chance(self.unreadable) {
            return Err("Cannot allocate memory".to_owned());
        }
        Ok(&self.table)
    }

    pub(crate) fn edit(
        &mut self,
        edit: &Edit,
        now: Instant,
        random: &mut Random,
    ) -> Result<(), String> {
        self.stubborn.retain(|_, until| now < *until);
        let adds = matches!(edit, Edit::AddService(..) | Edit::AddDestination(..));
        if adds && self.stubborn.contains_key(&edit.service()) {
            return Err("Invalid argument".to_owned());
        }
        if random.chance(self.refuses) {
            return Err("Cannot allocate memory".to_owned());
        }
        if diff::apply(&mut self.table, edit) {
            return Ok(());
        }
        // As the shell does where somebody else has been faster.
        let made = match edit {
            Edit::DeleteService(_) | Edit::DeleteDestination(..) => true,
            Edit::AddService(key, spec) => self.keeping(Edit::EditService(*key, spec.clone())),
            Edit::AddDestination(key, real, spec) => {
                self.keeping(Edit::EditDestination(*key, *real, spec.clone()))
            }
            Edit::EditDestination(key, real, spec) => {
                let instead = Edit::AddDestination(*key, *real, spec.clone());
                diff::apply(&mut self.table, &instead)
            }
            Edit::EditService(..) => false,
        };
        if made {
            Ok(())
        } else {
            Err("refused".to_owned())
        }
    }

    /// Makes an edit of what was there already.
    fn keeping(&mut self, mut edit: Edit) -> bool {
        if let Some(held) = self.table.get(&edit.service()) {
            edit.keep(held);
        }
        diff::apply(&mut self.table, &edit)
    }

    /// Somebody with `ipvsadm`: a weight, a deleted server, a deleted service. Which service, and
    /// what was done to it.
    pub(crate) fn meddle(&mut self, random: &mut Random) -> Option<(ServiceKey, String)> {
        let keys: Vec<ServiceKey> = self.table.keys().copied().collect();
        let key = *random.pick(&keys)?;
        if random.chance(20) {
            self.table.remove(&key);
            return Some((key, format!("deleted {key}")));
        }
        let service = self.table.get_mut(&key)?;
        let rows: Vec<_> = service.destinations.keys().copied().collect();
        let row = *random.pick(&rows)?;
        if random.chance(30) {
            service.destinations.remove(&row);
            return Some((key, format!("deleted {row} of {key}")));
        }
        let weight = u32::try_from(random.below(9)).ok()?;
        service.destinations.get_mut(&row)?.weight = weight;
        Some((key, format!("set {row} of {key} to weight {weight}")))
    }
}
