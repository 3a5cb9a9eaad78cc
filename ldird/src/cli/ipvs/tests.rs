//! ipvsadm's options behind `ldird ipvs`.
#![allow(clippy::unwrap_used)]

use super::{Ipvs, Listing, read};
use ldird_ipvs::ServiceId;
use ldird_ipvs::text::{Columns, Numbers};

fn words(line: &str) -> Result<Ipvs, String> {
    read(&line.split_whitespace().collect::<Vec<_>>())
}

#[test]
fn listing_takes_the_options_of_ipvsadm() {
    let table = |columns| Listing::Table {
        columns,
        service: None,
    };
    for (line, shown) in [
        ("list", table(Columns::Normal)),
        ("list -n", table(Columns::Normal)),
        ("list --numeric --sort", table(Columns::Normal)),
        ("list -n --stats", table(Columns::Stats(Numbers::Units))),
        (
            "list --exact --stats",
            table(Columns::Stats(Numbers::Exact)),
        ),
        ("list --rate --exact", table(Columns::Rate(Numbers::Exact))),
        ("list --thresholds", table(Columns::Thresholds)),
        (
            "list --persistent-conn",
            table(Columns::PersistentConnections),
        ),
        ("list --tun-info", table(Columns::Tunnels)),
        ("list -c", Listing::Connections { engines: false }),
        ("list -nc", Listing::Connections { engines: false }),
        (
            "list -c --persistent-conn",
            Listing::Connections { engines: true },
        ),
        ("list --timeout", Listing::Timeouts),
        ("list --daemon", Listing::Daemons),
        (
            "list -n -t 10.0.0.1:80 --stats",
            Listing::Table {
                columns: Columns::Stats(Numbers::Units),
                service: Some(ServiceId::tcp([10, 0, 0, 1], 80)),
            },
        ),
    ] {
        assert_eq!(words(line).unwrap(), Ipvs::List(shown), "{line}");
    }
    let cleared = Ipvs::Restore { clear: true };
    assert_eq!(words("restore --clear").unwrap(), cleared);
    assert_eq!(words("save -n").unwrap(), Ipvs::Save);
}

#[test]
fn a_word_that_is_none_is_named() {
    for (line, named) in [
        ("list --bogus", "--bogus"),
        ("list -x", "-x"),
        ("list --stats --rate", "--stats and --rate"),
        ("list --timeout -t 10.0.0.1:80", "-t"),
        ("list -t www:80", "www:80"),
        ("list -t", "-t"),
        ("list -6", "-6"),
        ("save --stats", "--stats"),
        ("restore file", "file"),
        ("clear all", "all"),
        ("flush", "flush"),
    ] {
        let fault = words(line).unwrap_err();
        assert!(fault.contains(named), "{line}: {fault}");
    }
}
