//! The report as an operator reads it.

#![allow(clippy::unwrap_used)]

use super::*;
use ldird_core::table::{
    DestinationKey, DestinationSpec, Forwarding, Protocol, Service, ServiceKey, ServiceSpec, Table,
    Tunnel,
};
use std::net::SocketAddr;

const EVERY: Duration = Duration::from_millis(200);

fn row(last: u8) -> DestinationKey {
    DestinationKey {
        address: [10, 0, 1, last].into(),
        port: 80,
    }
}

fn table(weights: &[u32]) -> Table {
    let spec = |weight| DestinationSpec {
        forwarding: Forwarding::Gate,
        weight,
        upper: 0,
        lower: 0,
        tunnel: Tunnel::Ipip,
    };
    let rows = (1..).map(row).zip(weights.iter().copied().map(spec));
    let key = ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: SocketAddr::from(([10, 0, 0, 100], 80)),
    };
    let service = Service {
        spec: ServiceSpec {
            scheduler: "wlc".to_owned(),
            persistent: None,
            netmask: 32,
            one_packet: false,
            scheduler_flags: [false; 3],
            pe: None,
        },
        destinations: rows.collect(),
    };
    Table::from([(key, service)])
}

fn refused(place: Place) -> Option<String> {
    (place.real == Some(row(2))).then(|| "connection refused".to_owned())
}

#[test]
fn the_report_says_what_differs_and_who_was_faster() {
    let start = Instant::now();
    let mut shadow = Shadow::default();
    let mut lines = Vec::new();
    for (seconds, ours, kernel) in [
        (0, [1, 1], [1, 1]),
        // Ours first, the other one nine seconds later.
        (10, [1, 0], [1, 1]),
        (19, [1, 0], [1, 0]),
        // Back at once, and now the other one is alone.
        (30, [1, 1], [1, 1]),
        (90, [1, 1], [1, 0]),
        (100, [1, 1], [1, 0]),
    ] {
        let now = start + Duration::from_secs(seconds);
        let events = shadow.look(&table(&ours), &table(&kernel), now);
        lines.extend(events.iter().map(|event| line(event, refused).text));
    }
    assert_eq!(
        lines,
        [
            "DIFFERS tcp:10.0.0.100:80 10.0.1.2:80: ldird moved first: ldird has weight 0, the \
             kernel weight 1 (ldird's check: connection refused)",
            "SAME tcp:10.0.0.100:80 10.0.1.2:80: the other followed 9.0 s after ldird",
            "DIFFERS tcp:10.0.0.100:80 10.0.1.2:80: the other moved first: ldird has weight 1, the \
             kernel weight 0 (ldird's check: connection refused)",
        ]
    );
    let mut report = Report::new("/etc/ha.d/ldirectord.cf".into(), EVERY);
    report.foreign = 2;
    let text = report.text(&shadow, start + Duration::from_secs(100), refused);
    let (head, body) = text.split_once("\n\n").unwrap();
    assert!(
        head.starts_with("Shadow of /etc/ha.d/ldirectord.cf\n"),
        "{head}"
    );
    assert!(head.ends_with("compared for 1m40s, every 0.2 s"), "{head}");
    let wanted = "\
Traffic went the same ways for 81.00 % of the time, but not now: 1 difference.

They differ now
  tcp:10.0.0.100:80 10.0.1.2:80: ldird has weight 1, the kernel weight 0, for 10.0 s
      ldird's check: connection refused

Who was first                    ldird                          the other
  took a server out              1x, by 9.0 s (median), 9.0 s (most) never
  brought one in                 never                          never
  changed, and back, alone       0x                             0x

They have differed, the longest first
  tcp:10.0.0.100:80 10.0.1.2:80: 2x, 9.0 s in all, 9.0 s at most

The kernel has 2 more services that the file does not name: not compared.
";
    assert_eq!(body, wanted);
}

#[test]
fn a_shadow_without_anything_to_compare_says_so() {
    let report = Report::new("/x.cf".into(), EVERY);
    let mut shadow = Shadow::default();
    let text = report.text(&shadow, Instant::now(), |_| None);
    assert!(text.contains("Nothing has been compared yet."), "{text}");
    shadow.look(&table(&[1]), &Table::new(), Instant::now());
    let text = report.text(&shadow, Instant::now(), |_| None);
    assert!(text.contains("is this the active director?"), "{text}");
}

#[test]
fn a_report_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report");
    replace(&path, "one\n").unwrap();
    replace(&path, "two\n").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(replace(&folder.path().join("no/where"), "x").is_err());
}
