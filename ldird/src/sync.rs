//! The kernel's synchronisation daemons, kept at arm's length: one task with a connection of its own,
//! one order at a time, so that no edit of the table waits behind them. And what we have started, on
//! disk for the next life.
//!
//! Translates between the core's values and the client's; decides nothing.

use crate::instance::Instance;
use crate::kept::{self, File, Found, Kept};
use ldird_core::sync::{Claim, Daemon, Did, End, Input, Output, Settings};
use ldird_ipvs::{Cause, Client, Error, SyncDaemon, SyncRole};
use rustix::net::{AddressFamily, SocketType, netdevice, socket};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use tokio::sync::mpsc;

#[cfg(test)]
mod tests;

const SUFFIX: &str = "sync";
/// One order at a time.
const ORDERS_MAX: usize = 1;

/// The task's two ends.
#[derive(Debug)]
pub(crate) struct Daemons {
    orders: mpsc::Sender<Output>,
    answers: mpsc::Receiver<Input>,
}

impl Daemons {
    /// Starts the task; it asks the kernel for nothing before the first order. Needs a runtime.
    pub(crate) fn start() -> Self {
        let (orders, mut inbox) = mpsc::channel(ORDERS_MAX);
        let (outbox, answers) = mpsc::channel(ORDERS_MAX);
        tokio::spawn(async move {
            let mut client = None;
            while let Some(order) = inbox.recv().await {
                if outbox
                    .send(carry_out(&mut client, order).await)
                    .await
                    .is_err()
                {
                    return;
                }
            }
        });
        Self { orders, answers }
    }

    /// Over somebody else's ends of the same channels.
    #[cfg(test)]
    pub(crate) fn from_parts(orders: mpsc::Sender<Output>, answers: mpsc::Receiver<Input>) -> Self {
        Self { orders, answers }
    }

    /// Never waits: the core gives one order at a time.
    pub(crate) fn order(&self, order: Output) {
        let sent = self.orders.try_send(order);
        sent.expect("one order is under way at a time");
    }

    /// The next answer. Dropping the future loses nothing.
    pub(crate) async fn answer(&mut self) -> Input {
        let answer = self.answers.recv().await;
        answer.expect("the task lives as long as its orders' sender")
    }
}

async fn carry_out(client: &mut Option<Client>, order: Output) -> Input {
    match order {
        Output::Look { interface } => match look(client).await {
            Ok(daemons) => Input::Found {
                daemons,
                index: interface.and_then(|name| interface_index(&name).ok()),
            },
            Err(error) => Input::Unreadable(error.to_string()),
        },
        Output::Start(daemon) => Input::Did(did(start(client, &daemon).await)),
        Output::Stop(end) => Input::Did(did(stop(client, end).await)),
        // No orders.
        Output::Notice(_) | Output::Exit => Input::Tick,
    }
}

async fn connected(client: &mut Option<Client>) -> Result<&mut Client, Error> {
    match client {
        Some(client) => Ok(client),
        None => Ok(client.insert(Client::connect().await?)),
    }
}

async fn look(client: &mut Option<Client>) -> Result<Vec<Daemon>, Error> {
    let daemons = connected(client).await?.daemons().await?;
    Ok(daemons.into_iter().map(daemon).collect())
}

async fn start(client: &mut Option<Client>, daemon: &Daemon) -> Result<(), Error> {
    let asked = asked(daemon);
    connected(client).await?.start_daemon(&asked).await
}

async fn stop(client: &mut Option<Client>, end: End) -> Result<(), Error> {
    match connected(client).await?.stop_daemon(role(end)).await {
        Err(error) if error.cause() == Some(Cause::DaemonNotRunning) => Ok(()),
        other => other,
    }
}

/// An error that is no refusal leaves open what the kernel did.
fn did(result: Result<(), Error>) -> Did {
    match result {
        Ok(()) => Did::Done,
        Err(
            error @ (Error::Kernel { .. }
            | Error::NotPermitted { .. }
            | Error::Invalid { .. }
            | Error::ModuleMissing { .. }
            | Error::Socket(_)),
        ) => Did::Refused(error.to_string()),
        Err(
            error @ (Error::TimedOut { .. }
            | Error::ConnectionLost { .. }
            | Error::Malformed { .. }
            | Error::Interrupted { .. }
            | Error::TooLong { .. }),
        ) => Did::Unknown(error.to_string()),
    }
}

/// The number of the interface of this name; an error if there is none.
pub(crate) fn interface_index(name: &str) -> io::Result<u32> {
    let any = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    Ok(netdevice::name_to_index(&any, name)?)
}

pub(crate) fn role(end: End) -> SyncRole {
    match end {
        End::Master => SyncRole::Master,
        End::Backup => SyncRole::Backup,
    }
}

fn end(role: SyncRole) -> End {
    match role {
        SyncRole::Master => End::Master,
        SyncRole::Backup => End::Backup,
    }
}

/// As ipvsadm names what the core means.
pub(crate) fn asked(daemon: &Daemon) -> SyncDaemon {
    let settings = &daemon.settings;
    SyncDaemon {
        max_length: settings.max_length,
        group: settings.group,
        port: settings.port,
        ttl: settings.ttl,
        ..SyncDaemon::new(
            role(daemon.end),
            settings.interface.as_str(),
            settings.sync_id,
        )
    }
}

fn daemon(found: SyncDaemon) -> Daemon {
    Daemon {
        end: end(found.role),
        settings: Settings {
            interface: found.interface,
            sync_id: found.sync_id,
            max_length: found.max_length,
            group: found.group,
            port: found.port,
            ttl: found.ttl,
        },
    }
}

pub(crate) type Claims = BTreeMap<End, Claim>;

/// What is ours, beside the pid file. It ends with the machine, as the daemons do.
#[derive(Debug)]
pub(crate) struct Started(Kept<Claims>);

impl Started {
    /// Gives back what earlier lives of this file have started. Needs a runtime.
    pub(crate) fn open(instance: &Instance) -> (Self, Claims) {
        let file = File::of(instance, SUFFIX, text);
        let mut found = kept::find(instance, SUFFIX);
        let claims = all(&found);
        let kept = (!claims.is_empty()).then(|| claims.clone());
        // Under whatever name they ran: from now on it is one file.
        if kept
            .as_ref()
            .is_some_and(|claims| file.write(claims).is_ok())
        {
            found.retain(|one| one.path != file.path);
            let _ = kept::remove_all(&found);
        }
        (Self(Kept::new(file, kept)), claims)
    }

    /// Best effort: without it only a crash leaves a daemon behind.
    pub(crate) fn note(&self, claims: Claims) {
        self.0.set((!claims.is_empty()).then_some(claims));
    }

    /// Lets the last content reach the disk.
    pub(crate) async fn settle(self) {
        self.0.settle().await;
    }
}

/// What directors of this file that are no more have left running.
pub(crate) fn left_behind(instance: &Instance) -> Claims {
    all(&kept::find(instance, SUFFIX))
}

fn all(found: &[Found]) -> Claims {
    found
        .iter()
        .flat_map(|one| one.text.lines().filter_map(parse))
        .collect()
}

/// Stops them, with a connection of its own, for who is no director.
pub(crate) async fn stop_left(claims: Claims) -> Result<(), Error> {
    let mut client = None;
    let running = look(&mut client).await?;
    for (end, claim) in claims {
        let mut running = running.iter().filter(|daemon| daemon.end == end);
        if running.any(|daemon| daemon.settings.comes_of(&claim.asked)) {
            stop(&mut client, end).await?;
        }
    }
    Ok(())
}

/// They have been stopped.
pub(crate) fn forget(instance: &Instance) -> io::Result<()> {
    kept::remove_all(&kept::find(instance, SUFFIX))
}

/// `master 3 7 1400 239.1.1.1 8848 1 eth1`; `-` is no group. The interface's name comes last, for it
/// may be anything.
fn text(claims: &Claims) -> String {
    claims.iter().fold(String::new(), |mut text, (end, claim)| {
        let Claim { asked, index } = claim;
        let group = asked
            .group
            .map_or("-".to_owned(), |group| group.to_string());
        let (id, length, port, ttl) = (asked.sync_id, asked.max_length, asked.port, asked.ttl);
        let (role, interface) = (role(*end), &asked.interface);
        writeln!(
            text,
            "{role} {index} {id} {length} {group} {port} {ttl} {interface}"
        )
        .expect("writing to a String succeeds");
        text
    })
}

fn parse(line: &str) -> Option<(End, Claim)> {
    let mut words = line.splitn(8, ' ');
    let end = match words.next()? {
        "master" => End::Master,
        "backup" => End::Backup,
        _ => return None,
    };
    let index = words.next()?.parse().ok()?;
    let sync_id = words.next()?.parse().ok()?;
    let max_length = words.next()?.parse().ok()?;
    let group = match words.next()? {
        "-" => None,
        group => Some(group.parse().ok()?),
    };
    let port = words.next()?.parse().ok()?;
    let ttl = words.next()?.parse().ok()?;
    let interface = words.next().filter(|name| !name.is_empty())?.to_owned();
    let asked = Settings {
        interface,
        sync_id,
        max_length,
        group,
        port,
        ttl,
    };
    Some((end, Claim { asked, index }))
}
