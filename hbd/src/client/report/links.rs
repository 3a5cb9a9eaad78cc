//! `hbd why links`: what the last day says about each link, each node and the deadtime that they have
//! deserved, in sentences. Pure; never more certain than what was watched.

use super::{age, exact};
use ha_status::{ClusterSnapshot, Link, Node, NodeKind, Quality, Span};
use std::fmt::Write as _;

const MINUTE_MS: u64 = 60_000;

/// Less than this says nothing of a deadtime.
const LITTLE_MS: u64 = 15 * MINUTE_MS;

/// Less than this is no day: the busy hours and the backup may not be in it.
const DAY_MS: u64 = 20 * 60 * MINUTE_MS;

/// A deadtime leaves room for another silence as long as the longest one, ...
const ROOM: u64 = 2;

/// ... and for two lost beats before the one that comes.
const BEATS: u64 = 3;

/// Deadtime as configured, and so many halves of it, are tried on what was seen.
const HALVES: u32 = 3;

/// What is asked of a link or a node.
#[derive(Debug, Clone, Copy)]
struct Terms {
    keepalive_ms: u64,
    /// The directive, and its value.
    deadtime: (&'static str, u64),
    /// It is one link of a node that may have others.
    link: bool,
}

/// A deadtime that what was seen calls for.
#[derive(Debug, Clone, Copy)]
struct Deserved {
    ms: u64,
    basis: &'static str,
}

pub(super) fn why_links(snapshot: &ClusterSnapshot) -> String {
    let mut out = format!(
        "links as {} hears them; what the other nodes hear is told there\n",
        snapshot.node
    );
    let remote = || snapshot.nodes.iter().filter(|node| !node.local);
    for node in remote().filter(|node| node.kind == NodeKind::Normal) {
        let terms = terms(snapshot, node);
        let links = snapshot.links.iter().filter(|link| link.node == node.name);
        let links: Vec<&Link> = links.collect();
        let together = match links.len() {
            1 => "over its only link",
            _ => "over all links together",
        };
        let title = format!("{}, {together}", node.name);
        about(&mut out, &title, node.quality.as_deref(), terms);
        for link in links {
            let title = format!("{} over {} {}", node.name, link.medium, link.device);
            let link_terms = Terms {
                link: true,
                ..terms
            };
            carried(&mut out, &title, link, link_terms);
        }
    }
    for node in remote().filter(|node| node.kind == NodeKind::Ping) {
        let title = format!("ping node {}", node.name);
        about(
            &mut out,
            &title,
            node.quality.as_deref(),
            terms(snapshot, node),
        );
    }
    whole(&mut out, snapshot);
    out
}

fn terms(snapshot: &ClusterSnapshot, node: &Node) -> Terms {
    let directive = match node.kind {
        NodeKind::Normal => "deadtime",
        NodeKind::Ping => "deadping",
    };
    Terms {
        keepalive_ms: snapshot.keepalive_ms,
        deadtime: (directive, node.deadtime_ms),
        link: false,
    }
}

/// A node: what its silences mean for the deadtime.
fn about(out: &mut String, title: &str, quality: Option<&Quality>, terms: Terms) {
    let Some(quality) = heard(out, title, quality) else {
        return;
    };
    if let Some(took) = quality.round_trip_us {
        say(out, &format!("an answer takes {}", fine(took)));
    }
    deadtimes(out, quality, terms);
    say(out, &advice(quality, terms));
}

/// A link: the same, and what became of the packets.
fn carried(out: &mut String, title: &str, link: &Link, terms: Terms) {
    let Some(quality) = heard(out, title, link.quality.as_deref()) else {
        return;
    };
    let Span {
        heard,
        lost,
        duplicates,
        ..
    } = quality.day;
    let sent = heard.saturating_add(lost);
    let share = quality.day.lost_share();
    let lost = format!("{lost} of {sent} packets lost ({share}), {duplicates} came twice");
    say(out, &lost);
    deadtimes(out, quality, terms);
    say(out, &advice(quality, terms));
}

/// The silences; `None` if there was none yet.
fn heard<'a>(out: &mut String, title: &str, quality: Option<&'a Quality>) -> Option<&'a Quality> {
    let known = quality.filter(|quality| !quality.silences.is_empty());
    let Some(quality) = known else {
        let _ = writeln!(out, "\n{title}: nothing to tell yet");
        return None;
    };
    let day = &quality.day;
    let _ = writeln!(out, "\n{title}: {} watched", age(day.watched_ms));
    let mut silences = format!(
        "longest silence {} ms; half are within {} ms, 99 of 100 within {} ms",
        day.longest_ms, day.median_ms, day.p99_ms
    );
    if let Some(jitter) = quality.jitter_us {
        let _ = write!(silences, "; beats are off by {}", fine(jitter));
    }
    say(out, &silences);
    if day.outages > 0 {
        let (times, longest) = (times(day.outages, "outage"), age(day.longest_outage_ms));
        let text = format!(
            "{times} of up to {longest}: a cut cable, or a node that stood still; no deadtime \
             bridges that"
        );
        say(out, &text);
    }
    Some(quality)
}

/// What the deadtime as it is and shorter ones would have meant.
fn deadtimes(out: &mut String, quality: &Quality, terms: Terms) {
    let watched = age(quality.day.watched_ms);
    let (directive, configured) = terms.deadtime;
    for halves in 0..HALVES {
        let deadtime = configured >> halves;
        // As ha.cf demands it.
        if halves > 0 && deadtime <= terms.keepalive_ms.saturating_mul(2) {
            let text = format!(
                "{directive} {} would need a shorter keepalive than {}",
                exact(deadtime),
                exact(terms.keepalive_ms)
            );
            say(out, &text);
            return;
        }
        let deaths = quality.false_deaths(deadtime);
        let most = if deaths > quality.day.outages {
            "at most "
        } else {
            ""
        };
        let deaths = times(deaths, "false death");
        let text = format!(
            "with {directive} {}: {most}{deaths} in {watched}",
            exact(deadtime)
        );
        say(out, &text);
    }
}

/// What the deadtime should be, as far as can be told.
fn advice(quality: &Quality, terms: Terms) -> String {
    let watched = quality.day.watched_ms;
    let (directive, configured) = terms.deadtime;
    let Some(deserved) = deserved(quality, terms) else {
        return format!(
            "{} is too little to advise from: ask again when an hour has been watched",
            age(watched)
        );
    };
    let Deserved { ms, basis } = deserved;
    let verdict = match (terms.link, ms > configured) {
        (false, false) => "it has deserved",
        (false, true) => "too short: it needs",
        (true, false) => "alone it has deserved",
        (true, true) => "alone it would need",
    };
    let mut text = format!("{verdict} {directive} {} ({basis})", exact(ms));
    if watched < DAY_MS {
        let _ = write!(
            text,
            "; but {} is no day: the busy hours and the backup may not be in it",
            age(watched)
        );
    }
    text
}

/// The deadtime that what was seen calls for; `None` if that is too little.
fn deserved(quality: &Quality, terms: Terms) -> Option<Deserved> {
    if quality.day.watched_ms < LITTLE_MS {
        return None;
    }
    let silence = quality.day.longest_ms.saturating_mul(ROOM);
    let beats = terms.keepalive_ms.saturating_mul(BEATS);
    let (least, basis) = if silence > beats {
        (silence, "twice the longest silence")
    } else {
        (beats, "three keepalives")
    };
    let ms = least.next_multiple_of(step(least));
    Some(Deserved { ms, basis })
}

/// To which figures a deadtime is rounded.
fn step(ms: u64) -> u64 {
    match ms {
        0..1_000 => 10,
        1_000..10_000 => 100,
        _ => 1_000,
    }
}

/// One deadtime is for all nodes: the most that any of them needs.
fn whole(out: &mut String, snapshot: &ClusterSnapshot) {
    let nodes = snapshot.nodes.iter();
    let peers = nodes.filter(|node| !node.local && node.kind == NodeKind::Normal);
    let needs = peers.map(|node| {
        let quality = node.quality.as_deref();
        let deserved = quality.and_then(|quality| deserved(quality, terms(snapshot, node)));
        deserved.map(|deserved| deserved.ms)
    });
    let configured = exact(snapshot.deadtime_ms);
    out.push('\n');
    let line = match needs
        .collect::<Option<Vec<u64>>>()
        .map(|all| all.into_iter().max())
    {
        Some(Some(deadtime)) => format!(
            "deadtime is one for all nodes: here {} would do, ha.cf has {configured}",
            exact(deadtime)
        ),
        Some(None) => "there is no other node".to_owned(),
        None => format!(
            "not every node was watched for long enough to say anything of deadtime {configured}"
        ),
    };
    let _ = writeln!(out, "{line}");
    if snapshot
        .nodes
        .iter()
        .any(|node| node.kind == NodeKind::Ping)
    {
        let _ = writeln!(
            out,
            "nothing moves for the silence of ping nodes alone; it tells which of two nodes is cut off"
        );
    }
    let _ = writeln!(
        out,
        "silences of this node's own making are not counted; a message is acknowledged once, \
         whatever brought it, so the time of an answer is known of nodes and not of links"
    );
}

fn say(out: &mut String, text: &str) {
    let _ = writeln!(out, "  {text}");
}

/// `1 outage`, `0 false deaths`.
fn times(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// `0.3 ms`, `12 ms`.
fn fine(us: u64) -> String {
    match us {
        0..10_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        _ => format!("{} ms", us / 1000),
    }
}

#[cfg(test)]
mod tests;
