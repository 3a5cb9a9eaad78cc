//! One group's worker: probes it, starts it left to right and stops it right to left.
//!
//! ```text
//!            Start                      all started → Started(Ok)
//!   idle ────────────► starting ──────┤ one failed  → stop everything → Started(Err)
//!    ▲                                └ Stop comes  → end the script   → Started(Err), then stop
//!    └──── stopping ◄──── Stop          Stopped(Ok), or Stopped(Err) if something still runs
//! ```
//!
//! The order of a group and the meaning of a script's answers are those of the old ResourceManager
//! (Heartbeat specification 7.9); the time limits are new.

mod moving;
mod stopwatch;
mod together;

use super::builtin::AddressResource;
use super::mailbox::{Job, Jobs};
use super::resident::Resident;
use super::script::{self, Cancel, Operation, Ran, ScriptError};
use super::{Means, Report};
use crate::config::ScriptLimits;
use ha_status::{Action, Severity};
use hbd_core::config::{GroupConfig, GroupId};
use hbd_core::input::{Activity, Failure, Input};
use moving::Prepared;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use stopwatch::{By, Stopwatch};
use tokio::sync::watch;
use tokio::time::Instant;

/// A stop that fails is repeated so often, as the old daemon does.
const STOP_RETRIES: u32 = 10;
/// Pause before a stop is repeated.
const STOP_RETRY_PAUSE: Duration = Duration::from_secs(1);

/// One step of a group.
#[derive(Debug, Clone)]
pub(super) enum Resource {
    /// Neighbouring built-in addresses, put and taken away together. Never empty.
    Addresses(Vec<AddressResource>),
    Script {
        /// As it stands in haresources.
        word: String,
        script: String,
        args: Vec<String>,
    },
}

pub(super) struct Worker {
    id: GroupId,
    /// The line as the old daemon logs it: preferred node and resources.
    line: String,
    resources: Vec<Resource>,
    limits: ScriptLimits,
    means: Means,
    /// Words of the scripts that may have started something here that no stop has ended since.
    owed: Mutex<BTreeSet<String>>,
    /// The last stop failed.
    stuck: AtomicBool,
    /// Of the start that is under way or to come.
    stopwatch: Mutex<Stopwatch>,
    /// What was put for a start to come.
    prepared: Mutex<Prepared>,
}

impl Worker {
    pub(super) fn new(
        id: GroupId,
        group: &GroupConfig,
        resources: Vec<Resource>,
        limits: ScriptLimits,
        means: Means,
    ) -> Self {
        let words: Vec<String> = group
            .resources
            .iter()
            .map(|resource| super::word(&resource.script, &resource.args))
            .collect();
        Self {
            id,
            line: format!("{} {}", group.preferred, words.join(" ")),
            resources,
            limits,
            means,
            owed: Mutex::default(),
            stuck: AtomicBool::new(false),
            stopwatch: Mutex::default(),
            prepared: Mutex::default(),
        }
    }

    /// Does one job after the other until the daemon ends. A stop that comes while another job is
    /// under way ends it, and so does a start a preparation.
    pub(super) async fn run(self, mut jobs: Jobs) {
        loop {
            let job = tokio::select! {
                job = jobs.next() => job,
                () = self.renewal() => Some(Job::Renew),
            };
            let Some(job) = job else { return };
            let cancel = watch::Sender::new(jobs.ends(job));
            let work = self.work(job, cancel.subscribe());
            tokio::pin!(work);
            tokio::select! {
                () = &mut work => continue,
                () = jobs.end(job) => {}
            }
            cancel.send_replace(true);
            work.await;
        }
    }

    async fn work(&self, job: Job, cancel: Cancel) {
        let group = self.id;
        let input = match job {
            Job::Probe => Input::Probed {
                group,
                activity: self.probe(cancel).await,
            },
            Job::Start => {
                let result = self.start(cancel).await;
                self.forget_prepared();
                let steps = self.stopwatch().read();
                Input::Started {
                    group,
                    result,
                    steps,
                }
            }
            Job::Stop | Job::LetGo => {
                if job == Job::LetGo {
                    self.take_addresses_away().await;
                }
                let result = self.stop().await;
                self.forget_prepared();
                Input::Stopped { group, result }
            }
            Job::Prepare => {
                if !self.prepare(cancel).await {
                    return;
                }
                Input::Prepared { group }
            }
            Job::Unprepare => {
                if !self.unprepare(cancel).await {
                    return;
                }
                Input::Unprepared { group }
            }
            Job::Renew => return self.renew(cancel).await,
            Job::Linger => Input::Lingers {
                group,
                willing: self.linger(cancel).await,
            },
            Job::Announce => return self.announce().await,
        };
        self.report(Report::Input(input)).await;
    }

    /// What of the group is active?
    async fn probe(&self, mut cancel: Cancel) -> Activity {
        let mut total = 0;
        let mut active = 0;
        for resource in &self.resources {
            let answers = match resource {
                Resource::Addresses(addresses) => self.means.addresses.status(addresses).await.ok(),
                Resource::Script { word, script, args } => self
                    .script_runs(script, args, &mut cancel)
                    .await
                    // One that can never be executed runs nothing.
                    .or_else(|error| {
                        if error.is_unusable() {
                            Ok(false)
                        } else {
                            Err(error)
                        }
                    })
                    .ok()
                    .map(|runs| {
                        if runs {
                            self.owed().insert(word.clone());
                        }
                        vec![runs]
                    }),
            };
            let Some(answers) = answers else {
                return Activity::Unclear;
            };
            total += answers.len();
            active += answers.iter().filter(|active| **active).count();
        }
        if active == 0 {
            Activity::Nothing
        } else if active == total {
            Activity::Everything
        } else {
            Activity::Something
        }
    }

    /// Left to right, or at once where nobody can see the order; the first failure stops the whole
    /// group again.
    async fn start(&self, cancel: Cancel) -> Result<(), Failure> {
        self.tell(
            Severity::Info,
            format!("Acquiring resource group: {}", self.line),
        )
        .await;
        let result = match self.together().await {
            Some(members) => self.start_together(members, &cancel).await,
            None => self.start_in_order(cancel.clone()).await,
        };
        match result {
            Err(failure) if !*cancel.borrow() => Err(self.give_up(failure).await),
            result => result,
        }
    }

    async fn start_in_order(&self, mut cancel: Cancel) -> Result<(), Failure> {
        for resource in &self.resources {
            if *cancel.borrow() {
                return Err(interrupted(resource));
            }
            let result = self.start_one(resource, None, &mut cancel).await;
            if *cancel.borrow() {
                return Err(interrupted(resource));
            }
            result?;
        }
        Ok(())
    }

    async fn give_up(&self, failure: Failure) -> Failure {
        let resource = &failure.resource;
        let text = format!("Giving up resources due to failure of {resource}");
        self.tell(Severity::Critical, text).await;
        let still_held = self.stop().await.is_err();
        Failure {
            still_held,
            ..failure
        }
    }

    /// `found`: the director that the resource is, where somebody has looked already.
    async fn start_one(
        &self,
        resource: &Resource,
        found: Option<Resident>,
        cancel: &mut Cancel,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let by = self.start_somehow(resource, found, cancel).await?;
        let ended = Instant::now();
        self.stopwatch().note(by, resource.word(), begun, ended);
        Ok(())
    }

    async fn start_somehow(
        &self,
        resource: &Resource,
        found: Option<Resident>,
        cancel: &mut Cancel,
    ) -> Result<By, Failure> {
        match resource {
            Resource::Addresses(addresses) => self
                .means
                .addresses
                .start(addresses)
                .await
                .map(|()| By::Address)
                .map_err(|failed| failure(&failed.resource.word, Operation::Start, &failed.why)),
            Resource::Script { word, script, args } => {
                let limit = self.limits.start;
                let until = Instant::now() + limit;
                let found = self.or_look(found, script, args, self.limits.status).await;
                let by = if found.is_some() {
                    By::Table
                } else {
                    By::Script
                };
                let started = match found {
                    // Told whatever it seems to be: it bears being told twice, and what others see of it
                    // may be out of date.
                    Some(resident) => {
                        let serve = Action::Serve;
                        self.turn(resident, script, args, serve, until, cancel)
                            .await
                    }
                    // An unclear status is no reason against a start, which must bear being repeated.
                    None => matches!(self.script_says(script, args, cancel).await, Ok(true)),
                };
                if started {
                    self.owed().insert(word.clone());
                    return Ok(by);
                }
                if *cancel.borrow() {
                    return Err(interrupted(resource));
                }
                let ran = self.run_script(script, args, Operation::Start, limit, cancel);
                let result = ran.await;
                let begun = !matches!(&result, Err(error) if error.began_nothing());
                if begun {
                    // Even one that failed may have begun something.
                    self.owed().insert(word.clone());
                }
                match result {
                    Ok(ran) if ran.status.success() => Ok(By::Script),
                    Ok(ran) => Err(failure(word, Operation::Start, &ran.describe())),
                    Err(why) => Err(failure(word, Operation::Start, &why)),
                }
            }
        }
    }

    /// Right to left. A resource that will not stop does not keep the others; the first such is
    /// reported.
    async fn stop(&self) -> Result<(), Failure> {
        // A stop that failed is repeated until it succeeds: told once.
        if !self.stuck.load(Ordering::Relaxed) {
            let text = format!("Releasing resource group: {}", self.line);
            self.tell(Severity::Info, text).await;
        }
        let first = match self.together().await {
            Some(members) => self.stop_together(members).await,
            None => self.stop_in_order().await,
        };
        self.stuck.store(first.is_err(), Ordering::Relaxed);
        first
    }

    async fn stop_in_order(&self) -> Result<(), Failure> {
        let mut first = Ok(());
        for resource in self.resources.iter().rev() {
            let result = self.stop_one(resource, None).await;
            first = first.and(result);
        }
        first
    }

    /// Repeats a failing stop, within the group's limit. `found`: the director that the resource is,
    /// where it may have its table in the kernel for a moment more.
    async fn stop_one(
        &self,
        resource: &Resource,
        mut found: Option<Resident>,
    ) -> Result<(), Failure> {
        let until = Instant::now() + self.limits.stop;
        let mut retries = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Err(why) = self.stop_once(resource, found.take(), left).await else {
                return Ok(());
            };
            retries += 1;
            if retries > STOP_RETRIES || Instant::now() + STOP_RETRY_PAUSE >= until {
                return self.judge_failed_stop(resource, why).await;
            }
            if retries == 1 && !self.stuck.load(Ordering::Relaxed) {
                let word = resource.word();
                let text = format!("Retrying failed stop operation [{word}]: {why}");
                self.tell(Severity::Warning, text).await;
            }
            tokio::time::sleep(STOP_RETRY_PAUSE).await;
        }
    }

    async fn stop_once(
        &self,
        resource: &Resource,
        found: Option<Resident>,
        limit: Duration,
    ) -> Result<(), String> {
        match resource {
            Resource::Addresses(addresses) => {
                let result = self.means.addresses.stop(addresses).await;
                result.map_err(|failed| failed.why.to_string())
            }
            Resource::Script { word, script, args } => {
                let mut never = never();
                let until = Instant::now() + limit;
                // The script, if it comes to that, needs time as well.
                let turn_until = Instant::now() + limit / 2;
                let action = if found.is_some() {
                    Action::Yield
                } else {
                    Action::HoldBack
                };
                if let Some(resident) = self.or_look(found, script, args, limit / 2).await
                    && self
                        .turn(resident, script, args, action, turn_until, &mut never)
                        .await
                {
                    self.owed().remove(word);
                    return Ok(());
                }
                let limit = until.saturating_duration_since(Instant::now());
                let ran = self.run_script(script, args, Operation::Stop, limit, &mut never);
                match ran.await {
                    Ok(ran) if ran.status.success() => {
                        self.owed().remove(word);
                        Ok(())
                    }
                    Ok(ran) => Err(ran.describe()),
                    Err(why) if why.is_unusable() && !self.owed().contains(word) => {
                        // What could never be started need not be stopped.
                        self.tell(Severity::Error, why.to_string()).await;
                        Ok(())
                    }
                    // Somebody took it away, or its disk is gone: what it started may well run.
                    Err(why) => Err(why.to_string()),
                }
            }
        }
    }

    /// A stop that always fails is only bad if the resource still says that it runs.
    async fn judge_failed_stop(&self, resource: &Resource, why: String) -> Result<(), Failure> {
        let stopped = match resource {
            Resource::Addresses(_) => false,
            Resource::Script { script, args, .. } => {
                let answer = self.script_runs(script, args, &mut never()).await;
                matches!(answer, Ok(false))
            }
        };
        let word = resource.word();
        if stopped {
            let text = format!("{word} fails to stop ({why}) but says that it is not running");
            self.tell(Severity::Error, text).await;
            self.owed().remove(word);
            return Ok(());
        }
        Err(Failure {
            still_held: true,
            ..failure(word, Operation::Stop, &why)
        })
    }

    /// Asks a script, or the director in its place, for its status.
    async fn script_runs(
        &self,
        script: &str,
        args: &[String],
        cancel: &mut Cancel,
    ) -> Result<bool, ScriptError> {
        let limit = self.limits.status;
        match self.or_look(None, script, args, limit).await {
            Some(resident) => Ok(resident.is_active()),
            None => self.script_says(script, args, cancel).await,
        }
    }

    async fn script_says(
        &self,
        script: &str,
        args: &[String],
        cancel: &mut Cancel,
    ) -> Result<bool, ScriptError> {
        let limit = self.limits.status;
        let ran = self.run_script(script, args, Operation::Status, limit, cancel);
        Ok(ran.await?.says_running())
    }

    /// The director that this resource is, if it runs from boot: as found, or looked for now.
    async fn or_look(
        &self,
        found: Option<Resident>,
        script: &str,
        args: &[String],
        limit: Duration,
    ) -> Option<Resident> {
        if found.is_some() {
            return found;
        }
        let directors = self.means.directors.as_ref()?;
        let until = Instant::now() + limit;
        directors.resident(script, args, until).await
    }

    /// Tells a resident director. False: it has not done it, and the script is to try.
    async fn turn(
        &self,
        resident: Resident,
        script: &str,
        args: &[String],
        action: Action,
        until: Instant,
        cancel: &mut Cancel,
    ) -> bool {
        let operation = if action == Action::Serve {
            Operation::Start
        } else {
            Operation::Stop
        };
        let words = args.iter().map(String::as_str).chain([operation.as_str()]);
        let line = format!("{script} {}", words.collect::<Vec<_>>().join(" "));
        let pid = resident.pid();
        let stuck = self.stuck.load(Ordering::Relaxed);
        if !stuck {
            let text = format!("Running {line} (built in: ldird, pid {pid})");
            self.tell(Severity::Info, text).await;
        }
        match resident.turn(action, until, cancel).await {
            Ok(()) => true,
            Err(why) => {
                if !stuck && !*cancel.borrow() {
                    let text = format!("{line}: ldird, pid {pid}: {why}; the script is run");
                    self.tell(Severity::Warning, text).await;
                }
                false
            }
        }
    }

    async fn run_script(
        &self,
        script: &str,
        args: &[String],
        operation: Operation,
        limit: Duration,
        cancel: &mut Cancel,
    ) -> Result<Ran, ScriptError> {
        let site = Arc::clone(&self.means.site.borrow());
        let path = site.locate(script, Instant::now() + limit).await?;
        let told = operation != Operation::Status && !self.stuck.load(Ordering::Relaxed);
        if told {
            let words = args.iter().map(String::as_str).chain([operation.as_str()]);
            let words: Vec<&str> = words.collect();
            let text = format!("Running {} {}", path.display(), words.join(" "));
            self.tell(Severity::Info, text).await;
        }
        script::run(&site, &path, args, operation, limit, cancel).await
    }

    fn owed(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.owed.lock().expect("no holder of this lock can panic")
    }

    fn stopwatch(&self) -> MutexGuard<'_, Stopwatch> {
        let stopwatch = self.stopwatch.lock();
        stopwatch.expect("no holder of this lock can panic")
    }

    async fn tell(&self, severity: Severity, text: String) {
        self.report(Report::Tell(severity, text)).await;
    }

    async fn report(&self, report: Report) {
        // The loop is gone only when the daemon ends.
        let _ = self.means.reports.send(report).await;
    }
}

impl Resource {
    /// As it stands in haresources; the first of several addresses.
    fn word(&self) -> &str {
        match self {
            Self::Addresses(addresses) => addresses
                .first()
                .map_or("", |address| address.word.as_str()),
            Self::Script { word, .. } => word,
        }
    }
}

fn failure(word: &str, operation: Operation, why: &dyn std::fmt::Display) -> Failure {
    Failure {
        resource: word.to_owned(),
        reason: format!("{}: {why}", operation.as_str()),
        still_held: false,
    }
}

/// The stop that cancelled a start follows and releases everything.
fn interrupted(resource: &Resource) -> Failure {
    Failure {
        still_held: true,
        ..failure(resource.word(), Operation::Start, &ScriptError::Cancelled)
    }
}

/// For what must not be cancelled.
fn never() -> Cancel {
    watch::Sender::new(false).subscribe()
}

#[cfg(test)]
mod tests;
