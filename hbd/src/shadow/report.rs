//! The report of a shadow: what was decided and how it compares, how punctual each node was, and what
//! could not be heard.

use super::site::Site;
use super::wording::{Words, span};
use ha_plumbing::log::Stamp;
use hbd_core::shadow::{Lateness, Lead, Matter, Shadow, Verdict};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

pub(super) struct Report {
    etc: PathBuf,
    /// On which of the cluster's machines, if on any.
    beside: Option<String>,
    lines: Vec<String>,
    asks_pings: bool,
    unicast: bool,
    since: SystemTime,
}

impl Report {
    pub(super) fn new(site: &Site) -> Self {
        Self {
            etc: site.etc.clone(),
            beside: site.beside.as_ref().map(ToString::to_string),
            lines: site.lines.clone(),
            asks_pings: !site.files.pings.is_empty(),
            unicast: site
                .loaded
                .media
                .iter()
                .any(|medium| medium.name().starts_with("ucast")),
            since: SystemTime::now(),
        }
    }

    /// `Listening beside the daemon of lb1`
    pub(super) fn place(&self) -> String {
        match &self.beside {
            Some(node) => format!("Listening beside the daemon of {node}"),
            None => "Listening on a machine that is no node of the cluster".to_owned(),
        }
    }

    /// What cannot be heard here, and why.
    pub(super) fn unheard(&self) -> Vec<String> {
        let lines = self.lines.iter();
        let lines = lines.map(|line| {
            format!(
                "Not heard: serial {line}: what arrives on a line goes to one reader, the daemon's"
            )
        });
        let pings = self.asks_pings.then(|| {
            "Not watched: ping nodes answer who asks, and a shadow asks nobody".to_owned()
        });
        let unicast = (self.unicast && self.beside.is_none()).then(|| {
            "ucast: a switch brings such packets here only if it mirrors a node's port".to_owned()
        });
        lines.chain(pings).chain(unicast).collect()
    }

    pub(super) fn text(&self, shadow: &Shadow, words: &Words, now: Instant) -> String {
        let mut text = self.head();
        text.push_str(&verdict(shadow));
        text.push_str(&self.judged(shadow, words));
        text.push_str(&deaths(shadow));
        text.push_str(&punctuality(shadow, words));
        text.push_str(&links(shadow, now));
        for (link, reason, count) in shadow.refused() {
            writeln!(text, "Refused: {}", words.refusal(link, reason, count)).expect(WRITES);
        }
        for unheard in self.unheard() {
            writeln!(text, "{unheard}").expect(WRITES);
        }
        text
    }

    fn head(&self) -> String {
        let etc = self.etc.display();
        let place = match &self.beside {
            Some(node) => format!("beside the daemon of {node}"),
            None => "on a machine that is no node".to_owned(),
        };
        let (since, until) = (stamp(self.since), stamp(SystemTime::now()));
        format!("Shadow of {etc}, {place}\n{since} to {until}\n\n")
    }

    fn judged(&self, shadow: &Shadow, words: &Words) -> String {
        let mut text = String::new();
        for one in shadow.tally().kept() {
            let at = stamp(self.since + one.at);
            let line = words.judgement(&one.matter, one.verdict);
            writeln!(text, "  {at} {line}").expect(WRITES);
        }
        let all = shadow.tally().count();
        let kept = shadow.tally().kept().count();
        if all > kept as u64 {
            writeln!(text, "  (the last {kept} of {all})").expect(WRITES);
        }
        text
    }
}

fn verdict(shadow: &Shadow) -> String {
    let tally = shadow.tally();
    let (same, differs, untold) = (tally.same, tally.differs, tally.untold);
    if shadow.lateness().all(|(_, node)| node.heartbeats == 0) {
        let refused: u64 = shadow.refused().map(|(_, _, count)| count).sum();
        return match refused {
            0 => "No heartbeat has been heard: are interface, port and network the pair's?\n"
                .to_owned(),
            _ => "No heartbeat could be believed: see what was refused below.\n".to_owned(),
        };
    }
    match (tally.count(), differs) {
        (0, _) => "Nothing has happened that had to be decided.\n".to_owned(),
        (_, 0) => format!(
            "The pair did what hbd would have done: {same} times, {untold} cannot be told.\n"
        ),
        (_, _) => format!(
            "The pair did what hbd would have done {same} times, and something else {differs} times; \
             {untold} cannot be told.\n"
        ),
    }
}

/// Who declares a node dead first.
fn deaths(shadow: &Shadow) -> String {
    let kept = shadow.tally().kept();
    let leads = kept.filter_map(|one| {
        if let (Matter::Death { .. }, Verdict::Same(lead)) = (&one.matter, one.verdict) {
            Some(lead)
        } else {
            None
        }
    });
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for lead in leads {
        match lead {
            Lead::Ours(time) => ours.push(time),
            Lead::Theirs(time) => theirs.push(time),
        }
    }
    if ours.is_empty() && theirs.is_empty() {
        return String::new();
    }
    let (ours, theirs) = (times(ours), times(theirs));
    format!("\nWho was first to miss a node: hbd {ours}; the pair {theirs}\n")
}

/// `3x, by 112 ms (median), 240 ms (most)`
fn times(mut leads: Vec<Duration>) -> String {
    leads.sort_unstable();
    let (Some(median), Some(most)) = (leads.get(leads.len() / 2), leads.last()) else {
        return "never".to_owned();
    };
    let (median, most) = (span(*median), span(*most));
    format!("{}x, by {median} (median), {most} (most)", leads.len())
}

fn punctuality(shadow: &Shadow, words: &Words) -> String {
    let warntime = span(shadow.warntime());
    let mut text = format!("\nHeartbeats (late is after {warntime})\n");
    for (name, node) in shadow.lateness() {
        let Lateness {
            heartbeats,
            late,
            longest,
            longest_on,
            deaths,
            lives,
        } = node;
        let on = longest_on.map_or(String::new(), |link| format!(" on {}", words.link(link)));
        let longest = span(*longest);
        writeln!(
            text,
            "  {name}: {heartbeats}, {late} late, the longest after {longest}{on}; {lives} lives, \
             {deaths} times taken for dead"
        )
        .expect(WRITES);
    }
    text
}

fn links(shadow: &Shadow, now: Instant) -> String {
    let mut text = "\nLinks\n".to_owned();
    for link in shadow.snapshot("", 0, now).links {
        let (node, medium, device, packets) = (link.node, link.medium, link.device, link.packets);
        let last = link.heard_ms.map_or("never".to_owned(), |ms| {
            format!("last {} ago", span(Duration::from_millis(ms)))
        });
        writeln!(
            text,
            "  {node} on {medium} {device}: {packets} packets, {last}"
        )
        .expect(WRITES);
    }
    text.push('\n');
    text
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
