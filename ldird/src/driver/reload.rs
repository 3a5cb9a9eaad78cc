//! Reloading: read on a thread, held against what serves and against what other directors run, and
//! only then in force. A refused one changes nothing.

use super::Driver;
use crate::config::{self, Configuration, Names};
use crate::disk::finished;
use crate::dry_run;
use crate::instance::Instance;
use crate::ledger::made_of;
use crate::loss::loss;
use crate::maintenance::{Listed, list_in_time};
use crate::probes::Catalogue;
use crate::siblings::{self, Sibling};
use crate::standing::now_ms;
use crate::wording::{self, Line};
use ha_plumbing::{Diagnostic, Diagnostics, service};
use ha_status::socket::Responder;
use ha_status::{Health, Outdated, Reply, Severity};
use ldird_core::config::Config;
use ldird_core::input::{Input, Left, Said};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

/// Addresses that have passed their checks and were refused all the same are tried again.
const JUDGE_AGAIN: Duration = Duration::from_secs(60);
/// Reading a configuration and what it includes takes less, host names and all.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// A reload that was asked for, and by whom.
#[derive(Debug, Default)]
pub(super) struct Wish {
    /// Also if it takes out more than half of what serves, or of one service.
    pub(super) force: bool,
    /// The file has changed: the callback is run once it is in force.
    pub(super) callback: bool,
    pub(super) reloaders: Vec<Responder>,
}

/// Where reloads stand: one is being read at a time, what comes meanwhile is one more.
#[derive(Debug, Default)]
pub(super) struct Reloads {
    loading: Option<JoinHandle<Loaded>>,
    /// For the one that is being read.
    now: Wish,
    next: Option<Wish>,
    /// Taken over by the core and not in the table yet.
    adopted: Vec<Responder>,
    /// The last one was refused: what is in force is older than the file.
    pub(super) outdated: Option<Outdated>,
    /// Grows whenever that changes.
    pub(super) revision: u64,
}

/// A configuration that was read, or its faults, and the world at that moment.
#[derive(Debug)]
pub(super) struct Loaded {
    configuration: Option<Configuration>,
    /// What it comes to when addresses pass that it puts on trial; `None`: it is that already.
    outcome: Option<Config>,
    diagnostics: Diagnostics,
    catalogue: Catalogue,
    /// `None`: as it was last seen.
    listing: Option<Listed>,
    siblings: Vec<Sibling>,
    why: Why,
}

/// Why a configuration was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Somebody asked, or the file changed.
    Reload,
    /// Names have addresses that had none; nothing else is new.
    Names,
    /// The file has changed and is not to be in force: only whether it is in order is of interest.
    Look,
}

/// Asking again for names that have no address, or may have another one.
#[derive(Debug, Default)]
pub(super) struct Naming {
    asking: Option<JoinHandle<Names>>,
    /// Why the last news was refused, as it was told.
    refused: Option<String>,
    /// Addresses that have passed and were refused are not tried again before.
    judge_at: Option<Instant>,
}

impl Naming {
    /// Names that have been found; waits for ever while none are asked for.
    pub(super) async fn found(&mut self) -> Names {
        loop {
            if let Some(names) = finished(&mut self.asking).await {
                return names;
            }
        }
    }
}

impl Reloads {
    /// What was read; waits for ever while nothing is being read.
    pub(super) async fn loaded(&mut self) -> Loaded {
        let loaded = finished(&mut self.loading).await;
        loaded.unwrap_or_else(|| Loaded {
            configuration: None,
            outcome: None,
            diagnostics: Diagnostic::error("the configuration could not be read").into(),
            catalogue: Catalogue::default(),
            listing: None,
            siblings: Vec::new(),
            why: Why::Reload,
        })
    }
}

impl<R: FnOnce(&Configuration)> Driver<R> {
    pub(super) fn reload(&mut self, wish: Wish) {
        if self.stop_by.is_some() {
            return;
        }
        if self.reloads.loading.is_some() {
            let next = self.reloads.next.get_or_insert_default();
            next.force |= wish.force;
            next.callback |= wish.callback;
            next.reloaders.extend(wish.reloaders);
            return;
        }
        service::reloading();
        self.reloads.now = wish;
        let watch = self.disk.watch();
        let (instance, mut catalogue) = (self.instance.clone(), self.catalogue.clone());
        let (before, force) = (self.configuration.names.clone(), self.reloads.now.force);
        self.reloads.loading = Some(tokio::spawn(async move {
            let path = instance.path.clone();
            let read = spawn_blocking(move || {
                // What is read now is no change any more.
                watch.accept();
                let names = before.clone();
                let names = if force { names.trusting() } else { names };
                let (configuration, diagnostics) = config::reload(&path, names, &mut catalogue);
                let outcome = outcome(configuration.as_ref(), &before, &catalogue);
                (configuration, outcome, diagnostics, catalogue)
            });
            let Ok(read) = timeout(READ_LIMIT, read).await else {
                return unread(&instance);
            };
            let (configuration, outcome, diagnostics, catalogue) =
                read.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
            let directory = configuration.as_ref().map(|all| all.maintenancedir.clone());
            let listing = match directory {
                Some(directory) => Some(list_in_time(directory).await),
                None => None,
            };
            let siblings = living(configuration.is_some(), &instance).await;
            Loaded {
                configuration,
                outcome,
                diagnostics,
                catalogue,
                listing,
                siblings,
                why: Why::Reload,
            }
        }));
    }

    /// Keeps asking for the names that have no address, as long as there are any, and for the others
    /// if the file says so.
    pub(super) fn ask_for_names(&mut self) {
        if let Some(asking) = self.naming.asking.take() {
            asking.abort();
        }
        let (names, again) = (&self.configuration.names, self.configuration.reresolve);
        let patient = self.naming.refused.is_some();
        if !names.is_settled() || again.is_some() {
            self.naming.asking = Some(tokio::spawn(names.clone().found_late(again, patient)));
        }
    }

    /// Names have addresses that they did not have. A name server that is wrong about most of what
    /// serves is not followed.
    fn renamed(&mut self, loaded: Loaded, wish: Wish) {
        let Some(configuration) = &loaded.configuration else {
            // E.g. two virtual services whose names have one address now.
            let summary = loaded.diagnostics.summary();
            self.refuse_names(format!(
                "Names have other addresses; nothing is changed: {summary}"
            ));
            return;
        };
        let news = configuration.names.news(&self.configuration.names);
        match self.acceptable(&loaded, false) {
            Ok(()) => {
                self.naming.refused = None;
                self.tell(&Line::new(Severity::Notice, news));
                self.adopt(loaded, wish);
            }
            Err((summary, _)) => {
                self.naming.judge_at = Some(Instant::now() + JUDGE_AGAIN);
                self.refuse_names(format!("{news}; nothing is changed: {summary}"));
            }
        }
    }

    /// Once a second: names whose other address has passed its checks have it. One that is up for one
    /// service only waits for the others that the known one serves.
    pub(super) fn judge_trials(&mut self) {
        let now = Instant::now();
        if self.configuration.trials.is_empty() || self.naming.judge_at.is_some_and(|at| now < at) {
            return;
        }
        let is_up = |service, real| self.director.health(service, real) == Some(Health::Up);
        let checked = self.configuration.trials.iter().filter(|one| one.checked);
        let mut passed = BTreeSet::new();
        let mut open = BTreeSet::new();
        for trial in checked {
            if is_up(trial.service, trial.tried) {
                passed.insert(&trial.name);
            } else if is_up(trial.service, trial.known) {
                open.insert(&trial.name);
            }
        }
        let passed: Vec<_> = passed.difference(&open).copied().collect();
        if !passed.is_empty() {
            let names = self.configuration.names.clone().accept(passed);
            self.named(names);
        }
    }

    /// Told once, however often they come.
    fn refuse_names(&mut self, text: String) {
        if self.naming.refused.as_ref() != Some(&text) {
            self.tell(&Line::new(Severity::Error, text.clone()));
            self.naming.refused = Some(text);
        }
    }

    /// Reads what is in force once more, with these addresses. A reload that is under way asks for
    /// itself.
    pub(super) fn named(&mut self, names: Names) {
        if self.stop_by.is_some() || self.reloads.loading.is_some() {
            return;
        }
        if names.say_the_same(&self.configuration.names) {
            // Who does not resolve any more keeps its address, and who does again has it already.
            let news = names.news(&self.configuration.names);
            self.tell(&Line::new(Severity::Warning, news));
            self.configuration.names = names;
            self.ask_for_names();
            return;
        }
        let (held, mut catalogue) = (self.configuration.clone(), self.catalogue.clone());
        self.reloads.loading = Some(spawn_blocking(move || {
            let (configuration, diagnostics) = held.with_names(names, &mut catalogue);
            let outcome = outcome(configuration.as_ref(), &held.names, &catalogue);
            Loaded {
                configuration,
                outcome,
                diagnostics,
                catalogue,
                listing: None,
                siblings: Vec::new(),
                why: Why::Names,
            }
        }));
    }

    /// Reads a file that has changed and stays out of force, for the callback.
    pub(super) fn look_through(&mut self) {
        let callback = &self.configuration.operations.callback;
        if callback.is_none() || self.stop_by.is_some() || self.reloads.loading.is_some() {
            return;
        }
        let (path, mut catalogue) = (self.instance.path.clone(), self.catalogue.clone());
        let names = self.configuration.names.clone();
        self.reloads.loading = Some(spawn_blocking(move || {
            let (configuration, diagnostics) = config::reload(&path, names, &mut catalogue);
            Loaded {
                configuration,
                outcome: None,
                diagnostics,
                catalogue,
                listing: None,
                siblings: Vec::new(),
                why: Why::Look,
            }
        }));
    }

    pub(super) fn loaded(&mut self, mut loaded: Loaded) {
        let wish = std::mem::take(&mut self.reloads.now);
        if self.dry {
            loaded.configuration = loaded.configuration.map(dry_run::harmless);
        }
        if self.stop_by.is_some() {
            // What waits for an answer gets it when it is dropped: we are ending.
            return;
        }
        match loaded.why {
            Why::Reload => self.reloaded(loaded, wish),
            Why::Names => self.renamed(loaded, wish),
            Why::Look if loaded.configuration.is_some() => self.call_back(),
            Why::Look => {
                let summary = loaded.diagnostics.summary();
                let text = format!("The changed file is not in order, no callback: {summary}");
                self.tell(&Line::new(Severity::Error, text));
            }
        }
        self.ask_for_names();
        if let Some(next) = self.reloads.next.take() {
            self.reload(next);
        }
    }

    fn reloaded(&mut self, loaded: Loaded, wish: Wish) {
        for one in &loaded.diagnostics {
            let severity = match one.severity {
                ha_plumbing::Severity::Error => Severity::Error,
                ha_plumbing::Severity::Warning => Severity::Warning,
            };
            self.tell(&Line::new(severity, config::prefix(one)));
        }
        match self.acceptable(&loaded, wish.force) {
            Ok(()) => {
                self.naming.refused = None;
                self.note_outdated(None);
                self.adopt(loaded, wish);
            }
            Err((summary, detail)) => {
                let mut faults = loaded.diagnostics.iter();
                let fault = faults.find(|one| one.severity == ha_plumbing::Severity::Error);
                self.note_outdated(Some(Outdated {
                    refused_ms: now_ms(),
                    why: fault.map_or_else(|| summary.clone(), config::prefix),
                }));
                self.refuse(wish, &summary, &detail);
            }
        }
    }

    /// Why a configuration is refused: in a line, and what is to be read below it.
    fn acceptable(&self, loaded: &Loaded, force: bool) -> Result<(), (String, String)> {
        let Some(configuration) = &loaded.configuration else {
            let detail = format!("\n{}", config::report(&loaded.diagnostics, false));
            return Err((loaded.diagnostics.summary(), detail));
        };
        let new = siblings::keys(&configuration.core).filter(|key| !self.services.contains(key));
        if let Some(conflict) = siblings::conflict(&loaded.siblings, new) {
            return Err((conflict, String::new()));
        }
        let next = loaded.outcome.as_ref().unwrap_or(&configuration.core);
        let listing = loaded.listing.as_ref();
        let maintained = self.maintenance.foreseen(listing, next);
        let now = Instant::now();
        let prospects = self.director.prospects(next, &maintained, now);
        match loss(&prospects).filter(|_| !force) {
            Some(loss) => {
                let hint = "; ldird [CONFIG] reload --force does it all the same".to_owned();
                Err((format!("{loss}{hint}"), String::new()))
            }
            None => Ok(()),
        }
    }

    fn refuse(&mut self, wish: Wish, summary: &str, detail: &str) {
        let text = format!("nothing is changed: {summary}");
        self.tell(&Line::new(
            Severity::Error,
            format!("Reload refused, {text}"),
        ));
        for reloader in wish.reloaders {
            let text = format!("{text}{detail}");
            reloader.send(Reply::Error { text });
        }
        // A start that is under way is no sooner at its end for that.
        if self.ready.is_none() {
            service::ready("running");
        }
    }

    fn note_outdated(&mut self, outdated: Option<Outdated>) {
        self.reloads.revision += u64::from(self.reloads.outdated != outdated);
        self.reloads.outdated = outdated;
        self.publish_soon();
    }

    /// What whoever makes this director the active one has to know of its rules, if anything.
    pub(super) fn older_rules(&self) -> Option<String> {
        let outdated = self.reloads.outdated.as_ref()?;
        let (name, path) = (&self.instance.name, self.instance.path.display());
        let text = wording::outdated(outdated, now_ms(), name);
        Some(format!("{path}: {text}"))
    }

    fn adopt(&mut self, loaded: Loaded, wish: Wish) {
        let Some(configuration) = loaded.configuration else {
            return;
        };
        let mut catalogue = loaded.catalogue;
        catalogue.retain(&configuration.probes);
        self.catalogue = catalogue;
        self.prober.replace(configuration.probes.clone());
        if configuration.log != self.configuration.log {
            let text = "The log target changes with the next start";
            self.tell(&Line::new(Severity::Warning, text));
        }
        let before = std::mem::replace(&mut self.configuration, configuration);
        self.set_timeouts();
        self.names.note(self.configuration.names.known());
        self.services
            .extend(siblings::keys(&self.configuration.core));
        // With what earlier lives left, until the table is in order: this one may end before that.
        self.said.extend(Said::of(&self.configuration.core));
        self.ledger.note(Left {
            services: self.services.clone(),
            said: self.said.clone(),
        });
        if loaded.why == Why::Reload {
            self.spare(&loaded.siblings);
        }
        let sync = self.configuration.sync.clone();
        self.feed_sync(ldird_core::sync::Input::Configured(sync));
        self.mail_rules();
        self.reload_aside(&before, loaded.why == Why::Reload);
        self.feed(Input::Reload(self.configuration.core.clone()));
        self.reloads.adopted.extend(wish.reloaders);
        // The answer to the reading that this asked for cannot have come yet.
        let changes = self
            .maintenance
            .heard_afresh(loaded.listing, &self.configuration.core);
        self.maintain(changes);
        if wish.callback {
            self.call_back();
        }
    }

    /// What these want is not for us to delete.
    pub(super) fn spare(&mut self, siblings: &[Sibling]) {
        let others = siblings::wanted(siblings, &self.services);
        self.feed(Input::Others(others));
    }

    /// The table is as the configuration wants it.
    pub(super) fn in_force(&mut self) {
        let mut made = made_of(&self.configuration.core);
        // One of those that were in the table may be the one whose name has no address yet.
        if self.configuration.core.incomplete {
            made.services.append(&mut self.services);
        }
        self.services.clone_from(&made.services);
        self.said.clone_from(&made.said);
        self.ledger.note(made);
        self.reconsider_all();
        if self.stop_by.is_none() {
            service::ready("running");
        }
        for reloader in self.reloads.adopted.drain(..) {
            let text = "reloaded".to_owned();
            reloader.send(Reply::Done { text });
        }
    }
}

/// The disk does not answer; its thread is left to it.
fn unread(instance: &Instance) -> Loaded {
    let (path, limit) = (instance.path.display(), READ_LIMIT.as_secs());
    let text = format!("{path}: the disk or a name server has not answered within {limit} s");
    Loaded {
        configuration: None,
        outcome: None,
        diagnostics: Diagnostic::error(text).into(),
        catalogue: Catalogue::default(),
        listing: None,
        siblings: Vec::new(),
        why: Why::Reload,
    }
}

fn outcome(
    configuration: Option<&Configuration>,
    before: &Names,
    catalogue: &Catalogue,
) -> Option<Config> {
    configuration?.outcome(before, catalogue)
}

async fn living(usable: bool, instance: &Instance) -> Vec<Sibling> {
    if usable {
        siblings::living(instance).await
    } else {
        Vec::new()
    }
}
