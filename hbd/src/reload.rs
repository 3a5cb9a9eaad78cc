//! Reading the configuration again while the daemon runs: off the loop, because files and resolvers
//! are slow, and all or nothing.
//!
//! Keys and log settings change at once. Everything else needs a restart, and the answer says what.

use crate::config::{self, Loaded, Options, ThisHost, directives};
use ha_plumbing::Diagnostics;
use ha_status::socket::Responder;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tokio::task::JoinHandle;

/// Where the configuration comes from, and a reading that may be under way.
pub struct Reload {
    etc: PathBuf,
    node: Option<String>,
    running: Option<(Reading, Option<Responder>)>,
}

type Reading = JoinHandle<Result<Loaded, Diagnostics>>;

/// What scripts are told of the directives that say how and where to log.
const LOG_VARIABLES: [&str; 6] = [
    "HA_debug",
    "HA_debugfile",
    "HA_logfacility",
    "HA_logfile",
    "HA_syslogmsgfmt",
    "HA_use_logd",
];

/// A finished reading.
pub struct Reread {
    pub result: Result<Loaded, String>,
    /// Who asked, unless it was a signal.
    pub reply: Option<Responder>,
}

impl Reload {
    pub fn new(etc: PathBuf, node: Option<String>) -> Self {
        Self {
            etc,
            node,
            running: None,
        }
    }

    /// The directory of the configuration.
    pub fn etc(&self) -> &Path {
        &self.etc
    }

    /// Starts reading. Gives the responder back if a reading is under way.
    pub fn start(&mut self, reply: Option<Responder>) -> Result<(), Option<Responder>> {
        if self.running.is_some() {
            return Err(reply);
        }
        let (etc, node) = (self.etc.clone(), self.node.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let options = Options {
                node: node.as_deref(),
                host: &ThisHost,
            };
            config::load(&etc, options)
        });
        self.running = Some((reading, reply));
        Ok(())
    }

    /// Waits for the reading under way, for ever if there is none. Cancel-safe.
    pub async fn finished(&mut self) -> Reread {
        let Some((reading, _)) = &mut self.running else {
            return std::future::pending().await;
        };
        let read = reading.await;
        let reply = self.running.take().and_then(|(_, reply)| reply);
        let result = match read {
            Ok(Ok(loaded)) => Ok(loaded),
            Ok(Err(faults)) => Err(format!("nothing was changed:\n{faults}")),
            Err(error) => Err(format!("nothing was changed: reading failed: {error}")),
        };
        Reread { result, reply }
    }
}

/// What differs and takes effect only after a restart.
pub fn needs_restart(old: &Loaded, new: &Loaded) -> Vec<&'static str> {
    let differences = [
        ("node name", old.local != new.local),
        ("node", old.nodes != new.nodes),
        (
            "keepalive, deadtime, warntime, initdead or deadping",
            old.timing != new.timing,
        ),
        ("hopfudge", old.hopfudge != new.hopfudge),
        ("auto_failback", old.failback != new.failback),
        ("uuidfrom", old.uuid_from != new.uuid_from),
        ("hbgenmethod", old.generation_from != new.generation_from),
        ("media", old.media != new.media),
        ("ping nodes", old.pings != new.pings),
        ("haresources", old.groups != new.groups),
        ("log_badpack", old.log_badpack != new.log_badpack),
        ("realtime or rtprio", old.realtime != new.realtime),
        ("builtin", old.builtin != new.builtin),
        (
            "time limits of scripts",
            old.script_limits != new.script_limits,
        ),
        ("env", !own_variables(old).eq(own_variables(new))),
    ];
    differences
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}

/// Warnings of the files as they are now that the ones before did not cause.
pub fn new_warnings(old: &Diagnostics, new: &Diagnostics) -> Vec<String> {
    let known: BTreeSet<String> = old.iter().map(ToString::to_string).collect();
    let now = new.iter().map(ToString::to_string);
    now.filter(|warning| !known.contains(warning)).collect()
}

/// What `env` lines say. The variables of other directives are those directives' business.
fn own_variables(loaded: &Loaded) -> impl Iterator<Item = (&String, &String)> {
    let other = |name: &str| {
        name.strip_prefix("HA_")
            .is_some_and(|name| directives::find(name).is_some())
    };
    let all = loaded.environment.iter();
    all.filter(move |(name, _)| !other(name))
}

/// What scripts are told of the directives now: of log settings what the files say, of everything
/// else what is in force until the restart.
pub fn environment(old: &Loaded, new: &Loaded) -> BTreeMap<String, String> {
    let logs = |name: &str| LOG_VARIABLES.contains(&name);
    let kept = old.environment.iter().filter(|(name, _)| !logs(name));
    let fresh = new.environment.iter().filter(|(name, _)| logs(name));
    let all = kept.chain(fresh);
    all.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The answer to whoever asked.
pub fn answer_text(restart: &[&str]) -> String {
    let applied = "keys and log settings are in force";
    if restart.is_empty() {
        applied.to_owned()
    } else {
        let names = restart.join("; ");
        format!("{applied}; changed, but only after a restart: {names}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::host::Elsewhere;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn answer_names_what_needs_a_restart() {
        assert_eq!(answer_text(&[]), "keys and log settings are in force");
        let text = answer_text(&["haresources", "media"]);
        assert!(
            text.ends_with("only after a restart: haresources; media"),
            "{text}"
        );
    }

    fn loaded(more: &str) -> Loaded {
        let etc = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = etc.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        };
        write("ha.cf", &format!("node lb1 lb2\nbcast eth0\n{more}"));
        write("authkeys", "auth 1\n1 sha1 long-enough\n");
        write("haresources", "");
        let options = Options {
            node: Some("lb1"),
            host: &Elsewhere,
        };
        config::load(etc.path(), options).unwrap()
    }

    #[test]
    fn directive_that_scripts_see_as_well_is_named_once() {
        let (old, new) = (loaded("keepalive 1\n"), loaded("keepalive 2\n"));
        let names = ["keepalive, deadtime, warntime, initdead or deadping"];
        assert_eq!(needs_restart(&old, &new), names);
        let own = loaded("keepalive 1\nenv SITE=north\n");
        assert_eq!(needs_restart(&old, &own), ["env"]);
    }

    #[test]
    fn scripts_are_told_of_new_log_settings_and_of_nothing_that_is_not_in_force() {
        let old = loaded("keepalive 1\nlogfacility local0\ndebug 1\n");
        let new = loaded("keepalive 2\nlogfile /var/log/ha-log\n");
        let told = environment(&old, &new);
        let value = |name: &str| told.get(name).map(String::as_str);
        assert_eq!(value("HA_keepalive"), Some("1"));
        assert_eq!(value("HA_logfile"), Some("/var/log/ha-log"));
        assert_eq!(value("HA_logfacility"), None);
        assert_eq!(value("HA_debug"), None);
        for name in LOG_VARIABLES {
            let directive = name.strip_prefix("HA_").and_then(directives::find);
            assert!(directive.is_some(), "{name} is no directive's");
        }
    }

    #[test]
    fn warnings_that_an_edit_brought_are_told_and_old_ones_are_not() {
        let warnings = |texts: &[&str]| {
            let mut all = Diagnostics::new();
            for text in texts {
                all.push(ha_plumbing::Diagnostic::warning(*text));
            }
            all
        };
        let told = new_warnings(&warnings(&["old"]), &warnings(&["old", "new"]));
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("new"), "{told:?}");
    }
}
