#![allow(clippy::unwrap_used)]

use super::*;

const VIP: &str = "10.77.0.100";
const OWN: &str = "10.77.0.1";

fn row(link: u32, ip: &str, secondary: bool) -> AddressRow {
    AddressRow {
        link,
        ip: ip.parse().unwrap(),
        prefix: 24,
        label: None,
        broadcast: None,
        secondary,
    }
}

fn placement(ip: &str) -> Placement {
    Placement {
        ip: ip.parse().unwrap(),
        prefix: 24,
        link: 2,
        device: "eth0".to_owned(),
        label: None,
        broadcast: None,
    }
}

fn key(ip: &str) -> Key {
    ("eth0".to_owned(), ip.parse().unwrap())
}

fn held(ips: &[&str]) -> Held {
    ips.iter().map(|ip| (key(ip), placement(ip))).collect()
}

fn eth0(addresses: Vec<AddressRow>) -> View {
    View::new(vec![LinkRow::sample(2, "eth0")], addresses)
}

fn nothing() -> View {
    View::new(Vec::new(), Vec::new())
}

#[test]
fn address_that_vanished_is_put_back_at_once_and_counted() {
    let mut guard = Guard::default();
    let now = Instant::now();
    let look = guard.look(&eth0(Vec::new()), &held(&[VIP]), &Held::new(), now);
    assert_eq!(look.put, [placement(VIP)]);
    let news = guard.put(&key(VIP), Ok(()), now);
    let restored = News::Restored {
        key: key(VIP),
        told: Some(1),
    };
    assert_eq!(news, Some(restored));
}

#[test]
fn quarrel_over_an_address_has_growing_pauses_few_lines_and_every_count() {
    let mut guard = Guard::default();
    let held = held(&[VIP]);
    let start = Instant::now();
    let (mut now, mut lines, mut told, mut times) = (start, 0, 0, 0_u64);
    let mut pauses = Vec::new();
    // Whenever it is put, it is gone again at once, for three minutes.
    while now < start + Duration::from_secs(180) {
        let look = guard.look(&eth0(Vec::new()), &held, &Held::new(), now);
        assert!(
            !look.news.iter().any(|n| matches!(n, News::Lost { .. })),
            "a quarrel is no loss"
        );
        if look.put.is_empty() {
            let again = look.again.unwrap();
            pauses.push(again - now);
            now = again;
            continue;
        }
        times += 1;
        let Some(News::Restored { told: count, .. }) = guard.put(&key(VIP), Ok(()), now) else {
            panic!("it was put back");
        };
        if let Some(count) = count {
            lines += 1;
            told += count;
        }
    }
    assert!(lines <= 3, "{lines} lines");
    assert!(times < 250 && told > times / 2, "{told} of {times} told");
    assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]));
    assert_eq!(*pauses.last().unwrap(), LAST_PAUSE);
}

#[test]
fn quarrel_that_has_ended_is_forgotten() {
    let mut quarrel = Quarrel::default();
    let now = Instant::now();
    assert_eq!(quarrel.restored(now).0, Duration::ZERO);
    assert_eq!(quarrel.restored(now).0, FIRST_PAUSE);
    assert_eq!(quarrel.restored(now + QUARREL_WINDOW).0, Duration::ZERO);
}

#[test]
fn address_whose_interface_is_gone_is_lost_each_time_that_the_stated_time_is_over() {
    let mut guard = Guard::default();
    let held = held(&[VIP]);
    let now = Instant::now();
    let look = guard.look(&nothing(), &held, &Held::new(), now);
    assert!(
        matches!(look.news.as_slice(), [News::Trouble(_)]),
        "{look:?}"
    );
    assert_eq!(look.again, Some(now + LOST_AFTER));
    let before = now + LOST_AFTER.mul_f32(0.99);
    assert_eq!(guard.look(&nothing(), &held, &Held::new(), before).news, []);
    let look = guard.look(&nothing(), &held, &Held::new(), now + LOST_AFTER);
    assert!(
        matches!(look.news.as_slice(), [News::Lost { key: lost, .. }] if *lost == key(VIP)),
        "{look:?}"
    );
    assert_eq!(look.again, Some(now + LOST_AFTER * 2));
    let before = now + LOST_AFTER.mul_f32(1.99);
    assert_eq!(guard.look(&nothing(), &held, &Held::new(), before).news, []);
    let look = guard.look(&nothing(), &held, &Held::new(), now + LOST_AFTER * 2);
    assert!(
        matches!(look.news.as_slice(), [News::Lost { .. }]),
        "a start that ended in between must hear of it: {look:?}"
    );
}

#[test]
fn interface_that_is_switched_off_loses_its_addresses_and_one_that_returns_in_time_does_not() {
    let mut guard = Guard::default();
    let held = held(&[VIP]);
    let now = Instant::now();
    let off = LinkRow {
        up: false,
        ..LinkRow::sample(2, "eth0")
    };
    let off = View::new(vec![off], vec![row(2, VIP, false)]);
    guard.look(&off, &held, &Held::new(), now);
    let there = eth0(vec![row(2, VIP, false)]);
    guard.look(&there, &held, &Held::new(), now + LOST_AFTER / 2);
    assert_eq!(
        guard.look(&off, &held, &Held::new(), now + LOST_AFTER).put,
        []
    );
    let look = guard.look(&off, &held, &Held::new(), now + LOST_AFTER * 2);
    assert!(
        matches!(look.news.as_slice(), [News::Lost { .. }]),
        "{look:?}"
    );
}

#[test]
fn interface_that_returns_under_its_name_gets_its_address_again() {
    let mut guard = Guard::default();
    let held = held(&[VIP]);
    let now = Instant::now();
    guard.look(&nothing(), &held, &Held::new(), now);
    let back = View::new(vec![LinkRow::sample(9, "eth0")], Vec::new());
    let look = guard.look(&back, &held, &Held::new(), now);
    assert_eq!(look.put[0].link, 9);
    assert_eq!(look.leave, []);
}

#[test]
fn address_follows_its_interface_under_another_name_and_leaves_it_when_the_name_is_back() {
    let mut guard = Guard::default();
    let held = held(&[VIP]);
    let now = Instant::now();
    let renamed = View::new(vec![LinkRow::sample(2, "wan0")], vec![row(2, VIP, false)]);
    let look = guard.look(&renamed, &held, &Held::new(), now);
    let told = News::Renamed {
        from: "eth0".to_owned(),
        to: "wan0".to_owned(),
    };
    assert_eq!((look.put, look.news), (Vec::new(), vec![told]));
    assert_eq!(guard.look(&renamed, &held, &Held::new(), now).news, []);
    let another = View::new(
        vec![LinkRow::sample(2, "wan0"), LinkRow::sample(7, "eth0")],
        vec![row(2, VIP, false)],
    );
    let look = guard.look(&another, &held, &Held::new(), now);
    assert_eq!(look.put[0].link, 7);
    assert_eq!(look.leave, [row(2, VIP, false)]);
}

#[test]
fn virtual_address_is_never_first_where_the_nodes_own_belongs() {
    let mut guard = Guard::default();
    let second = "10.77.0.101";
    let held = held(&[VIP, second]);
    let now = Instant::now();
    let first = eth0(vec![
        row(2, VIP, false),
        row(2, second, true),
        row(2, OWN, true),
    ]);
    let look = guard.look(&first, &held, &Held::new(), now);
    assert_eq!(look.reseat, [placement(VIP), placement(second)]);
    let again = guard.look(&first, &held, &Held::new(), now);
    assert_eq!(
        (again.reseat, again.again),
        (Vec::new(), Some(now + RESEAT_EVERY))
    );
    let seated = eth0(vec![
        row(2, OWN, false),
        row(2, VIP, true),
        row(2, second, true),
    ]);
    assert_eq!(guard.look(&seated, &held, &Held::new(), now).reseat, []);
    let alone = eth0(vec![row(2, VIP, false), row(2, second, true)]);
    let late = now + RESEAT_EVERY;
    assert_eq!(guard.look(&alone, &held, &Held::new(), late).reseat, []);
}

#[test]
fn neighbours_are_told_again_when_the_cable_or_the_hardware_address_is_another() {
    let mut guard = Guard::default();
    let held = held(&[VIP]);
    let now = Instant::now();
    let with = |carrier, last| {
        let face = LinkRow {
            carrier,
            mac: Some([2, 0, 0, 0, 0, last]),
            ..LinkRow::sample(2, "eth0")
        };
        View::new(vec![face], vec![row(2, VIP, false)])
    };
    for (carrier, mac, announced) in [
        (true, 1, 0),
        (true, 1, 0),
        (false, 1, 0),
        (true, 1, 1),
        (true, 7, 1),
    ] {
        let look = guard.look(&with(carrier, mac), &held, &Held::new(), now);
        assert_eq!(look.announce.len(), announced);
    }
}

#[test]
fn refused_address_is_told_once_for_each_reason_and_tried_after_a_pause() {
    let mut guard = Guard::default();
    let held = held(&[VIP]);
    let now = Instant::now();
    guard.look(&eth0(Vec::new()), &held, &Held::new(), now);
    let refused = |why: &str| Err(why.to_owned());
    assert!(guard.put(&key(VIP), refused("no room"), now).is_some());
    assert_eq!(guard.put(&key(VIP), refused("no room"), now), None);
    let look = guard.look(&eth0(Vec::new()), &held, &Held::new(), now);
    assert_eq!((look.put.len(), look.again), (0, Some(now + REFUSED_PAUSE)));
    let released = Held::new();
    assert_eq!(
        guard.look(&eth0(Vec::new()), &released, &Held::new(), now),
        Look::default()
    );
}

/// It goes behind what is held, and would be taken for the node's own.
#[test]
fn what_is_prepared_pushes_nothing_aside() {
    let mut guard = Guard::default();
    let second = "10.77.0.101";
    let rows = vec![row(2, VIP, false), row(2, second, true)];
    let (held, prepared) = (held(&[VIP]), held(&[second]));
    let view = eth0(rows);
    let look = guard.look(&view, &held, &prepared, Instant::now());
    assert_eq!(look.reseat, []);
    let own = guard.look(&view, &held, &Held::new(), Instant::now());
    assert_eq!(own.reseat, [placement(VIP)], "an address of the node's own");
}
