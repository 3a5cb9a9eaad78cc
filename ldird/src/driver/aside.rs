//! What is done beside the table: fallbackcommand, callback, monitor files, and the directors of
//! other configurations. Each is a task with a limit that reports back; none is ever waited for, except for
//! a moment at the end.

use super::Driver;
use crate::config::{Configuration, Operations};
use crate::process::{self, Job, Leftovers, Output, Unfinished};
use crate::wording::Line;
use ha_status::{Role, Severity};
use ldird_core::calls::{Call, Calls, Order};
use ldird_core::config::ProbeId;
use ldird_core::input::Verdict;
use ldird_core::table::{Protocol, ServiceKey};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::{AbortHandle, JoinSet, spawn_blocking};
use tokio::time::timeout;

/// Fallbackcommands that run at once.
const COMMANDS_MAX: usize = 8;
/// For one of them.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// For the callback.
const CALLBACK_LIMIT: Duration = Duration::from_secs(300);
/// For one command to another director; it has limits of its own below this one.
const DIRECTOR_LIMIT: Duration = Duration::from_secs(75);
/// At the end all of this is waited for no longer, and for less when the table is handed over.
const LAST_LIMIT: Duration = Duration::from_secs(3);
const HAND_OVER_LIMIT: Duration = Duration::from_secs(1);

/// How the directors of other configurations are reached: this program, and our own options.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) options: Vec<OsString>,
}

impl Program {
    /// Ourselves.
    pub(crate) fn own(etc: &Path, run: &Path) -> Self {
        let options: [OsString; 4] = ["--etc".into(), etc.into(), "--run".into(), run.into()];
        let own = std::env::current_exe().ok().filter(|path| path.is_file());
        Self {
            // A binary that was replaced meanwhile has no path any more.
            path: own.unwrap_or_else(|| "ldird".into()),
            options: options.to_vec(),
        }
    }
}

/// What was done.
#[derive(Debug)]
pub(super) enum Done {
    Call(ServiceKey, Option<Line>),
    Callback(Option<Line>),
    Directors(Vec<Line>),
}

#[derive(Debug)]
pub(super) struct Aside {
    calls: Calls,
    /// Services with a command whose state may have changed.
    open: BTreeSet<ServiceKey>,
    commands: Arc<Semaphore>,
    tasks: JoinSet<Done>,
    callback: Callback,
    program: Program,
    /// One command to other directors after the other.
    turn: Arc<Mutex<()>>,
    directing: Option<AbortHandle>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Callback {
    Rests,
    Runs,
    /// It runs, and is to run once more.
    RunsAgain,
}

impl Aside {
    pub(super) fn new(program: Program, operations: &Operations) -> Self {
        let mut aside = Self {
            calls: Calls::default(),
            open: BTreeSet::new(),
            commands: Arc::new(Semaphore::new(COMMANDS_MAX)),
            tasks: JoinSet::new(),
            callback: Callback::Rests,
            program,
            turn: Arc::default(),
            directing: None,
        };
        aside.set(operations);
        aside
    }

    fn set(&mut self, operations: &Operations) {
        self.calls.set(&operations.fallbackcommands);
        self.open = operations.fallbackcommands.keys().copied().collect();
    }

    /// The next thing that was done; waits for ever while nothing is. Dropping the future loses
    /// nothing.
    pub(super) async fn done(&mut self) -> Done {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(done)) => return done,
                // Aborted, or a bug that cost one command.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }

    fn call(&mut self, order: Order) {
        let places = Arc::clone(&self.commands);
        self.tasks.spawn(async move {
            // Only closing it fails, and nobody does.
            let _place = places.acquire().await;
            let text = command(&order);
            let said = run(Job::shell(&text), COMMAND_LIMIT).await;
            Done::Call(order.service, said.map(|why| failed(&text, &why)))
        });
    }

    fn call_back(&mut self, callback: &str, file: &Path) {
        if self.callback != Callback::Rests {
            self.callback = Callback::RunsAgain;
            return;
        }
        self.callback = Callback::Runs;
        let (callback, file) = (callback.to_owned(), quoted(&file.display().to_string()));
        self.tasks.spawn(async move {
            let program = process::words(&callback).into_iter().next();
            let found =
                spawn_blocking(move || process::find(Path::new(&program.unwrap_or_default())));
            // As before, that is no error: the file may be meant for several machines.
            if let Ok(Err(why)) = found.await {
                let text = format!("The callback is not run: {why}");
                return Done::Callback(Some(Line::new(Severity::Info, text)));
            }
            let text = format!("{callback} {file}");
            let said = run(Job::shell(&text), CALLBACK_LIMIT).await;
            Done::Callback(said.map(|why| failed(&text, &why)))
        });
    }

    /// Commands for other directors, one after the other.
    fn direct(&mut self, orders: Vec<(String, &'static str)>) {
        if orders.is_empty() {
            return;
        }
        let (program, turn) = (self.program.clone(), Arc::clone(&self.turn));
        let task = self.tasks.spawn(async move {
            let _turn = turn.lock().await;
            let mut lines = Vec::new();
            for (name, word) in orders {
                lines.extend(program.order(&name, word).await);
            }
            Done::Directors(lines)
        });
        self.directing = Some(task);
    }
}

impl Program {
    /// One command; a reload of a director that does not run is a start.
    async fn order(&self, name: &str, word: &'static str) -> Option<Line> {
        let why = run(self.job(name, word), DIRECTOR_LIMIT).await?;
        if word != "reload" {
            return Some(self.failed(name, word, &why));
        }
        let why = run(self.job(name, "start"), DIRECTOR_LIMIT).await?;
        Some(self.failed(name, "start", &why))
    }

    fn job(&self, name: &str, word: &str) -> Job {
        let words = [OsString::from(name), OsString::from(word)];
        Job {
            arguments: self.options.iter().cloned().chain(words).collect(),
            leftovers: Leftovers::Kept,
            output: Output::LastLine,
            ..Job::new(&self.path)
        }
    }

    fn failed(&self, name: &str, word: &str, why: &str) -> Line {
        let program = self.path.display();
        failed(&format!("{program} {name} {word}"), why)
    }
}

/// Why it failed, if it did.
async fn run(job: Job, limit: Duration) -> Option<String> {
    match job.run(limit).await {
        Ok(ran) => (!ran.succeeded()).then(|| ran.to_string()),
        Err(error @ (Unfinished::NotStarted(_) | Unfinished::TimedOut(_))) => {
            Some(error.to_string())
        }
    }
}

/// The old daemon's words.
fn failed(command: &str, why: &str) -> Line {
    Line::new(Severity::Error, format!("system({command}) failed: {why}"))
}

/// `CMD start|stop VIP:VPORT PROTO`. The old daemon had nothing but `:0` for a mark.
fn command(order: &Order) -> String {
    let word = match order.call {
        Call::Start => "start",
        Call::Stop => "stop",
    };
    let (place, protocol) = match order.service {
        ServiceKey::Address { address, protocol } => (
            address.to_string(),
            match protocol {
                Protocol::Tcp => "tcp",
                Protocol::Udp => "udp",
                Protocol::Sctp => "sctp",
            },
        ),
        ServiceKey::Fwmark { mark, .. } => (format!("fwm:{mark}"), "fwm"),
    };
    // Brackets mean something to a shell.
    let place = match order.service {
        ServiceKey::Address { address, .. } if address.is_ipv6() => quoted(&place),
        ServiceKey::Address { .. } | ServiceKey::Fwmark { .. } => place,
    };
    format!("{} {word} {place} {protocol}", order.command)
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

impl<R: FnOnce(&Configuration)> Driver<R> {
    /// To whoever keeps a file of what the checks say.
    pub(super) fn monitor(&mut self, probe: ProbeId, verdict: &Verdict) {
        let (maintenance, orders) = (&self.maintenance, &self.orders);
        let wanted = &self.configuration.operations.monitors;
        self.monitors.note(wanted, probe, verdict, |monitor| {
            let (service, real) = (monitor.service, monitor.real);
            maintenance.holds(service, real) || orders.maintains((service, real))
        });
    }

    /// Something happened to this service: its command may be due when the table shows it.
    pub(super) fn reconsider(&mut self, service: ServiceKey) {
        let commands = &self.configuration.operations.fallbackcommands;
        if commands.contains_key(&service) {
            self.aside.open.insert(service);
        }
    }

    pub(super) fn reconsider_all(&mut self) {
        let commands = &self.configuration.operations.fallbackcommands;
        self.aside.open = commands.keys().copied().collect();
    }

    /// Calls the commands of services whose state is known again.
    pub(super) fn call_commands(&mut self) {
        let director = &self.director;
        let calls = &mut self.aside.calls;
        self.aside.open.retain(|service| {
            let serving = director.serving(*service);
            if let Some(served) = serving {
                calls.want(*service, served);
            }
            serving.is_none()
        });
        while let Some(order) = self.aside.calls.due() {
            self.bell.ring();
            self.aside.call(order);
        }
    }

    /// The configuration file has changed, and is in order.
    pub(super) fn call_back(&mut self) {
        if let Some(callback) = &self.configuration.operations.callback {
            self.aside.call_back(callback, &self.instance.path);
        }
    }

    /// This director becomes active, or stands by: with it those who live with it, and the commands.
    pub(super) fn turn_aside(&mut self, role: Role) {
        if self.director.role() == role {
            return;
        }
        self.mail_turn(role);
        match role {
            Role::Active => {
                self.aside.calls.begin();
                self.reconsider_all();
                self.start_others_of(role);
            }
            Role::Standby => {
                self.stop_others();
                let stop = self.configuration.operations.fallbackcommandstop;
                self.aside.calls.end(stop);
            }
        }
    }

    /// The table is set up: the directors that live with this one follow.
    pub(super) fn start_others(&mut self) {
        self.start_others_of(self.director.role());
    }

    fn start_others_of(&mut self, role: Role) {
        if role == Role::Standby {
            return;
        }
        let names = self.others_of(&self.configuration);
        let orders = names.into_iter().map(|name| (name, "start"));
        self.aside.direct(orders.collect());
    }

    /// A new configuration is in force. Somebody `asked` for it, and means the others of `before`, too.
    pub(super) fn reload_aside(&mut self, before: &Configuration, asked: bool) {
        self.aside.set(&self.configuration.operations);
        if !asked || self.director.role() == Role::Standby {
            return;
        }
        let (old, new) = (self.others_of(before), self.others_of(&self.configuration));
        let gone = old.iter().filter(|name| !new.contains(name));
        let gone = gone.map(|name| (name.clone(), "stop"));
        let rest = new.iter().map(|name| {
            let word = if old.contains(name) {
                "reload"
            } else {
                "start"
            };
            (name.clone(), word)
        });
        self.aside.direct(gone.chain(rest).collect());
    }

    /// Whatever is being said to other directors, it is stop from now on.
    pub(super) fn stop_others(&mut self) {
        if self.director.role() == Role::Standby {
            return;
        }
        if let Some(directing) = self.aside.directing.take() {
            directing.abort();
        }
        let names = self.others_of(&self.configuration);
        let orders = names.into_iter().map(|name| (name, "stop"));
        self.aside.direct(orders.collect());
    }

    /// Never this very file.
    fn others_of(&self, configuration: &Configuration) -> Vec<String> {
        let own = &self.instance;
        let names = configuration.operations.executes.iter();
        let own_file = own.path.file_name();
        let others = names.filter(|name| {
            let same_name = Some(name.as_ref()) == own_file;
            !same_name && Path::new(name) != own.path
        });
        others.cloned().collect()
    }

    pub(super) fn done(&mut self, done: Done) {
        match done {
            Done::Call(service, said) => {
                self.aside.calls.done(service);
                self.tell_some(said);
                self.call_commands();
            }
            Done::Callback(said) => {
                let again = self.aside.callback == Callback::RunsAgain;
                self.aside.callback = Callback::Rests;
                self.tell_some(said);
                if again {
                    self.call_back();
                }
            }
            Done::Directors(lines) => self.tell_some(lines),
        }
    }

    fn tell_some(&mut self, lines: impl IntoIterator<Item = Line>) {
        for line in lines {
            self.tell(&line);
        }
    }

    /// The last calls, and what still runs: for a moment.
    pub(super) async fn finish_aside(&mut self, stopped: bool) {
        let stop = stopped && self.configuration.operations.fallbackcommandstop;
        self.aside.calls.end(stop);
        let last = async {
            self.call_commands();
            while let Some(done) = self.aside.tasks.join_next().await {
                if let Ok(done) = done {
                    self.done(done);
                }
            }
        };
        let limit = if stopped { LAST_LIMIT } else { HAND_OVER_LIMIT };
        if timeout(limit, last).await.is_err() {
            let text = "Commands that still run are ended with this director";
            self.tell(&Line::new(Severity::Warning, text));
        }
    }
}
