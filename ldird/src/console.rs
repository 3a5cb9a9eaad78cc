//! What every command needs: exit codes, output that survives a reader who has seen enough, and
//! loading a configuration with its faults told on standard error.

use crate::config::{self, Configuration, Names};
use crate::instance::Instance;
use crate::names_kept;
use crate::probes::Catalogue;
use std::io::{IsTerminal as _, Write as _};

pub(crate) const OK: u8 = 0;
/// Could not start, or nothing to reload.
pub(crate) const FAILED: u8 = 1;
pub(crate) const CONFIGURATION: u8 = 2;
pub(crate) const NOT_RUNNING: u8 = 3;
/// The old daemon's exit code for a wrong command line.
pub(crate) const USAGE: u8 = 255;

/// Writes to standard output. A reader that has seen enough, such as `head`, ends the program.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    if out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        std::process::exit(i32::from(FAILED));
    }
}

/// Reads the configuration and tells its faults on standard error.
pub(crate) fn load(instance: &Instance) -> (Option<Configuration>, Catalogue) {
    let mut catalogue = Catalogue::default();
    // A damaged file is told by the director, which writes it anew.
    let names = Names::new().knowing(names_kept::remembered(instance).0);
    let (configuration, diagnostics) = config::reload(&instance.path, names, &mut catalogue);
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = !plain && std::io::stderr().is_terminal();
    eprint!("{}", config::report(&diagnostics, colour));
    (configuration, catalogue)
}
