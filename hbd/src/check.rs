//! `hbd check`: every fault of the configuration, then a verdict in one line.

use crate::cli::{Check, Common, exit};
use crate::config::directives::{DIRECTIVES, Directive, Support};
use crate::config::host::Elsewhere;
use crate::config::{Host, Loaded, Options, ThisHost, load};
use ha_plumbing::Diagnostics;
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// Prints to standard output; the exit code.
pub fn run(common: &Common, check: &Check) -> u8 {
    if check.list {
        say(&listing());
        return exit::OK;
    }
    let host: &dyn Host = if check.offline { &Elsewhere } else { &ThisHost };
    let options = Options {
        node: common.node.as_deref(),
        host,
    };
    let etc = common.etc.display();
    match load(&common.etc, options) {
        Ok(loaded) => {
            show(&loaded.warnings);
            say(&loaded.warnings.verdict(etc, &content(&loaded)));
            exit::OK
        }
        Err(faults) => {
            show(&faults);
            say(&faults.verdict(etc, ""));
            exit_code(&faults)
        }
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

fn show(faults: &Diagnostics) {
    say(&faults.render_for(&io::stdout()));
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
