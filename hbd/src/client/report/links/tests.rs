#![allow(clippy::unwrap_used)]

use super::*;
use crate::client::report::tests::snapshot;
use ha_status::Silences;

const HOUR_MS: u64 = 60 * MINUTE_MS;

/// Heard for so long; the silences were never longer than this.
fn quality(watched_ms: u64, longest_ms: u64) -> Quality {
    Quality {
        day: Span {
            watched_ms,
            heard: 9_990,
            lost: 10,
            duplicates: 2,
            median_ms: 200,
            p99_ms: 203,
            longest_ms,
            ..Span::default()
        },
        silences: vec![
            Silences {
                below_ms: 224,
                count: 9_000,
            },
            Silences {
                below_ms: longest_ms + 1,
                count: 3,
            },
        ],
        jitter_us: Some(840),
        round_trip_us: Some(1_250),
        ..Quality::default()
    }
}

/// lb2 over a good cable and another link.
fn pair(good: Quality, other: Quality) -> ClusterSnapshot {
    let mut snapshot = snapshot();
    snapshot.nodes[1].deadtime_ms = 2000;
    snapshot.nodes[1].quality = Some(Box::new(good.clone()));
    snapshot.links[0].quality = Some(Box::new(good));
    let mut second = snapshot.links[0].clone();
    second.device = "eth1".to_owned();
    second.quality = Some(Box::new(other));
    snapshot.links.push(second);
    snapshot
}

/// What is said under a title.
fn under<'a>(text: &'a str, title: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n{title}: ")).unwrap();
    rest.split("\n\n").next().unwrap()
}

#[test]
fn a_day_of_a_good_link_is_told_with_the_deadtime_that_it_deserves() {
    let good = quality(23 * HOUR_MS + 10 * MINUTE_MS, 212);
    let text = why_links(&pair(good.clone(), good));
    let told = under(&text, "lb2, over all links together");
    let expected = "\
23 h 10 min watched
  longest silence 212 ms; half are within 200 ms, 99 of 100 within 203 ms; beats are off by 0.8 ms
  an answer takes 1.2 ms
  with deadtime 2 s: 0 false deaths in 23 h 10 min
  with deadtime 1 s: 0 false deaths in 23 h 10 min
  with deadtime 500 ms: 0 false deaths in 23 h 10 min
  it has deserved deadtime 600 ms (three keepalives)";
    assert_eq!(told, expected);
    let last = "deadtime is one for all nodes: here 600 ms would do, ha.cf has 2 s\n";
    let link = under(&text, "lb2 over bcast eth0");
    assert!(
        link.ends_with("alone it has deserved deadtime 600 ms (three keepalives)"),
        "{link}"
    );
    assert!(text.contains(last), "{text}");
}

#[test]
fn a_link_that_stammers_is_told_from_a_clean_one() {
    let text = why_links(&pair(quality(DAY_MS, 212), quality(DAY_MS, 1_430)));
    let clean = under(&text, "lb2 over bcast eth0");
    assert!(
        clean.contains("10 of 10000 packets lost (0.10 %), 2 came twice"),
        "{clean}"
    );
    assert!(
        clean.contains("with deadtime 1 s: 0 false deaths"),
        "{clean}"
    );
    assert!(!clean.contains("at most"), "{clean}");
    let stammering = under(&text, "lb2 over bcast eth1");
    assert!(
        stammering.contains("with deadtime 2 s: 0 false deaths"),
        "{stammering}"
    );
    assert!(
        stammering.contains("with deadtime 1 s: at most 3 false deaths"),
        "{stammering}"
    );
    let needs = "alone it would need deadtime 2900 ms (twice the longest silence)";
    assert!(stammering.contains(needs), "{stammering}");
}

#[test]
fn three_minutes_are_no_day_and_an_afternoon_is_none_either() {
    let text = why_links(&pair(
        quality(3 * MINUTE_MS, 212),
        quality(5 * HOUR_MS, 212),
    ));
    let little = under(&text, "lb2 over bcast eth0");
    assert!(little.contains("in 3 min 0 s\n"), "{little}");
    assert!(
        little.ends_with(
            "3 min 0 s is too little to advise from: ask again when an hour has been watched"
        ),
        "{little}"
    );
    let more = under(&text, "lb2 over bcast eth1");
    assert!(
        more.contains("deserved deadtime 600 ms (three keepalives); but 5 h 0 min is no day"),
        "{more}"
    );
    let whole = "not every node was watched for long enough to say anything of deadtime 2 s\n";
    assert!(text.contains(whole), "{text}");
}

#[test]
fn outages_are_told_apart_and_no_advice_rests_on_them() {
    let mut cut = quality(DAY_MS, 212);
    cut.day.outages = 2;
    cut.day.longest_outage_ms = 300_000;
    let text = why_links(&pair(quality(DAY_MS, 212), cut));
    let told = under(&text, "lb2 over bcast eth1");
    assert!(
        told.contains("2 outages of up to 5 min 0 s: a cut cable"),
        "{told}"
    );
    assert!(
        told.contains("with deadtime 2 s: 2 false deaths in"),
        "{told}"
    );
    assert!(told.contains("deserved deadtime 600 ms"), "{told}");
}

#[test]
fn deadtime_that_keepalive_does_not_allow_is_not_tried() {
    let mut snapshot = pair(quality(DAY_MS, 212), quality(DAY_MS, 212));
    snapshot.nodes[1].deadtime_ms = 800;
    let text = why_links(&snapshot);
    let told = under(&text, "lb2 over bcast eth0");
    assert!(
        !told.contains("false deaths in 20 h 0 min\n  with deadtime 400 ms"),
        "{told}"
    );
    assert!(
        told.contains("deadtime 400 ms would need a shorter keepalive than 200 ms"),
        "{told}"
    );
}

#[test]
fn node_that_was_never_heard_and_a_ping_node_have_their_words() {
    let mut snapshot = snapshot();
    let mut gateway = snapshot.nodes[1].clone();
    gateway.name = "10.0.0.254".to_owned();
    gateway.kind = NodeKind::Ping;
    gateway.quality = Some(Box::new(quality(DAY_MS, 900)));
    snapshot.nodes.push(gateway);
    let text = why_links(&snapshot);
    assert!(
        text.contains("\nlb2, over its only link: nothing to tell yet\n"),
        "{text}"
    );
    let ping = under(&text, "ping node 10.0.0.254");
    assert!(
        ping.contains("with deadping 1 s: 0 false deaths in"),
        "{ping}"
    );
    assert!(ping.contains("an answer takes 1.2 ms"), "{ping}");
    assert!(
        text.contains("nothing moves for the silence of ping nodes alone"),
        "{text}"
    );
}
