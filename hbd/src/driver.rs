//! The loop: one event in, the core's outputs drained, repeat.
//!
//! ```text
//!  sockets ──── datagrams ──────────┐
//!  groups ───── reports (1024) ─────┤               ┌──► every link     (never blocks)
//!  clients ──── requests (64) ──────┼──► Driver ────┼──► groups' workers (16 jobs each)
//!  interfaces ─ latest view (1) ────┤     core      ├──► followers       (cut off when slow)
//!  signals, a tick each second ─────┤               └──► log             (drops when full)
//!  a finished reload ───────────────┘
//! ```
//!
//! Sockets are drained before the core may judge by the clock: a node that was frozen hears first
//! what its peers said meanwhile. Nothing slow happens here.

use crate::advice;
use crate::config::Loaded;
use crate::control::{Ask, Control};
use crate::doubts::Doubts;
use crate::identity::Keeper;
use crate::journal::Journal;
use crate::media::names::{self, Names};
use crate::media::{Heard, Media};
use crate::presence::Presence;
use crate::reload::{self, Reload, Reread};
use crate::resources::environment::site;
use crate::resources::script::Site;
use crate::resources::view::View;
use crate::resources::{Report, Resources};
use crate::surroundings::Surroundings;
use crate::wording::Wording;
use ha_plumbing::log::Log;
use ha_plumbing::pace::PUBLISH_AFTER;
use ha_plumbing::service;
use ha_plumbing::signals::{Signal, Signals};
use ha_plumbing::wall::Wall;
use ha_status::{ClusterSnapshot, Severity, Snapshot};
use hbd_core::Cluster;
use hbd_core::config::LinkId;
use hbd_core::input::{Command, Input, Question};
use hbd_core::output::{Ending, Notice, Output};
use hbd_core::wire;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Reports of workers that are taken in one turn, whatever woke the loop: a flood of datagrams,
/// of which a turn takes many, must not hold back what became of a script.
pub const TURN_REPORTS: usize = 64;

/// Everything the loop owns.
pub struct Driver {
    pub core: Cluster,
    pub media: Media,
    pub resources: Resources,
    pub control: Control,
    pub reports: mpsc::Receiver<Report>,
    /// For work that the loop itself gives away.
    pub reporting: mpsc::Sender<Report>,
    /// Where directors of this node are looked for.
    pub directors: Vec<PathBuf>,
    pub interfaces: watch::Receiver<Arc<View>>,
    pub surroundings: Surroundings,
    pub signals: Signals,
    pub reload: Reload,
    /// What scripts are run with.
    pub sites: watch::Sender<Arc<Site>>,
    pub second: tokio::time::Interval,
    pub loaded: Loaded,
    pub log: Log,
    pub presence: Presence,
    pub wording: Wording,
    pub journal: Journal,
    pub doubts: Doubts,
    pub keeper: Keeper,
    pub state: State,
}

/// What the loop remembers between turns.
pub struct State {
    /// Inputs that outputs led to; fed after the drain.
    backlog: VecDeque<Input>,
    /// The core's revision that followers have, and when they get the next.
    published: u64,
    publish_at: Option<Instant>,
    /// As far as the core knows.
    wall: Wall,
    addresses_restored: u64,
    links_worked: bool,
    names: Names,
    watchdog: Option<(Duration, Instant)>,
    over: Option<Ending>,
}

impl State {
    pub fn new(wall: Wall) -> Self {
        Self {
            backlog: VecDeque::new(),
            published: 0,
            publish_at: None,
            wall,
            addresses_restored: 0,
            links_worked: true,
            names: Names::default(),
            watchdog: service::watchdog_interval().map(|interval| (interval, wall.since)),
            over: None,
        }
    }
}

impl Driver {
    /// Runs until the core has said goodbye.
    pub async fn run(mut self) -> Ending {
        self.drain();
        self.look_around();
        let ending = loop {
            if let Some(ending) = self.state.over {
                break ending;
            }
            self.turn().await;
        };
        self.show_now();
        self.control.close().await;
        ending
    }

    /// One event, and everything that waits beside it.
    pub async fn turn(&mut self) {
        self.wait().await;
        self.hear();
        self.take_reports();
        self.judge();
        self.show();
        // Under a flood something is always ready here; others must have their turn.
        tokio::task::yield_now().await;
    }

    /// One event, or the next deadline.
    async fn wait(&mut self) {
        let deadline = wait_until([self.core.deadline(), self.state.publish_at]);
        tokio::select! {
            () = self.media.readable() => {}
            Some(report) = self.reports.recv() => self.report(report),
            request = self.control.next() => self.request(request),
            signal = self.signals.next() => self.signal(signal),
            Ok(()) = self.interfaces.changed() => self.interfaces_changed(),
            reread = self.reload.finished() => self.reloaded(reread),
            _ = self.second.tick() => self.each_second(),
            () = deadline => {}
        }
    }

    /// Everything that has arrived, however the loop was woken.
    fn hear(&mut self) {
        for heard in self.media.receive(&self.loaded.keys) {
            self.doubt(&heard);
            self.feed(heard.input);
        }
    }

    /// What workers have told meanwhile.
    fn take_reports(&mut self) {
        for report in waiting(&mut self.reports, TURN_REPORTS) {
            self.report(report);
        }
    }

    /// Tells of senders that are not what they should be.
    fn doubt(&mut self, heard: &Heard) {
        let Some(from) = heard.from else { return };
        let now = Instant::now();
        let line = match &heard.input {
            Input::Rejected { link, reason } => {
                let device = self.wording.device(*link);
                self.doubts.refused(from, device, *reason, now)
            }
            Input::Received(received) => {
                let device = self.wording.device(received.link);
                let message = &received.message;
                self.doubts.authentic(from, device, message, now)
            }
            Input::Tick
            | Input::LinkWrite { .. }
            | Input::PingAnswered { .. }
            | Input::Probed { .. }
            | Input::Started { .. }
            | Input::Stopped { .. }
            | Input::Prepared { .. }
            | Input::Unprepared { .. }
            | Input::Lingers { .. }
            | Input::Lost { .. }
            | Input::Mended { .. }
            | Input::Carrier { .. }
            | Input::Command { .. }
            | Input::Ask { .. }
            | Input::Inquired { .. }
            | Input::Load(_)
            | Input::WallClock(_) => None,
        };
        if let Some((severity, text)) = line {
            self.tell(severity, &text);
        }
    }

    fn judge(&mut self) {
        let now = Instant::now();
        if self.core.deadline().is_some_and(|deadline| deadline <= now) {
            self.feed(Input::Tick);
        }
    }

    /// One input, everything it leads to, and what that leads to.
    fn feed(&mut self, input: Input) {
        self.state.backlog.push_back(input);
        while let Some(input) = self.state.backlog.pop_front() {
            self.core.handle(input, Instant::now());
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.core.poll() {
            self.act(output);
        }
    }

    fn act(&mut self, output: Output) {
        match output {
            Output::Send(message) => self.send(&message),
            Output::PassOn { message, from } => self.pass_on(&message, from),
            Output::Probe(group) => self.resources.probe(group),
            Output::Start(group) => self.resources.start(group),
            Output::Prepare(group) => self.resources.prepare(group),
            Output::Unprepare(group) => self.resources.unprepare(group),
            Output::Linger(group) => self.resources.linger(group),
            Output::Stop(group) => self.resources.stop(group),
            Output::LetGo(group) => self.resources.let_go(group),
            Output::Announce(group) => self.resources.announce(group),
            Output::Remember(peer) => self.keeper.remember(peer),
            Output::Inquire { question, services } => {
                self.inquire(question, services);
            }
            Output::Opinion { id, views } => self.control.opinion(id, views),
            Output::Notice(notice) => self.notice(&notice),
            Output::CommandDone { id, result } => {
                let result = self.wording.outcome(&result);
                self.control.done(id, result);
            }
            Output::Exit(ending) => self.state.over = Some(ending),
        }
    }

    fn send(&mut self, message: &wire::Message) {
        if let Err(error) = self.media.send(message, &self.loaded.keys) {
            let kind = message.kind();
            self.tell(Severity::Error, &format!("cannot send {kind}: {error}"));
        }
        self.state.backlog.extend(self.media.changes());
        let works = self.media.works();
        if self.state.links_worked && !works {
            let text = "send_to_all_media: No working comm channels to write to.";
            self.tell(Severity::Critical, text);
        } else if works && !self.state.links_worked {
            self.tell(Severity::Info, "heartbeats can be sent again");
        }
        self.state.links_worked = works;
    }

    /// What does not fit on a line is lost there, as any message.
    fn pass_on(&mut self, message: &wire::Message, from: LinkId) {
        if let Err(error) = self.media.pass_on(message, from, &self.loaded.keys) {
            let kind = message.kind();
            self.tell(Severity::Error, &format!("cannot pass {kind} on: {error}"));
        }
        self.state.backlog.extend(self.media.changes());
    }

    /// What this node's directors find, for another node; the core allows only a few at a time.
    fn inquire(&self, question: Question, services: Vec<u64>) {
        let asking = advice::inquire(self.directors.clone(), question, services);
        let reporting = self.reporting.clone();
        tokio::spawn(async move {
            let input = asking.await;
            // Nobody listens any more: this node ends.
            let _ = reporting.send(Report::Input(input)).await;
        });
    }

    fn notice(&mut self, notice: &Notice) {
        if *notice == Notice::ShutdownStarted {
            service::stopping("releasing resources");
        }
        let Some(again) = self.journal.again(notice, Instant::now()) else {
            return;
        };
        for line in self.wording.lines(notice) {
            self.tell(line.severity, &format!("{}{again}", line.text));
        }
    }

    fn tell(&mut self, severity: Severity, text: &str) {
        let notice = self.journal.tell(severity, text);
        self.control.notice(&notice);
    }

    fn report(&mut self, report: Report) {
        match report {
            Report::Input(input) => {
                if let Input::Started {
                    group,
                    result: Err(_),
                    ..
                } = &input
                {
                    let view = Arc::clone(&self.interfaces.borrow());
                    self.surroundings.failed(*group, &view);
                }
                self.feed(input);
            }
            Report::Tell(severity, text) => self.tell(severity, &text),
            Report::Restored { ip, device, told } => {
                self.state.addresses_restored += 1;
                if let Some(times) = told {
                    let times = match times {
                        1 => String::new(),
                        times => format!(" ({times} times since this was last told)"),
                    };
                    let text = format!("{ip} had vanished from {device} and was put back{times}");
                    self.tell(Severity::Warning, &text);
                }
            }
            Report::Resolved(known) => {
                self.state.names.answered();
                self.media.resolve(&known);
                self.interfaces_changed();
            }
            Report::Lost { ip, device, why } => {
                let view = Arc::clone(&self.interfaces.borrow());
                for input in self.surroundings.lost(ip, &device, &why, &view) {
                    self.feed(input);
                }
            }
        }
    }

    fn request(&mut self, request: ha_status::socket::ClientRequest) {
        let Some(ask) = self.control.understand(request) else {
            return;
        };
        match ask {
            Ask::Command(id, command, said) => {
                self.tell(Severity::Info, &said);
                self.feed(Input::Command { id, command });
            }
            Ask::Reload(reply, said) => {
                self.tell(Severity::Info, &said);
                self.start_reload(Some(reply));
            }
            // Without a snapshot the reply is dropped, which answers it with an error.
            Ask::Snapshot(reply) => {
                if let Some(snapshot) = self.snapshot() {
                    self.control.snapshot(reply, &Snapshot::Cluster(snapshot));
                }
            }
            Ask::Follow(reply) => {
                if let Some(snapshot) = self.snapshot() {
                    self.control.follow(reply, &Snapshot::Cluster(snapshot));
                }
            }
            Ask::Opinion(id, services) => self.feed(Input::Ask { id, services }),
            Ask::Metrics(reply) => {
                if let Some(snapshot) = self.snapshot() {
                    Control::metrics(reply, &snapshot);
                }
            }
        }
    }

    fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::Terminate | Signal::Interrupt => {
                let id = self.control.command_id();
                let command = Command::Shutdown;
                self.feed(Input::Command { id, command });
            }
            Signal::Hangup => self.start_reload(None),
            Signal::User1 => self.debug(self.log.debug().saturating_add(1)),
            Signal::User2 => self.debug(self.log.debug().saturating_sub(1)),
        }
    }

    fn debug(&mut self, level: u8) {
        self.log.set_debug(level);
        self.tell(Severity::Info, &format!("debug level is now {level}"));
    }

    /// Opens and closes media as the interfaces demand.
    fn interfaces_changed(&mut self) {
        let view = Arc::clone(&self.interfaces.borrow_and_update());
        for (severity, text) in self.media.update(&view) {
            self.tell(severity, &text);
        }
        for change in self.media.changes() {
            self.feed(change);
        }
        self.look_around();
    }

    /// Tells the core what of the machine is there.
    fn look_around(&mut self) {
        let view = Arc::clone(&self.interfaces.borrow());
        let media = self.media.interfaces(&view);
        for input in self.surroundings.look(&view, &media) {
            self.feed(input);
        }
    }

    fn each_second(&mut self) {
        let now = Instant::now();
        if let Ok(load) = std::fs::read_to_string("/proc/loadavg") {
            self.feed(Input::Load(load.trim_end().to_owned()));
        }
        if let Some(wall) = self.state.wall.check(now) {
            self.feed(Input::WallClock(wall));
        }
        if self.media.is_unfinished() {
            self.interfaces_changed();
        }
        if let Some((severity, text)) = self.presence.look(now) {
            self.tell(severity, &text);
        }
        let unresolved = self.media.unresolved();
        if !unresolved.is_empty() && self.state.names.due(now) {
            names::ask(unresolved, self.reporting.clone());
        }
        // A loop that gets here is healthy.
        if let Some((interval, due)) = &mut self.state.watchdog
            && *due <= now
        {
            service::watchdog();
            *due = now + *interval;
        }
    }

    fn start_reload(&mut self, reply: Option<ha_status::socket::Responder>) {
        service::reloading();
        if let Err(Some(reply)) = self.reload.start(reply) {
            reply.answer(Err("a reload is under way".to_owned()));
        }
    }

    fn reloaded(&mut self, reread: Reread) {
        let result = reread.result.map(|loaded| {
            self.log.reconfigure(&loaded.log_settings());
            let restart = reload::needs_restart(&self.loaded, &loaded);
            for warning in reload::new_warnings(&self.loaded.warnings, &loaded.warnings) {
                self.tell(Severity::Warning, &warning);
            }
            // The rest of what is loaded stays as it runs.
            self.loaded.environment = reload::environment(&self.loaded, &loaded);
            self.loaded.keys = loaded.keys;
            self.loaded.logging = loaded.logging;
            let site = site(self.reload.etc(), &self.loaded);
            self.sites.send_replace(Arc::new(site));
            self.loaded.warnings = loaded.warnings;
            reload::answer_text(&restart)
        });
        match &result {
            Ok(text) => self.tell(Severity::Info, &format!("configuration read again: {text}")),
            Err(text) => self.tell(Severity::Error, &format!("configuration refused, {text}")),
        }
        service::ready("running");
        if let Some(reply) = reread.reply {
            reply.answer(result);
        }
    }

    /// Tells followers how it is, a moment after something has changed.
    fn show(&mut self) {
        if self.core.revision() == self.state.published {
            return;
        }
        let now = Instant::now();
        match self.state.publish_at {
            Some(due) if due <= now => self.show_now(),
            Some(_) => {}
            None => self.state.publish_at = Some(now + PUBLISH_AFTER),
        }
    }

    fn show_now(&mut self) {
        self.state.published = self.core.revision();
        self.state.publish_at = None;
        if self.control.is_followed()
            && let Some(snapshot) = self.snapshot()
        {
            self.control.publish(&Snapshot::Cluster(snapshot));
        }
    }

    fn snapshot(&self) -> Option<ClusterSnapshot> {
        let mut snapshot = self.core.snapshot(Instant::now())?;
        snapshot.refused.extend(self.doubts.rows(Instant::now()));
        snapshot.recent = self.journal.recent();
        snapshot.counters.addresses_restored = self.state.addresses_restored;
        Some(snapshot)
    }
}

/// What waits in the queue, at most so many.
fn waiting<T>(queue: &mut mpsc::Receiver<T>, limit: usize) -> Vec<T> {
    let next = std::iter::from_fn(|| queue.try_recv().ok());
    next.take(limit).collect()
}

/// Until the first of these moments; for ever if there is none.
async fn wait_until(moments: impl IntoIterator<Item = Option<Instant>>) {
    match moments.into_iter().flatten().min() {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn every_turn_takes_its_share_of_reports_whatever_woke_the_loop() {
        let (sender, mut queue) = mpsc::channel(3 * TURN_REPORTS);
        for number in 0..2 * TURN_REPORTS {
            sender.send(number).await.unwrap();
        }
        let turns: Vec<usize> = (0..3)
            .map(|_| waiting(&mut queue, TURN_REPORTS).len())
            .collect();
        assert_eq!(turns, [TURN_REPORTS, TURN_REPORTS, 0]);
    }
}
