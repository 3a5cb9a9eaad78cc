//! The loop: one event in, the core's outputs drained.
//!
//! ```text
//!                     ┌──────────► prober   one task per check     ──┐
//!   core ── outputs ──┼──────────► kernel   one task, orders       ──┼──► events ──► core
//!                     └──────────► log, followers                    │
//!   signals, status socket, a look at the disk each second ──────────┘
//! ```
//!
//! Nothing slow happens here: configurations are read on a thread of their own and come back as an
//! event, too.

use crate::apply::{Kernel, Order, Outcome};
use crate::config::{self, Configuration, Names};
use crate::control::View;
use crate::instance::Instance;
use crate::probes::{Catalogue, Probed, Prober};
use crate::watch::{FileWatch, Maintenance, MaintenanceChange, Seen};
use crate::wording::{self, Line};
use ha_plumbing::Diagnostics;
use ha_plumbing::service;
use ha_plumbing::signals::{Signal, Signals};
use ha_status::socket::{ClientRequest, Responder};
use ha_status::{Action, Reply, Request, Severity};
use ldird_core::Director;
use ldird_core::config::Config;
use ldird_core::input::{Finding, Input};
use ldird_core::output::{Notice, Output};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::select;
use tokio::signal::unix::Signal as Listener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};

/// How often disk and counters are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many looks pass between two counts of the kernel's counters when nobody follows.
const COUNT_EVERY_LOOKS: u32 = 10;
/// Changes of state are gathered for so long before followers hear of them.
const PUBLISH_AFTER: Duration = Duration::from_millis(10);
/// A stop takes no longer, however the kernel answers.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Everything that the loop waits for.
#[derive(Debug)]
enum Event {
    /// A deadline of the core, of publishing or of stopping has come.
    Due,
    Probed(Probed),
    Kernel(Outcome),
    Signal(Signal),
    /// SIGQUIT, which stops a director as well.
    Quit,
    Request(ClientRequest),
    Loaded(Box<Loaded>),
    /// A name that had no address has one.
    Named(Names),
    Look,
}

/// A configuration that was read, or its faults.
#[derive(Debug)]
struct Loaded {
    configuration: Option<Configuration>,
    diagnostics: Diagnostics,
    catalogue: Catalogue,
    why: Why,
}

/// Why a configuration was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Somebody asked, or the file changed.
    Reload,
    /// Names have addresses that had none; nothing else is new.
    Names,
}

/// How the loop ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// In order, on this signal's name.
    Stopped(&'static str),
    /// The table could not be set up at all.
    NeverStarted(String),
}

/// What the loop needs from outside.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) instance: Instance,
    pub(crate) configuration: Configuration,
    pub(crate) catalogue: Catalogue,
    pub(crate) kernel: Kernel,
    pub(crate) signals: Signals,
    pub(crate) quit: Listener,
    pub(crate) requests: mpsc::Receiver<ClientRequest>,
}

pub(crate) struct Driver<R> {
    instance: Instance,
    configuration: Configuration,
    catalogue: Catalogue,
    director: Director,
    kernel: Kernel,
    prober: Prober,
    answers: mpsc::Receiver<Probed>,
    signals: Signals,
    quit: Listener,
    requests: mpsc::Receiver<ClientRequest>,
    view: View,
    file: FileWatch,
    maintenance: Maintenance,
    looks: Interval,
    looks_since_count: u32,
    counting: bool,
    loading: Option<JoinHandle<Loaded>>,
    /// Asking again for names that have no address.
    naming: Option<JoinHandle<Names>>,
    /// Another reload was asked for while one was under way.
    reload_again: bool,
    reloaders: Vec<Responder>,
    stoppers: Vec<Responder>,
    /// The revision that followers know, and when they hear of a newer one.
    published: u64,
    publish_at: Option<Instant>,
    stop_by: Option<Instant>,
    signal: &'static str,
    /// Called once, when the table is set up.
    ready: Option<R>,
    end: Option<End>,
}

impl<R: FnOnce(&Configuration)> Driver<R> {
    pub(crate) fn new(parts: Parts, ready: R) -> Self {
        let now = Instant::now();
        let (prober, answers) = Prober::new(parts.configuration.probes.clone());
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            director: Director::new(parts.configuration.core.clone(), now),
            view: View::new(parts.instance.clone(), now),
            file: FileWatch::new(&parts.instance.path),
            instance: parts.instance,
            configuration: parts.configuration,
            catalogue: parts.catalogue,
            kernel: parts.kernel,
            prober,
            answers,
            signals: parts.signals,
            quit: parts.quit,
            requests: parts.requests,
            maintenance: Maintenance::default(),
            looks,
            looks_since_count: 0,
            counting: false,
            loading: None,
            naming: None,
            reload_again: false,
            reloaders: Vec::new(),
            stoppers: Vec::new(),
            published: 0,
            publish_at: None,
            stop_by: None,
            signal: "TERM",
            ready: Some(ready),
            end: None,
        }
    }

    /// Runs until the director has stopped.
    pub(crate) async fn run(mut self) -> End {
        self.drain();
        // Before the first verdict, so that nobody in maintenance gets traffic for a moment.
        self.maintain(Maintenance::look);
        self.ask_for_names();
        loop {
            if let Some(end) = self.end.take() {
                for stopper in self.stoppers.drain(..) {
                    let text = "stopped".to_owned();
                    stopper.send(Reply::Done { text });
                }
                return end;
            }
            let event = self.next().await;
            self.handle(event);
        }
    }

    async fn next(&mut self) -> Event {
        let due = [self.director.deadline(), self.publish_at, self.stop_by];
        let due = due.into_iter().flatten().min();
        select! {
            biased;
            signal = self.signals.next() => Event::Signal(signal),
            outcome = self.kernel.outcome() => Event::Kernel(outcome),
            _ = self.quit.recv() => Event::Quit,
            loaded = finished(&mut self.loading) => Event::Loaded(Box::new(loaded)),
            names = found(&mut self.naming) => Event::Named(names),
            () = until(due) => Event::Due,
            // Once a second, and the sign of life for the service manager: before what may come in
            // masses.
            _ = self.looks.tick() => Event::Look,
            Some(probed) = self.answers.recv() => Event::Probed(probed),
            Some(request) = self.requests.recv() => Event::Request(request),
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Due => self.due(),
            Event::Probed(Probed { probe, verdict }) => {
                self.view.totals.checks += 1;
                match verdict.finding {
                    Finding::Up => {}
                    Finding::Down => self.view.totals.checks_failed += 1,
                    Finding::CouldNotAsk => self.view.totals.checks_unasked += 1,
                }
                self.feed(Input::Probed { probe, verdict });
            }
            Event::Kernel(outcome) => self.kernel_says(outcome),
            Event::Signal(signal) => self.signalled(signal),
            Event::Quit => self.stop("QUIT"),
            Event::Request(request) => self.requested(request),
            Event::Loaded(loaded) => self.loaded(*loaded),
            Event::Named(names) => self.named(names),
            Event::Look => self.look(),
        }
    }

    /// The only way into the core.
    fn feed(&mut self, input: Input) {
        self.director.handle(input, Instant::now());
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.director.poll() {
            match output {
                Output::Probe(probe) => self.prober.start(probe),
                Output::Read => self.kernel.order(Order::Read),
                Output::ReadServices(keys) => self.kernel.order(Order::ReadServices(keys)),
                Output::List => self.kernel.order(Order::List),
                Output::Apply(edits) => self.kernel.order(Order::Apply(edits)),
                Output::Notice(notice) => self.noticed(&notice),
                Output::Exit => self.end = Some(End::Stopped(self.signal)),
            }
        }
        if self.director.revision() != self.published && self.publish_at.is_none() {
            self.publish_at = Some(Instant::now() + PUBLISH_AFTER);
        }
    }

    fn due(&mut self) {
        let now = Instant::now();
        if self.publish_at.is_some_and(|at| at <= now) {
            self.publish_at = None;
            self.published = self.director.revision();
            let config = &self.configuration.core;
            self.view.publish(&self.director, config, now);
        }
        if self.stop_by.is_some_and(|at| at <= now) {
            let text = format!(
                "The table could not be cleaned within {} s",
                STOP_LIMIT.as_secs()
            );
            self.tell(&Line::new(Severity::Error, text));
            self.end = Some(End::Stopped(self.signal));
        }
        self.feed(Input::Tick);
    }

    fn kernel_says(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Read(Ok((table, counters))) => {
                self.view.counters = counters;
                self.looks_since_count = 0;
                self.feed(Input::Table(table));
            }
            Outcome::ReadServices(Ok(rows)) => self.feed(Input::Services(rows)),
            Outcome::Listed(Ok(keys)) => self.feed(Input::Listed(keys)),
            Outcome::Read(Err(error))
            | Outcome::ReadServices(Err(error))
            | Outcome::Listed(Err(error)) => self.feed(Input::TableUnreadable(error)),
            Outcome::Counted(counted) => {
                self.counting = false;
                // A failure is told when the core reads for itself.
                if let Ok(counters) = counted {
                    self.view.counters = counters;
                }
            }
            Outcome::Applied(results) => {
                let failed = results.iter().filter(|(_, result)| result.is_err()).count();
                self.view.totals.edits += (results.len() - failed) as u64;
                self.view.totals.edits_failed += failed as u64;
                self.feed(Input::Applied(results));
            }
        }
    }

    fn noticed(&mut self, notice: &Notice) {
        self.tell(&wording::line(notice));
        match notice {
            Notice::Started => {
                if let Some(ready) = self.ready.take() {
                    ready(&self.configuration);
                }
            }
            Notice::TableUnreadable(error) if self.ready.is_some() => {
                self.end = Some(End::NeverStarted(error.clone()));
            }
            _ => {}
        }
    }

    /// To the log, to followers and into the snapshot.
    fn tell(&mut self, line: &Line) {
        line.log();
        self.view.notice(line, Instant::now());
    }

    fn signalled(&mut self, signal: Signal) {
        match signal {
            Signal::Terminate => self.stop("TERM"),
            Signal::Interrupt => self.stop("INT"),
            Signal::Hangup => {
                let text = "Reloading Linux Director Daemon config on signal";
                self.tell(&Line::new(Severity::Notice, text));
                self.reload();
            }
            Signal::User1 | Signal::User2 => {}
        }
    }

    /// The first one counts; a second changes nothing.
    fn stop(&mut self, signal: &'static str) {
        if self.stop_by.is_some() {
            return;
        }
        self.signal = signal;
        self.stop_by = Some(Instant::now() + STOP_LIMIT);
        service::stopping("cleaning the table");
        self.feed(Input::Shutdown);
    }

    fn requested(&mut self, request: ClientRequest) {
        let (config, now) = (&self.configuration.core, Instant::now());
        let (director, reply) = (&self.director, request.reply);
        match request.request {
            Request::Snapshot => self.view.answer_snapshot(reply, director, config, now),
            Request::Follow => self.view.answer_follow(reply, director, config, now),
            Request::Metrics => self.view.answer_metrics(reply, director, config, now),
            Request::Act {
                action: Action::Stop,
            } => {
                self.stoppers.push(reply);
                self.stop("TERM");
            }
            Request::Act {
                action: Action::Reload,
            } => {
                self.reloaders.push(reply);
                self.reload();
            }
            Request::Act {
                action: Action::Standby { .. } | Action::Takeover { .. },
            } => {
                let text = "a director has no groups: ask hbd".to_owned();
                reply.send(Reply::Error { text });
            }
        }
    }

    /// Reads the configuration on a thread of its own, because names may have to be looked up.
    fn reload(&mut self) {
        if self.stop_by.is_some() {
            return;
        }
        if self.loading.is_some() {
            self.reload_again = true;
            return;
        }
        service::reloading();
        // What is read now is no change any more.
        self.file.accept();
        let (path, mut catalogue) = (self.instance.path.clone(), self.catalogue.clone());
        let names = self.configuration.names.clone();
        self.loading = Some(tokio::task::spawn_blocking(move || {
            let (configuration, diagnostics) = config::reload(&path, names, &mut catalogue);
            Loaded {
                configuration,
                diagnostics,
                catalogue,
                why: Why::Reload,
            }
        }));
    }

    /// Keeps asking for the names that have no address, as long as there are any.
    fn ask_for_names(&mut self) {
        if let Some(asking) = self.naming.take() {
            asking.abort();
        }
        let names = &self.configuration.names;
        if !names.is_complete() {
            self.naming = Some(tokio::spawn(names.clone().found_late()));
        }
    }

    /// Reads what is in force once more, with these addresses. A reload that is under way asks for
    /// itself.
    fn named(&mut self, names: Names) {
        if self.stop_by.is_some() || self.loading.is_some() {
            return;
        }
        let (held, mut catalogue) = (self.configuration.clone(), self.catalogue.clone());
        self.loading = Some(tokio::task::spawn_blocking(move || {
            let (configuration, diagnostics) = held.with_names(names, &mut catalogue);
            Loaded {
                configuration,
                diagnostics,
                catalogue,
                why: Why::Names,
            }
        }));
    }

    fn loaded(&mut self, loaded: Loaded) {
        match loaded.why {
            Why::Reload => self.reloaded(loaded),
            Why::Names => {
                // Its faults have been told.
                if let Some(configuration) = loaded.configuration {
                    let text = "Names resolve that did not before: their servers join";
                    self.tell(&Line::new(Severity::Notice, text));
                    self.adopt(configuration, loaded.catalogue);
                }
            }
        }
        self.ask_for_names();
        if std::mem::take(&mut self.reload_again) {
            self.reload();
        }
    }

    fn reloaded(&mut self, loaded: Loaded) {
        for one in &loaded.diagnostics {
            let severity = match one.severity {
                ha_plumbing::Severity::Error => Severity::Error,
                ha_plumbing::Severity::Warning => Severity::Warning,
            };
            self.tell(&Line::new(severity, config::prefix(one)));
        }
        let reply = if let Some(configuration) = loaded.configuration {
            self.adopt(configuration, loaded.catalogue);
            let text = "reloaded".to_owned();
            Reply::Done { text }
        } else {
            let text = format!("nothing is changed: {}", loaded.diagnostics.summary());
            self.tell(&Line::new(
                Severity::Error,
                format!("Reload refused, {text}"),
            ));
            let text = format!("{text}\n{}", config::report(&loaded.diagnostics, false));
            Reply::Error { text }
        };
        for reloader in self.reloaders.drain(..) {
            reloader.send(reply.clone());
        }
        service::ready("running");
    }

    fn adopt(&mut self, configuration: Configuration, mut catalogue: Catalogue) {
        catalogue.retain(&configuration.probes);
        self.catalogue = catalogue;
        self.prober.replace(configuration.probes.clone());
        if configuration.log != self.configuration.log {
            let text = "The log target changes with the next start";
            self.tell(&Line::new(Severity::Warning, text));
        }
        self.configuration = configuration;
        self.feed(Input::Reload(self.configuration.core.clone()));
        // The answer to the reading that this asked for cannot have come yet.
        self.maintain(Maintenance::look_afresh);
    }

    /// Tells the core what such a look at the maintenance directory finds.
    fn maintain(
        &mut self,
        look: fn(&mut Maintenance, Option<&Path>, &Config) -> Vec<MaintenanceChange>,
    ) {
        let directory = self.configuration.maintenancedir.as_deref();
        for change in look(&mut self.maintenance, directory, &self.configuration.core) {
            self.feed(Input::Maintenance {
                service: change.service,
                real: change.real,
                active: change.active,
            });
        }
    }

    /// Once a second: disk, counters, and a sign of life for the service manager.
    fn look(&mut self) {
        service::watchdog();
        let path = self.instance.path.display().to_string();
        match self.file.look() {
            Seen::Same => {}
            Seen::Vanished => {
                let pid = std::process::id();
                let text = format!("Warning [{pid}]: can not open file {path} for checking");
                self.tell(&Line::new(Severity::Warning, text));
            }
            Seen::Changed => self.file_changed(&path),
        }
        self.maintain(Maintenance::look);
        self.looks_since_count += 1;
        let due = self.looks_since_count >= COUNT_EVERY_LOOKS || self.view.is_followed();
        if due && !self.counting && self.end.is_none() {
            self.counting = true;
            self.looks_since_count = 0;
            self.kernel.order(Order::Count);
        }
    }

    fn file_changed(&mut self, path: &str) {
        let text = format!("Configuration file '{path}' has changed on disk");
        self.tell(&Line::new(Severity::Notice, text));
        if self.configuration.autoreload {
            self.tell(&Line::new(Severity::Notice, " - reread new configuration"));
            self.reload();
        } else {
            self.tell(&Line::new(Severity::Notice, " - ignore new configuration"));
        }
    }
}

/// The end of a thread that may not be running.
async fn finished(loading: &mut Option<JoinHandle<Loaded>>) -> Loaded {
    let Some(handle) = loading else {
        return std::future::pending().await;
    };
    let result = handle.await;
    *loading = None;
    result.unwrap_or_else(|error| {
        let message = format!("the configuration could not be read: {error}");
        Loaded {
            configuration: None,
            diagnostics: ha_plumbing::Diagnostic::error(message).into(),
            catalogue: Catalogue::default(),
            why: Why::Reload,
        }
    })
}

/// Names that have been found, if any are asked for.
async fn found(naming: &mut Option<JoinHandle<Names>>) -> Names {
    loop {
        let Some(handle) = naming else {
            return std::future::pending().await;
        };
        let result = handle.await;
        *naming = None;
        if let Ok(names) = result {
            return names;
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
