//! How faults of a configuration are shown: for scripts in the old daemon's one-line shape, for a
//! person with the line, a caret and a hint (specification 1.4).

use ha_plumbing::{Diagnostic, Diagnostics, Severity};
use std::fmt::Write as _;

/// All of them: `Error [pid] reading file F at line N: MSG`, then the excerpt.
pub(crate) fn report(diagnostics: &Diagnostics, colour: bool) -> String {
    let mut out = String::new();
    for one in diagnostics.ranked() {
        out.push_str(&prefix(one));
        out.push('\n');
        let rendered = one.render(colour);
        let excerpt = rendered.split_once('\n').map(|(_, excerpt)| excerpt);
        out.push_str(excerpt.unwrap_or_default());
    }
    let hidden = diagnostics.hidden();
    if hidden > 0 {
        writeln!(out, "… and {hidden} more").expect("writing to a String succeeds");
    }
    out
}

/// The old daemon's line, which scripts look for.
pub(crate) fn prefix(one: &Diagnostic) -> String {
    let kind = match one.severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
    };
    let pid = std::process::id();
    let place = one.place.as_ref().and_then(|place| {
        let position = place.position.as_ref()?;
        let path = place.path.display();
        Some(format!(" reading file {path} at line {}", position.line))
    });
    format!(
        "{kind} [{pid}]{}: {}",
        place.unwrap_or_default(),
        one.message
    )
}
