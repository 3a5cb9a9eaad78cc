//! A director's life around its loop: log, pid file, kernel, status socket, and the order in which
//! they come and go.

use crate::apply::Kernel;
use crate::config::{Configuration, LogTarget};
use crate::console::{CONFIGURATION, FAILED, OK};
use crate::control;
use crate::driver::{Driver, End, Parts, Program};
use crate::dry_run;
use crate::instance::{Instance, State};
use crate::launch;
use crate::mail::Office;
use crate::probes::Catalogue;
use crate::siblings;
use crate::standing::{Beginning, Standing};
use crate::sync::Daemons;
use crate::wording::{self, BANNER, Line};
use ha_plumbing::claim::{self, Claim, Kind};
use ha_plumbing::lockfile::{self, LockError, Lockfile};
use ha_plumbing::log::{self, Console};
use ha_plumbing::service;
use ha_plumbing::signals::Signals;
use ha_status::{Role, Severity};
use ldird_ipvs::Client;
use std::io;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// The old daemon keeps no lock on its pid file; it is known by its name.
const RIVALS: &[&str] = &["ldirectord"];

/// One that ends while it is looked for has gone by the next look.
const CLAIM_TRIES: usize = 3;

/// How the director stands towards its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Detached; the caller waits until it is ready.
    Background,
    /// In the foreground under a service manager; with pid file.
    Service,
    /// In the foreground, log on standard output, no pid file.
    Supervised,
    /// In the foreground, everything on standard error, no pid file.
    Debug,
    /// In the foreground, on a table in memory; log on standard error, no pid file.
    DryRun,
}

/// Runs a director to its end and gives the exit code.
pub(crate) async fn run(
    mode: Mode,
    instance: Instance,
    configuration: Configuration,
    catalogue: Catalogue,
    beginning: Beginning,
) -> anyhow::Result<u8> {
    if mode == Mode::Background {
        launch::detach()?;
    }
    let unwritable = unwritable(mode, &configuration.log);
    if let Some(refusal) = &unwritable {
        eprintln!("{refusal}");
        // Under a service manager every line goes to its journal as well.
        if mode == Mode::Background {
            return Ok(CONFIGURATION);
        }
    }
    let mut settings = settings(mode, &instance, &configuration.log);
    settings.logfile = settings.logfile.filter(|_| unwritable.is_none());
    let log = log::start(&settings)?;
    // The loop's state is large, and all who wait for it would carry it.
    let serving = Box::pin(serve(mode, instance, configuration, catalogue, beginning));
    let code = serving.await;
    log.flush(log::LAST_WORDS);
    code
}

async fn serve(
    mode: Mode,
    instance: Instance,
    configuration: Configuration,
    catalogue: Catalogue,
    beginning: Beginning,
) -> anyhow::Result<u8> {
    info(invocation());
    if let State::Stale(pid) = instance.state() {
        let (pid, path) = (pid.as_raw_nonzero(), instance.path.display());
        let text = format!("ldirectord stale pid file {pid} for {path}");
        Line::new(Severity::Warning, text).log();
    }
    // First of all: nobody may take a director that is just beginning for an active one.
    let standing = Standing::find(&instance, beginning);
    info(role(&standing));
    let (_resident, standby) = match claim_duty(&instance, &standing) {
        Ok(claims) => claims,
        Err(error) => return Ok(refuse(&error)),
    };
    let (_claim, pidfile) = match hold(mode, &instance) {
        Ok(held) => held,
        Err(code) => return Ok(code),
    };
    let siblings = siblings::living(&instance).await;
    if let Some(conflict) = siblings::conflict(&siblings, siblings::keys(&configuration.core)) {
        return Ok(refuse(&conflict));
    }
    // What we start must hold nothing of ours; where the kernel is too old, the usual has to do.
    let _ = ha_plumbing::inherited::keep_to_ourselves();
    let signals = Signals::new()?;
    let quit = signal(SignalKind::quit())?;
    let kernel = match kernel(mode).await {
        Ok(kernel) => kernel,
        Err(error) => return Ok(refuse(&error.to_string())),
    };
    let control = listen(&instance).await;
    info(match mode {
        Mode::Background => format!("Starting {BANNER} as daemon"),
        Mode::Service | Mode::Supervised | Mode::Debug => {
            format!("Starting {BANNER} with pid: {}", std::process::id())
        }
        Mode::DryRun => format!("Starting a dry run of {BANNER}: nothing is touched"),
    });
    let parts = Parts {
        standing,
        standby,
        program: Program::own(&instance.etc, &instance.run),
        office: Office::here(),
        instance,
        pidfile,
        configuration,
        catalogue,
        kernel,
        dry: mode == Mode::DryRun,
        daemons: Daemons::start(),
        signals,
        quit,
        control,
        siblings,
    };
    let driver = Driver::new(parts, |configuration: &Configuration| {
        ready(mode, configuration);
    });
    Ok(ended(driver.run().await))
}

async fn kernel(mode: Mode) -> Result<Kernel, ldird_ipvs::Error> {
    match mode {
        Mode::DryRun => Ok(dry_run::kernel(Arc::default())),
        Mode::Background | Mode::Service | Mode::Supervised | Mode::Debug => {
            Ok(Kernel::start(Client::connect().await?))
        }
    }
}

/// Balancing matters more than being watched: without a socket it is tried again.
async fn listen(instance: &Instance) -> ha_status::socket::Control {
    match control::listen(instance).await {
        Ok(control) => control,
        Err(error) => {
            let text = format!("No status socket: {error}; it is tried again");
            Line::new(Severity::Warning, text).log();
            control::listen_later(instance)
        }
    }
}

/// What a director that starts begins with.
fn role(standing: &Standing) -> String {
    match (standing.resident, standing.role) {
        (false, Role::Active | Role::Standby) => "Active from the start".to_owned(),
        (true, Role::Active) => format!(
            "Active from the start, for {} asked for that in an earlier life",
            standing.by
        ),
        (true, Role::Standby) => {
            "On standby until the resource becomes active here (ldird start)".to_owned()
        }
    }
}

/// What the loop ended with, in the log and as an exit code.
fn ended(end: End) -> u8 {
    match end {
        End::Stopped(signal) => {
            info(format!(
                "Linux Director Daemon terminated on signal: {signal}"
            ));
            OK
        }
        End::Unclean(signal) => refuse(&format!(
            "stopped on signal {signal}, and the table is not clean"
        )),
        End::HandedOver => {
            info("Handed over: the table stays as it is for the next director");
            OK
        }
        End::NeverStarted(error) => refuse(&error),
    }
}

fn ready(mode: Mode, configuration: &Configuration) {
    let services = configuration.core.services.len();
    service::ready(&wording::counted(services, "virtual server"));
    if mode == Mode::Background
        && let Err(error) = launch::say_ready()
    {
        let text = format!("The terminal could not be let go of: {error}");
        Line::new(Severity::Warning, text).log();
    }
}

fn info(text: impl Into<String>) {
    Line::new(Severity::Info, text).log();
}

/// The reason on standard error, where the caller of `start` sees it, and in the log.
fn refuse(reason: &str) -> u8 {
    eprintln!("{reason}");
    let text = format!("Exiting with exit_status {FAILED}: {reason}");
    Line::new(Severity::Critical, text).log();
    FAILED
}

/// As the old daemon logs it, with its blank at the end.
fn invocation() -> String {
    let mut text = "Invoking ldirectord invoked as: ".to_owned();
    for argument in std::env::args_os() {
        text.push_str(&argument.to_string_lossy());
        text.push(' ');
    }
    text
}

/// What nobody else may hold while this director lives, or the exit code if somebody does.
fn hold(mode: Mode, instance: &Instance) -> Result<(Option<Claim>, Option<Lockfile>), u8> {
    if mode == Mode::DryRun {
        return Ok((None, None));
    }
    let claim = match hold_file(instance) {
        Ok(held) => held,
        // As always for who says start; a service manager must not take it for a start.
        Err(Unheld::Running(_)) if mode == Mode::Background => return Err(OK),
        Err(why) => {
            let path = instance.path.display();
            return Err(refuse(&format!("{why} ({path})")));
        }
    };
    match hold_pidfile(mode, instance) {
        Ok(pidfile) => Ok((Some(claim), pidfile)),
        Err(LockError::Running { .. }) if mode == Mode::Background => Err(OK),
        Err(error @ LockError::Running { .. }) => Err(refuse(&error.to_string())),
        Err(error) => Err(refuse(&format!("Can not open PIDFILE: {error}"))),
    }
}

/// The claims by which everybody knows that it is resident, and on standby.
fn claim_duty(
    instance: &Instance,
    standing: &Standing,
) -> Result<(Option<Claim>, Option<Claim>), String> {
    let claim = |kind, wanted: bool| {
        let claim = wanted.then(|| claimed(kind, instance)).transpose();
        claim.map_err(|error| {
            let path = instance.path.display();
            match claim::holder(kind, instance.subject()) {
                Some(pid) => {
                    let pid = pid.as_raw_nonzero();
                    format!("{path} is run on standby already by pid {pid}: {error}")
                }
                None => format!("nobody would know that {path} is run on standby: {error}"),
            }
        })
    };
    let resident = claim(Kind::Resident, standing.resident)?;
    let standby = claim(Kind::Standby, standing.role == Role::Standby)?;
    Ok((resident, standby))
}

fn claimed(kind: Kind, instance: &Instance) -> io::Result<Claim> {
    let claim = Claim::acquire(kind, instance.subject())?;
    if let Some(line) = wording::claim_weak(&claim) {
        line.log();
    }
    Ok(claim)
}

/// Why the claim on the configuration file cannot be had.
#[derive(Debug, thiserror::Error)]
enum Unheld {
    #[error("already running [pid {0}]")]
    Running(i32),
    /// Somebody holds it, of whom the kernel says no pid: one of another pid namespace, or one whose
    /// queue is full.
    #[error(
        "another director holds the claim on this file, and cannot be named: ss -lxp shows who listens \
         at @ldird:… or in the run folder"
    )]
    Nameless,
    /// Neither place of the claim can be had, so that nobody can tell.
    #[error("whether another director runs this file cannot be known: {0}")]
    Unknowable(io::Error),
}

/// The claim on the configuration file. Two directors of one file would undo each other's work, so that
/// who cannot have it does not start: no more than with one that is known to run.
fn hold_file(instance: &Instance) -> Result<Claim, Unheld> {
    for _ in 0..CLAIM_TRIES {
        let error = match claimed(Kind::Director, instance) {
            Ok(claim) => return Ok(claim),
            Err(error) => error,
        };
        if error.kind() != io::ErrorKind::AddrInUse {
            return Err(Unheld::Unknowable(error));
        }
        if let Some(pid) = claim::holder(Kind::Director, instance.subject()) {
            return Err(Unheld::Running(pid.as_raw_nonzero().get()));
        }
        // It may have ended just now.
    }
    Err(Unheld::Nameless)
}

fn hold_pidfile(mode: Mode, instance: &Instance) -> Result<Option<Lockfile>, LockError> {
    match mode {
        Mode::Background | Mode::Service => {
            let held = Lockfile::acquire(&instance.pidfile, lockfile::Layout::Plain, RIVALS)?;
            Ok(Some(held))
        }
        Mode::Supervised | Mode::Debug | Mode::DryRun => Ok(None),
    }
}

/// Why the log cannot be written, if that is so. A log that fails later is only missed.
fn unwritable(mode: Mode, target: &LogTarget) -> Option<String> {
    let (Mode::Background | Mode::Service, LogTarget::File(path)) = (mode, target) else {
        return None;
    };
    let opened = std::fs::File::options()
        .append(true)
        .create(true)
        .open(path);
    let error = opened.err()?;
    Some(format!(
        "unable to open logfile: {}: {error}",
        path.display()
    ))
}

fn settings(mode: Mode, instance: &Instance, target: &LogTarget) -> log::Settings {
    let console = match mode {
        Mode::Background => Console::Off,
        Mode::Service | Mode::DryRun => Console::detect(),
        Mode::Supervised => Console::Dated,
        Mode::Debug => Console::Bare,
    };
    let background = matches!(mode, Mode::Background | Mode::Service);
    let (logfile, facility) = match target {
        LogTarget::File(path) if background => (Some(path.clone()), None),
        LogTarget::Syslog(facility) if background => (None, Some(*facility)),
        LogTarget::File(_) | LogTarget::Syslog(_) => (None, None),
    };
    log::Settings {
        layout: log::Layout::Ldirectord {
            config: instance.name.clone(),
        },
        console,
        logfile,
        debugfile: None,
        facility,
        debug: if mode == Mode::Debug { 2 } else { 0 },
    }
}

#[cfg(test)]
mod tests;
