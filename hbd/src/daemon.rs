//! Puts the daemon together: lock, identity, log, scheduling, sockets, workers and the loop, in the
//! order in which each may still refuse to start without a trace.

use crate::advice;
use crate::announce::Announcer;
use crate::cli::{Common, exit};
use crate::config::{self, Life, Loaded, Options, ThisHost};
use crate::control::Control;
use crate::doubts::Doubts;
use crate::driver::{Driver, State};
use crate::identity::{self, Identity, Keeper};
use crate::journal::Journal;
use crate::media::{self, Media, Pings};
use crate::presence::{Presence, may_pass};
use crate::reload::Reload;
use crate::resources::address::{Placement, virtual_addresses};
use crate::resources::builtin::Addresses;
use crate::resources::environment::site;
use crate::resources::kernel::Kernel;
use crate::resources::resident::Directors;
use crate::resources::view::View;
use crate::resources::{Means, Report, Resources};
use crate::surroundings::Surroundings;
use crate::wording::Wording;
use anyhow::Context;
use ha_plumbing::lockfile::LockError;
use ha_plumbing::log::{self, Level, Log};
use ha_plumbing::pace::LOOK_EVERY;
use ha_plumbing::signals::Signals;
use ha_plumbing::wall::Wall;
use ha_plumbing::{inherited, journal, realtime, service};
use ha_status::Severity;
use ha_status::socket::BindError;
use hbd_core::Cluster;
use hbd_core::output::Ending;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

/// Reports of workers that may wait for the loop; a full queue makes the workers wait.
const REPORTS_MAX: usize = 1024;
/// Threads for reading files and resolving names: small, because every page of them is locked.
const BLOCKING_THREADS_MAX: usize = 2;
const BLOCKING_STACK_BYTES: usize = 512 * 1024;
/// Pause before the kernel's notifications are asked for again.
const WATCH_PAUSE: Duration = Duration::from_secs(1);
/// The log line of a panic gets so long to be written.
const PANIC_PATIENCE: Duration = Duration::from_millis(100);

/// Runs until the end; the exit code.
pub fn run(common: &Common) -> u8 {
    let options = Options {
        node: common.node.as_deref(),
        host: &ThisHost,
    };
    let loaded = match config::load(&common.etc, options) {
        Ok(loaded) => loaded,
        Err(faults) => {
            eprint!("{}", faults.render_for_stderr());
            eprintln!("Heartbeat not started: configuration error.");
            return if faults.permission_denied() {
                exit::PERMISSION
            } else {
                exit::CONFIGURATION
            };
        }
    };
    let log = match log::start(&loaded.log_settings()) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("hbd: {error}");
            return exit::FAILED;
        }
    };
    abort_on_panic(log.clone());
    let result = prepared(common, loaded, &log);
    if let Err(error) = &result {
        log::emit(Level::Error, &format!("not started: {}", chain(error)));
    }
    log.flush(log::LAST_WORDS);
    match result {
        Ok(Ending::Released) => exit::OK,
        Ok(Ending::Held) => exit::HELD,
        Err(error) => exit_code(&error),
    }
}

/// Told apart for the old scripts, and for service managers: a second try can help against some
/// causes only.
fn exit_code(error: &anyhow::Error) -> u8 {
    let pid_file = matches!(
        error.downcast_ref(),
        Some(LockError::File { .. } | LockError::Unsteady { .. })
    );
    let denied = error.chain().any(|cause| {
        let cause = cause.downcast_ref::<std::io::Error>();
        cause.is_some_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    });
    if pid_file || denied {
        exit::PERMISSION
    } else {
        exit::FAILED
    }
}

/// The error and its causes, each once: some say themselves what caused them.
fn chain(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |told, cause| {
        let cause = cause.to_string();
        match told.as_str() {
            "" => cause,
            _ if told.contains(&cause) => told,
            _ => format!("{told}: {cause}"),
        }
    })
}

/// A half-alive node is worse than a dead one: whatever panics, the process ends at once, and the
/// peer takes over. The log gets a moment to say why.
fn abort_on_panic(log: Log) {
    std::panic::set_hook(Box::new(move |panic| {
        let text = format!("hbd ends at once, its resources stay as they are: {panic}");
        log::emit(Level::Critical, &text);
        log.flush(PANIC_PATIENCE);
        std::process::abort();
    }));
}

/// Everything that is not asynchronous, then the loop.
fn prepared(common: &Common, loaded: Loaded, log: &Log) -> anyhow::Result<Ending> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // Refused by kernels before 5.11 only: then scripts inherit what we did, as of old.
    let _ = inherited::keep_to_ourselves();
    // Held until the end. Before the identity, which a second instance must not use up.
    let (presence, trouble) = Presence::claim(common)?;
    if let Some(trouble) = trouble {
        log::emit(Level::Warning, &trouble);
    }
    let identity = identity::load(
        &common.state,
        loaded.local.as_str(),
        loaded.uuid_from,
        loaded.generation_from,
    )?;
    for warning in &loaded.warnings {
        log::emit(Level::Warning, &warning.to_string());
    }
    for warning in &identity.warnings {
        log::emit(Level::Warning, warning);
    }
    let version = env!("CARGO_PKG_VERSION");
    log::emit(
        Level::Info,
        &format!("Configuration validated. Starting heartbeat (hbd {version})"),
    );
    let generation = identity.generation;
    log::emit(Level::Info, &format!("Heartbeat generation: {generation}"));
    if let Some(settings) = loaded.realtime {
        for denied in realtime::enter(settings) {
            log::emit(Level::Warning, &denied.to_string());
        }
    }
    let life = Life {
        uuid: identity.uuid,
        generation,
        seed: identity.seed,
        wall: Wall::now(Instant::now()),
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_stack_size(BLOCKING_STACK_BYTES)
        .build()
        .context("runtime")?
        .block_on(async {
            let who = (life, identity);
            let signals = Signals::new().context("signals")?;
            let driver = driver(common, loaded, who, log.clone(), (presence, signals)).await?;
            service::ready("running");
            Ok(driver.run().await)
        })
}

/// Opens everything that needs the runtime.
async fn driver(
    common: &Common,
    loaded: Loaded,
    (life, identity): (Life, Identity),
    log: Log,
    (presence, signals): (Presence, Signals),
) -> anyhow::Result<Driver> {
    let (report, reports) = mpsc::channel(REPORTS_MAX);
    let kernel = Kernel::connect()?;
    let view = kernel.view().await?;
    let used = Loaded {
        media: media::without_ourselves(&loaded.media, &view),
        ..loaded.clone()
    };
    let mut config = used.core_config(life);
    config.known.clone_from(&identity.known);
    let shared = virtual_addresses(&loaded.groups);
    let links = config.links.ids().zip(used.media).collect();
    let asked = config.pings.ids().zip(used.pings).collect();
    let pings = Pings::new(asked, life.generation, config.keepalive);
    let (media, told) = Media::open(links, pings, shared, &view)?;
    for (severity, text) in &told {
        journal::log(*severity, text);
    }
    let (announcer, denied) = Announcer::new();
    if let Some(error) = denied {
        let text = format!("taken addresses will not be announced by ARP: {error}");
        log::emit(Level::Warning, &text);
    }
    let interfaces = watch_kernel(&kernel, &announcer, view, report.clone());
    let (sites, site) = watch::channel(Arc::new(site(&common.etc, &loaded)));
    let means = Means {
        site,
        addresses: Addresses { kernel, announcer },
        builtin: loaded.builtin,
        directors: loaded.builtin.then(|| Directors::new(&common.etc)),
        reports: report.clone(),
    };
    let control = control(common, loaded.local.as_str(), &presence).await?;
    let keeper = keep(common, identity, report.clone());
    let mut second = tokio::time::interval(LOOK_EVERY);
    second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    Ok(Driver {
        wording: Wording::new(&config),
        journal: Journal::new(life.wall),
        doubts: Doubts::new(&loaded, life),
        surroundings: Surroundings::new(&config.groups),
        keeper,
        resources: Resources::new(&config.groups, loaded.script_limits, &means),
        reload: Reload::new(common.etc.clone(), common.node.clone()),
        sites,
        state: State::new(life.wall),
        core: Cluster::new(config, life.wall.since),
        media,
        control,
        reports,
        reporting: report,
        directors: advice::folders(&common.run),
        interfaces,
        signals,
        second,
        loaded,
        log,
        presence,
    })
}

/// Keeps what the next life must know.
fn keep(common: &Common, identity: Identity, reports: mpsc::Sender<Report>) -> Keeper {
    // When the queue is full, others tell worse things.
    let tell = move |text| drop(reports.try_send(Report::Tell(Severity::Warning, text)));
    Keeper::spawn(common.state.clone(), identity.known, identity.unsaved, tell)
}

/// The status socket now, or when there is a place for it.
async fn control(common: &Common, node: &str, presence: &Presence) -> anyhow::Result<Control> {
    let path = common.socket();
    let error = match Control::open(&path, node).await {
        Ok(control) => return Ok(control),
        Err(error) => error,
    };
    let passes = match &error {
        BindError::Bind { source, .. } => presence.is_makeshift() || may_pass(source),
        BindError::InUse(_) | BindError::NotASocket(_) => false,
    };
    if !passes {
        return Err(error.into());
    }
    let text = format!("no status socket: {error}; it is tried again");
    log::emit(Level::Warning, &text);
    Ok(Control::open_later(&path, node))
}

/// Follows links and addresses in a task of its own.
fn watch_kernel(
    kernel: &Kernel,
    announcer: &Announcer,
    view: Arc<View>,
    reports: mpsc::Sender<Report>,
) -> watch::Receiver<Arc<View>> {
    let (changed, interfaces) = watch::channel(view);
    let (watching, announcer) = (kernel.clone(), announcer.clone());
    let announce = {
        let kernel = kernel.clone();
        move |placements: &[Placement], view: &View| {
            announcer.announce(placements, view, &kernel);
        }
    };
    tokio::spawn(async move {
        let mut told = None;
        loop {
            let error = watching.watch(&announce, &reports, &changed).await;
            let text = format!("addresses that vanish are not put back for now: {error}");
            if told.as_ref() != Some(&text) {
                log::emit(Level::Error, &text);
                told = Some(text);
            }
            tokio::time::sleep(WATCH_PAUSE).await;
        }
    });
    interfaces
}

#[cfg(test)]
mod tests;
