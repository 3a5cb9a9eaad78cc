//! Other living directors in this run folder: which of them has a process's ear, and which virtual
//! services they want. Two that want the same service would each undo the other's work, and the first
//! to stop would take it from both. Only asks; who asks decides.

use crate::instance::Instance;
use ha_status::socket::Client;
use ha_status::socket::directors;
use ha_status::{ConnectionSync, DirectorSnapshot, Hello, Reply, Request, Snapshot};
use ldird_core::config::Config;
use ldird_core::table::ServiceKey;
use rustix::process::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A living director and what it wants in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sibling {
    pub(crate) name: String,
    pub(crate) pid: u32,
    /// As [`ServiceKey`] prints them.
    services: BTreeSet<String>,
}

/// All that answer, ourselves not among them.
pub(crate) async fn living(instance: &Instance) -> Vec<Sibling> {
    let mut sockets = directors::sockets(&instance.run);
    sockets.retain(|socket| *socket != instance.socket);
    directors::all(sockets, ask).await
}

/// Says who runs one of these services already.
pub(crate) fn conflict<'a>(
    siblings: &[Sibling],
    services: impl IntoIterator<Item = &'a ServiceKey>,
) -> Option<String> {
    let ids: BTreeMap<String, &Sibling> = siblings
        .iter()
        .flat_map(|sibling| sibling.services.iter().map(move |id| (id.clone(), sibling)))
        .collect();
    services.into_iter().find_map(|service| {
        let id = service.to_string();
        let Sibling { name, pid, .. } = ids.get(&id)?;
        Some(format!(
            "{id} is already run by the director \"{name}\" with pid {pid}: one virtual service \
             can be in the hands of one director only"
        ))
    })
}

/// Those of the services that a sibling wants.
pub(crate) fn wanted<'a>(
    siblings: &[Sibling],
    services: impl IntoIterator<Item = &'a ServiceKey>,
) -> BTreeSet<ServiceKey> {
    let wants = |service: &&ServiceKey| {
        let id = service.to_string();
        siblings.iter().any(|one| one.services.contains(&id))
    };
    services.into_iter().filter(wants).copied().collect()
}

pub(crate) fn keys(config: &Config) -> impl Iterator<Item = &ServiceKey> {
    config.services.iter().map(|service| &service.key)
}

/// A connection to the director with this pid, under whatever name it listens.
pub(crate) async fn reach(instance: &Instance, pid: Pid) -> Option<Client> {
    let wanted = u32::try_from(pid.as_raw_nonzero().get()).ok()?;
    directors::reach(directors::sockets(&instance.run), wanted).await
}

/// A living director in this run folder that keeps the kernel's synchronisation daemons.
pub(crate) async fn synchronising(run: &Path) -> Option<(String, ConnectionSync)> {
    let ask = |socket| async move {
        let (hello, director) = shown(socket).await?;
        Some((hello.name, director.sync?))
    };
    directors::first(directors::sockets(run), ask).await
}

async fn ask(socket: PathBuf) -> Option<Sibling> {
    let (hello, snapshot) = shown(socket).await?;
    let services = snapshot.services.into_iter().map(|service| service.id);
    Some(Sibling {
        name: hello.name,
        pid: hello.pid,
        services: services.collect(),
    })
}

async fn shown(socket: PathBuf) -> Option<(Hello, DirectorSnapshot)> {
    let mut client = Client::connect(&socket).await.ok()?;
    let hello = client.hello().clone();
    client.request(&Request::Snapshot).await.ok()?;
    let Reply::Snapshot {
        snapshot: Snapshot::Director(snapshot),
        ..
    } = client.next().await.ok()??
    else {
        return None;
    };
    Some((hello, snapshot))
}
