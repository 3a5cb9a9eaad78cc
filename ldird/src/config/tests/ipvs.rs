//! Directives that only this director has, all of them about what the kernel can do.

use super::{Bad, Good, Warned, b0, before_b0, check_rows, good, only};
use ldird_core::sync::Settings;
use ldird_core::table::{Forwarding, Protocol, ServiceKey, Tunnel, TunnelChecksum};
use ldird_ipvs::Timeouts;

#[test]
fn every_scheduler_of_linux_is_taken_with_its_flags() {
    for (name, flags, bits) in [
        ("rr", "flag-1", [true, false, false]),
        ("wrr", "flag-3", [false, false, true]),
        ("lc", "", [false; 3]),
        ("wlc", "", [false; 3]),
        ("lblc", "", [false; 3]),
        ("lblcr", "", [false; 3]),
        ("dh", "", [false; 3]),
        ("sh", "sh-fallback,sh-port", [true, true, false]),
        ("mh", "mh-port", [false, true, false]),
        ("sed", "", [false; 3]),
        ("nq", "", [false; 3]),
        ("fo", "", [false; 3]),
        ("ovf", "", [false; 3]),
        ("twos", "", [false; 3]),
    ] {
        let schedflags = if flags.is_empty() {
            String::new()
        } else {
            format!("\tschedflags={flags}\n")
        };
        let text = format!(
            "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate\n\tservice=http\n\
             \tscheduler={name}\n{schedflags}"
        );
        let configuration = good(&text);
        let spec = &only(&configuration).spec;
        let found = (spec.scheduler.as_str(), spec.scheduler_flags);
        assert_eq!(found, (name, bits));
    }
}

#[test]
fn tunnels_and_persistence_engines_have_words() {
    let tunnel = |words: &str| {
        let text = format!(
            "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 ipip\n\treal=10.0.0.2:80 gate\n\
             \tservice=http\n\ttunnel={words}\n"
        );
        let configuration = good(&text);
        let reals = &only(&configuration).reals;
        // The section's word is for its tunnels alone.
        assert_eq!(reals[1].tunnel, Tunnel::Ipip);
        reals[0].tunnel
    };
    let none = TunnelChecksum::None;
    assert_eq!(tunnel("ipip"), Tunnel::Ipip);
    assert_eq!(tunnel("gre"), Tunnel::Gre { checksum: none });
    for (words, checksum) in [
        ("gue 6080", none),
        ("gue 6080 csum", TunnelChecksum::Full),
        ("gue 6080 remcsum", TunnelChecksum::Remote),
    ] {
        let port = 6080;
        assert_eq!(tunnel(words), Tunnel::Gue { port, checksum }, "{words}");
    }
    let sip = good(&b0("persistent=60\n\tpe=sip"));
    assert_eq!(only(&sip).spec.pe.as_deref(), Some("sip"));
    check_rows(&[
        ("gue", b0("tunnel=gue"), Bad("invalid tunnel")),
        ("port", b0("tunnel=gue 0"), Bad("invalid tunnel")),
        ("gre", b0("tunnel=gre remcsum"), Bad("invalid tunnel")),
        ("vxlan", b0("tunnel=vxlan"), Bad("invalid tunnel")),
        ("more", b0("tunnel=gre csum csum"), Bad("invalid tunnel")),
        (
            "pe",
            b0("pe=sixteen-bytes-xx"),
            Bad("invalid persistence engine"),
        ),
        (
            "alone",
            b0("pe=sip"),
            Warned("pe has no effect without persistent"),
        ),
        (
            "unknown",
            b0("persistent=9\n\tpe=h323"),
            Warned("no persistence engine of Linux is called \"h323\""),
        ),
    ]);
}

#[test]
fn the_kernels_time_outs_are_left_alone_unless_the_file_says_so() {
    assert_eq!(good(&before_b0("checkinterval=1")).timeouts, None);
    let some = good(&before_b0("tcptimeout=7200\nudptimeout=60")).timeouts;
    let wanted = Timeouts {
        tcp: 7200,
        tcp_fin: 0,
        udp: 60,
    };
    assert_eq!(some, Some(wanted));
    // The kernel counts in ticks and 32 bits.
    let most = good(&before_b0("tcpfintimeout=99999999")).timeouts;
    assert_eq!(most.map(|all| all.tcp_fin), Some(2_147_483));
    check_rows(&[
        (
            "0",
            before_b0("tcptimeout=0"),
            Bad("invalid tcp timeout value"),
        ),
        ("section", b0("udptimeout=5"), Bad("Unknown command")),
        (
            "old",
            before_b0("timeout=5"),
            Bad("timeout directive deprecated"),
        ),
    ]);
}

#[test]
fn only_a_tunnel_leads_through_the_other_family() {
    let through = |real: &str| {
        format!("virtual6=[2001:db8::80]:80\n\t{real}\n\tservice=http\n\tscheduler=rr\n")
    };
    let configuration = good(&through("real=10.0.0.1:80 ipip 2"));
    let real = &only(&configuration).reals[0];
    assert_eq!(real.key.to_string(), "10.0.0.1:80");
    assert_eq!((real.forwarding, real.weight), (Forwarding::Ipip, 2));
    let four = good(&b0("real6=[2001:db8::1]:80 ipip"));
    assert_eq!(only(&four).reals[2].key.to_string(), "[2001:db8::1]:80");
    check_rows(&[
        (
            "both",
            through("real=10.0.0.1 ipip\n\treal6=[2001:db8::1] ipip"),
            Good,
        ),
        (
            "gate",
            through("real=10.0.0.1:80 gate"),
            Bad("cannot specify \"real\" here.  please use \"real6\" instead"),
        ),
        (
            "masq",
            b0("real6=[2001:db8::1]:80 masq"),
            Bad("cannot specify \"real6\" here.  please use \"real\" instead"),
        ),
    ]);
}

#[test]
fn sctp_and_marks_are_services_as_well() {
    let sctp = good(&b0("protocol=sctp"));
    assert!(matches!(
        only(&sctp).key,
        ServiceKey::Address {
            protocol: Protocol::Sctp,
            ..
        }
    ));
    let mark = good("virtual6=7\n\treal6=[2001:db8::1] gate\n\tprotocol=fwm\n\tops=yes\n");
    assert_eq!(only(&mark).key.to_string(), "fwm6:7");
    assert!(only(&mark).spec.one_packet);
}

#[test]
fn connections_are_synchronised_where_the_file_names_an_interface() {
    assert_eq!(good(&before_b0("checkinterval=1")).sync, None);
    let plain = good(&before_b0("syncdaemon=eth1")).sync;
    assert_eq!(plain, Some(Settings::new("eth1", 0)));
    let full = "syncdaemon = \"bond0.7\"\nsyncid=255\nsyncgroup=239.1.1.1\nsyncport=9000\n\
                syncttl=3\nsyncmaxlen=1400";
    let wanted = Settings {
        max_length: 1400,
        group: Some([239, 1, 1, 1].into()),
        port: 9000,
        ttl: 3,
        ..Settings::new("bond0.7", 255)
    };
    assert_eq!(good(&before_b0(full)).sync, Some(wanted));
    let lines = |text: &str| before_b0(&format!("syncdaemon=eth1\n{text}"));
    let interface = "invalid sync daemon interface";
    check_rows(&[
        ("none", before_b0("syncdaemon="), Bad(interface)),
        ("address", before_b0("syncdaemon=10.0.0.1"), Bad(interface)),
        ("two", before_b0("syncdaemon=eth0 eth1"), Bad(interface)),
        (
            "long",
            before_b0("syncdaemon=sixteen-bytes-xx"),
            Bad(interface),
        ),
        ("id", lines("syncid=256"), Bad("syncid is 0 to 255")),
        ("no id", lines("syncid=one"), Bad("invalid sync id")),
        (
            "port",
            lines("syncport=65536"),
            Bad("syncport is 1 to 65535"),
        ),
        ("no port", lines("syncport=0"), Bad("invalid sync port")),
        ("ttl", lines("syncttl=256"), Bad("syncttl is 1 to 255")),
        (
            "short",
            lines("syncmaxlen=1023"),
            Bad("syncmaxlen is 1024 to 65507"),
        ),
        (
            "one",
            lines("syncgroup=10.0.0.1"),
            Bad("invalid sync group"),
        ),
        ("name", lines("syncgroup=all"), Bad("invalid sync group")),
        (
            "alone",
            before_b0("syncid=7"),
            Warned("connections are not synchronised without syncdaemon=INTERFACE"),
        ),
        ("section", b0("syncdaemon=eth1"), Bad("Unknown command")),
        (
            "mixed",
            format!("syncdaemon=eth1\n{}", b0("real6=[2001:db8::1]:80 ipip")),
            Bad("syncdaemon does not go with a server of another family"),
        ),
    ]);
}
