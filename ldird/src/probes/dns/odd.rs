//! Odd name servers, asked by us and by the old daemon's library as the old daemon asks it: the same
//! verdict, or a reason for ours.
#![allow(clippy::unwrap_used)]

use super::Dns;
use super::tests::check;
use crate::probes::library::Library;
use crate::probes::{Dialler, Means, Probe};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Port, name, pattern, seconds.
const LIBRARY: &str = r#"
use strict; no warnings 'all'; use Net::DNS; $| = 1;
while (my $line = <STDIN>) {
    chomp $line;
    my ($port, $name, $receive, $seconds) = split /\t/, $line;
    my $resolver = Net::DNS::Resolver->new;
    my $packet;
    eval {
        local $SIG{ALRM} = sub { die "timeout\n" };
        alarm $seconds;
        $resolver->nameservers('127.0.0.1');
        $resolver->port($port);
        $packet = $resolver->search($name);
        alarm 0;
    };
    my $up = 0;
    for my $record ($packet ? $packet->answer : ()) {
        $up ||= $record->type eq 'A' && $record->address =~ /$receive/;
        $up ||= $record->type eq 'PTR' && $record->ptrdname =~ /$receive/;
    }
    print $up ? "up\n" : "down\n";
}
"#;

/// What a server does: the datagrams for a query, and the answer over TCP.
type Script = fn(&[u8]) -> (Vec<Vec<u8>>, Vec<u8>);

const GOOD: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x07";
const BAD: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x01\x01\x01\x01";
const ALIAS: &[u8] = b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x07\x04real\xc0\x0c";
const CHAOS: &[u8] = b"\xc0\x0c\0\x01\0\x03\0\0\0\x3c\0\x04\x0a\0\0\x07";
const SHORT: &[u8] = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x03\x0a\0\0";
const LOOP: &[u8] = b"\xc0\x21\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x07";
const UNKNOWN: &[u8] = b"\xc0\x0c\xff\x12\0\x01\0\0\0\x3c\0\x02\x0a\x0b";
const NAME: &[u8] = b"\xc0\x0c\0\x0c\0\x01\0\0\0\x3c\0\x0a\x0410.0\x03777\0";
const OTHER_OWNER: &[u8] = b"\x03abc\0\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x07";

/// A reply with these flags and records in the answer.
fn reply(query: &[u8], flags: u16, records: &[&[u8]]) -> Vec<u8> {
    let mut bytes = query.to_vec();
    bytes[2..4].copy_from_slice(&flags.to_be_bytes());
    bytes[7] = records.len() as u8;
    bytes.extend(records.concat());
    bytes
}

const OK: u16 = 0x8180;

/// Only these datagrams.
fn udp(datagrams: Vec<Vec<u8>>) -> (Vec<Vec<u8>>, Vec<u8>) {
    (datagrams, Vec::new())
}

fn one(datagram: Vec<u8>) -> (Vec<Vec<u8>>, Vec<u8>) {
    udp(vec![datagram])
}

/// With the count of the section that begins at this byte of the header.
fn counted(mut bytes: Vec<u8>, at: usize, count: u8) -> Vec<u8> {
    bytes[at + 1] = count;
    bytes
}

fn renumbered(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[1] ^= 1;
    bytes
}

const SCRIPTS: &[(&str, Script)] = &[
    ("a match", |q| one(reply(q, OK, &[GOOD]))),
    ("another address", |q| one(reply(q, OK, &[BAD]))),
    ("an alias first", |q| one(reply(q, OK, &[ALIAS, GOOD]))),
    ("an alias alone", |q| one(reply(q, OK, &[ALIAS]))),
    ("the second address", |q| one(reply(q, OK, &[BAD, GOOD]))),
    ("NXDOMAIN", |q| one(reply(q, 0x8183, &[]))),
    ("SERVFAIL", |q| one(reply(q, 0x8182, &[]))),
    ("REFUSED", |q| one(reply(q, 0x8185, &[]))),
    ("nothing", |q| one(reply(q, OK, &[]))),
    ("NXDOMAIN and a match", |q| one(reply(q, 0x8183, &[GOOD]))),
    ("another number, then a match", |q| {
        udp(vec![
            renumbered(reply(q, OK, &[BAD])),
            reply(q, OK, &[GOOD]),
        ])
    }),
    ("another number", |q| one(renumbered(reply(q, OK, &[GOOD])))),
    ("garbage, then a match", |q| {
        udp(vec![b"?".to_vec(), reply(q, OK, &[GOOD])])
    }),
    ("the query, then a match", |q| {
        udp(vec![q.to_vec(), reply(q, OK, &[GOOD])])
    }),
    ("two answers", |q| {
        udp(vec![reply(q, OK, &[BAD]), reply(q, OK, &[GOOD])])
    }),
    ("not a reply", |q| one(reply(q, 0x0180, &[GOOD]))),
    ("another operation", |q| one(reply(q, 0xa180, &[GOOD]))),
    ("not the question", |q| {
        let mut bytes = reply(q, OK, &[GOOD]);
        bytes[13] = b'z';
        one(bytes)
    }),
    ("no question", |q| {
        let mut bytes = counted(q[..12].to_vec(), 4, 0);
        bytes[2..4].copy_from_slice(&OK.to_be_bytes());
        bytes[7] = 1;
        bytes.extend(OTHER_OWNER);
        one(bytes)
    }),
    ("another owner", |q| one(reply(q, OK, &[OTHER_OWNER]))),
    ("in the authority", |q| {
        one(counted(counted(reply(q, OK, &[GOOD]), 6, 0), 8, 1))
    }),
    ("in the additional", |q| {
        one(counted(counted(reply(q, OK, &[GOOD]), 6, 0), 10, 1))
    }),
    ("more records than there are", |q| {
        one(counted(reply(q, OK, &[GOOD]), 6, 9))
    }),
    ("a short address", |q| one(reply(q, OK, &[SHORT]))),
    ("a short address, then a match", |q| {
        one(reply(q, OK, &[SHORT, GOOD]))
    }),
    ("a match, then a short address", |q| {
        one(reply(q, OK, &[GOOD, SHORT]))
    }),
    ("a name in circles", |q| one(reply(q, OK, &[LOOP]))),
    ("a match, then a name in circles", |q| {
        one(reply(q, OK, &[GOOD, LOOP]))
    }),
    ("an unknown type, then a match", |q| {
        one(reply(q, OK, &[UNKNOWN, GOOD]))
    }),
    ("another class", |q| one(reply(q, OK, &[CHAOS]))),
    ("a name that matches", |q| one(reply(q, OK, &[NAME]))),
    ("bytes behind the end", |q| {
        one([reply(q, OK, &[GOOD]), vec![0xff; 50]].concat())
    }),
    ("many records", |q| one(reply(q, OK, &[BAD; 30]))),
    ("cut, whole over TCP", |q| {
        (vec![reply(q, OK | 0x200, &[])], reply(q, OK, &[GOOD]))
    }),
    ("cut, a match in the part", |q| {
        udp(vec![reply(q, OK | 0x200, &[GOOD])])
    }),
    ("cut, another number over TCP", |q| {
        (
            vec![reply(q, OK | 0x200, &[])],
            renumbered(reply(q, OK, &[GOOD])),
        )
    }),
    ("cut, cut over TCP as well", |q| {
        (
            vec![reply(q, OK | 0x200, &[])],
            reply(q, OK | 0x200, &[GOOD]),
        )
    }),
];

/// Where ours differs, and why.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "NXDOMAIN and a match",
        "a server that says that there is no such name does not serve it",
    ),
    ("a short address", "three bytes are no address"),
];

/// Both transports on one port, with the script of the row that is asked for.
fn serve(script: &Arc<Mutex<Script>>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let socket = UdpSocket::bind(address).unwrap();
    let ours = Arc::clone(script);
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let (datagrams, _) = ours.lock().unwrap()(&buffer[..length]);
            for datagram in datagrams {
                let _ = socket.send_to(&datagram, from);
            }
        }
    });
    let ours = Arc::clone(script);
    thread::spawn(move || {
        for mut stream in listener.incoming().filter_map(Result::ok) {
            let mut length = [0; 2];
            let _ = stream.read_exact(&mut length);
            let mut query = vec![0; u16::from_be_bytes(length).into()];
            if stream.read_exact(&mut query).is_err() {
                continue;
            }
            let (_, answer) = ours.lock().unwrap()(&query);
            if !answer.is_empty() {
                let _ = stream.write_all(&(answer.len() as u16).to_be_bytes());
                let _ = stream.write_all(&answer);
            }
        }
    });
    address
}

#[tokio::test]
async fn verdicts_on_odd_servers_are_those_of_the_old_library() {
    let Some(mut library) = Library::start(&["Net::DNS"], "libnet-dns-perl", LIBRARY) else {
        return;
    };
    let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(SCRIPTS[0].1));
    let server = serve(&script);
    let means = Means::new(Dialler::default());
    let mut wrong = Vec::new();
    for (what, row) in SCRIPTS {
        *script.lock().unwrap() = *row;
        let (name, receive, seconds) = ("www.x.y", r"10\.0", 1);
        let question = format!("{}\t{name}\t{receive}\t{seconds}", server.port());
        let old = library.is_up(&question);
        let mut dialogue = check(server, name, Some(receive));
        dialogue.timeout = Duration::from_millis(500);
        let Probe::Dns(dns) = Dns::probe(dialogue) else {
            panic!("another probe");
        };
        let new = dns.ask(&means).await;
        let listed = DIFFERENT.iter().any(|(listed, _)| listed == what);
        if (old != new.is_up()) != listed {
            wrong.push(format!("{what}: old {old}, new {new:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
