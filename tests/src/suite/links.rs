//! What hbd says of its links: a shaken one is told from a clean one, in figures and in sentences.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ha_status::{Node, Quality};

use super::ownership::last_words;
use super::{Case, Place};
use crate::bed::wait;
use crate::scenario::director::Director;
use crate::scenario::pair::Pair;
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[Case {
    name: "links_that_lose_and_delay_are_told_from_clean_ones_by_why_links",
    place: Place::Kernel,
    run: shaken_and_clean,
}];

const LIMIT: Duration = Duration::from_secs(120);

/// A client answers as ping node on the clean network.
const HA_CF: &str = "\
keepalive 100ms
warntime 500ms
deadtime 1
initdead 5
udpport 694
bcast eth0 eth1
ping 10.77.0.50
auto_failback on
node lb1 lb2
";

/// On what lb2 hears: each third packet is lost, the others come early or late.
const SHAKEN: &str = "delay 60ms 40ms loss 33%";

/// A quarter of deadtime, the shortest that is spoken of. A silence of it takes two lost packets in a
/// row, of which the shaken link has one in ten.
const SHORT_MS: u64 = 250;
const ENOUGH: u64 = 10;

fn shaken_and_clean() -> Result<()> {
    let pair = Pair::start_with(&Programs::find()?, HA_CF)?;
    told_apart(&pair).with_context(|| last_words(&pair))
}

fn told_apart(pair: &Pair) -> Result<()> {
    let two = pair.two();
    two.host().impair("eth1", SHAKEN)?;
    wait::until("lb2 has missed packets on eth1", LIMIT, || {
        quality(two, "eth1").is_ok_and(|shaken| shaken.false_deaths(SHORT_MS) >= ENOUGH)
    })?;
    let (clean, shaken) = (quality(two, "eth0")?, quality(two, "eth1")?);
    ensure!(
        clean.false_deaths(SHORT_MS) * 5 < shaken.false_deaths(SHORT_MS),
        "clean {clean:?}, shaken {shaken:?}"
    );
    ensure!(clean.day.lost == 0, "{clean:?}");
    let (lost, sent) = (shaken.day.lost, shaken.day.lost + shaken.day.heard);
    ensure!(lost * 10 > sent, "{lost} of {sent} lost");
    ensure!(
        shaken.jitter_us > clean.jitter_us,
        "clean {clean:?}, shaken {shaken:?}"
    );
    // Together they are as good as the better one.
    let whole = peer(two)?.quality.context("lb1 was heard")?;
    ensure!(whole.day.lost == 0, "{whole:?}");
    sentences(&two.hbd(&["why", "links"])?)
}

fn sentences(text: &str) -> Result<()> {
    let mut paragraphs = text.split("\n\n");
    let mut of = |title: &str| {
        let found = paragraphs.find(|paragraph| paragraph.starts_with(title));
        found.with_context(|| format!("nothing of {title}:\n{text}"))
    };
    let said = |paragraph: &str, words: &str| -> Result<()> {
        ensure!(paragraph.contains(words), "no \"{words}\" in:\n{paragraph}");
        Ok(())
    };
    said(of("lb1, over all links together: ")?, "an answer takes ")?;
    let clean = of("lb1 over bcast eth0: ")?;
    said(clean, "  0 of ")?;
    said(clean, " packets lost (0 %)")?;
    said(clean, "with deadtime 1 s: 0 false deaths in ")?;
    let shaken = of("lb1 over bcast eth1: ")?;
    said(shaken, "with deadtime 250 ms: at most ")?;
    said(shaken, "is too little to advise from")?;
    said(of("ping node 10.77.0.50: ")?, "with deadping ")?;
    said(
        of("not every node was watched for long enough")?,
        "nothing moves for the silence of ping nodes",
    )
}

fn quality(node: &Director, device: &str) -> Result<Quality> {
    let cluster = node.cluster()?;
    let mut links = cluster.links.into_iter();
    let link = links
        .find(|link| link.device == device)
        .context("no such link")?;
    Ok(*link.quality.context("never heard")?)
}

fn peer(node: &Director) -> Result<Node> {
    let nodes = node.cluster()?.nodes.into_iter();
    nodes
        .filter(|row| !row.local)
        .find(|row| row.name == "lb1")
        .context("no lb1")
}
