//! Rows L1 to L5 of the specification's section 8.6.

use super::line;
use ha_status::{Asks, Severity};
use ldird_core::output::{Enforced, Notice, OpinionEnd, PanicEnd, Silence, When};
use ldird_core::table::{
    DestinationKey, DestinationSpec, Forwarding, Protocol, ServiceKey, Tunnel,
};
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

/// `NAME: FACT => LINE;`, each a test of its own.
macro_rules! lines {
    ($($name:ident: $notice:expr => $line:expr;)+) => {
        $(
            #[test]
            fn $name() {
                assert_eq!(line(&$notice).text, $line);
            }
        )+
    };
}

lines! {
    l1_a_real_server_is_added: Notice::RealAdded {
        service: SERVICE,
        real: REAL,
        weight: 3,
    } => "Added real server: 10.0.0.1:80 (10.0.0.100:80) (Weight set to 3)";
    a_real_server_is_restored: Notice::RealRestored {
        service: SERVICE,
        real: REAL,
        weight: 3,
    } => "Restored real server: 10.0.0.1:80 (10.0.0.100:80) (Weight set to 3)";
    l3_a_real_server_is_quiesced: Notice::RealQuiesced {
        service: SERVICE,
        real: REAL,
    } => "Quiescent real server: 10.0.0.1:80 (10.0.0.100:80) (Weight set to 0)";
    a_real_server_is_deleted: Notice::RealDeleted {
        service: SERVICE,
        real: REAL,
    } => "Deleted real server: 10.0.0.1:80 (10.0.0.100:80)";
    t24_a_real_server_is_purged: Notice::RealPurged {
        service: SERVICE,
        real: REAL,
        when: When::Start,
    } => "Purged real server (start): 10.0.0.1:80 (10.0.0.100:80)";
    l4_the_fallback_comes: Notice::FallbackAdded {
        service: SERVICE,
        fallback: FALLBACK,
    } => "Added fallback server: 127.0.0.1:80 (10.0.0.100:80) (Weight set to 1)";
    l4_the_fallback_goes: Notice::FallbackDeleted {
        service: SERVICE,
        fallback: FALLBACK,
    } => "Deleted fallback server: 127.0.0.1:80 (10.0.0.100:80)";
    l5_a_soft_failure: Notice::SoftFailure {
        service: SERVICE,
        real: REAL,
        failures: 1,
        limit: 3,
        message: String::new(),
    } => "Soft failure real server: 10.0.0.1:80 (tcp:10.0.0.100:80) failure 1/3";
    soft_failures_are_forgotten: Notice::SoftFailureReset {
        service: SERVICE,
        real: REAL,
    } => "Resetting soft failure count: 10.0.0.1:80 (tcp:10.0.0.100:80)";
    a_server_leaves_later: Notice::LeavesLater {
        service: SERVICE,
        real: REAL,
    } => "Real server 10.0.0.1:80 (10.0.0.100:80) is not in the new configuration and leaves when \
          those that are new there have been checked";
    a_service_is_added: Notice::ServiceAdded(SERVICE) => "Added virtual server: 10.0.0.100:80";
    a_service_is_purged: Notice::ServicePurged {
        service: ServiceKey::Fwmark { mark: 5, v6: false },
        when: When::Stop,
    } => "Purged virtual server (stop): 5";
}

#[test]
fn what_was_put_back_says_what_differed() {
    let spec = |weight, forwarding| DestinationSpec {
        forwarding,
        weight,
        upper: 0,
        lower: 0,
        tunnel: Tunnel::Ipip,
    };
    let what = Enforced::Real {
        real: REAL,
        found: spec(7, Forwarding::Masq),
        wanted: spec(1, Forwarding::Gate),
    };
    let notice = Notice::Enforced {
        service: SERVICE,
        what,
    };
    assert_eq!(
        line(&notice).text,
        "Virtual server 10.0.0.100:80: 10.0.0.1:80 was changed by somebody else (weight 7 instead \
         of 1, forwarding masq instead of gate); put back"
    );
}

#[test]
fn a_panic_is_critical_and_its_end_says_why() {
    let panic = line(&Notice::Panic {
        service: SERVICE,
        failing: 3,
        of: 4,
        longest: std::time::Duration::from_secs(300),
    });
    assert_eq!(panic.severity, Severity::Critical);
    assert!(panic.text.contains("3 of 4 real servers"), "{}", panic.text);
    let over = line(&Notice::PanicOver {
        service: SERVICE,
        why: PanicEnd::Lasted,
        failing: 2,
    });
    assert_eq!(
        over.text,
        "Virtual server 10.0.0.100:80: weights are held no more: it has lasted as long as panictime \
         allows; the 2 that still fail go"
    );
}

#[test]
fn a_second_opinion_says_who_disagrees_and_what_to_do() {
    let held = line(&Notice::SecondOpinion {
        service: SERVICE,
        real: REAL,
        node: "lb2".to_owned(),
        up: vec![REAL],
        longest: std::time::Duration::from_secs(900),
    });
    assert_eq!(held.severity, Severity::Warning);
    assert_eq!(
        held.text,
        "SECOND OPINION: virtual server 10.0.0.100:80: by the checks of this director its last real \
         server 10.0.0.1:80 has failed, but the director on lb2 finds 10.0.0.1:80 up. The fault is \
         probably between this director and its real servers: look at that link, or let the other \
         one take over (hb_standby). 10.0.0.1:80 keeps its weight, for 900 s at most"
    );
    let over = line(&Notice::SecondOpinionOver {
        service: SERVICE,
        real: REAL,
        why: OpinionEnd::Silent(Silence::NoAnswer),
    });
    assert_eq!(
        over.text,
        "Virtual server 10.0.0.100:80: 10.0.0.1:80 is held no more: there is no second opinion any \
         more: no other director has answered in time, and it goes"
    );
    assert_eq!(super::listed(&["a", "b", "c", "d"]), "a, b and 2 more");
}

#[test]
fn an_agent_is_a_warning_unless_it_lets_its_server_serve() {
    let agent = |asks, percent| ha_status::Agent {
        asks,
        percent,
        why: String::new(),
        since_ms: 0,
        silent: None,
    };
    for (asks, percent, severity, text) in [
        (Asks::Serve, 50, Severity::Notice, "50 % of the weight"),
        (Asks::Serve, 0, Severity::Warning, "0 % of the weight"),
        (Asks::Drain, 50, Severity::Warning, "drain"),
        (Asks::Maintenance, 50, Severity::Warning, "maintenance"),
        (Asks::Down, 50, Severity::Warning, "down"),
    ] {
        let told = line(&Notice::AgentAsks {
            service: SERVICE,
            real: REAL,
            agent: agent(asks, percent),
            down: false,
        });
        let begin = "Agent of real server 10.0.0.1:80 (tcp:10.0.0.100:80): ";
        assert_eq!(
            (told.severity, told.text),
            (severity, format!("{begin}{text}"))
        );
    }
}

#[test]
fn one_is_one() {
    assert_eq!(super::counted(0, "real server"), "0 real servers");
    assert_eq!(super::counted(1, "real server"), "1 real server");
    assert_eq!(super::counted(2, "real server"), "2 real servers");
}
