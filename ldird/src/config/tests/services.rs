//! What a section says for the check of its service.

use super::{good, parse};
use crate::probes::{Conversation, Dialogue, Probe};
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
