//! Odd directory servers, asked by us and by the old daemon's library as the old daemon asks it: the
//! same verdict, or a reason for ours.
#![allow(clippy::unwrap_used)]

use super::message::tests::{entry, message, result};
use super::tests::{Script, check, good, serve};
use super::{BIND, Ldap, SEARCH};
use crate::probes::library::Library;
use crate::probes::{Dialler, Means, Probe};
use std::time::Duration;

/// Port, base, pattern, seconds.
const LIBRARY: &str = r#"
use strict; no warnings 'all'; use Net::LDAP; $| = 1;
while (my $line = <STDIN>) {
    chomp $line;
    my ($port, $base, $receive, $seconds) = split /\t/, $line;
    my $result;
    eval {
        local $SIG{ALRM} = sub { die "Timeout Alarm" };
        alarm $seconds;
        my $ldap = Net::LDAP->new('127.0.0.1', port => $port, scheme => 'ldap', timeout => $seconds);
        my $bind = $ldap && $ldap->bind;
        $result = $ldap->search(base => $base, scope => 'base', filter => '(objectClass=*)')
            if $bind && !$bind->is_error;
        $result->count if $result;
        alarm 0;
    };
    my $up = defined $result && $result->count == 1;
    my ($name) = $up ? keys %{$result->as_struct} : ();
    print $up && (!($receive =~ /.+/) || $name =~ /$receive/) ? "up\n" : "down\n";
}
"#;

/// Where ours differs, and why.
const DIFFERENT: &[(&str, &str)] = &[(
    "no end, and closed",
    "a server that breaks off in the middle of its answer is not well",
)];

fn found(parts: &[&[u8]]) -> Script {
    Script {
        found: parts.concat(),
        ..good()
    }
}

fn bound(bytes: Vec<u8>) -> Script {
    Script {
        bound: bytes,
        ..good()
    }
}

fn closing(script: Script) -> Script {
    Script {
        close: true,
        ..script
    }
}

fn servers() -> Vec<(&'static str, Script)> {
    let name = entry(SEARCH, "o=Site");
    let done = |code| result(SEARCH, 0x65, code, "");
    let referral = message(SEARCH, 0x73, b"\x04\x09ldap://x/");
    let controls = {
        let fields = [&b"\x02\x01\x02"[..], &name[5..], b"\xa0\0"].concat();
        [vec![0x30, fields.len() as u8], fields].concat()
    };
    vec![
        ("good", found(&[&name, &done(0)])),
        (
            "another name",
            found(&[&entry(SEARCH, "o=Other"), &done(0)]),
        ),
        ("an empty name", found(&[&entry(SEARCH, ""), &done(0)])),
        ("no entry", found(&[&done(0)])),
        ("no such object", found(&[&done(32)])),
        ("an entry and an error", found(&[&name, &done(4)])),
        (
            "two entries",
            found(&[&name, &entry(SEARCH, "o=Other"), &done(0)]),
        ),
        ("a referral first", found(&[&referral, &name, &done(0)])),
        (
            "another number first",
            found(&[&entry(77, "o=x"), &name, &done(0)]),
        ),
        (
            "only another number",
            found(&[&entry(77, "o=Site"), &result(77, 0x65, 0, "")]),
        ),
        ("controls", found(&[&controls, &done(0)])),
        ("no end of the search", found(&[&name])),
        ("no end, and closed", closing(found(&[&name]))),
        ("a notice", found(&[&result(0, 0x78, 52, "bye")])),
        ("bind refused", bound(result(BIND, 0x61, 49, "no"))),
        ("bind is a referral", bound(result(BIND, 0x61, 10, ""))),
        ("bind wants more", bound(result(BIND, 0x61, 14, ""))),
        ("silence", bound(Vec::new())),
        ("closed", closing(bound(Vec::new()))),
        ("garbage", closing(bound(b"220 smtp ready\r\n".to_vec()))),
        ("an empty message", closing(bound(b"\x30\0".to_vec()))),
    ]
}

#[tokio::test]
async fn verdicts_on_odd_servers_are_those_of_the_old_library() {
    let Some(library) = Library::start(&["Net::LDAP"], "libnet-ldap-perl", LIBRARY) else {
        return;
    };
    let library = std::sync::Arc::new(std::sync::Mutex::new(library));
    let means = Means::new(Dialler::default());
    let mut wrong = Vec::new();
    for (what, script) in servers() {
        let (server, _) = serve(script).await;
        let question = format!("{}\to=site\to=Site\t1", server.port());
        let library = std::sync::Arc::clone(&library);
        let asked = tokio::task::spawn_blocking(move || library.lock().unwrap().is_up(&question));
        let old = asked.await.unwrap();
        let mut dialogue = check(server, Some("o=Site"));
        dialogue.timeout = Duration::from_millis(500);
        let Probe::Ldap(ldap) = Ldap::plain(dialogue) else {
            panic!("another probe");
        };
        let new = ldap.ask(&means).await;
        let listed = DIFFERENT.iter().any(|(listed, _)| *listed == what);
        if (old != new.is_up()) != listed {
            wrong.push(format!("{what}: old {old}, new {new:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
