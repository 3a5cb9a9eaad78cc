//! `rc.d`: the old daemon's event handlers, of which hbd runs none. Those that the old package
//! ships drive the old resource manager, which is built in here; a site's own ones are named.
//!
//! They are not run because their events are not ours: the old daemon calls one for every message
//! type that has a file of its name, with the words of whoever sent it (Heartbeat specification
//! 7.7 and 11.2).

use ha_plumbing::{Diagnostic, Diagnostics};
use std::path::Path;

/// Handlers of the old package.
const SHIPPED: [&str; 5] = [
    "ask_resources",
    "hb_takeover",
    "ip-request",
    "ip-request-resp",
    "status",
];
/// So many are named.
const NAMED_MAX: usize = 8;

/// Warns of handlers that a site has added.
pub(super) fn check(etc: &Path, found: &mut Diagnostics) {
    let directory = etc.join("rc.d");
    let Ok(entries) = std::fs::read_dir(&directory) else {
        return;
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && !SHIPPED.contains(&name.as_str()))
        .collect();
    if names.is_empty() {
        return;
    }
    names.sort();
    let more = names.len().saturating_sub(NAMED_MAX);
    names.truncate(NAMED_MAX);
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    let message = format!("event handlers are not run: {}{more}", names.join(", "));
    let hint = "`hbd status --follow --json` tells a program of yours every change";
    found.push(Diagnostic::warning(message).hint(hint).in_file(&directory));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn handlers_of_a_site_are_named_and_those_of_the_old_package_are_not() {
        let etc = tempfile::tempdir().unwrap();
        let mut found = Diagnostics::new();
        check(etc.path(), &mut found);
        let directory = etc.path().join("rc.d");
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join("status"), "").unwrap();
        check(etc.path(), &mut found);
        assert!(found.is_empty());
        std::fs::write(directory.join("ifstat"), "").unwrap();
        check(etc.path(), &mut found);
        let told = found.to_string();
        assert!(
            told.contains("event handlers are not run: ifstat"),
            "{told}"
        );
    }
}
