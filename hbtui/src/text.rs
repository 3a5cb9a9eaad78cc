//! Values as an operator reads them: ages, times, and all about one row.

use crate::theme;
use ha_status::{
    DirectorSnapshot, Draining, Fallback, Group, Link, Node, Notice, RealServer, Role, Span, Stage,
};
use ratatui::text::Line;

/// `0.2 s`, `59 s`, `12 min`, `5 h`, `3 d`.
pub(crate) fn age(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    match seconds {
        0..10 => format!("{seconds}.{} s", milliseconds / 100 % 10),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A silence to the millisecond below ten seconds: `412 ms`.
pub(crate) fn silence(milliseconds: u64) -> String {
    match milliseconds {
        0..10_000 => format!("{milliseconds} ms"),
        _ => age(milliseconds),
    }
}

/// An age in whole seconds below two minutes, for text that should not flicker.
pub(crate) fn calm_age(milliseconds: u64) -> String {
    match milliseconds / 1_000 {
        seconds @ 0..120 => format!("{seconds} s"),
        _ => age(milliseconds),
    }
}

pub(crate) fn maybe_age(milliseconds: Option<u64>) -> String {
    milliseconds.map_or_else(|| "never".to_owned(), age)
}

/// Time of day in UTC, `16:42:51`.
pub(crate) fn clock(at_ms: u64) -> String {
    let seconds = at_ms / 1_000 % 86_400;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

/// Time of day in UTC to the millisecond.
pub(crate) fn moment(at_ms: u64) -> String {
    format!("{}.{:03}", clock(at_ms), at_ms % 1_000)
}

/// 1234567 as `1.2M`: at most five characters.
pub(crate) fn count(number: u64) -> String {
    for (unit, letter) in [(1_000_000_000, 'G'), (1_000_000, 'M'), (1_000, 'k')] {
        if number >= unit * 100 {
            return format!("{}{letter}", number / unit);
        }
        if number >= unit * 10 {
            return format!("{}.{}{letter}", number / unit, number / (unit / 10) % 10);
        }
    }
    number.to_string()
}

/// `IPaddr::10.0.0.1/24/eth0 ldirectord::web.cf`, as in haresources.
pub(crate) fn resources(group: &Group) -> String {
    let words: Vec<String> = group
        .resources
        .iter()
        .map(|resource| {
            let script = std::iter::once(&resource.script);
            let words: Vec<&str> = script.chain(&resource.args).map(String::as_str).collect();
            words.join("::")
        })
        .collect();
    words.join(" ")
}

/// `lb1 running, lb2 stopped`.
pub(crate) fn runs(group: &Group) -> String {
    let runs: Vec<String> = group
        .runs
        .iter()
        .map(|run| format!("{} {}", run.node, theme::run(run.state).1))
        .collect();
    runs.join(", ")
}

pub(crate) fn about_node(node: &Node, now_ms: u64) -> Vec<String> {
    let protocol = if node.extended {
        "hbd"
    } else if node.local || node.heard_ms.is_some() {
        "heartbeat"
    } else {
        "nothing yet"
    };
    let haresources = match node.same_haresources {
        Some(true) => "the same as here",
        Some(false) => "DIFFERENT from here",
        None => "not known",
    };
    vec![
        field("status", theme::node(node.status).1),
        field("for", &calm_age(now_ms.saturating_sub(node.since_ms))),
        field("last heard", &maybe_age(node.heard_ms)),
        field("dead after", &age(node.deadtime_ms)),
        field("protocol", protocol),
        field("generation", &node.generation.to_string()),
        field("haresources", haresources),
    ]
}

pub(crate) fn about_link(link: &Link, now_ms: u64) -> Vec<String> {
    let sends = link.not_sent.map(|not_sent| {
        let since = calm_age(now_ms.saturating_sub(not_sent.since_ms));
        format!("not for {since}: {}", not_sent.trouble)
    });
    let mut lines = vec![
        field("to node", &link.node),
        field("state", theme::link(link).1),
        field("last heard", &maybe_age(link.heard_ms)),
        field("packets", &link.packets.to_string()),
        field("sends", sends.as_deref().unwrap_or("yes")),
    ];
    if let Some(quality) = &link.quality {
        let spans = [
            ("last minute", &quality.minute),
            ("last hour", &quality.hour),
            ("last day", &quality.day),
        ];
        lines.extend(spans.map(|(name, span)| field(name, &about_span(span))));
        if let Some(jitter) = quality.jitter_us {
            let (whole, part) = (jitter / 1_000, jitter % 1_000 / 100);
            lines.push(field("jitter", &format!("{whole}.{part} ms")));
        }
    }
    lines
}

/// `longest silence 412 ms, 99 of 100 within 203 ms, 0.10 % lost, 2 twice, no outage`.
fn about_span(span: &Span) -> String {
    let (longest, usual) = (silence(span.longest_ms), silence(span.p99_ms));
    let (lost, twice) = (span.lost_share(), span.duplicates);
    let outages = match span.outages {
        0 => "no outage".to_owned(),
        1 => format!("1 outage of {}", age(span.longest_outage_ms)),
        many => format!("{many} outages of up to {}", age(span.longest_outage_ms)),
    };
    format!(
        "longest silence {longest}, 99 of 100 within {usual}, {lost} lost, {twice} twice, {outages}"
    )
}

pub(crate) fn about_group(group: &Group) -> Vec<String> {
    let mut lines = vec![
        field("owner", group.owner.as_deref().unwrap_or("nobody")),
        field("preferred", &group.preferred),
        field("here", theme::run(group.state).1),
        field("runs", &runs(group)),
        field("epoch", &group.epoch.to_string()),
        field("why", &group.reason.to_string()),
    ];
    if let Some(timing) = &group.timing {
        lines.push(field("took", &timing.to_string()));
    }
    lines.push(String::new());
    lines.extend(
        group
            .resources
            .iter()
            .map(|resource| format!("{} {}", resource.script, resource.args.join(" "))),
    );
    lines
}

pub(crate) fn about_real(real: &RealServer, now_ms: u64) -> Vec<String> {
    let took = real
        .took_us
        .map_or_else(|| "not known".to_owned(), |us| format!("{us} us"));
    let mut lines = vec![
        field("health", theme::health(real.health).1),
        field("for", &calm_age(now_ms.saturating_sub(real.since_ms))),
        field("check", &real.check),
        field("said", &real.message),
        field("checked", &format!("{} ago", maybe_age(real.checked_ms))),
        field("took", &took),
        field(
            "failures",
            &format!("{} of {}", real.failures, real.failure_limit),
        ),
        field("forwarding", &real.forwarding),
        field("weight", &weight(real)),
        field("active", &real.active_connections.to_string()),
        field("inactive", &real.inactive_connections.to_string()),
        field("total", &real.connections.to_string()),
    ];
    if let Some(want) = &real.could_not_ask {
        lines.push(field("not asked", want));
    }
    if let Some(agent) = &real.agent {
        lines.push(field("agent", &agent.to_string()));
    }
    if let Some(state) = real.stage {
        lines.push(field("now", &stage(real, state, now_ms)));
    }
    if let Some(left) = &real.draining {
        lines.push(field("draining", &draining(left)));
    }
    lines
}

/// What a real server is in the middle of.
pub(crate) fn stage(real: &RealServer, stage: Stage, now_ms: u64) -> String {
    let said = &real.message;
    match stage {
        Stage::Rising { passes, of } => format!("passed {passes}/{of}: {said}"),
        Stage::SlowStart { weight, full_ms } => {
            let left = calm_age(full_ms.saturating_sub(now_ms));
            format!("slow start at {weight}, all of it in {left}: {said}")
        }
        Stage::Held => format!("weight held: {said}"),
    }
}

/// `12 of 40 left, none in about 50s`
pub(crate) fn draining(draining: &Draining) -> String {
    let Draining {
        at_first,
        left,
        empty_in_ms,
    } = *draining;
    let when = match empty_in_ms.filter(|_| left > 0) {
        Some(time) => format!(", none in about {}", calm_age(time)),
        None => String::new(),
    };
    format!("{left} of {at_first} left{when}")
}

pub(crate) fn about_fallback(fallback: &Fallback) -> Vec<String> {
    let used = if fallback.active {
        "yes: no real server is up"
    } else {
        "no"
    };
    vec![
        field("forwarding", &fallback.forwarding),
        field("used", used),
    ]
}

pub(crate) fn about_director(director: &DirectorSnapshot) -> Vec<String> {
    let (totals, duty) = (&director.totals, &director.duty);
    let role = match (duty.role, duty.held_back) {
        (Role::Active, true | false) => "active",
        (Role::Standby, true) => "standby, the table is held back",
        (Role::Standby, false) => "standby, the table is loaded",
    };
    let mut lines = vec![
        field("file", &director.path),
        field("role", role),
        field("asked by", &duty.by),
        field("running for", &calm_age(director.uptime_ms)),
        field("checks", &totals.checks.to_string()),
        field("failed", &totals.checks_failed.to_string()),
        field("edits", &totals.edits.to_string()),
        field("refused", &totals.edits_failed.to_string()),
    ];
    if let Some(sync) = &director.sync {
        let (end, interface, id) = (sync.end.word(), &sync.interface, sync.sync_id);
        let daemon = format!("{end} on {interface}, syncid {id}");
        lines.push(field("sync daemon", &daemon));
        if !sync.problem.is_empty() {
            lines.push(field("", &sync.problem));
        }
    }
    lines
}

/// Behind the director's name: nothing where connections are not to be synchronised, `sync` words
/// where they are, and whether that is a warning.
pub(crate) fn synchronised(director: &DirectorSnapshot) -> Option<(String, bool)> {
    let sync = director.sync.as_ref()?;
    let end = sync.end.word();
    Some(match (sync.runs, sync.problem.as_str()) {
        (true, _) => (format!("  sync {end}"), false),
        (false, "") => (format!("  sync {end} not yet"), false),
        (false, problem) => (format!("  no sync: {problem}"), true),
    })
}

pub(crate) fn about_notice(notice: &Notice) -> Vec<String> {
    vec![
        field("at", &format!("{} UTC", moment(notice.at_ms))),
        field("severity", theme::severity(notice.severity).1),
        field("text", &notice.text),
    ]
}

/// Configured weight and the one in the kernel's table: `1` if equal, else `1, table 0`.
/// Broken at blanks into lines of at most so many columns, the later ones indented; a word that is
/// longer than that is left to be cut.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if Line::raw(&**line).width() + 1 + Line::raw(word).width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("  {word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn weight(real: &RealServer) -> String {
    match real.table_weight {
        Some(table) if table == real.weight => real.weight.to_string(),
        Some(table) => format!("{}, table {table}", real.weight),
        None => format!("{}, not in the table", real.weight),
    }
}

fn field(name: &str, value: &str) -> String {
    format!("{name:<12}{value}")
}
