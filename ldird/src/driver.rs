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

mod answers;
mod aside;
mod bell;
mod moment;
mod notices;
mod opinions;
mod orders;
mod post;
mod reload;
mod requests;
mod role;
mod surroundings;
mod sync;
mod timer;
mod waiting;

use crate::apply::{Kernel, Order, Outcome};
use crate::config::{Configuration, Names};
use crate::control::View;
use crate::disk::{Disk, Found};
use crate::instance::Instance;
use crate::ledger::{Ledger, Services, made_of};
use crate::mail::Office;
use crate::maintenance::Maintenance;
use crate::monitor::Monitors;
use crate::names_kept::NamesKept;
use crate::orders::OrderBook;
use crate::probes::{Catalogue, Probed, Prober};
use crate::siblings::{self, Sibling};
use crate::standing::{Ending, Standing, StandingFile, now_ms};
use crate::sync::Daemons;
use crate::wording::{self, Line};
use aside::{Aside, Done};
use bell::Bell;
use ha_plumbing::claim::Claim;
use ha_plumbing::lockfile::Lockfile;
use ha_plumbing::pace::{LOOK_EVERY, PUBLISH_AFTER};
use ha_plumbing::service;
use ha_plumbing::signals::{Signal, Signals};
use ha_status::socket::{ClientRequest, Control, Responder};
use ha_status::{Reply, Severity, Snapshot};
use ldird_core::Director;
use ldird_core::input::{Input, Left, Said};
use ldird_core::output::Output;
use ldird_ipvs::Timeouts;
use opinions::{Advice, Advisers};
use post::{Delivered, Post};
use reload::{Loaded, Naming, Reloads, Wish};
use role::Turns;
use std::time::{Duration, Instant};
use sync::Synchronising;
use timer::Timer;
use tokio::signal::unix::Signal as Listener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until, timeout};

pub(crate) use aside::Program;

/// So many looks pass between two counts of the kernel's counters when nobody follows.
const COUNT_EVERY_LOOKS: u32 = 10;
/// A stop takes no longer, however the kernel answers.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Before the first verdict we wait so long for the hosts that maintenance files name.
const HOSTS_LIMIT: Duration = Duration::from_secs(3);

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
    /// Names that had no address have one.
    Named(Names),
    Look,
    Found(Found),
    /// The role is on disk, or could not be written for this reason.
    Standing(Option<String>),
    /// The same of what operators have said.
    Orders(Option<String>),
    /// A command beside the table came back.
    Aside(Done),
    /// A mail left, or did not.
    Delivered(Delivered),
    /// What the kernel says of the synchronisation's daemons.
    Synchronised(ldird_core::sync::Input),
    /// What other directors say of services that are about to lose their last server.
    Advised(Vec<Advice>),
    /// Who else lives, asked before the table is cleaned; `None` if that failed.
    Siblings(Option<Vec<Sibling>>),
}

/// How the loop ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// In order, on this signal's name.
    Stopped(&'static str),
    /// On this signal's name, and the table is not as it should be.
    Unclean(&'static str),
    /// The table stays as it is, for the next director of this configuration.
    HandedOver,
    /// The table could not be set up at all.
    NeverStarted(String),
}

/// What the loop needs from outside.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) instance: Instance,
    /// The pid file, if there is one.
    pub(crate) pidfile: Option<Lockfile>,
    pub(crate) configuration: Configuration,
    pub(crate) catalogue: Catalogue,
    pub(crate) standing: Standing,
    /// Held if it begins on standby.
    pub(crate) standby: Option<Claim>,
    pub(crate) kernel: Kernel,
    pub(crate) daemons: Daemons,
    /// A dry run: what a reload reads is made harmless as well.
    pub(crate) dry: bool,
    pub(crate) signals: Signals,
    pub(crate) quit: Listener,
    pub(crate) control: Control,
    /// Other directors that lived when this one started.
    pub(crate) siblings: Vec<Sibling>,
    /// For the directors of other configurations.
    pub(crate) program: Program,
    pub(crate) office: Office,
}

pub(crate) struct Driver<R> {
    instance: Instance,
    pidfile: Option<Lockfile>,
    configuration: Configuration,
    catalogue: Catalogue,
    director: Director,
    kernel: Kernel,
    dry: bool,
    prober: Prober,
    answers: mpsc::Receiver<Probed>,
    /// Of all that the loop waits for besides time, answers and requests.
    bell: Bell,
    timer: Timer,
    signals: Signals,
    quit: Listener,
    view: View,
    disk: Disk,
    maintenance: Maintenance,
    /// What we have in the table, or are about to: kept on disk.
    ledger: Ledger,
    services: Services,
    /// The same of what files said of settings that are otherwise somebody else's.
    said: Said,
    names: NamesKept,
    /// What an earlier life left, until it is told to the core.
    left: Left,
    siblings: Vec<Sibling>,
    standing: Standing,
    standing_file: StandingFile,
    orders: OrderBook,
    /// Who has said something that is not yet on disk, and what they are to hear.
    told: Vec<(Responder, String)>,
    /// Why what they said is not on disk.
    orders_unkept: Option<String>,
    turns: Turns,
    /// Who waits for the table of a hand-over; one, as the last word counts.
    preparing: Option<Responder>,
    looks: Interval,
    looks_since_count: u32,
    counting: bool,
    /// The kernel's time-outs are being set; those that came meanwhile are next.
    setting: bool,
    timeouts: Option<Timeouts>,
    reloads: Reloads,
    naming: Naming,
    aside: Aside,
    post: Post,
    sync: Synchronising,
    monitors: Monitors,
    advisers: Advisers,
    /// Who else lives is being asked, before the table is cleaned.
    asking: Option<JoinHandle<Vec<Sibling>>>,
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
        let operations = &parts.configuration.operations;
        let aside = Aside::new(parts.program, operations);
        let post = Post::new(parts.office, &operations.mail, parts.standing.role, now);
        let sync = parts.configuration.sync.clone();
        let sync = Synchronising::new(&parts.instance, sync, parts.daemons, now);
        let core = &parts.configuration.core;
        let wanted = made_of(core);
        let (ledger, left) = Ledger::open(&parts.instance, &wanted);
        let orders = open_orders(&parts.instance);
        let mut said = wanted.said;
        said.extend(left.said.clone());
        let advisers = Advisers::new(&parts.instance);
        let names = NamesKept::open(&parts.instance, parts.configuration.names.known());
        Self {
            director: Director::in_role(core.clone(), parts.standing.role, now),
            standing_file: StandingFile::open(&parts.instance, &parts.standing),
            standing: parts.standing,
            turns: Turns::new(parts.standby),
            preparing: None,
            orders,
            told: Vec::new(),
            orders_unkept: None,
            view: View::new(parts.instance.clone(), parts.control, now),
            disk: Disk::new(&parts.instance.path),
            services: wanted.services.union(&left.services).copied().collect(),
            said,
            ledger,
            names,
            left,
            siblings: parts.siblings,
            instance: parts.instance,
            pidfile: parts.pidfile,
            configuration: parts.configuration,
            catalogue: parts.catalogue,
            kernel: parts.kernel,
            dry: parts.dry,
            prober,
            answers,
            bell: Bell::new(),
            timer: Timer::new(),
            signals: parts.signals,
            quit: parts.quit,
            maintenance: Maintenance::default(),
            looks,
            looks_since_count: 0,
            counting: false,
            setting: false,
            timeouts: None,
            reloads: Reloads::default(),
            naming: Naming::default(),
            aside,
            post,
            sync,
            monitors: Monitors::default(),
            advisers,
            asking: None,
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
        self.begin().await;
        let end = loop {
            if let Some(end) = self.end.take() {
                break end;
            }
            let event = self.next().await;
            self.handle(event);
        };
        let stopped = matches!(end, End::Stopped(_) | End::Unclean(_));
        self.finish_sync(stopped).await;
        self.finish_aside(stopped).await;
        self.finish_post().await;
        self.monitors.finish().await;
        // A resident one may be started again while its resource is active.
        let ending = match &end {
            End::Stopped(_) => Ending::Stopped,
            End::HandedOver => Ending::HandedOver,
            End::Unclean(_) | End::NeverStarted(_) => Ending::Unclean,
        };
        self.standing_file.close(self.standing, ending).await;
        self.orders.settle().await;
        self.names.settle().await;
        self.sync.close().await;
        match end {
            End::Stopped(_) => self.ledger.remove().await,
            End::Unclean(_) | End::HandedOver | End::NeverStarted(_) => self.ledger.settle().await,
        }
        for stopper in self.stoppers {
            let text = "stopped".to_owned();
            stopper.send(Reply::Done { text });
        }
        self.view.control.close().await;
        end
    }

    /// What the core must know before the first verdict: whose services these were, whom they are
    /// not to be taken from, and who is in maintenance, so that nobody there gets traffic for a moment.
    async fn begin(&mut self) {
        self.set_timeouts();
        self.drain();
        let left = std::mem::take(&mut self.left);
        self.feed(Input::LeftBehind(left));
        let siblings = std::mem::take(&mut self.siblings);
        self.spare(&siblings);
        self.repeat_orders();
        self.disk.look(self.configuration.maintenancedir.clone());
        match timeout(HOSTS_LIMIT, self.disk.next()).await {
            Ok(found) => self.found(found),
            Err(_) => self.tell(&wording::disk_silent(HOSTS_LIMIT)),
        }
        if self.disk.is_resolving()
            && let Ok(found) = timeout(HOSTS_LIMIT, self.disk.next()).await
        {
            self.found(found);
        }
        self.ask_for_names();
    }

    fn handle(&mut self, event: Event) {
        if !matches!(event, Event::Due | Event::Probed(_)) {
            self.bell.ring();
        }
        match event {
            Event::Due => self.due(),
            Event::Aside(done) => self.done(done),
            Event::Delivered(delivered) => self.delivered(delivered),
            Event::Probed(probed) => self.all_probed(probed),
            Event::Kernel(outcome) => self.kernel_says(outcome),
            Event::Signal(signal) => self.signalled(signal),
            Event::Quit => self.stop("QUIT"),
            Event::Request(request) => self.requested(request),
            Event::Loaded(loaded) => self.loaded(*loaded),
            Event::Named(names) => self.named(names),
            Event::Look => self.look(),
            Event::Found(found) => self.found(found),
            Event::Standing(error) => self.role_written(error),
            Event::Orders(error) => self.orders_written(error),
            Event::Synchronised(answer) => self.feed_sync(answer),
            Event::Advised(advice) => self.advised(advice),
            Event::Siblings(siblings) => {
                self.spare(&siblings.unwrap_or_default());
                self.feed(Input::Shutdown);
            }
        }
    }

    /// The only way into the core.
    fn feed(&mut self, input: Input) {
        self.director.handle(input, Instant::now());
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.director.poll() {
            if !matches!(output, Output::Probe { .. }) {
                self.bell.ring();
            }
            match output {
                Output::Probe { probe, due } => self.prober.start(probe, due),
                Output::Read => self.kernel.order(Order::Read),
                Output::ReadServices(keys) => self.kernel.order(Order::ReadServices(keys)),
                Output::List => self.kernel.order(Order::List),
                Output::Apply(edits) => self.kernel.order(Order::Apply(edits)),
                Output::AskOpinion {
                    service,
                    question,
                    digest,
                } => self.advisers.ask(service, question, digest),
                Output::Notice(notice) => self.noticed(&notice),
                Output::Exit => self.end = Some(End::Stopped(self.signal)),
            }
        }
        self.call_commands();
        self.publish_soon();
    }

    fn publish_soon(&mut self) {
        if self.revision() != self.published && self.publish_at.is_none() {
            self.publish_at = Some(Instant::now() + PUBLISH_AFTER);
        }
    }

    fn revision(&self) -> u64 {
        self.director.revision() + self.sync.revision() + self.reloads.revision
    }

    fn due(&mut self) {
        let now = Instant::now();
        if self.seldom_due().is_some_and(|at| at <= now) {
            self.bell.ring();
            self.seldom_due_now(now);
        }
        self.feed(Input::Tick);
    }

    fn seldom_due_now(&mut self, now: Instant) {
        if self.publish_at.is_some_and(|at| at <= now) {
            self.publish_at = None;
            self.published = self.revision();
            if self.view.is_followed() {
                let snapshot = Snapshot::Director(self.snapshot());
                self.view.control.publish(&snapshot);
            }
        }
        if self.turns.due.is_some_and(|at| at <= now) {
            self.give_turns_up();
        }
        if self.stop_by.is_some_and(|at| at <= now) {
            let text = format!(
                "The table could not be cleaned within {} s",
                STOP_LIMIT.as_secs()
            );
            self.tell(&Line::new(Severity::Error, text));
            self.end = Some(End::Unclean(self.signal));
        }
        self.mail_tick(now);
        self.feed_sync(ldird_core::sync::Input::Tick);
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
            Outcome::TimeoutsSet(set) => {
                self.setting = false;
                if let Err(error) = set {
                    let text = format!("The kernel's time-outs stay as they are: {error}");
                    self.tell(&Line::new(Severity::Error, text));
                }
                if let Some(timeouts) = self.timeouts.take() {
                    self.order_timeouts(timeouts);
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

    /// To the log, to followers and into the snapshot.
    fn tell(&mut self, line: &Line) {
        self.view.tell(line, Instant::now());
    }

    fn signalled(&mut self, signal: Signal) {
        match signal {
            Signal::Terminate => self.stop("TERM"),
            Signal::Interrupt => self.stop("INT"),
            Signal::Hangup => {
                let text = "Reloading Linux Director Daemon config on signal";
                self.tell(&Line::new(Severity::Notice, text));
                self.reload(Wish::default());
            }
            Signal::User1 => self.hand_over(),
            Signal::User2 => {}
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
        self.stop_others();
        let instance = self.instance.clone();
        self.asking = Some(tokio::spawn(
            async move { siblings::living(&instance).await },
        ));
    }

    /// What the file says about idle connections, if anything.
    fn set_timeouts(&mut self) {
        if let Some(timeouts) = self.configuration.timeouts {
            self.order_timeouts(timeouts);
        }
    }

    fn order_timeouts(&mut self, timeouts: Timeouts) {
        if self.setting {
            self.timeouts = Some(timeouts);
        } else {
            self.setting = true;
            self.kernel.order(Order::SetTimeouts(timeouts));
        }
    }

    /// Ends without cleaning: a successor finds the table as it is, and what is ours in the ledger.
    fn hand_over(&mut self) {
        if self.stop_by.is_none() {
            service::stopping("handing over");
            self.end = Some(End::HandedOver);
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// What operators said to earlier lives; what is damaged of it is told.
fn open_orders(instance: &Instance) -> OrderBook {
    let (orders, damaged) = OrderBook::open(instance, now_ms());
    if damaged > 0 {
        let are = if damaged == 1 { "is" } else { "are" };
        let lines = wording::counted(damaged, "line");
        let text = format!("{lines} of what operators said {are} damaged and forgotten");
        Line::new(Severity::Warning, text).log();
    }
    orders
}

#[cfg(test)]
mod tests;
