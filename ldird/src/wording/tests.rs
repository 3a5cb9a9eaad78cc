//! Rows L1 to L5 of the specification's section 8.6.

use super::line;
use ldird_core::output::{Notice, When};
use ldird_core::table::{DestinationKey, Protocol, ServiceKey};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const SERVICE: ServiceKey = ServiceKey::Address {
    protocol: Protocol::Tcp,
    address: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100)), 80),
};
const REAL: DestinationKey = DestinationKey {
    address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
    port: 80,
};
const FALLBACK: DestinationKey = DestinationKey {
    address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    port: 80,
};

/// A fact and its line.
const LINES: &[(Notice, &str)] = &[
    (
        Notice::RealAdded {
            service: SERVICE,
            real: REAL,
            weight: 3,
        },
        "Added real server: 10.0.0.1:80 (10.0.0.100:80) (Weight set to 3)",
    ),
    (
        Notice::RealRestored {
            service: SERVICE,
            real: REAL,
            weight: 3,
        },
        "Restored real server: 10.0.0.1:80 (10.0.0.100:80) (Weight set to 3)",
    ),
    (
        Notice::RealQuiesced {
            service: SERVICE,
            real: REAL,
        },
        "Quiescent real server: 10.0.0.1:80 (10.0.0.100:80) (Weight set to 0)",
    ),
    (
        Notice::RealDeleted {
            service: SERVICE,
            real: REAL,
        },
        "Deleted real server: 10.0.0.1:80 (10.0.0.100:80)",
    ),
    (
        Notice::RealPurged {
            service: SERVICE,
            real: REAL,
            when: When::Start,
        },
        "Purged real server (start): 10.0.0.1:80 (10.0.0.100:80)",
    ),
    (
        Notice::FallbackAdded {
            service: SERVICE,
            fallback: FALLBACK,
        },
        "Added fallback server: 127.0.0.1:80 (10.0.0.100:80) (Weight set to 1)",
    ),
    (
        Notice::FallbackDeleted {
            service: SERVICE,
            fallback: FALLBACK,
        },
        "Deleted fallback server: 127.0.0.1:80 (10.0.0.100:80)",
    ),
    (
        Notice::SoftFailure {
            service: SERVICE,
            real: REAL,
            failures: 1,
            limit: 3,
            message: String::new(),
        },
        "Soft failure real server: 10.0.0.1:80 (tcp:10.0.0.100:80) failure 1/3",
    ),
    (
        Notice::SoftFailureReset {
            service: SERVICE,
            real: REAL,
        },
        "Resetting soft failure count: 10.0.0.1:80 (tcp:10.0.0.100:80)",
    ),
    (
        Notice::ServiceAdded(SERVICE),
        "Added virtual server: 10.0.0.100:80",
    ),
    (
        Notice::ServicePurged {
            service: ServiceKey::Fwmark { mark: 5, v6: false },
            when: When::Stop,
        },
        "Purged virtual server (stop): 5",
    ),
];

#[test]
fn lines_are_those_of_the_old_daemon() {
    for (notice, expected) in LINES {
        assert_eq!(line(notice).text, *expected);
    }
}
