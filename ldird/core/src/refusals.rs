//! Edits that the kernel refused: each told once, and tried again later and later. A refusal that
//! lasts (thresholds the wrong way round, a scheduler that does not exist) costs one edit a minute,
//! and hides no other.

use crate::table::{DestinationKey, Edit, ServiceKey};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// A refused edit is tried again after so long, then after twice as long, and so on …
pub(crate) const RETRY_FIRST: Duration = Duration::from_secs(1);
/// … up to this.
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Default)]
pub(crate) struct Refusals {
    rows: BTreeMap<Row, Refusal>,
    /// The same, by when they are tried again.
    times: BTreeSet<(Instant, Row)>,
}

/// What an edit is about.
type Row = (ServiceKey, Option<DestinationKey>);

#[derive(Debug, Clone)]
struct Refusal {
    edit: Edit,
    error: String,
    pause: Duration,
    retry_at: Instant,
}

impl Refusals {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The kernel refused this edit. Is it to be told?
    pub(crate) fn add(&mut self, edit: Edit, error: String, now: Instant) -> bool {
        let row = row(&edit);
        let known = self.remove(row).filter(|known| known.edit == edit);
        let told = known.as_ref().is_some_and(|known| known.error == error);
        let pause = known.map_or(Duration::ZERO, |known| known.pause * 2);
        let pause = pause.clamp(RETRY_FIRST, RETRY_MAX);
        let retry_at = now + pause;
        let refusal = Refusal {
            edit,
            error,
            pause,
            retry_at,
        };
        self.rows.insert(row, refusal);
        self.times.insert((retry_at, row));
        !told
    }

    /// The edits that a service needs now, as found on a fresh reading: refusals of any other are
    /// history.
    pub(crate) fn needed(&mut self, service: ServiceKey, edits: &[Edit]) {
        if self.rows.is_empty() {
            return;
        }
        let of_service = self.rows.range((service, None)..);
        let old: Vec<Row> = of_service
            .take_while(|((key, _), _)| *key == service)
            .filter(|(_, known)| !edits.contains(&known.edit))
            .map(|(row, _)| *row)
            .collect();
        for row in old {
            self.remove(row);
        }
    }

    /// The kernel made this edit after all.
    pub(crate) fn made(&mut self, edit: &Edit) {
        self.remove(row(edit));
        if let Edit::DeleteService(key) = edit {
            self.needed(*key, &[]);
        }
    }

    /// Is it too early to try exactly this again?
    pub(crate) fn hold(&self, edit: &Edit, now: Instant) -> bool {
        let known = self.rows.get(&row(edit));
        known.is_some_and(|known| known.edit == *edit && now < known.retry_at)
    }

    /// This edit has to wait for another one: it is not tried now, and not at once either.
    pub(crate) fn postpone(&mut self, edit: &Edit, now: Instant) {
        let row = row(edit);
        if let Some(known) = self.rows.get_mut(&row)
            && known.retry_at <= now
        {
            self.times.remove(&(known.retry_at, row));
            known.retry_at = now + known.pause.max(RETRY_FIRST);
            self.times.insert((known.retry_at, row));
        }
    }

    /// Everything may be tried again at once; what was told stays told.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.times.clear();
        for (row, refusal) in &mut self.rows {
            refusal.retry_at = refusal.retry_at.min(now);
            refusal.pause = Duration::ZERO;
            self.times.insert((refusal.retry_at, *row));
        }
    }

    /// The services with an edit that may be tried again.
    pub(crate) fn due(&self, now: Instant) -> impl Iterator<Item = ServiceKey> {
        let due = self.times.iter().take_while(move |(at, _)| *at <= now);
        due.map(|(_, (service, _))| *service)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.times.first().map(|(at, _)| *at)
    }

    fn remove(&mut self, row: Row) -> Option<Refusal> {
        let known = self.rows.remove(&row)?;
        self.times.remove(&(known.retry_at, row));
        Some(known)
    }
}

fn row(edit: &Edit) -> Row {
    match edit {
        Edit::AddService(key, _) | Edit::EditService(key, _) | Edit::DeleteService(key) => {
            (*key, None)
        }
        Edit::AddDestination(key, real, _)
        | Edit::EditDestination(key, real, _)
        | Edit::DeleteDestination(key, real) => (*key, Some(*real)),
    }
}

#[cfg(test)]
mod tests;
