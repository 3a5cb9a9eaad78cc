//! `ldird shadow`: everything a director does but touching the kernel. Checks run, verdicts are given,
//! a table of our own is kept, and held against the kernel's, which somebody else makes.
//!
//! No pid file, no commands, no mail, no edits: what it starts is the checks, what it writes is its
//! report. Its socket has a name of its own, so that no director takes it for one.

mod report;

use crate::apply::{Kernel, Order, Outcome};
use crate::cli::shadow::Watch;
use crate::config::{self, Configuration};
use crate::console::{CONFIGURATION, FAILED, OK, load, say};
use crate::control::{self, View};
use crate::disk::{Disk, Found, finished};
use crate::instance::Instance;
use crate::maintenance::{Change, Maintenance};
use crate::probes::{Catalogue, Probed, Prober};
use crate::rehearsal::{Rehearsal, Said};
use crate::watch::Seen;
use crate::wording::{self, Line};
use ha_plumbing::log::{self, Console};
use ha_plumbing::pace::{LOOK_EVERY, PUBLISH_AFTER};
use ha_plumbing::signals::{Signal, Signals};
use ha_status::socket::{Asked, ClientRequest};
use ha_status::{Reply, Severity, Snapshot};
use ldird_core::director::SMALL_TABLE;
use ldird_core::input::{Finding, Input};
use ldird_core::output::Notice;
use ldird_core::shadow::Shadow;
use ldird_core::table::Table;
use ldird_ipvs::Client;
use report::Report;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::select;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};

/// How often the kernel's table is looked at: a small one can be read often.
const SMALL_EVERY: Duration = Duration::from_millis(200);
const LARGE_EVERY: Duration = Duration::from_secs(1);
/// How often the report is written while it watches.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// What the loop waits for.
enum Event {
    /// A deadline of the core, of publishing, of the report or of the whole has come.
    Due,
    Looked(Outcome),
    Look,
    Surroundings,
    Found(Found),
    Probed(Probed),
    Signal(Signal),
    Request(ClientRequest),
    Reread(Box<Reread>),
}

/// A file that has changed, read on a thread.
type Reread = (Option<Configuration>, Catalogue, String);

/// Reads the table, and can do nothing else.
struct Onlooker {
    kernel: Kernel,
    looking: bool,
}

impl Onlooker {
    fn look(&mut self) {
        if !std::mem::replace(&mut self.looking, true) {
            self.kernel.order(Order::Read);
        }
    }
}

struct Watcher {
    instance: Instance,
    configuration: Configuration,
    catalogue: Catalogue,
    /// Begins with the first look at the kernel's table.
    rehearsal: Option<Rehearsal>,
    prober: Prober,
    answers: mpsc::Receiver<Probed>,
    kernel: Onlooker,
    shadow: Shadow,
    report: Report,
    view: View,
    signals: Signals,
    disk: Disk,
    maintenance: Maintenance,
    reading: Option<JoinHandle<Reread>>,
    looks: Interval,
    surroundings: Interval,
    end_at: Option<Instant>,
    report_at: Instant,
    publish_at: Option<Instant>,
    /// Where the report is kept, and whether it could be written the last time.
    file: Option<PathBuf>,
    written: bool,
    unreadable: bool,
    ended: bool,
}

/// Watches until it is told to end, and prints the report.
pub(crate) async fn run(instance: &Instance, watch: &Watch) -> anyhow::Result<u8> {
    let (configuration, catalogue) = load(instance);
    let Some(configuration) = configuration else {
        return Ok(CONFIGURATION);
    };
    let client = Client::connect().await?;
    let instance = Instance {
        name: format!("{} (shadow)", instance.name),
        socket: instance
            .run
            .join(format!("ldird-shadow.{}.sock", instance.name)),
        ..instance.clone()
    };
    let log = log::start(&settings(&instance))?;
    // What we start must hold nothing of ours; where the kernel is too old, the usual has to do.
    let _ = ha_plumbing::inherited::keep_to_ourselves();
    let mut watcher = Watcher::new(instance, watch, configuration, catalogue, client).await?;
    watcher.begin();
    while !watcher.ended {
        let event = watcher.next().await;
        watcher.handle(event);
    }
    let text = watcher.text();
    watcher.write(&text);
    watcher.view.control.close().await;
    log.flush(log::LAST_WORDS);
    say(&text);
    let differs = watcher.shadow.apart().any(|(_, one)| one.kind.is_grave());
    Ok(if differs { FAILED } else { OK })
}

/// On standard output, with date and time.
fn settings(instance: &Instance) -> log::Settings {
    log::Settings {
        layout: log::Layout::Ldirectord {
            config: instance.name.clone(),
        },
        console: Console::Dated,
        logfile: None,
        debugfile: None,
        facility: None,
        debug: 0,
    }
}

impl Watcher {
    async fn new(
        instance: Instance,
        watch: &Watch,
        configuration: Configuration,
        catalogue: Catalogue,
        client: Client,
    ) -> anyhow::Result<Self> {
        let now = Instant::now();
        let control = match control::listen(&instance).await {
            Ok(control) => control,
            Err(error) => {
                let text = format!("No status socket: {error}; it is tried again");
                Line::new(Severity::Warning, text).log();
                control::listen_later(&instance)
            }
        };
        let (prober, answers) = Prober::new(configuration.probes.clone());
        let paced = |every| {
            let mut looks = interval(every);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            looks
        };
        let small = configuration.core.services.len() <= SMALL_TABLE;
        let every = if small { SMALL_EVERY } else { LARGE_EVERY };
        Ok(Self {
            disk: Disk::new(&instance.path),
            report: Report::new(instance.path.clone(), every),
            view: View::new(instance.clone(), control, now),
            instance,
            configuration,
            catalogue,
            rehearsal: None,
            prober,
            answers,
            kernel: Onlooker {
                kernel: Kernel::start(client),
                looking: false,
            },
            shadow: Shadow::default(),
            signals: Signals::new()?,
            maintenance: Maintenance::default(),
            reading: None,
            looks: paced(every),
            surroundings: paced(LOOK_EVERY),
            end_at: watch.limit.map(|limit| now + limit),
            report_at: now + REPORT_EVERY,
            publish_at: None,
            file: watch.report.clone(),
            written: true,
            unreadable: false,
            ended: false,
        })
    }

    fn begin(&self) {
        let services = self.configuration.core.services.len();
        let services = wording::counted(services, "virtual service");
        let socket = self.instance.socket.display();
        let text = format!(
            "Watching {services}; nothing is changed. HUP reads the file again, \
             USR1 prints the report, `hbtui --ldird {socket}` shows it live"
        );
        Line::new(Severity::Info, text).log();
        if !self.configuration.operations.executes.is_empty() {
            let text = "What the file executes is not watched: one shadow for each file";
            Line::new(Severity::Warning, text).log();
        }
    }

    async fn next(&mut self) -> Event {
        let core = self
            .rehearsal
            .as_ref()
            .and_then(|one| one.director.deadline());
        let own = [Some(self.report_at), self.end_at, self.publish_at, core];
        let due = own.into_iter().flatten().min().unwrap_or(self.report_at);
        select! {
            biased;
            signal = self.signals.next() => Event::Signal(signal),
            outcome = self.kernel.kernel.outcome() => Event::Looked(outcome),
            read = finished(&mut self.reading) => {
                let lost = || (None, Catalogue::default(), "it could not be read".to_owned());
                Event::Reread(Box::new(read.unwrap_or_else(lost)))
            }
            () = sleep_until(due.into()) => Event::Due,
            _ = self.looks.tick() => Event::Look,
            _ = self.surroundings.tick() => Event::Surroundings,
            found = self.disk.next() => Event::Found(found),
            Some(probed) = self.answers.recv() => Event::Probed(probed),
            request = self.view.control.next() => Event::Request(request),
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Due => self.due(Instant::now()),
            Event::Looked(outcome) => self.looked(outcome),
            Event::Look => self.kernel.look(),
            Event::Surroundings => self.disk.look(self.configuration.maintenancedir.clone()),
            Event::Found(found) => self.found(found),
            Event::Probed(Probed {
                probe,
                late,
                verdict,
            }) => {
                self.view.late.note(late, Instant::now());
                self.view.totals.checks += 1;
                match verdict.finding {
                    Finding::Up => {}
                    Finding::Down => self.view.totals.checks_failed += 1,
                    Finding::CouldNotAsk => self.view.totals.checks_unasked += 1,
                }
                self.feed(Input::Probed { probe, verdict });
            }
            Event::Signal(Signal::Terminate | Signal::Interrupt) => self.ended = true,
            Event::Signal(Signal::Hangup) => self.reread(),
            Event::Signal(Signal::User1) => say(&self.text()),
            Event::Signal(Signal::User2) => {}
            Event::Request(request) => self.requested(request),
            Event::Reread(read) => self.adopt(*read),
        }
    }

    fn due(&mut self, now: Instant) {
        if self.end_at.is_some_and(|at| at <= now) {
            self.ended = true;
        }
        if self.publish_at.is_some_and(|at| at <= now) {
            self.publish_at = None;
            if self.view.is_followed()
                && let Some(snapshot) = self.snapshot()
            {
                self.view.control.publish(&snapshot);
            }
        }
        if self.report_at <= now {
            self.report_at = now + REPORT_EVERY;
            let text = self.text();
            self.write(&text);
        }
        self.feed(Input::Tick);
    }

    fn looked(&mut self, outcome: Outcome) {
        self.kernel.looking = false;
        match outcome {
            Outcome::Read(Ok((table, counters))) => {
                self.unreadable = false;
                self.view.counters = counters;
                if self.rehearsal.is_none() {
                    self.rehearse(table.clone());
                }
                self.compare(&table);
            }
            Outcome::Read(Err(error)) => {
                self.shadow.rest();
                if !std::mem::replace(&mut self.unreadable, true) {
                    let text = format!("The kernel's table cannot be read: {error}");
                    self.tell(&Line::new(Severity::Error, text));
                }
            }
            // Nothing else is ever ordered.
            Outcome::ReadServices(_)
            | Outcome::Listed(_)
            | Outcome::Applied(_)
            | Outcome::Counted(_)
            | Outcome::TimeoutsSet(_) => {}
        }
    }

    /// Our own table begins as the kernel's is: nobody flashes up who is only not known yet.
    fn rehearse(&mut self, table: Table) {
        let (rehearsal, said) = Rehearsal::new(self.configuration.core.clone(), table);
        self.rehearsal = Some(rehearsal);
        self.heard(said);
    }

    fn compare(&mut self, kernel: &Table) {
        let Some(rehearsal) = &self.rehearsal else {
            return;
        };
        if rehearsal.director.phase() != ha_status::DirectorPhase::Running {
            return;
        }
        let ours = self.wanted(&rehearsal.table);
        let events = self.shadow.look(&ours, kernel, Instant::now());
        let foreign = kernel.keys().filter(|key| !ours.contains_key(key)).count();
        self.report.foreign = foreign;
        for event in events {
            let said = |place| self.said(place);
            let line = report::line(&event, said);
            self.tell(&line);
        }
    }

    /// Our table, of the file's services only.
    fn wanted(&self, table: &Table) -> Table {
        let services = self.configuration.core.services.iter();
        let held = services.filter_map(|one| Some((one.key, table.get(&one.key)?.clone())));
        held.collect()
    }

    /// What the last check of a row said.
    fn said(&self, place: ldird_core::shadow::Place) -> Option<String> {
        let (service, real) = (place.service, place.real?);
        let rehearsal = self.rehearsal.as_ref()?;
        rehearsal.director.said(service, real)
    }

    fn feed(&mut self, input: Input) {
        if let Some(rehearsal) = &mut self.rehearsal {
            let said = rehearsal.handle(input);
            self.heard(said);
        }
    }

    fn heard(&mut self, said: Vec<Said>) {
        for one in said {
            match one {
                Said::Probe(probe, due) => self.prober.start(probe, due),
                Said::Notice(notice) => {
                    if is_verdict(&notice) {
                        self.tell(&wording::line(&notice));
                    }
                }
            }
        }
        self.publish_at
            .get_or_insert_with(|| Instant::now() + PUBLISH_AFTER);
    }

    fn tell(&mut self, line: &Line) {
        self.view.tell(line, Instant::now());
    }

    fn found(&mut self, found: Found) {
        let core = &self.configuration.core;
        let changes = match found {
            Found::Hosts(hosts) => self.maintenance.resolved(hosts, core),
            Found::Look { file, listing } => {
                let changes = self.maintenance.heard(listing, core);
                self.file_seen(file);
                changes
            }
        };
        self.maintain(changes);
        if !self.disk.is_resolving() {
            let questions = self.maintenance.questions(Instant::now());
            self.disk.resolve(questions);
        }
    }

    fn maintain(&mut self, changes: Vec<Change>) {
        for change in changes {
            self.tell(&wording::maintenance(&change));
            self.feed(Input::Maintenance {
                service: change.service,
                real: change.real,
                active: change.active,
            });
        }
        if let Some(trouble) = self.maintenance.trouble() {
            self.tell(&wording::maintenance_unread(&trouble));
        }
    }

    /// As the director beside us: it follows the file if the file says so.
    fn file_seen(&mut self, seen: Seen) {
        if seen != Seen::Changed {
            return;
        }
        if self.configuration.autoreload {
            self.reread();
        } else {
            let text = "The file has changed; without autoreload=yes a shadow reads it on HUP, too";
            self.tell(&Line::new(Severity::Notice, text));
        }
    }

    fn reread(&mut self) {
        if self.reading.is_some() {
            return;
        }
        let watch = self.disk.watch();
        let (path, mut catalogue) = (self.instance.path.clone(), self.catalogue.clone());
        let names = self.configuration.names.clone();
        self.reading = Some(spawn_blocking(move || {
            watch.accept();
            let (configuration, faults) = config::reload(&path, names, &mut catalogue);
            (configuration, catalogue, faults.summary())
        }));
    }

    fn adopt(&mut self, (configuration, catalogue, summary): Reread) {
        let Some(configuration) = configuration else {
            let text = format!("The file is not in order, nothing is changed: {summary}");
            self.tell(&Line::new(Severity::Error, text));
            return;
        };
        self.catalogue = catalogue;
        self.catalogue.retain(&configuration.probes);
        self.prober.replace(configuration.probes.clone());
        self.configuration = configuration;
        let text = "The file has been read again; what differs counts from now on";
        self.tell(&Line::new(Severity::Notice, text));
        self.shadow.rest();
        self.feed(Input::Reload(self.configuration.core.clone()));
        // Of another directory, the look that follows within a second knows.
        let core = &self.configuration.core;
        let changes = self.maintenance.heard_afresh(None, core);
        self.maintain(changes);
    }

    fn requested(&mut self, request: ClientRequest) {
        let Some(asked) = self.view.control.understand(request) else {
            return;
        };
        let not_yet = || Reply::Error {
            text: "the kernel's table has not been read yet".to_owned(),
        };
        match asked {
            Asked::Snapshot(reply) => match self.snapshot() {
                Some(snapshot) => self.view.control.snapshot(reply, &snapshot),
                None => reply.send(not_yet()),
            },
            Asked::Follow(reply) => match self.snapshot() {
                Some(snapshot) => self.view.control.follow(reply, &snapshot),
                None => reply.send(not_yet()),
            },
            Asked::Metrics(reply) => match self.snapshot() {
                Some(Snapshot::Director(snapshot)) => {
                    let text = control::metrics(&snapshot);
                    reply.send(Reply::Metrics { text });
                }
                Some(Snapshot::Cluster(_)) | None => reply.send(not_yet()),
            },
            Asked::Opinion { reply, .. } | Asked::Act { reply, .. } => {
                let text = "a shadow touches nothing: ask the director itself".to_owned();
                reply.answer(Err(text));
            }
        }
    }

    fn snapshot(&mut self) -> Option<Snapshot> {
        let director = &self.rehearsal.as_ref()?.director;
        let core = &self.configuration.core;
        let snapshot = self.view.snapshot(director, core, Instant::now());
        Some(Snapshot::Director(snapshot))
    }

    fn text(&self) -> String {
        let said = |place| self.said(place);
        self.report.text(&self.shadow, Instant::now(), said)
    }

    /// Keeps the report where it is to be read; a full disk is told once.
    fn write(&mut self, text: &str) {
        let Some(path) = &self.file else {
            return;
        };
        match report::replace(path, text) {
            Ok(()) => self.written = true,
            Err(error) => {
                let text = format!("The report cannot be written: {}: {error}", path.display());
                if std::mem::replace(&mut self.written, false) {
                    self.tell(&Line::new(Severity::Error, text));
                }
            }
        }
    }
}

/// What checks found; what we would have edited is seen in the differences.
fn is_verdict(notice: &Notice) -> bool {
    matches!(
        notice,
        Notice::Up { .. }
            | Notice::Down { .. }
            | Notice::SoftFailure { .. }
            | Notice::SoftFailureReset { .. }
            | Notice::Rising { .. }
            | Notice::Panic { .. }
            | Notice::PanicOver { .. }
            | Notice::CertificateEnds { .. }
            | Notice::CouldNotAsk { .. }
            | Notice::AskedAgain
    )
}
