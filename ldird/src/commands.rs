//! The commands that only look or ask: start, stop and their kin, status, check (specification 3.9).
//! Each gives an exit code and says on standard output or error what scripts expect there.

use crate::cli::{Command, Invocation};
use crate::config::{self, Configuration};
use crate::daemon::{self, Mode};
use crate::instance::{self, Instance, STOP_LIMIT, State};
use crate::launch::{self, Started};
use crate::probes::Catalogue;
use crate::{ipvs, plan, show};
use std::io::{IsTerminal as _, Write as _};

pub(crate) const OK: u8 = 0;
/// Could not start, or nothing to reload.
pub(crate) const FAILED: u8 = 1;
pub(crate) const CONFIGURATION: u8 = 2;
const NOT_RUNNING: u8 = 3;

/// Carries out one command and gives its exit code.
pub(crate) async fn run(invocation: &Invocation) -> anyhow::Result<u8> {
    if let Command::Ipvs(what) = invocation.command {
        return ipvs::run(what).await;
    }
    let instance = match Instance::locate(invocation) {
        Ok(instance) => instance,
        Err(error) => {
            eprintln!("{error}");
            return Ok(FAILED);
        }
    };
    match invocation.command {
        Command::Start => start(invocation, instance).await,
        Command::Stop => stop(&instance).await,
        Command::Restart => {
            let code = stop(&instance).await?;
            if code == OK {
                start(invocation, instance).await
            } else {
                Ok(code)
            }
        }
        Command::TryRestart => match instance.state() {
            State::Running(_) => {
                let code = stop(&instance).await?;
                if code == OK {
                    start(invocation, instance).await
                } else {
                    Ok(code)
                }
            }
            State::Stale(_) | State::Stopped => Ok(OK),
        },
        Command::Reload => reload(&instance),
        Command::Status => Ok(status(&instance)),
        Command::Run => run_in(Mode::Service, instance).await,
        Command::Check => Ok(check(&instance)),
        Command::Plan => plan::run(&instance).await,
        Command::Show { json, follow } => show::run(&instance, json, follow).await,
        Command::Ipvs(what) => ipvs::run(what).await,
    }
}

async fn start(invocation: &Invocation, instance: Instance) -> anyhow::Result<u8> {
    if launch::is_background() {
        return run_in(Mode::Background, instance).await;
    }
    let (configuration, _) = load(&instance);
    let Some(configuration) = configuration else {
        return Ok(CONFIGURATION);
    };
    if let State::Running(_) = instance.state() {
        return Ok(OK);
    }
    if invocation.debug {
        return run_in(Mode::Debug, instance).await;
    }
    if configuration.supervised {
        return run_in(Mode::Supervised, instance).await;
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

async fn run_in(mode: Mode, instance: Instance) -> anyhow::Result<u8> {
    // Warnings have been told by the process that launched us.
    let mut catalogue = Catalogue::default();
    let configuration = if mode == Mode::Background {
        config::load(&instance.path, &mut catalogue).0
    } else {
        let (configuration, loaded) = load(&instance);
        catalogue = loaded;
        configuration
    };
    match configuration {
        Some(configuration) => daemon::run(mode, instance, configuration, catalogue).await,
        None => Ok(CONFIGURATION),
    }
}

async fn stop(instance: &Instance) -> anyhow::Result<u8> {
    let State::Running(pid) = instance.state() else {
        return Ok(OK);
    };
    if instance::stop(pid).await? {
        return Ok(OK);
    }
    eprintln!(
        "ldirectord for {} (pid {}) has not stopped within {} s",
        instance.path.display(),
        pid.as_raw_nonzero(),
        STOP_LIMIT.as_secs()
    );
    Ok(FAILED)
}

fn reload(instance: &Instance) -> anyhow::Result<u8> {
    let State::Running(pid) = instance.state() else {
        eprintln!("ldirectord is stopped for {}", instance.path.display());
        return Ok(FAILED);
    };
    if load(instance).0.is_none() {
        eprintln!("nothing is changed: the running director keeps its configuration");
        return Ok(CONFIGURATION);
    }
    instance::hang_up(pid)?;
    Ok(OK)
}

/// The line goes to both channels: cluster managers read one, the old daemon wrote the other.
fn status(instance: &Instance) -> u8 {
    let path = instance.path.display();
    match instance.state() {
        State::Running(pid) => {
            let pid = pid.as_raw_nonzero();
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

fn check(instance: &Instance) -> u8 {
    let (configuration, _) = load(instance);
    let Some(configuration) = configuration else {
        return CONFIGURATION;
    };
    let services = configuration.core.services.len();
    let reals: usize = configuration
        .core
        .services
        .iter()
        .map(|one| one.reals.len())
        .sum();
    println!(
        "{}: {services} virtual servers, {reals} real servers, {} different checks",
        instance.path.display(),
        configuration.probes.len()
    );
    OK
}

/// Writes to standard output. A reader that has seen enough, such as `head`, ends the program.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    if out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        std::process::exit(i32::from(FAILED));
    }
}

/// Reads the configuration and tells its faults on standard error.
pub(crate) fn load(instance: &Instance) -> (Option<Configuration>, Catalogue) {
    let mut catalogue = Catalogue::default();
    let (configuration, diagnostics) = config::load(&instance.path, &mut catalogue);
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = !plain && std::io::stderr().is_terminal();
    eprint!("{}", config::report(&diagnostics, colour));
    (configuration, catalogue)
}
