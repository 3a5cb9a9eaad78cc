//! What a resource script finds in its environment: a fixed list, the recorded directives of ha.cf
//! and the site's `env` lines (Heartbeat specification 7.7), and nothing else of ours.

use super::script::Site;
use crate::config::{Loaded, Logging};
use hbd_core::config::Failback;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where commands are found when nothing else is said.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The old daemon's helpers, for scripts that call them by name.
const HELPERS: &str = "/usr/share/heartbeat:/usr/libexec/heartbeat:/usr/lib/heartbeat";

/// The names of a site's own may not replace what decides which files root executes.
const RESERVED: [&str; 5] = [
    "HA_DIR",
    "HA_FUNCS",
    "HA_BIN",
    "HA_RESOURCEDIR",
    "HA_CURHOST",
];

/// Where scripts are looked for after the configuration's own directory.
const INIT_SCRIPTS: &str = "/etc/init.d";

/// What scripts find while this configuration is in force.
pub fn site(etc: &Path, loaded: &Loaded) -> Site {
    let program = std::env::current_exe().ok();
    Site {
        directories: vec![etc.join("resource.d"), PathBuf::from(INIT_SCRIPTS)],
        environment: environment(
            etc,
            loaded.local.as_str(),
            loaded.failback,
            &loaded.logging,
            &loaded.environment,
            program.as_deref(),
        ),
    }
}

/// The whole environment. `recorded` are the `HA_…` names of the configuration; `program` is our
/// own executable, which the shipped scripts call.
fn environment(
    etc: &Path,
    node: &str,
    failback: Failback,
    logging: &Logging,
    recorded: &BTreeMap<String, String>,
    program: Option<&Path>,
) -> Vec<(OsString, OsString)> {
    let mut all: BTreeMap<OsString, OsString> = recorded
        .iter()
        .filter(|(name, _)| !RESERVED.contains(&name.as_str()))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    // The old daemon says "/etc/ha.d/", with the slash, and scripts append to it.
    let mut directory = etc.as_os_str().to_owned();
    directory.push("/");
    let mut set = |name: &str, value: OsString| all.insert(name.into(), value);
    set("HA_FUNCS", etc.join("shellfuncs").into());
    set("HA_RESOURCEDIR", etc.join("resource.d").into());
    set("HA_DIR", directory);
    set("HA_CURHOST", node.into());
    set("HA_DATEFMT", "%Y/%m/%d_%T\t".into());
    set("OCF_ROOT", "/usr/lib/ocf".into());
    // We log without the logging daemon, and so shall the scripts.
    set("HA_LOGD", "no".into());
    set("HA_debug", logging.debug.to_string().into());
    if let Some(facility) = logging.facility {
        set("HA_LOGFACILITY", facility.name().into());
    }
    if let Some(path) = &logging.logfile {
        set("HA_LOGFILE", path.into());
    }
    if let Some(path) = &logging.debugfile {
        set("HA_DEBUGLOG", path.into());
    }
    match failback {
        Failback::On | Failback::Off => {
            set("HA_NICEFAILBACK", "yes".into());
        }
        Failback::Legacy => {}
    }
    let mut path = OsString::from(PATH);
    path.push(":");
    path.push(HELPERS);
    if let Some(program) = program {
        set("HBD", program.into());
        if let Some(directory) = program.parent() {
            // Last, so that it replaces nothing of the system's.
            path.push(":");
            path.push(directory);
        }
    }
    set("PATH", path);
    all.into_iter().collect()
}

#[cfg(test)]
mod tests;
