//! Numbers for probes: the same question at the same pace has the same number across reloads, so that
//! the core keeps the health it knows; a number is never given to another question. Virtual services
//! that ask at different paces do not share a probe: neither would hear as often as it wants to, and
//! `failurecount` would mean another time.

use super::Probe;
use ldird_core::config::ProbeId;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Every probe that has a number. Cloned for a reload, so that a refused one leaves nothing behind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Catalogue {
    known: HashMap<(Arc<Probe>, Duration), ProbeId>,
    next: u32,
}

impl Catalogue {
    /// The number of a probe that is asked so often, a new one for a new question.
    pub(crate) fn number(&mut self, probe: Probe, interval: Duration) -> (ProbeId, Arc<Probe>) {
        let question = (Arc::new(probe), interval);
        if let Some(((probe, _), id)) = self.known.get_key_value(&question) {
            return (*id, Arc::clone(probe));
        }
        let (id, probe) = (ProbeId(self.next), Arc::clone(&question.0));
        // Four billion different checks in one life of the daemon are out of reach.
        self.next = self.next.checked_add(1).expect("numbers of probes last");
        self.known.insert(question, id);
        (id, probe)
    }

    /// Forgets what is not used any more. Its numbers stay used up.
    pub(crate) fn retain(&mut self, used: &BTreeMap<ProbeId, Arc<Probe>>) {
        self.known.retain(|_, id| used.contains_key(id));
    }
}
