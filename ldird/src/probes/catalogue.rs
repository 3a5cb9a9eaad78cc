//! Numbers for probes: the same question has the same number across reloads, so that the core keeps
//! the health it knows; a number is never given to another question.

use super::Probe;
use ldird_core::config::ProbeId;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Every probe that has a number. Cloned for a reload, so that a refused one leaves nothing behind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Catalogue {
    known: HashMap<Arc<Probe>, ProbeId>,
    next: u32,
}

impl Catalogue {
    /// The probe's number, a new one for a new question.
    pub(crate) fn number(&mut self, probe: Probe) -> (ProbeId, Arc<Probe>) {
        if let Some((probe, id)) = self.known.get_key_value(&probe) {
            return (*id, Arc::clone(probe));
        }
        let (id, probe) = (ProbeId(self.next), Arc::new(probe));
        // Four billion different checks in one life of the daemon are out of reach.
        self.next = self.next.checked_add(1).expect("numbers of probes last");
        self.known.insert(Arc::clone(&probe), id);
        (id, probe)
    }

    /// Forgets what is not used any more. Its numbers stay used up.
    pub(crate) fn retain(&mut self, used: &BTreeMap<ProbeId, Arc<Probe>>) {
        self.known.retain(|_, id| used.contains_key(id));
    }
}
