#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn claims_are_read_as_they_were_written() {
    let plain = Settings::new("eth1", 0);
    let full = Settings {
        max_length: 1400,
        group: Some([239, 1, 1, 1].into()),
        port: 9000,
        ttl: 3,
        ..Settings::new("a b", 255)
    };
    let claim = |asked: &Settings, index| Claim {
        asked: asked.clone(),
        index,
    };
    let claims = Claims::from([
        (End::Master, claim(&plain, 3)),
        (End::Backup, claim(&full, u32::MAX)),
    ]);
    let written = text(&claims);
    let read: Claims = written.lines().filter_map(parse).collect();
    assert_eq!(read, claims);
}

#[test]
fn damaged_claims_are_none() {
    for line in [
        "",
        "master",
        "master 3 300 0 - 0 0 eth1",
        "both 3 1 0 - 0 0 eth1",
        "backup 3 1 0 - 0 0 ",
    ] {
        assert_eq!(parse(line), None, "{line:?}");
    }
}

#[test]
fn every_machine_has_a_loopback_and_none_has_that_one() {
    assert!(interface_index("lo").unwrap() > 0);
    assert!(interface_index("nowhere0").is_err());
    assert!(interface_index("a name that is longer than any").is_err());
}
