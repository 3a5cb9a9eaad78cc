//! `hbd shadow`: hears a live pair on its media, shows nodes, links and lateness, and says at each event
//! what hbd would have decided and whether the pair did the same.
//!
//! Sends nothing and joins nothing: no pid file, no identity, no resource, no script, no multicast
//! group. What it opens is packet sockets, which are only read, a status socket in a folder of its
//! own, and its report.

mod datagram;
mod report;
mod site;
mod tap;
mod wording;

use crate::cli::{Common, Shadow as Options, exit};
use crate::config::Loaded;
use crate::control::{self, Control};
use crate::reload::needs_restart;
use ha_plumbing::journal::Journal;
use ha_plumbing::log::{self, Console, Layout, Log};
use ha_plumbing::pace::{LOOK_EVERY, PUBLISH_AFTER};
use ha_plumbing::signals::{Signal, Signals};
use ha_plumbing::wall::Wall;
use ha_status::socket::ClientRequest;
use ha_status::{ClusterSnapshot, Severity, Snapshot};
use hbd_core::output::Silence;
use hbd_core::shadow::{Input, Shadow};
use hbd_core::wire::Keys;
use report::Report;
use site::Site;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tap::Tap;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};
use wording::Words;

/// How often the report is written while it listens.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// Listens until it is told to end; the exit code.
pub fn run(common: &Common, options: &Options) -> u8 {
    let site = match Site::load(common) {
        Ok(site) => site,
        Err(faults) => {
            eprint!("{}", faults.render_for_stderr());
            return if faults.permission_denied() {
                exit::PERMISSION
            } else {
                exit::CONFIGURATION
            };
        }
    };
    match listen(common, options, site) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hbd shadow: {error:#}");
            exit::FAILED
        }
    }
}

fn listen(common: &Common, options: &Options, site: Site) -> anyhow::Result<u8> {
    let log = log::start(&log::Settings {
        layout: Layout::HeartbeatDated,
        console: Console::Dated,
        logfile: None,
        debugfile: None,
        facility: None,
        debug: 0,
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut listener = Listener::new(common, options, site).await?;
        listener.begin()?;
        while !listener.ended {
            listener.turn().await;
        }
        Ok(listener.end(&log).await)
    })
}

/// Everything the loop owns.
struct Listener {
    site: Site,
    keys: Keys,
    core: Shadow,
    taps: Vec<Tap>,
    words: Words,
    report: Report,
    journal: Journal,
    wall: Wall,
    control: Control,
    signals: Signals,
    second: Interval,
    /// Files that are being read again.
    reading: Option<JoinHandle<Result<Loaded, String>>>,
    /// The core's revision that followers have, and when they get the next.
    published: u64,
    publish_at: Option<Instant>,
    end_at: Option<Instant>,
    report_at: Instant,
    /// Where the report is kept, and whether it could be written the last time.
    file: Option<PathBuf>,
    written: bool,
    ended: bool,
}

impl Listener {
    async fn new(common: &Common, options: &Options, site: Site) -> anyhow::Result<Self> {
        let now = Instant::now();
        let wall = Wall::now(now);
        let config = site.core_config(wall);
        let links = config.links.ids().zip(site.loaded.media.clone()).collect();
        let folder = common.run.join("shadow");
        let socket = folder.join("hbd.sock");
        let bound = match std::fs::create_dir_all(&folder) {
            Ok(()) => Control::open(&socket, &site.name)
                .await
                .map_err(anyhow::Error::from),
            Err(error) => Err(error.into()),
        };
        let control = bound.unwrap_or_else(|error| {
            let text = format!("No status socket: {error}; it is tried again");
            ha_plumbing::journal::log(Severity::Warning, &text);
            Control::open_later(&socket, &site.name)
        });
        let mut second = interval(LOOK_EVERY);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            taps: Tap::all(links, site.beside.is_none()),
            words: Words::new(&config),
            report: Report::new(&site),
            keys: site.loaded.keys.clone(),
            core: Shadow::new(config, now),
            journal: Journal::new(wall),
            wall,
            control,
            signals: Signals::new()?,
            second,
            reading: None,
            published: 0,
            publish_at: None,
            end_at: options.limit.map(|limit| now + limit),
            report_at: now + REPORT_EVERY,
            file: options.report.clone(),
            written: true,
            ended: false,
            site,
        })
    }

    /// Opens the taps. Without any there is nothing to listen to.
    fn begin(&mut self) -> anyhow::Result<()> {
        self.look();
        anyhow::ensure!(
            self.taps.iter().any(Tap::is_open),
            "nothing can be heard here: see above"
        );
        let text = format!(
            "{}; nothing is sent. HUP reads authkeys again, USR1 prints the report",
            self.report.place()
        );
        self.tell(Severity::Info, &text);
        for text in self.report.unheard() {
            self.tell(Severity::Notice, &text);
        }
        Ok(())
    }

    /// One event, and everything that waits beside it.
    async fn turn(&mut self) {
        self.wait().await;
        self.hear();
        self.judge();
        self.show();
        tokio::task::yield_now().await;
    }

    async fn wait(&mut self) {
        let own = [Some(self.report_at), self.end_at, self.publish_at];
        let due = own
            .into_iter()
            .flatten()
            .fold(self.core.deadline(), Instant::min);
        tokio::select! {
            () = readable(&self.taps) => {}
            signal = self.signals.next() => self.signal(signal),
            request = self.control.next() => self.request(request),
            reread = finished(&mut self.reading) => self.adopt(reread),
            _ = self.second.tick() => self.look(),
            () = sleep_until(due.into()) => {}
        }
    }

    /// Everything that has arrived, before anybody is judged by the clock.
    fn hear(&mut self) {
        let mut inputs = Vec::new();
        for tap in &mut self.taps {
            tap.receive(|overheard| inputs.push(overheard.verify(&self.keys)));
        }
        for input in inputs {
            self.feed(input);
        }
    }

    fn judge(&mut self) {
        let now = Instant::now();
        if self.core.deadline() <= now {
            self.feed(Input::Tick);
        }
        if self.end_at.is_some_and(|at| at <= now) {
            self.ended = true;
        }
        if self.report_at <= now {
            self.report_at = now + REPORT_EVERY;
            let text = self.text();
            self.write(&text);
        }
    }

    fn feed(&mut self, input: Input) {
        self.core.handle(input, Instant::now());
        while let Some(event) = self.core.poll() {
            let (severity, text) = self.words.line(&event);
            self.tell(severity, &text);
        }
    }

    fn tell(&mut self, severity: Severity, text: &str) {
        let notice = self.journal.tell(severity, text, Instant::now());
        self.control.notice(&notice);
    }

    /// Interfaces come and go.
    fn look(&mut self) {
        let told: Vec<_> = self.taps.iter_mut().filter_map(Tap::look).collect();
        for told in told {
            match told {
                Ok(text) => self.tell(Severity::Info, &text),
                Err(text) => self.tell(Severity::Error, &text),
            }
        }
    }

    fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::Terminate | Signal::Interrupt => self.ended = true,
            Signal::Hangup => self.reread(),
            Signal::User1 => say(&self.text()),
            Signal::User2 => {}
        }
    }

    fn reread(&mut self) {
        if self.reading.is_none() {
            let etc = self.site.etc.clone();
            self.reading = Some(spawn_blocking(move || {
                site::load(&etc).map_err(|faults| faults.to_string())
            }));
        }
    }

    fn adopt(&mut self, read: Result<Loaded, String>) {
        let (severity, text) = match read {
            Ok(loaded) => {
                let restart = needs_restart(&self.site.files, &loaded);
                self.keys = loaded.keys;
                match restart.as_slice() {
                    [] => (Severity::Notice, "authkeys has been read again".to_owned()),
                    others => {
                        let others = others.join(", ");
                        let text = format!(
                            "authkeys has been read again; start anew for what else differs: {others}"
                        );
                        (Severity::Warning, text)
                    }
                }
            }
            Err(faults) => (Severity::Error, format!("nothing was changed: {faults}")),
        };
        self.tell(severity, &text);
    }

    fn request(&mut self, request: ClientRequest) {
        let snapshot = self.snapshot();
        match self.control.understand(request) {
            Some(control::Ask::Snapshot(reply)) => {
                self.control.snapshot(reply, &Snapshot::Cluster(snapshot));
            }
            Some(control::Ask::Follow(reply)) => {
                self.control.follow(reply, &Snapshot::Cluster(snapshot));
            }
            Some(control::Ask::Metrics(reply)) => Control::metrics(reply, &snapshot),
            Some(control::Ask::Opinion(id, _)) => {
                self.control.opinion(id, Err(Silence::NobodyElse));
            }
            Some(control::Ask::Command(id, _, _)) => {
                self.control.done(id, Err(TOUCHES_NOTHING.to_owned()));
            }
            Some(control::Ask::Reload(reply, _)) => {
                reply.answer(Err(TOUCHES_NOTHING.to_owned()));
            }
            None => {}
        }
    }

    /// Tells followers how it is, a moment after something has changed.
    fn show(&mut self) {
        let now = Instant::now();
        match self.publish_at {
            Some(due) if due <= now => {
                self.published = self.core.revision();
                self.publish_at = None;
                if self.control.is_followed() {
                    let snapshot = self.snapshot();
                    self.control.publish(&Snapshot::Cluster(snapshot));
                }
            }
            Some(_) => {}
            None if self.core.revision() != self.published => {
                self.publish_at = Some(now + PUBLISH_AFTER);
            }
            None => {}
        }
    }

    fn snapshot(&mut self) -> ClusterSnapshot {
        let now = Instant::now();
        self.wall.check(now);
        let at_ms = self.wall.at(now);
        let mut snapshot = self.core.snapshot(&self.site.name, at_ms, now);
        snapshot.recent = self.journal.recent();
        snapshot
    }

    fn text(&self) -> String {
        self.report.text(&self.core, &self.words, Instant::now())
    }

    /// Keeps the report where it is to be read; a full disk is told once.
    fn write(&mut self, text: &str) {
        let Some(path) = self.file.clone() else {
            return;
        };
        match report::replace(&path, text) {
            Ok(()) => self.written = true,
            Err(error) => {
                let text = format!("The report cannot be written: {}: {error}", path.display());
                if std::mem::replace(&mut self.written, false) {
                    self.tell(Severity::Error, &text);
                }
            }
        }
    }

    /// The last words; the exit code.
    async fn end(mut self, log: &Log) -> u8 {
        let text = self.text();
        self.write(&text);
        self.control.close().await;
        log.flush(log::LAST_WORDS);
        say(&text);
        let heard = self.core.lateness().any(|(_, node)| node.heartbeats > 0);
        if heard && self.core.tally().differs == 0 {
            exit::OK
        } else {
            exit::FAILED
        }
    }
}

const TOUCHES_NOTHING: &str = "a shadow touches nothing: ask the daemon itself";

/// Until something has arrived at any of them. Cancel-safe.
async fn readable(taps: &[Tap]) {
    std::future::poll_fn(|context| {
        let mut ready = std::task::Poll::Pending;
        for tap in taps {
            if tap.poll_readable(context).is_ready() {
                ready = std::task::Poll::Ready(());
            }
        }
        ready
    })
    .await;
}

/// What a reading under way has found, for ever if there is none. Cancel-safe.
async fn finished(
    reading: &mut Option<JoinHandle<Result<Loaded, String>>>,
) -> Result<Loaded, String> {
    let Some(under_way) = reading else {
        return std::future::pending().await;
    };
    let read = under_way.await;
    *reading = None;
    read.unwrap_or_else(|error| Err(error.to_string()))
}

/// To standard output; whoever has seen enough of it has seen enough.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
