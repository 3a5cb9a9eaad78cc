//! Asking the running director for its duty, and telling it a new one: the client's half of what
//! `start`, `stop` and `status` are for a director that is resident.

use crate::instance::{Instance, State};
use crate::siblings;
use crate::standing::now_ms;
use crate::wording;
use ha_plumbing::claim::{self, Kind};
use ha_status::socket::Client;
use ha_status::{Action, Outdated, Reply, Request, Role, Snapshot};
use rustix::process::Pid;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// One that has only just been started opens its socket within so long.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// The same for one that is to stop.
const STOP_OPEN_LIMIT: Duration = Duration::from_secs(4);
const OPEN_LOOK: Duration = Duration::from_millis(50);
/// Who is asked beside the purpose of a command answers within so long, or not at all.
const ASK_LIMIT: Duration = Duration::from_secs(1);
/// A turn is answered sooner, done or not; a director that says nothing by then is frozen.
const TURN_LIMIT: Duration = Duration::from_secs(15);

/// What a director is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duty {
    /// It stays when its resource stops.
    pub(crate) resident: bool,
    pub(crate) role: Role,
}

/// What a running director is there for. Asked of the kernel alone, which knows it of a frozen one
/// as well; an old daemon is active.
pub(crate) fn of(instance: &Instance, pid: Pid) -> Duty {
    let holds = |kind| claim::holder(kind, instance.subject()) == Some(pid);
    Duty {
        resident: holds(Kind::Resident),
        role: if holds(Kind::Standby) {
            Role::Standby
        } else {
            Role::Active
        },
    }
}

/// Why a director has not done what it was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotDone {
    /// It says so itself, or has ended.
    #[error("{0}")]
    Said(String),
    /// It says nothing: it is frozen, or its loop is.
    #[error("{0}")]
    Silent(String),
}

/// Tells the director and waits until it has done it, or says why not.
pub(crate) async fn tell(instance: &Instance, pid: Pid, action: Action) -> Result<String, NotDone> {
    // Whoever stops it has little time, and another way.
    let open_limit = if action == Action::HoldBack {
        STOP_OPEN_LIMIT
    } else {
        OPEN_LIMIT
    };
    let Some(mut client) = reach(instance, pid, open_limit).await else {
        let pid = pid.as_raw_nonzero();
        let text = format!("the director with pid {pid} does not answer on its socket");
        return Err(NotDone::Silent(text));
    };
    let request = Request::Act { action };
    let sent = client.request(&request).await;
    sent.map_err(|error| NotDone::Silent(error.to_string()))?;
    match timeout(TURN_LIMIT, client.next()).await {
        Ok(Ok(Some(Reply::Done { text }))) => Ok(text),
        Ok(Ok(Some(Reply::Error { text }))) => Err(NotDone::Said(text)),
        Ok(Ok(_)) => Err(NotDone::Said(
            "the director ended before it was done".to_owned(),
        )),
        Ok(Err(error)) => Err(NotDone::Said(error.to_string())),
        Err(_) => Err(NotDone::Silent(format!(
            "no answer within {} s",
            TURN_LIMIT.as_secs()
        ))),
    }
}

/// That the director which runs has refused its file, and what is to be done; `None` if it has not, or
/// does not answer at once.
pub(crate) async fn older_rules(instance: &Instance) -> Option<String> {
    let outdated = outdated(instance).await?;
    Some(wording::outdated(&outdated, now_ms(), &instance.name))
}

/// The same for programs.
pub(crate) async fn outdated(instance: &Instance) -> Option<Outdated> {
    let State::Running(pid) = instance.state() else {
        return None;
    };
    let shown = async {
        let mut client = siblings::reach(instance, pid).await?;
        client.request(&Request::Snapshot).await.ok()?;
        match client.next().await.ok()?? {
            Reply::Snapshot {
                snapshot: Snapshot::Director(shown),
                ..
            } => shown.outdated,
            Reply::Hello(_)
            | Reply::Rows { .. }
            | Reply::Snapshot { .. }
            | Reply::Change { .. }
            | Reply::Notice { .. }
            | Reply::Opinion { .. }
            | Reply::Metrics { .. }
            | Reply::Done { .. }
            | Reply::Error { .. } => None,
        }
    };
    timeout(ASK_LIMIT, shown).await.ok()?
}

/// A director that is just starting is waited for.
async fn reach(instance: &Instance, pid: Pid, limit: Duration) -> Option<Client> {
    let begun = Instant::now();
    loop {
        if let Some(client) = siblings::reach(instance, pid).await {
            return Some(client);
        }
        if begun.elapsed() > limit {
            return None;
        }
        sleep(OPEN_LOOK).await;
    }
}
