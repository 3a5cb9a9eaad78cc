//! Rows L1 to L5 of the specification's section 8.6.

use super::line;
use ldird_core::output::{Notice, When};
use ldird_core::table::{DestinationKey, Protocol, ServiceKey};
use std::net::Ipv4Addr;

#[test]
fn lines_are_those_of_the_old_daemon() {
    let service = ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: (Ipv4Addr::new(10, 0, 0, 100), 80).into(),
    };
    let real = DestinationKey {
        address: Ipv4Addr::new(10, 0, 0, 1).into(),
        port: 80,
    };
    let fallback = DestinationKey {
        address: Ipv4Addr::LOCALHOST.into(),
        port: 80,
    };
    let weight = 3;
    let when = When::Start;
    let soft = Notice::SoftFailure {
        service,
        real,
        failures: 1,
        limit: 3,
        message: "connection refused".to_owned(),
    };
    let rows = [
        (
            Notice::RealAdded {
                service,
                real,
                weight,
            },
            "Added real server: 10.0.0.1:80 (10.0.0.100:80) (Weight set to 3)",
        ),
        (
            Notice::RealRestored {
                service,
                real,
                weight,
            },
            "Restored real server: 10.0.0.1:80 (10.0.0.100:80) (Weight set to 3)",
        ),
        (
            Notice::RealQuiesced { service, real },
            "Quiescent real server: 10.0.0.1:80 (10.0.0.100:80) (Weight set to 0)",
        ),
        (
            Notice::RealDeleted { service, real },
            "Deleted real server: 10.0.0.1:80 (10.0.0.100:80)",
        ),
        (
            Notice::RealPurged {
                service,
                real,
                when,
            },
            "Purged real server (start): 10.0.0.1:80 (10.0.0.100:80)",
        ),
        (
            Notice::FallbackAdded { service, fallback },
            "Added fallback server: 127.0.0.1:80 (10.0.0.100:80) (Weight set to 1)",
        ),
        (
            Notice::FallbackDeleted { service, fallback },
            "Deleted fallback server: 127.0.0.1:80 (10.0.0.100:80)",
        ),
        (
            soft,
            "Soft failure real server: 10.0.0.1:80 (tcp:10.0.0.100:80) failure 1/3",
        ),
        (
            Notice::SoftFailureReset { service, real },
            "Resetting soft failure count: 10.0.0.1:80 (tcp:10.0.0.100:80)",
        ),
        (
            Notice::ServiceAdded(service),
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
    for (notice, expected) in rows {
        assert_eq!(line(&notice).text, expected);
    }
}
