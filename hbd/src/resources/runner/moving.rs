//! A group on its way from one node to another, as agreed, without a moment in which clients find
//! nobody: the next owner has its tables and then its addresses before the present one stops.
//!
//! Only for groups of addresses and resident directors ([`together`](super::together)), and not where
//! a machine is a real server of its own table: its director says so. What is prepared ends by itself:
//! addresses are put for some seconds, again and again while they are wanted, so that a node that is
//! killed or stands still does not go on answering for them; and a director takes the table back
//! when nobody has asked for it for a while.

use super::{Resource, Worker};
use crate::resources::address::Placement;
use crate::resources::resident::Resident;
use crate::resources::script::Cancel;
use futures_util::future::join_all;
use ha_status::{Action, Severity};
use hbd_core::config::{LINGER_LIMIT, PREPARED_LIFE};
use std::sync::MutexGuard;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// For all of a preparation. The owner does not wait for longer than [`LINGER_LIMIT`].
const PREPARE_LIMIT: Duration = Duration::from_millis(700);
const _: () = assert!(PREPARE_LIMIT.as_millis() < LINGER_LIMIT.as_millis());

/// What is prepared is put again so often: twice may be missed.
const RENEW_EVERY: Duration = Duration::from_secs(1);
const _: () = assert!(RENEW_EVERY.as_millis() * 3 <= PREPARED_LIFE.as_millis());

/// The directors are told again so often: they keep a prepared table for a minute.
const TELL_EVERY: Duration = Duration::from_secs(20);

/// What was put for a start to come.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    addresses: Vec<Placement>,
    /// When they leave, if they are not put again.
    leave_at: Option<Instant>,
    /// When they are put again.
    renew_at: Option<Instant>,
    /// When the directors are told again.
    tell_at: Option<Instant>,
}

impl Prepared {
    /// From now on, for as long again.
    fn prolong(&mut self) {
        let now = Instant::now();
        self.leave_at = Some(now + PREPARED_LIFE);
        self.renew_at = Some(now + RENEW_EVERY);
    }
}

impl Worker {
    /// The group is about to start here: its tables go into the kernel already, then its addresses. False
    /// if something else is wanted by now.
    pub(super) async fn prepare(&self, cancel: Cancel) -> bool {
        let until = Instant::now() + PREPARE_LIMIT;
        let ready = self.make_ready(until, cancel.clone());
        if timeout_at(until, ready).await.is_err() {
            let text = "not everything could be prepared in time".to_owned();
            self.tell(Severity::Info, text).await;
        }
        !*cancel.borrow()
    }

    async fn make_ready(&self, until: Instant, cancel: Cancel) {
        let Some(members) = self.together().await else {
            return;
        };
        let (addresses, residents): (Vec<_>, Vec<_>) = members
            .into_iter()
            .partition(|(_, resident)| resident.is_none());
        // One that is active has its table in the kernel.
        let standby = residents
            .into_iter()
            .filter_map(|(resource, resident)| Some((resource, resident?)))
            .filter(|(_, resident)| !resident.is_active());
        let standby = standby.collect();
        let told = self.tell_residents(standby, &Action::Prepare, until, &cancel);
        let ready = told.await;
        self.stopwatch().prepared = ready;
        let told_at = Instant::now();
        self.lock_prepared().tell_at = Some(told_at + TELL_EVERY);
        // Clients that are drawn here must find a table.
        if !ready {
            return;
        }
        for (resource, _) in addresses {
            let Resource::Addresses(addresses) = resource else {
                continue;
            };
            if *cancel.borrow() {
                return;
            }
            // Known before they are put, whatever ends this.
            let note = |placements: &[Placement]| {
                let mut prepared = self.lock_prepared();
                prepared.addresses.extend_from_slice(placements);
                prepared.prolong();
            };
            if let Err(failed) = self.means.addresses.prepare(addresses, note).await {
                let (word, why) = (&failed.resource.word, failed.why);
                let text = format!("{word} was not prepared: {why}");
                self.tell(Severity::Info, text).await;
                let all = std::mem::take(&mut self.lock_prepared().addresses);
                self.means.addresses.unprepare(&all).await;
                return;
            }
        }
        let all = self.lock_prepared().addresses.clone();
        if !all.is_empty() {
            let text = format!(
                "Ready to take over: {} announced, for {} s or until the other node has stopped",
                named(&all),
                PREPARED_LIFE.as_secs()
            );
            self.tell(Severity::Info, text).await;
        }
    }

    /// It will not start, after all: addresses first, so that nobody is drawn here any more. False if
    /// something else is wanted by now.
    pub(super) async fn unprepare(&self, cancel: Cancel) -> bool {
        self.stopwatch().prepared = false;
        let Prepared { addresses, .. } = std::mem::take(&mut *self.lock_prepared());
        // As they were put, last first: the first may be the first of its network.
        let addresses: Vec<Placement> = addresses.into_iter().rev().collect();
        let until = Instant::now() + PREPARE_LIMIT;
        // What is not taken away in time leaves by itself.
        let _ = timeout_at(until, self.means.addresses.unprepare(&addresses)).await;
        if !addresses.is_empty() {
            let text = format!("Not taken over: {} is gone again", named(&addresses));
            self.tell(Severity::Info, text).await;
        }
        let undone = async {
            let standby = self.standby_residents().await;
            let undo = Action::HoldBack;
            self.tell_residents(standby, &undo, until, &cancel).await
        };
        // A director that does not hear it takes its table back by itself.
        let _ = timeout_at(until, undone).await;
        !*cancel.borrow()
    }

    /// When what is prepared is to be put again; never if nothing is.
    pub(super) async fn renewal(&self) {
        let at = self.lock_prepared().renew_at;
        match at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Still wanted: what is prepared stays for as long again. Not if this node stood still: then another
    /// one may have the group by now.
    pub(super) async fn renew(&self, cancel: Cancel) {
        let now = Instant::now();
        let (addresses, late, tell) = {
            let mut prepared = self.lock_prepared();
            let late = prepared.leave_at.is_some_and(|at| at <= now);
            let tell = prepared.tell_at.is_some_and(|at| at <= now);
            if late {
                prepared.renew_at = None;
            } else {
                prepared.prolong();
            }
            if tell {
                prepared.tell_at = Some(now + TELL_EVERY);
            }
            (prepared.addresses.clone(), late, tell)
        };
        if late {
            self.means.addresses.kernel.drop_prepared(&addresses);
            return;
        }
        let until = now + PREPARE_LIMIT;
        let renewed = timeout_at(until, self.means.addresses.renew(&addresses)).await;
        if let Ok(Err(error)) = renewed {
            self.lock_prepared().renew_at = None;
            self.means.addresses.kernel.drop_prepared(&addresses);
            let text = format!("{} leaves before the start: {error}", named(&addresses));
            self.tell(Severity::Info, text).await;
            return;
        }
        if tell {
            let told = async {
                let standby = self.standby_residents().await;
                self.tell_residents(standby, &Action::Prepare, until, &cancel)
                    .await
            };
            let _ = timeout_at(until, told).await;
        }
    }

    /// The group has been started or stopped: nothing is only prepared any more.
    pub(super) fn forget_prepared(&self) {
        let Prepared { addresses, .. } = std::mem::take(&mut *self.lock_prepared());
        self.means.addresses.kernel.drop_prepared(&addresses);
    }

    /// The group goes on running here beside another node that is ready for it: its directors must agree,
    /// and its addresses are not announced any more. May that be?
    pub(super) async fn linger(&self, cancel: Cancel) -> bool {
        let until = Instant::now() + PREPARE_LIMIT;
        let agreed = async {
            // The other node cannot prepare it either.
            let members = self.together().await?;
            let mut residents = Vec::new();
            for (resource, resident) in members {
                match (resource, resident) {
                    (Resource::Addresses(addresses), _) => {
                        self.means.addresses.quieten(addresses);
                    }
                    (_, Some(resident)) => residents.push((resource, resident)),
                    (Resource::Script { .. }, None) => {}
                }
            }
            let told = self.tell_residents(residents, &Action::Prepare, until, &cancel);
            told.await.then_some(())
        };
        let agreed = timeout_at(until, agreed).await;
        let willing = matches!(agreed, Ok(Some(())));
        if willing {
            let text = "Served here until the next owner is ready".to_owned();
            self.tell(Severity::Info, text).await;
        }
        willing
    }

    /// While another node has them, too, no client knows whom it talks to: they go before anything
    /// that may take its time. What fails here is told by the stop that follows.
    pub(super) async fn take_addresses_away(&self) {
        for resource in self.resources.iter().rev() {
            if let Resource::Addresses(addresses) = resource {
                let _ = self.means.addresses.stop(addresses).await;
            }
        }
    }

    /// Tells the neighbours again.
    pub(super) async fn announce(&self) {
        for resource in &self.resources {
            if let Resource::Addresses(addresses) = resource
                && let Err(error) = self.means.addresses.announce(addresses).await
            {
                let text = format!("{} was not announced: {error}", resource.word());
                self.tell(Severity::Warning, text).await;
            }
        }
    }

    async fn standby_residents(&self) -> Vec<(&Resource, Resident)> {
        let members = self.together().await.unwrap_or_default();
        let residents = members.into_iter();
        let residents = residents.filter_map(|(resource, resident)| Some((resource, resident?)));
        residents
            .filter(|(_, resident)| !resident.is_active())
            .collect()
    }

    /// Tells all of these directors at once. True if all have done it.
    async fn tell_residents(
        &self,
        residents: Vec<(&Resource, Resident)>,
        action: &Action,
        until: Instant,
        cancel: &Cancel,
    ) -> bool {
        let told = residents.into_iter().map(|(resource, resident)| {
            let mut cancel = cancel.clone();
            async move {
                let pid = resident.pid();
                let result = resident.turn(action.clone(), until, &mut cancel).await;
                let done = result.is_ok();
                let (word, action) = (resource.word(), action.word());
                let what = format!("{action} of {word} (ldird, pid {pid})");
                let text = match result {
                    Ok(()) => what,
                    Err(why) => format!("{what} was refused: {why}"),
                };
                if done || !*cancel.borrow() {
                    self.tell(Severity::Info, text).await;
                }
                done
            }
        });
        join_all(told).await.into_iter().all(|done| done)
    }

    fn lock_prepared(&self) -> MutexGuard<'_, Prepared> {
        let prepared = self.prepared.lock();
        prepared.expect("no holder of this lock can panic")
    }
}

/// The addresses, for a sentence.
fn named(placements: &[Placement]) -> String {
    let named = placements.iter().map(|placement| placement.ip.to_string());
    match placements.len() {
        0..=3 => named.collect::<Vec<_>>().join(", "),
        count => format!("{} and {} more", placements[0].ip, count - 1),
    }
}
