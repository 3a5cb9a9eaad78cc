//! `ldird check`: every fault of one or more configurations, alone and on this machine, and a verdict
//! in one line each. With `--json` it says what it has read instead, for tools.
//!
//! Changes nothing, except that looking for IPVS loads the kernel's module, as a start would.

mod machine;

use crate::cli::{Invocation, Manner};
use crate::config::{self, Configuration, Names};
use crate::console::{CONFIGURATION, FAILED, OK, say};
use crate::duty;
use crate::instance::Instance;
use crate::standing::now_ms;
use crate::wording::{self, counted};
use ha_plumbing::Diagnostics;
use ha_plumbing::wall::milliseconds;
use std::io::IsTerminal as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Checks CONFIG and every further file; the worst exit code counts.
pub(crate) async fn run(invocation: &Invocation, manner: Manner) -> u8 {
    let files = std::iter::once(&invocation.config).chain(&invocation.more);
    let mut worst = OK;
    for file in files {
        let config = file.clone();
        let named = Invocation {
            config,
            ..invocation.clone()
        };
        let code = match Instance::locate(&named) {
            Ok(instance) => {
                let code = check(&instance.path, manner).await;
                if manner.offline {
                    code
                } else {
                    code.max(refused(&instance).await)
                }
            }
            Err(error) => {
                eprintln!("{error}");
                FAILED
            }
        };
        worst = worst.max(code);
    }
    worst
}

/// A file that is in order by itself may have been refused by the director that runs, e.g. because it
/// takes out most of what serves. One that has been written since is another one.
async fn refused(instance: &Instance) -> u8 {
    let Some(outdated) = duty::outdated(instance).await else {
        return OK;
    };
    let text = wording::outdated(&outdated, now_ms(), &instance.name);
    eprintln!("{}: {text}", instance.path.display());
    let written = std::fs::metadata(&instance.path).and_then(|file| file.modified());
    let written = written
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let is_newer = written.is_some_and(|at| milliseconds(at) > outdated.refused_ms);
    if is_newer { OK } else { FAILED }
}

async fn check(path: &Path, manner: Manner) -> u8 {
    let names = if manner.offline {
        Names::offline()
    } else {
        Names::new()
    };
    let (configuration, mut diagnostics) = if manner.json {
        let (reading, configuration, diagnostics) = config::explain(path, names);
        say(&format!("{reading}\n"));
        (configuration, diagnostics)
    } else {
        config::reload(path, names, &mut crate::probes::Catalogue::default())
    };
    if let (Some(configuration), false) = (&configuration, manner.offline) {
        diagnostics.extend(machine::lacks(&configuration.core).await);
        diagnostics.extend(machine::programs(configuration));
        diagnostics.extend(machine::interface(configuration));
        diagnostics.extend(machine::origins(configuration));
    }
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = !plain && std::io::stderr().is_terminal();
    eprint!("{}", config::report(&diagnostics, colour));
    if !manner.json {
        say(&verdict(path, configuration.as_ref(), &diagnostics));
    }
    if diagnostics.has_errors() {
        CONFIGURATION
    } else {
        OK
    }
}

fn verdict(path: &Path, configuration: Option<&Configuration>, found: &Diagnostics) -> String {
    let content = configuration.map_or_else(String::new, |configuration| {
        let services = &configuration.core.services;
        let reals: usize = services.iter().map(|one| one.reals.len()).sum();
        format!(
            "{}, {}, {}",
            counted(services.len(), "virtual server"),
            counted(reals, "real server"),
            counted(configuration.probes.len(), "different check")
        )
    });
    found.verdict(path.display(), &content)
}
