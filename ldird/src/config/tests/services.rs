//! What a section says for the check of its service.

use super::{good, parse};
use crate::probes::{Conversation, Dialogue, Dns, Ldap, Probe, Radius, Sip, Trust};
use std::net::SocketAddr;
use std::time::Duration;

#[test]
fn what_a_section_says_of_a_login_reaches_its_check() {
    let configuration = good(
        "virtual=10.0.0.100:143\n\treal=10.0.0.1:1143 gate\n\tlogin=\"who\"\n\tpasswd=\"p w\"\n\
         \tnegotiatetimeout=7\n",
    );
    let target = SocketAddr::from(([10, 0, 0, 1], 1143));
    let dialogue = Dialogue {
        login: Some(b"who".to_vec()),
        passwd: Some(b"p w".to_vec()),
        ..Dialogue::new(target, Duration::from_secs(7))
    };
    let expected = Conversation::imap(dialogue).unwrap();
    let probes: Vec<&Probe> = configuration.probes.values().map(|one| &**one).collect();
    assert_eq!(probes, [&expected]);
}

/// A combined check talks and connects; a check of a service that is there needs no stand-in.
#[test]
fn a_number_of_connects_goes_between_conversations() {
    let text = "virtual=10.0.0.100:25\n\treal=10.0.0.1:25 gate\n\tchecktype=3\n";
    let (configuration, told) = parse(text);
    assert_eq!(told, []);
    let probe = configuration.unwrap().probes.into_values().next().unwrap();
    let Probe::Combined {
        every: 3,
        negotiate,
        connect,
    } = &*probe
    else {
        panic!("{probe:?}");
    };
    assert!(matches!(&**negotiate, Probe::Talk(_)));
    assert!(matches!(&**connect, Probe::Connect(_)));
}

/// They were up whatever they did.
#[test]
fn pop_and_ftp_that_are_really_asked_now_are_named() {
    for (section, told) in [
        ("110\n\treal=10.0.0.1:110 gate\n", true),
        ("110\n\treal=10.0.0.1:110 gate\n\tlogin=\"a\"\n", false),
        (
            "110\n\treal=10.0.0.1:110 gate\n\tchecktype=connect\n",
            false,
        ),
        ("21\n\treal=10.0.0.1:21 gate\n\tchecktype=3\n", true),
        ("21\n\treal=10.0.0.1:21 gate\n\treceive=\"x\"\n", false),
        ("25\n\treal=10.0.0.1:25 gate\n", false),
    ] {
        let (configuration, found) = parse(&format!("virtual=10.0.0.100:{section}"));
        assert!(configuration.is_some(), "{section}");
        let mended = |(_, _, message): &(_, _, String)| message.contains("here it has to");
        assert_eq!(found.iter().any(mended), told, "{section}: {found:?}");
    }
}

/// What the checks of databases and name servers cannot do without is missed before they are asked.
#[test]
fn k47_what_can_never_be_up_is_named() {
    let full = "\tlogin=\"a\"\n\trequest=\"SELECT 1\"\n";
    for (service, section, told) in [
        ("mysql", "", true),
        ("mysql", "\tlogin=\"a\"\n", true),
        ("mysql", "\trequest=\"SELECT 1\"\n", true),
        ("mysql", full, false),
        ("mysql", "\tchecktype=connect\n", false),
        ("pgsql", "", true),
        ("pgsql", full, false),
        ("http_proxy", "", true),
        ("http_proxy", "\trequest=\"index.html\"\n", true),
        ("http_proxy", "\trequest=\"http://a/b\"\n", false),
        ("dns", "", true),
        ("dns", "\trequest=\"/\"\n", true),
        ("dns", "\trequest=\"example.com\"\n", false),
    ] {
        let text = format!(
            "virtual=10.0.0.100:99\n\treal=10.0.0.1:99 gate\n\tservice={service}\n{section}"
        );
        let (configuration, found) = parse(&text);
        assert!(configuration.is_some(), "{text}");
        let hopeless =
            |(_, _, message): &(_, _, String)| message.contains("all its servers are down");
        assert_eq!(found.iter().any(hopeless), told, "{text}: {found:?}");
    }
    let own = "virtual=10.0.0.100:53\n\treal=10.0.0.1:53 gate \"example.com\", \"10\"\n";
    assert_eq!(parse(own).1, [], "the real server has a request of its own");
}

/// TCP for a virtual service of TCP; a firewall mark has no protocol, and names are asked over UDP.
#[test]
fn the_protocol_of_the_virtual_service_is_that_of_the_question() {
    let dns = "\treal=10.0.0.1:53 gate\n\tservice=dns\n\trequest=\"a.b\"\n";
    let sip = "\treal=10.0.0.1:5060 gate\n\tservice=sip\n";
    let rows = [
        (
            format!("virtual=10.0.0.100:53\n{dns}\tprotocol=tcp\n"),
            (false, false),
        ),
        (
            format!("virtual=10.0.0.100:53\n{dns}\tprotocol=udp\n"),
            (true, false),
        ),
        (format!("virtual=7\n{dns}"), (false, true)),
        (
            format!("virtual=10.0.0.100:5060\n{sip}\tprotocol=tcp\n"),
            (false, false),
        ),
        (
            format!("virtual=10.0.0.100:5060\n{sip}\tprotocol=udp\n"),
            (true, false),
        ),
    ];
    for (text, (udp, marked)) in rows {
        let configuration = good(&text);
        let probe = configuration.probes.into_values().next().unwrap();
        let (expected, port) = match &*probe {
            Probe::Dns(_) => (Dns::probe as fn(Dialogue) -> Probe, 53),
            Probe::Sip(_) => (Sip::probe as fn(Dialogue) -> Probe, 5060),
            other => panic!("{other:?}"),
        };
        let request = if port == 53 { &b"a.b"[..] } else { b"" };
        let dialogue = Dialogue {
            request: request.to_vec(),
            udp,
            marked,
            checktimeout: Duration::from_secs(5),
            ..Dialogue::new(([10, 0, 0, 1], port).into(), Duration::from_secs(30))
        };
        assert_eq!(*probe, expected(dialogue), "{text}");
    }
}

/// The old daemon's alarm around these two is checktimeout.
#[test]
fn ldap_and_radius_keep_to_both_timeouts() {
    for (service, port) in [("ldap", 389), ("radius", 1812)] {
        let text = format!(
            "virtual=10.0.0.100:{port}\n\treal=10.0.0.1:{port} gate\n\tservice={service}\n\
             \tprotocol=tcp\n\tlogin=\"a\"\n\tchecktimeout=3\n\tnegotiatetimeout=7\n"
        );
        let probe = good(&text).probes.into_values().next().unwrap();
        let dialogue = Dialogue {
            login: Some(b"a".to_vec()),
            ..Dialogue::new(([10, 0, 0, 1], port).into(), Duration::from_secs(3))
        };
        let expected = match &*probe {
            Probe::Ldap(_) => Ldap::plain(dialogue),
            Probe::Radius(_) => Radius::probe(dialogue),
            other => panic!("{other:?}"),
        };
        assert_eq!(*probe, expected, "{text}");
    }
}

/// A pattern that looks around may take all the steps that there are, on any text.
#[test]
fn a_check_whose_pattern_may_take_long_is_asked_apart() {
    for (service, receive, apart) in [
        ("http", "Test Page", false),
        ("http", "(?=(a|aa)+b)c", true),
        ("simpletcp", "^OK", false),
        ("simpletcp", r"(a+)\1b", true),
    ] {
        let section = format!("service={service}\n\tchecktype=negotiate\n\treceive=\"{receive}\"");
        let text = format!("virtual=10.0.0.100:99\n\treal=10.0.0.1:99 gate\n\t{section}\n");
        let probe = good(&text).probes.into_values().next().unwrap();
        let is_apart = matches!(&*probe, Probe::Apart(_));
        assert_eq!(is_apart, apart, "{service} {receive}: {probe:?}");
    }
}

/// As the old daemon finds it: only the last quote of a line surely ends the second string.
#[test]
fn a_quote_inside_the_string_that_is_looked_for_is_a_part_of_it() {
    let receive = |options: &str| {
        let text = format!("virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate 1 {options}\n");
        let probe = parse(&text).0?.probes.into_values().next().unwrap();
        let Probe::Http(http) = &*probe else {
            panic!("{probe:?}");
        };
        http.receive.as_ref().map(ToString::to_string)
    };
    let found = |text: &str| Some(text.to_owned());
    assert_eq!(receive(r#""/a", "<a id="b">" u:5"#), found(r#"<a id="b">"#));
    assert_eq!(receive(r#""/a","b" u:5"#), found("b"));
    assert_eq!(receive(r#""/a","b"u:5"#), None, "a blank is missing");
    assert_eq!(receive(r#""/a","b","c""#), None, "three are one too many");
}

#[test]
fn a_fallback_that_a_later_line_replaces_must_be_in_order() {
    for (line, good) in [
        ("fallback=127.0.0.1:80", true),
        ("fallback=127.0.0.1:nosuch", false),
        ("fallback=127.0.0.1:", false),
        ("fallback=127.0.0.1.5:80", false),
    ] {
        let global = format!(
            "{line}\nfallback=127.0.0.1:80\nvirtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate\n"
        );
        assert_eq!(parse(&global).0.is_some(), good, "{global}");
        let own = format!(
            "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate\n\t{line}\n\tfallback=127.0.0.1:80\n"
        );
        assert_eq!(parse(&own).0.is_some(), good, "{own}");
    }
}

#[test]
fn certificates_are_looked_at_where_the_file_says_so() {
    let section = "virtual=10.0.0.100:993\n\treal=10.0.0.1:993 gate\n";
    let rows = [
        ("", "", Trust::Everybody),
        ("sslverify=yes\n", "", Trust::System),
        ("sslverify=yes\n", "\tsslverify=no\n", Trust::Everybody),
        (
            "",
            "\tsslverify=yes\n\tsslcafile=/etc/ca.pem\n",
            Trust::File("/etc/ca.pem".into()),
        ),
        (
            "sslcafile=\"/etc/ca.pem\"\n",
            "\tsslverify=yes\n",
            Trust::File("/etc/ca.pem".into()),
        ),
    ];
    for (before, behind, trust) in rows {
        let configuration = good(&format!("{before}{section}{behind}"));
        let target = SocketAddr::from(([10, 0, 0, 1], 993));
        let dialogue = Dialogue {
            trust,
            ..Dialogue::new(target, Duration::from_secs(30))
        };
        let expected = Conversation::imaps(dialogue).unwrap();
        let probes: Vec<&Probe> = configuration.probes.values().map(|one| &**one).collect();
        assert_eq!(probes, [&expected], "{before}{behind}");
    }
    let (_, told) = parse(&format!("{section}\tsslcafile=/etc/ca.pem\n"));
    let told: Vec<&str> = told
        .iter()
        .map(|(_, _, message)| message.as_str())
        .collect();
    assert_eq!(told, ["sslcafile has no effect without sslverify"]);
}
