//! Whether the resource is active here, on disk for the director's next life: what was told before a
//! `kill -9`, a restart or a hand-over holds afterwards.
//!
//! On standby the file is away but for a moment of a hand-over: whatever is lost or damaged, a
//! resident director comes up on standby and never as a second active one. It names the boot of the
//! machine, so that a reboot ends it even where the run folder does not.

use crate::instance::Instance;
use crate::kept::{self, File, Kept};
use ha_plumbing::wall::milliseconds;
use ha_status::Role;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

const SUFFIX: &str = "role";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// Who asked, where nobody said so.
const NOBODY: &str = "the start";
const RESIDENT: &str = "resident";
const STARTED: &str = "started";

/// What a director is there for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// It stays when its resource stops, and is on standby then.
    pub(crate) resident: bool,
    pub(crate) role: Role,
    /// Since when it has that role, milliseconds since 1970, and who asked for it.
    pub(crate) since_ms: u64,
    pub(crate) by: String,
}

/// How a director comes to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// For its resource, or alone: it is active.
    Started,
    /// To stay, in the role that its earlier life was told.
    Resident,
    /// In the place of another one, as that one was.
    Restarted,
}

impl Standing {
    pub(crate) fn find(instance: &Instance, beginning: Beginning) -> Self {
        let before = last_word(instance);
        let was_resident = before.as_ref().is_some_and(|before| before.resident);
        let resident = match beginning {
            Beginning::Started => false,
            Beginning::Resident => true,
            Beginning::Restarted => was_resident,
        };
        let active = !resident || before.as_ref().is_some_and(|one| one.role == Role::Active);
        let role = if active { Role::Active } else { Role::Standby };
        match before.filter(|before| before.role == role) {
            Some(before) => Self { resident, ..before },
            None => Self {
                resident,
                role,
                since_ms: now_ms(),
                by: NOBODY.to_owned(),
            },
        }
    }

    /// As it is kept while the director runs.
    fn kept(&self) -> Option<Self> {
        (self.role == Role::Active).then(|| self.clone())
    }
}

/// How a director ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// In order.
    Stopped,
    /// Another one takes its place.
    HandedOver,
    /// The table may not be as it should be.
    Unclean,
}

/// The file of a running director.
#[derive(Debug)]
pub(crate) struct StandingFile(Kept<Standing>);

impl StandingFile {
    /// Needs a runtime.
    pub(crate) fn open(instance: &Instance, standing: &Standing) -> Self {
        let file = File::of(instance, SUFFIX, text);
        let kept = standing.kept();
        let mut found = kept::find(instance, SUFFIX);
        found.retain(|one| one.path != file.path);
        let written = match &kept {
            Some(standing) => file.write(standing),
            None => kept::remove(&file.path),
        };
        // Those of other names say the same, or are out of date. Best effort: without a file the
        // next life of a resident director begins on standby.
        if written.is_ok() {
            let _ = kept::remove_all(&found);
        }
        Self(Kept::new(file, kept))
    }

    pub(crate) fn note(&self, standing: &Standing) {
        self.0.set(standing.kept());
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.0.is_settled()
    }

    /// Something more has been written; gives the error. Dropping the future loses nothing.
    pub(crate) async fn written(&mut self) -> Option<String> {
        self.0.written().await
    }

    /// The director ends. A resident one that is active is started again in that role; the resource
    /// of any other has stopped.
    pub(crate) async fn close(self, standing: Standing, ending: Ending) {
        match (ending, standing.resident) {
            (Ending::HandedOver, true | false) => self.0.set(Some(standing)),
            (Ending::Stopped, false) => self.0.set(None),
            (Ending::Stopped, true) | (Ending::Unclean, true | false) => {}
        }
        self.0.settle().await;
    }
}

/// What the last director of this file was there for, if it may not have ended; the boot is this one.
fn last_word(instance: &Instance) -> Option<Standing> {
    let found = kept::find(instance, SUFFIX);
    found.iter().find_map(|one| parse(&one.text, &boot()))
}

/// The resource has stopped.
pub(crate) fn clear(instance: &Instance) -> io::Result<()> {
    kept::remove_all(&kept::find(instance, SUFFIX))
}

/// For a director that is about to take over from an active one, whatever that one leaves.
pub(crate) fn note_active(instance: &Instance) -> io::Result<()> {
    let standing = Standing {
        resident: true,
        role: Role::Active,
        since_ms: now_ms(),
        by: "the director before".to_owned(),
    };
    File::of(instance, SUFFIX, text).write(&standing)
}

pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, milliseconds)
}

fn boot() -> String {
    let id = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
    id.trim().to_owned()
}

/// The boot, how it came to run, its role, since when, and by whom.
fn text(standing: &Standing) -> String {
    let Standing {
        resident,
        role,
        since_ms,
        by,
    } = standing;
    let how = if *resident { RESIDENT } else { STARTED };
    let role = match role {
        Role::Active => "active",
        Role::Standby => "standby",
    };
    let by = by.replace('\n', " ");
    format!("{}\n{how}\n{role}\n{since_ms}\n{by}\n", boot())
}

fn parse(text: &str, boot: &str) -> Option<Standing> {
    let mut lines = text.lines();
    let same_boot = lines.next()? == boot;
    let resident = match lines.next()? {
        RESIDENT => true,
        STARTED => false,
        _ => return None,
    };
    let role = match lines.next()? {
        "active" => Role::Active,
        "standby" => Role::Standby,
        _ => return None,
    };
    let since_ms = lines.next()?.parse().ok()?;
    let by = lines.next()?.to_owned();
    let standing = Standing {
        resident,
        role,
        since_ms,
        by,
    };
    same_boot.then_some(standing)
}

#[cfg(test)]
mod tests;
