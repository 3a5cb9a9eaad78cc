//! The resource `ldirectord` without a program, where ldird runs from boot: to become active or to go on
//! standby is a word on its status socket, and clients do not wait for a shell to be loaded.
//!
//! Only for a director that is resident for the resource's configuration. Where none is, or where it
//! does not answer, the script of that name knows what to do.

use super::script::Cancel;
use ha_plumbing::claim::{self, Kind, Subject};
use ha_status::socket::directors;
use ha_status::{Action, Reply, Request};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

/// The script whose place this takes.
const SCRIPT: &str = "ldirectord";
/// The configuration that is meant where none is named.
const DEFAULT_FILE: &str = "ldirectord.cf";
/// A turn is answered sooner, done or not; a director that says nothing by then is frozen, and the
/// script has time to end it.
const TURN_LIMIT: Duration = Duration::from_secs(12);

/// Where directors have their configurations and their sockets.
#[derive(Debug, Clone)]
pub struct Directors {
    pub etc: PathBuf,
    pub run: PathBuf,
}

/// A living director that stays when its resource stops.
#[derive(Debug)]
pub(super) struct Resident {
    pid: u32,
    active: bool,
    sockets: Vec<PathBuf>,
}

impl Directors {
    /// As ldird has them by default, as the script does.
    pub fn new(etc: &Path) -> Self {
        Self {
            etc: etc.to_owned(),
            run: PathBuf::from("/var/run"),
        }
    }

    /// The director of this resource, if it is one and is resident. Asked of the kernel, which knows it of
    /// a frozen one as well.
    pub(super) async fn resident(
        &self,
        script: &str,
        args: &[String],
        until: Instant,
    ) -> Option<Resident> {
        let named = match args {
            [] => DEFAULT_FILE,
            [config] => config,
            [_, _, ..] => return None,
        };
        if script != SCRIPT {
            return None;
        }
        let (places, run) = (self.places(named), self.run.clone());
        // Off the loop: a disk may hang.
        let looked = spawn_blocking(move || look(&places, &run));
        timeout_at(until, looked).await.ok()?.ok()?
    }

    /// Where ldird looks for a configuration.
    pub(crate) fn places(&self, named: &str) -> [PathBuf; 3] {
        let given = Path::new(named);
        [
            self.etc.join(given),
            self.etc.join("conf").join(given),
            given.to_owned(),
        ]
    }
}

/// The director of the first of these files that is there, or of one that is gone.
fn look(places: &[PathBuf], run: &Path) -> Option<Resident> {
    let there = places.iter().find(|place| place.is_file());
    let wanted = there.map_or(places, std::slice::from_ref);
    wanted.iter().find_map(|file| {
        let subject = Subject { file, run };
        let pid = claim::holder(Kind::Resident, subject)?;
        Some(Resident {
            pid: u32::try_from(pid.as_raw_nonzero().get()).ok()?,
            active: claim::holder(Kind::Standby, subject) != Some(pid),
            sockets: directors::sockets(run),
        })
    })
}

impl Resident {
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Its table goes into the kernel, or leaves it. Returns when that is done, or when nobody wants it
    /// any more.
    pub(super) async fn turn(
        self,
        action: Action,
        until: Instant,
        cancel: &mut Cancel,
    ) -> Result<(), String> {
        tokio::select! {
            told = self.tell(action, until) => told,
            // A sender that is gone cancels nothing.
            Ok(_) = cancel.wait_for(|cancelled| *cancelled) => Err("cancelled".to_owned()),
        }
    }

    async fn tell(self, action: Action, until: Instant) -> Result<(), String> {
        let until = until.min(Instant::now() + TURN_LIMIT);
        let pid = self.pid;
        let asking = async {
            let reached = directors::reach(self.sockets, pid).await;
            let Some(mut client) = reached else {
                return Err("it does not answer on its socket".to_owned());
            };
            let request = Request::Act { action };
            client.request(&request).await.map_err(|e| e.to_string())?;
            match client.next().await {
                Ok(Some(Reply::Done { .. })) => Ok(()),
                Ok(Some(Reply::Error { text })) => Err(text),
                Ok(_) => Err("it ended before it was done".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        };
        let told = timeout_at(until, asking).await;
        told.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }
}
