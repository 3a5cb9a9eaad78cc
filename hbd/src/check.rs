//! `hbd check`: every fault of the configuration, alone and on this machine, then a verdict in one
//! line.

mod machine;
mod scripts;
mod serial;
mod show;

use crate::cli::{Check, Common, exit};
use crate::config::directives::DIRECTIVES;
use crate::config::host::Elsewhere;
use crate::config::{Directive, Host, Loaded, Options, Support, ThisHost, load};
use ha_plumbing::Diagnostics;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

/// Prints to standard output; the exit code, of several directories the first that is not 0.
pub fn run(common: &Common, check: &Check) -> u8 {
    if check.list {
        say(&listing());
        return exit::OK;
    }
    let given = check.directories.as_slice();
    let directories = if given.is_empty() {
        std::slice::from_ref(&common.etc)
    } else {
        given
    };
    let codes: Vec<u8> = directories
        .iter()
        .map(|etc| directory(etc, common, check))
        .collect();
    let faulty = codes.into_iter().find(|code| *code != exit::OK);
    faulty.unwrap_or(exit::OK)
}

/// One directory of files.
fn directory(etc: &Path, common: &Common, check: &Check) -> u8 {
    let host: &dyn Host = if check.offline { &Elsewhere } else { &ThisHost };
    let options = Options {
        node: common.node.as_deref(),
        host,
    };
    let loaded = load(etc, options);
    let mut found = Diagnostics::new();
    let content = match &loaded {
        Ok(loaded) => {
            found.extend(loaded.warnings.clone());
            for slow in serial::too_slow(loaded) {
                found.push(slow.in_file(&etc.join("ha.cf")));
            }
            if !check.offline {
                machine::look(etc, common, loaded, &mut found);
            }
            content(loaded)
        }
        Err(faults) => {
            found.extend(faults.clone());
            String::new()
        }
    };
    say(&found.render_for(&io::stdout()));
    if let Ok(loaded) = &loaded
        && check.show
    {
        say(&show::meaning(loaded));
    }
    let content = if found.has_errors() { "" } else { &content };
    say(&found.verdict(etc.display(), content));
    if found.has_errors() {
        exit_code(&found)
    } else {
        exit::OK
    }
}

/// What the daemon or a check ends with when the configuration cannot be used.
pub fn exit_code(faults: &Diagnostics) -> u8 {
    if faults.permission_denied() {
        exit::PERMISSION
    } else {
        exit::CONFIGURATION
    }
}

/// A reader that went away is no fault of the configuration.
fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// `cluster linux-ha, node lb1 of 2, 1 medium, 1 resource group`
fn content(loaded: &Loaded) -> String {
    let count =
        |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    format!(
        "cluster {}, node {} of {}, {}, {}",
        loaded.cluster,
        loaded.local,
        loaded.nodes.len(),
        count(loaded.media.len(), "medium", "media"),
        count(loaded.groups.len(), "resource group", "resource groups"),
    )
}

/// The table of directives, for a terminal of 100 columns and for `grep`.
fn listing() -> String {
    let mut out = String::new();
    for directive in DIRECTIVES {
        let usage = format!("{} {}", directive.name, directive.argument.usage());
        let _ = writeln!(out, "{usage}");
        let _ = writeln!(out, "    {}{}", directive.help, default(directive));
        let _ = match directive.support {
            Support::Honoured => Ok(()),
            Support::Added => writeln!(out, "    not known to Heartbeat"),
            Support::OldName(new) => writeln!(out, "    write {new}"),
            Support::Ignored(_, reason) => writeln!(out, "    not honoured: {reason}"),
        };
    }
    out
}

fn default(directive: &Directive) -> String {
    match directive.default {
        "" => String::new(),
        default => format!(" [default: {default}]"),
    }
}
