//! The commands that only look or ask: start, stop and their kin, status, check (specification 3.9).
//! Each gives an exit code and says on standard output or error what scripts expect there.

use crate::check;
use crate::cli::orders::{self, Verb};
use crate::cli::{Command, Invocation, Running};
use crate::config::Configuration;
use crate::console::{CONFIGURATION, FAILED, NOT_RUNNING, OK, USAGE, load, say};
use crate::daemon::{self, Mode};
use crate::duty::NotDone;
use crate::instance::{self, Instance, NotFound, STOP_LIMIT, State};
use crate::launch::{self, Started};
use crate::probes::Catalogue;
use crate::standing::{self, Beginning};
use crate::{apply, dry_run, duty, import, ipvs, ledger, plan, shadow, show, siblings, sync};
use anyhow::Context as _;
use ha_status::socket::Client;
use ha_status::{Action, Reply, Request, Role};
use ldird_core::table::ServiceKey;
use rustix::process::Pid;
use std::time::Duration;
use tokio::time::timeout;

/// A reload is in force or refused by then, unless the kernel or a name server hangs.
const RELOAD_LIMIT: Duration = Duration::from_secs(60);

/// Carries out one command and gives its exit code.
pub(crate) async fn run(invocation: &Invocation) -> anyhow::Result<u8> {
    if let Command::Ipvs(what) = invocation.command {
        return ipvs::run(what, &invocation.more, &invocation.run).await;
    }
    if invocation.command == Command::Import {
        return Ok(import::run(&invocation.more, &invocation.etc));
    }
    if let Command::Check(manner) = invocation.command {
        return Ok(check::run(invocation, manner).await);
    }
    let instance = match located(invocation) {
        Ok(instance) => instance,
        Err(error) => {
            eprintln!("{error}");
            return Ok(FAILED);
        }
    };
    match invocation.command {
        Command::Start => start(invocation, instance).await,
        Command::Stop => stop(&instance).await,
        Command::Restart => restart(invocation, instance).await,
        Command::TryRestart => match instance.state() {
            State::Running(_) => restart(invocation, instance).await,
            // The one in the background took over from it.
            _ if launch::is_background() => restart(invocation, instance).await,
            State::Stale(_) | State::Stopped => Ok(OK),
        },
        Command::Reload { force } => reload(&instance, force).await,
        Command::Status => {
            let code = status(&instance);
            older_rules(&instance).await;
            for other in others(invocation, &instance) {
                status(&other);
                older_rules(&other).await;
            }
            Ok(code)
        }
        Command::Run(Running::Active) => serve(instance, false).await,
        Command::Run(Running::Standby) => serve(instance, true).await,
        Command::Run(Running::DryRun) => rehearse(&instance).await,
        Command::Check(manner) => Ok(check::run(invocation, manner).await),
        Command::Order(verb) => Ok(order(invocation, &instance, verb).await),
        Command::Plan => plan::run(&instance).await,
        Command::Shadow => shadowed(invocation, &instance).await,
        Command::Show { json, follow } => show::run(&instance, json, follow).await,
        Command::Ipvs(what) => ipvs::run(what, &invocation.more, &invocation.run).await,
        Command::Import => Ok(import::run(&invocation.more, &invocation.etc)),
    }
}

/// What runs is stopped and looked at without its file, too.
fn located(invocation: &Invocation) -> Result<Instance, NotFound> {
    let located = Instance::locate(invocation);
    if located.is_ok() {
        return located;
    }
    match invocation.command {
        Command::Stop | Command::Status | Command::Show { .. } => {
            Instance::orphan(invocation).map_or(located, Ok)
        }
        Command::Start
        | Command::Restart
        | Command::TryRestart
        | Command::Reload { .. }
        | Command::Run(_)
        | Command::Check(_)
        | Command::Plan
        | Command::Shadow
        | Command::Ipvs(_)
        | Command::Order(_)
        | Command::Import => located,
    }
}

async fn start(invocation: &Invocation, instance: Instance) -> anyhow::Result<u8> {
    if launch::is_background() {
        return run_in_background(invocation, instance).await;
    }
    // One that runs goes on with the configuration that it has, whatever became of the file.
    if let State::Running(pid) = instance.state()
        && instance::is_ours(pid)
    {
        return Ok(activate(&instance, pid).await);
    }
    let (configuration, catalogue) = load(&instance);
    let Some(configuration) = configuration else {
        return Ok(CONFIGURATION);
    };
    if let State::Running(_) = instance.state() {
        return Ok(OK);
    }
    launch(invocation, instance, configuration, catalogue).await
}

/// A director on standby becomes active; one that is active already is left alone.
async fn activate(instance: &Instance, pid: Pid) -> u8 {
    let duty = duty::of(instance, pid);
    if !duty.resident && duty.role == Role::Active {
        return OK;
    }
    told(instance, pid, Action::Serve).await
}

async fn told(instance: &Instance, pid: Pid, action: Action) -> u8 {
    match duty::tell(instance, pid, action.clone()).await {
        Ok(text) => {
            // What is to be known beside the role.
            for line in text.lines().skip(1) {
                eprintln!("{line}");
            }
            OK
        }
        Err(why) => not_done(instance, action, &why),
    }
}

fn not_done(instance: &Instance, action: Action, why: &NotDone) -> u8 {
    let (path, what) = (instance.path.display(), action.word());
    eprintln!("ldirectord for {path} is not {what}: {why}");
    FAILED
}

/// An operator's word, and what the director says to it.
async fn order(invocation: &Invocation, instance: &Instance, verb: Verb) -> u8 {
    let action = match orders::read(verb, &invocation.more, invocation.force) {
        Ok(action) => action,
        Err(complaint) => {
            eprintln!("{complaint}");
            return USAGE;
        }
    };
    let State::Running(pid) = instance.state() else {
        eprintln!("ldirectord is stopped for {}", instance.path.display());
        return FAILED;
    };
    match duty::tell(instance, pid, action).await {
        Ok(text) => {
            say(&format!("{text}\n"));
            OK
        }
        Err(error) => {
            eprintln!("{error}");
            FAILED
        }
    }
}

async fn shadowed(invocation: &Invocation, instance: &Instance) -> anyhow::Result<u8> {
    match crate::cli::shadow::read(&invocation.more) {
        Ok(watch) => shadow::run(instance, &watch).await,
        Err(complaint) => {
            eprintln!("{complaint}");
            Ok(USAGE)
        }
    }
}

/// In the foreground. A resident director takes over from one that was started for its resource,
/// without anybody noticing: that one's table is active, and stays.
async fn serve(instance: Instance, resident: bool) -> anyhow::Result<u8> {
    let (Some(loaded), catalogue) = load(&instance) else {
        return Ok(CONFIGURATION);
    };
    if resident
        && let State::Running(pid) = instance.state()
        && instance::is_ours(pid)
    {
        let duty = duty::of(&instance, pid);
        if !duty.resident {
            if !instance::hand_over(pid).await? {
                return Ok(still_there(&instance, pid));
            }
            standing::note_active(&instance)?;
        }
    }
    let beginning = if resident {
        Beginning::Resident
    } else {
        Beginning::Started
    };
    daemon::run(Mode::Service, instance, loaded, catalogue, beginning).await
}

/// In the foreground, beside whatever director runs.
async fn rehearse(instance: &Instance) -> anyhow::Result<u8> {
    let (Some(loaded), catalogue) = load(instance) else {
        return Ok(CONFIGURATION);
    };
    let instance = dry_run::instance(instance).context("the folder of a dry run")?;
    let loaded = dry_run::harmless(loaded);
    let beginning = Beginning::Started;
    daemon::run(Mode::DryRun, instance, loaded, catalogue, beginning).await
}

/// A hand-over: the table stays as it is while one director ends and the next begins. Nothing is
/// ended for a configuration that the next could not run.
async fn restart(invocation: &Invocation, instance: Instance) -> anyhow::Result<u8> {
    if launch::is_background() {
        return run_in_background(invocation, instance).await;
    }
    let (configuration, catalogue) = load(&instance);
    let Some(configuration) = configuration else {
        if let State::Running(_) = instance.state() {
            eprintln!("nothing is changed: the running director goes on");
        }
        return Ok(CONFIGURATION);
    };
    if let State::Running(pid) = instance.state()
        && !instance::hand_over(pid).await?
    {
        return Ok(still_there(&instance, pid));
    }
    launch(invocation, instance, configuration, catalogue).await
}

/// Starts a director for a configuration that is in order.
async fn launch(
    invocation: &Invocation,
    instance: Instance,
    configuration: Configuration,
    catalogue: Catalogue,
) -> anyhow::Result<u8> {
    let beginning = beginning(invocation);
    if invocation.debug {
        return daemon::run(Mode::Debug, instance, configuration, catalogue, beginning).await;
    }
    if configuration.supervised {
        return daemon::run(
            Mode::Supervised,
            instance,
            configuration,
            catalogue,
            beginning,
        )
        .await;
    }
    match launch::launch().await? {
        Started::Ready => Ok(OK),
        Started::Failed(code) => Ok(code),
        Started::Slow => {
            eprintln!(
                "ldirectord for {} is not ready yet and goes on trying",
                instance.path.display()
            );
            Ok(FAILED)
        }
    }
}

/// A restart is a director in the place of another, whatever became of that one.
fn beginning(invocation: &Invocation) -> Beginning {
    if matches!(invocation.command, Command::Restart | Command::TryRestart) {
        Beginning::Restarted
    } else {
        Beginning::Started
    }
}

/// Warnings have been told by the process that launched us.
async fn run_in_background(invocation: &Invocation, instance: Instance) -> anyhow::Result<u8> {
    let mut catalogue = Catalogue::default();
    match crate::config::load(&instance.path, &mut catalogue).0 {
        Some(loaded) => {
            let beginning = beginning(invocation);
            daemon::run(Mode::Background, instance, loaded, catalogue, beginning).await
        }
        None => Ok(CONFIGURATION),
    }
}

async fn stop(instance: &Instance) -> anyhow::Result<u8> {
    let State::Running(pid) = instance.state() else {
        return clean_up(instance).await;
    };
    let duty = duty::of(instance, pid);
    if duty.resident {
        let Err(why) = duty::tell(instance, pid, Action::HoldBack).await else {
            return Ok(OK);
        };
        // One that is frozen on standby has nothing in the table.
        if duty.role == Role::Standby && duty::of(instance, pid) == duty {
            return Ok(OK);
        }
        return match why {
            NotDone::Said(_) => Ok(not_done(instance, Action::HoldBack, &why)),
            NotDone::Silent(_) => end_frozen(instance, pid, &why).await,
        };
    }
    if instance::stop(pid).await? {
        return Ok(OK);
    }
    Ok(still_there(instance, pid))
}

/// An active director that answers nobody: another node is to have the table, so it is killed and what
/// it leaves is taken out. Its next life begins on standby.
async fn end_frozen(instance: &Instance, pid: Pid, why: &NotDone) -> anyhow::Result<u8> {
    let path = instance.path.display();
    eprintln!("ldirectord for {path}: {why}; it is killed, and its table taken out");
    // Before it ends: the service manager may start the next one at once.
    forget_active(instance)?;
    if instance::kill(pid).await? {
        return clean_up(instance).await;
    }
    Ok(still_there(instance, pid))
}

fn forget_active(instance: &Instance) -> anyhow::Result<()> {
    standing::clear(instance).context("the file that says that the resource is active here")
}

/// No director runs: what one that was killed has left behind leaves now, as `cleanstop` says, and its
/// next life begins on standby.
async fn clean_up(instance: &Instance) -> anyhow::Result<u8> {
    forget_active(instance)?;
    let daemons = sync::left_behind(instance);
    if !daemons.is_empty() {
        match sync::stop_left(daemons).await {
            Ok(()) => sync::forget(instance)?,
            // The table matters more.
            Err(error) => eprintln!("the sync daemon stays: {error}"),
        }
    }
    let mut left = ledger::left_behind(instance);
    if left.is_empty() {
        return Ok(OK);
    }
    let (configuration, _) = crate::config::load(&instance.path, &mut Catalogue::default());
    let services = configuration.map(|all| all.core.services);
    for kept in services.iter().flatten().filter(|one| !one.cleanstop) {
        left.remove(&kept.key);
    }
    let siblings = siblings::living(instance).await;
    let others = siblings::wanted(&siblings, &left);
    let gone: Vec<ServiceKey> = left.difference(&others).copied().collect();
    apply::take_out(gone).await?;
    ledger::forget(instance)?;
    Ok(OK)
}

fn still_there(instance: &Instance, pid: Pid) -> u8 {
    eprintln!(
        "ldirectord for {} (pid {}) has not stopped within {} s",
        instance.path.display(),
        pid.as_raw_nonzero(),
        STOP_LIMIT.as_secs()
    );
    FAILED
}

async fn reload(instance: &Instance, force: bool) -> anyhow::Result<u8> {
    let State::Running(pid) = instance.state() else {
        eprintln!("ldirectord is stopped for {}", instance.path.display());
        return Ok(FAILED);
    };
    if load(instance).0.is_none() {
        eprintln!("nothing is changed: the running director keeps its configuration");
        return Ok(CONFIGURATION);
    }
    if let Some(client) = siblings::reach(instance, pid).await {
        return reload_through(client, force).await;
    }
    if force {
        eprintln!(
            "the director with pid {} does not answer on its socket: --force cannot be told",
            pid.as_raw_nonzero()
        );
        return Ok(FAILED);
    }
    instance::hang_up(pid)?;
    Ok(OK)
}

/// Asks for a reload and waits for what becomes of it.
async fn reload_through(mut client: Client, force: bool) -> anyhow::Result<u8> {
    let action = Action::Reload { force };
    client.request(&Request::Act { action }).await?;
    let answer = timeout(RELOAD_LIMIT, client.next()).await;
    let complaint = match answer {
        Ok(Ok(Some(Reply::Done { .. }))) => return Ok(OK),
        Ok(Ok(Some(Reply::Error { text }))) => text,
        Ok(Ok(_)) => "the director ended before the reload did".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!(
            "the reload is not in force after {} s and goes on",
            RELOAD_LIMIT.as_secs()
        ),
    };
    eprintln!("{complaint}");
    Ok(FAILED)
}

/// Directors of the configurations that this one executes. Whatever else the file says.
fn others(invocation: &Invocation, instance: &Instance) -> Vec<Instance> {
    let names = crate::config::executes_of(&instance.path).into_iter();
    let located = names.filter_map(|config| {
        let name = config.rsplit('/').next().unwrap_or_default().to_owned();
        let other = Invocation {
            config,
            name,
            ..invocation.clone()
        };
        Instance::locate(&other).ok()
    });
    located
        .filter(|other| other.path != instance.path)
        .collect()
}

/// The line goes to both channels: cluster managers read one, the old daemon wrote the other.
/// On standby the resource is not active, and a manager must hear just that.
/// Says so if the director that runs has refused its file.
async fn older_rules(instance: &Instance) {
    if let Some(text) = duty::older_rules(instance).await {
        eprintln!("warning: {}: {text}", instance.path.display());
    }
}

fn status(instance: &Instance) -> u8 {
    let path = instance.path.display();
    match instance.state() {
        State::Running(pid) => {
            let duty = duty::of(instance, pid);
            let pid = pid.as_raw_nonzero();
            if duty.role == Role::Standby {
                println!(
                    "ldirectord is stopped for {path}: a director with pid {pid} checks on standby"
                );
                return NOT_RUNNING;
            }
            let line = format!("ldirectord for {path} is running with pid: {pid}");
            println!("{line}");
            eprintln!("{line}");
            OK
        }
        State::Stale(pid) => {
            let pid = pid.as_raw_nonzero();
            eprintln!("ldirectord stale pid file {pid} for {path}");
            println!("ldirectord is stopped for {path}");
            FAILED
        }
        State::Stopped => {
            println!("ldirectord is stopped for {path}");
            NOT_RUNNING
        }
    }
}
