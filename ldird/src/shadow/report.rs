//! What a shadow says: a line for each difference that comes or goes, and the report.

use crate::wording::age;
use crate::wording::{Line, plural};
use ha_plumbing::log::Stamp;
use ha_plumbing::wall::milliseconds;
use ha_status::Severity;
use ldird_core::shadow::{Apart, Entry, Event, Kind, Meeting, Past, Place, Shadow, Side, Way};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Rows of a list that are printed; how many more there are is said.
const ROWS_MAX: usize = 100;

#[derive(Debug)]
pub(super) struct Report {
    path: PathBuf,
    since: SystemTime,
    every: Duration,
    /// Services of the kernel that the file does not name.
    pub(super) foreign: usize,
}

impl Report {
    /// Of this configuration, looking at the kernel so often.
    pub(super) fn new(path: PathBuf, every: Duration) -> Self {
        Self {
            path,
            since: SystemTime::now(),
            every,
            foreign: 0,
        }
    }

    /// `said` is what the last check of a row said.
    pub(super) fn text(
        &self,
        shadow: &Shadow,
        now: Instant,
        said: impl Fn(Place) -> Option<String>,
    ) -> String {
        let mut text = self.head(shadow);
        text.push_str(&verdict(shadow));
        text.push_str(&differing(shadow, now, said));
        text.push_str(&leads(shadow));
        text.push_str(&differed(shadow));
        if self.foreign > 0 {
            let count = self.foreign;
            writeln!(
                text,
                "\nThe kernel has {count} more {} that the file does not name: not compared.",
                plural(count, "service")
            )
            .expect(WRITES);
        }
        text
    }

    fn head(&self, shadow: &Shadow) -> String {
        let path = self.path.display();
        let (since, until) = (stamp(self.since), stamp(SystemTime::now()));
        let (compared, _) = shadow.times();
        format!(
            "Shadow of {path}\n{since} to {until}; compared for {}, every {}\n\n",
            span(compared),
            span(self.every)
        )
    }
}

fn verdict(shadow: &Shadow) -> String {
    let (compared, equal) = shadow.times();
    if shadow.is_asleep() {
        return "The kernel has none of the file's services now: is this the active director? \
                Nothing is compared until it has.\n"
            .to_owned();
    }
    if shadow.looks() == 0 || compared.is_zero() {
        return "Nothing has been compared yet.\n".to_owned();
    }
    let share = 100.0 * equal.as_secs_f64() / compared.as_secs_f64();
    // 100 % is all of it.
    let share = if equal < compared {
        share.min(99.99)
    } else {
        share
    };
    let grave = shadow
        .apart()
        .filter(|(_, one)| one.kind.is_grave())
        .count();
    let minor = shadow.apart().count() - grave;
    let now = match (grave, minor) {
        (0, 0) => "and so does every attribute now".to_owned(),
        (0, minor) => format!(
            "now too; {minor} {} that clients do not notice",
            plural(minor, "difference")
        ),
        (grave, _) => format!("but not now: {grave} {}", plural(grave, "difference")),
    };
    format!("Traffic went the same ways for {share:.2} % of the time, {now}.\n")
}

fn differing(shadow: &Shadow, now: Instant, said: impl Fn(Place) -> Option<String>) -> String {
    let mut rows: Vec<(&Place, &Apart)> = shadow.apart().collect();
    if rows.is_empty() {
        return String::new();
    }
    rows.sort_by_key(|(_, apart)| (apart.kind, apart.since));
    let mut text = "\nThey differ now\n".to_owned();
    for (place, apart) in rows.iter().take(ROWS_MAX) {
        let lasts = span(now.saturating_duration_since(apart.since));
        let what = sides(apart);
        writeln!(text, "  {}: {what}, for {lasts}", name(place)).expect(WRITES);
        if let Some(said) = said(**place) {
            writeln!(text, "      ldird's check: {said}").expect(WRITES);
        }
    }
    more(&mut text, rows.len());
    text
}

fn leads(shadow: &Shadow) -> String {
    let mut text =
        "\nWho was first                    ldird                          the other\n".to_owned();
    for (way, what) in [
        (Way::TakenOut, "took a server out"),
        (Way::BroughtIn, "brought one in"),
    ] {
        let cell = |side| match shadow.leads(side, way) {
            Some(leads) => format!(
                "{}x, by {} (median), {} (most)",
                leads.count,
                span(leads.median()),
                span(leads.longest)
            ),
            None => "never".to_owned(),
        };
        let (ours, theirs) = (cell(Side::Ours), cell(Side::Kernel));
        writeln!(text, "  {what:<30} {ours:<30} {theirs}").expect(WRITES);
    }
    let alone = |side| format!("{}x", shadow.alone(side));
    let (ours, theirs) = (alone(Side::Ours), alone(Side::Kernel));
    let what = "changed, and back, alone";
    writeln!(text, "  {what:<30} {ours:<30} {theirs}").expect(WRITES);
    text
}

fn differed(shadow: &Shadow) -> String {
    let mut rows: Vec<(&Place, &Past)> = shadow
        .past()
        .filter(|(_, past)| !past.lasted.is_zero())
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    rows.sort_by_key(|(_, past)| std::cmp::Reverse(past.lasted));
    let mut text = "\nThey have differed, the longest first\n".to_owned();
    for (place, past) in rows.iter().take(ROWS_MAX) {
        writeln!(
            text,
            "  {}: {}x, {} in all, {} at most",
            name(place),
            past.times,
            span(past.lasted),
            span(past.longest)
        )
        .expect(WRITES);
    }
    more(&mut text, rows.len());
    text
}

fn more(text: &mut String, all: usize) {
    if all > ROWS_MAX {
        writeln!(text, "  and {} more", all - ROWS_MAX).expect(WRITES);
    }
}

/// The line for what a look found.
pub(super) fn line(event: &Event, said: impl Fn(Place) -> Option<String>) -> Line {
    match event {
        Event::Parted { place, apart } | Event::Shifted { place, apart } => {
            let who = match apart.mover {
                Some(Side::Ours) => "ldird moved first: ",
                Some(Side::Kernel) => "the other moved first: ",
                None => "",
            };
            let why = said(*place);
            let why = why.map(|why| format!(" (ldird's check: {why})"));
            let text = format!(
                "DIFFERS {}: {who}{}{}",
                name(place),
                sides(apart),
                why.unwrap_or_default()
            );
            Line::new(severity(apart.kind), text)
        }
        Event::Met {
            place, lasted, how, ..
        } => {
            let lasted = span(*lasted);
            let how = match how {
                Meeting::Followed(Side::Ours) => format!("the other followed {lasted} after ldird"),
                Meeting::Followed(Side::Kernel) => {
                    format!("ldird followed {lasted} after the other")
                }
                Meeting::Alone(Side::Ours) => format!("ldird alone had changed, for {lasted}"),
                Meeting::Alone(Side::Kernel) => {
                    format!("the other alone had changed, for {lasted}")
                }
                Meeting::Settled => format!("it lasted {lasted}"),
            };
            Line::new(Severity::Notice, format!("SAME {}: {how}", name(place)))
        }
        Event::Asleep => Line::new(
            Severity::Notice,
            "The kernel has none of the file's services: another director is active, or none. \
             Nothing is compared",
        ),
        Event::Awake => Line::new(
            Severity::Notice,
            "The kernel has services of the file: they are compared",
        ),
    }
}

fn severity(kind: Kind) -> Severity {
    if kind.is_grave() {
        Severity::Warning
    } else {
        Severity::Notice
    }
}

fn name(place: &Place) -> String {
    match place.real {
        Some(real) => format!("{} {real}", place.service),
        None => place.service.to_string(),
    }
}

/// `ldird has weight 0, the kernel weight 1`
fn sides(apart: &Apart) -> String {
    let word = if apart.kind == Kind::Manner {
        manner
    } else {
        entry
    };
    let (ours, kernel) = (word(&apart.ours), word(&apart.kernel));
    format!("ldird has {ours}, the kernel {kernel}")
}

/// The way of a row, without its weight.
fn manner(of: &Entry) -> String {
    match of {
        Entry::Real(spec) => format!("{} l:{} u:{}", spec.forwarding, spec.lower, spec.upper),
        Entry::None | Entry::Service(_) => entry(of),
    }
}

fn entry(entry: &Entry) -> String {
    match entry {
        Entry::None => "nothing".to_owned(),
        Entry::Service(spec) => crate::plan::attributes(spec),
        Entry::Real(spec) => format!("weight {}", spec.weight),
    }
}

/// `0.2 s`, `12.3 s`, `2m05s`.
fn span(time: Duration) -> String {
    if time < Duration::from_secs(60) {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        age(milliseconds(time))
    }
}

fn stamp(at: SystemTime) -> String {
    Stamp::local(at).numeric().replace('_', " ")
}

/// In one step: whoever reads it finds a whole one.
pub(super) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let new = path.with_file_name(name);
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)
}

const WRITES: &str = "writing to a String succeeds";

#[cfg(test)]
mod tests;
