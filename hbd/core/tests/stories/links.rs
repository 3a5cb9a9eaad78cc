//! How well links carry, as the nodes measure it.

use super::ms;
use crate::pair::{DEADTIME, KEEPALIVE, Pair};
use ha_status::{Link, Quality};
use hbd_core::config::Failback;

fn node(pair: &Pair, of: usize) -> Quality {
    let nodes = pair.view(of).nodes;
    let other = nodes.into_iter().find(|node| !node.local);
    *other.and_then(|node| node.quality).expect("it was heard")
}

#[test]
fn steady_beats_are_told_with_their_silence_and_the_time_of_an_answer() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.run_for(ms(20_000));
    let view = pair.view(0);
    let link = view.links[0].quality.as_deref().expect("it was heard");
    for quality in [&node(&pair, 0), link] {
        let minute = &quality.minute;
        assert_eq!((minute.lost, minute.outages), (0, 0));
        assert!(minute.longest_ms <= 101, "{minute:?}");
        assert!(minute.watched_ms >= 20_000, "{minute:?}");
        assert_eq!(quality.false_deaths(500), 0);
    }
    // There and back.
    assert_eq!(node(&pair, 0).round_trip_us, Some(200));
    assert!(node(&pair, 0).jitter_us < Some(1_000));
}

#[test]
fn what_one_line_loses_and_the_other_brings_is_lost_on_that_line_alone() {
    let mut pair = Pair::in_a_ring(2, &[0]);
    pair.run_for(ms(1_000));
    pair.ring[0] = false;
    pair.run_for(KEEPALIVE * 5);
    pair.ring[0] = true;
    pair.run_for(ms(3_000));
    for of in [0, 1] {
        let links: Vec<Link> = pair.view(of).links;
        let days = links
            .iter()
            .map(|link| &link.quality.as_ref().expect("heard").day);
        let (lost, longest): (Vec<u64>, Vec<u64>) =
            days.map(|day| (day.lost, day.longest_ms)).unzip();
        assert_eq!(
            lost.iter().filter(|lost| (5..=7).contains(*lost)).count(),
            1,
            "{lost:?}"
        );
        assert_eq!(
            lost.iter().filter(|lost| **lost == 0).count(),
            1,
            "{lost:?}"
        );
        assert!(longest.iter().max() >= Some(&500), "{longest:?}");
        let whole = node(&pair, of).day;
        assert!(whole.lost == 0 && whole.longest_ms <= 101, "{whole:?}");
    }
}

#[test]
fn a_false_death_is_counted_and_a_stall_of_our_own_is_not() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.run_for(ms(1_000));
    pair.frozen = Some(1);
    pair.run_for(DEADTIME * 2);
    pair.frozen = None;
    pair.run_for(ms(2_000));
    let thawed = node(&pair, 1);
    assert_eq!(thawed.false_deaths(1_000), 0, "{thawed:?}");
    let watching = node(&pair, 0);
    assert_eq!(watching.false_deaths(1_000), 1, "{watching:?}");
    assert!(watching.day.longest_ms >= 2_000, "{watching:?}");
}

#[test]
fn the_time_between_two_lives_of_a_node_is_no_silence() {
    let mut pair = Pair::running(2, &[0], Failback::On);
    pair.run_for(ms(1_000));
    pair.power_off(1);
    pair.run_for(DEADTIME * 3);
    pair.start(1);
    pair.run_for(ms(3_000));
    let view = pair.view(0);
    let link = view.links[0].quality.as_deref().expect("it was heard");
    for quality in [&node(&pair, 0), link] {
        assert_eq!(
            (quality.false_deaths(200), quality.day.lost),
            (0, 0),
            "{quality:?}"
        );
    }
}
