//! `ldird ipvs daemon`: the kernel's synchronisation daemons without ipvsadm, and the resource
//! LVSSyncDaemonSwap.

use crate::cli::{DaemonOrder, Swap};
use crate::console::{NOT_RUNNING, OK, say};
use crate::siblings;
use ha_status::ConnectionSync;
use ldird_ipvs::{Cause, Client, Error, SyncDaemon, SyncRole};
use std::path::Path;

pub(crate) async fn run(order: DaemonOrder, run: &Path) -> anyhow::Result<u8> {
    let managed = match order {
        DaemonOrder::List => None,
        DaemonOrder::Start(_) | DaemonOrder::Stop(_) | DaemonOrder::Swap { .. } => {
            siblings::synchronising(run).await
        }
    };
    if let Some((name, sync)) = &managed {
        let interface = &sync.interface;
        let keeps =
            format!("the director \"{name}\" keeps the sync daemon (syncdaemon={interface})");
        match order {
            DaemonOrder::Swap {
                role,
                action: Swap::Status,
                ..
            } => return Ok(status(role, belongs(sync, role))),
            DaemonOrder::Swap { .. } => {
                eprintln!(
                    "{keeps}: nothing is done here; take LVSSyncDaemonSwap out of haresources"
                );
                return Ok(OK);
            }
            DaemonOrder::Start(_) | DaemonOrder::Stop(_) => {
                eprintln!("{keeps}, and puts it right again");
            }
            DaemonOrder::List => {}
        }
    }
    let mut client = Client::connect().await?;
    match order {
        DaemonOrder::List => say(&super::daemons(&mut client).await?),
        DaemonOrder::Start(daemon) => client.start_daemon(&daemon).await?,
        DaemonOrder::Stop(role) => client.stop_daemon(role).await?,
        DaemonOrder::Swap {
            role,
            interface,
            action,
        } => match action {
            Swap::Start => swap(&mut client, role, interface).await?,
            Swap::Stop => swap(&mut client, other(role), interface).await?,
            Swap::Status => {
                let daemons = client.daemons().await?;
                let runs = daemons.iter().any(|daemon| daemon.role == role);
                return Ok(status(role, runs));
            }
        },
    }
    Ok(OK)
}

/// This role runs, and the other one does not.
async fn swap(client: &mut Client, role: SyncRole, interface: String) -> Result<(), Error> {
    let stopped = client.stop_daemon(other(role)).await;
    unless(stopped, Cause::DaemonNotRunning)?;
    let started = client
        .start_daemon(&SyncDaemon::new(role, interface, 0))
        .await;
    unless(started, Cause::DaemonRunning)
}

/// What is so already is done.
fn unless(result: Result<(), Error>, done: Cause) -> Result<(), Error> {
    result.or_else(|error| match error.cause() {
        Some(cause) if cause == done => Ok(()),
        _ => Err(error),
    })
}

fn other(role: SyncRole) -> SyncRole {
    match role {
        SyncRole::Master => SyncRole::Backup,
        SyncRole::Backup => SyncRole::Master,
    }
}

fn belongs(sync: &ConnectionSync, role: SyncRole) -> bool {
    sync.end.word() == role.to_string()
}

/// The old script's words, by which a resource manager goes.
fn status(role: SyncRole, runs: bool) -> u8 {
    let (word, code) = if runs {
        ("running", OK)
    } else {
        ("stopped", NOT_RUNNING)
    };
    say(&format!("{role} {word}\n"));
    code
}
