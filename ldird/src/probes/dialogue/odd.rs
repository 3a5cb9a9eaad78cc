//! Odd servers, asked by us and by the old daemon's libraries as the old daemon asks them: the same
//! verdict, or a reason for ours.
#![allow(clippy::unwrap_used)]

use crate::probes::library::Library;
use crate::probes::{Dialler, Dialogue, Means, Negotiate, Pattern, Service, Turn};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Reads one question a line and answers each with `up` or `down`: the old daemon's own calls. An
/// address with its port keeps the library of imap from asking port 143.
const LIBRARY: &str = r#"
use strict; use warnings; no warnings 'all'; $| = 1;
use Net::SMTP; use Net::FTP; use Mail::POP3Client; use Net::IMAP::Simple; use IO::Socket::INET;
use IO::Select;
$SIG{PIPE} = 'IGNORE';
my ($login, $passwd) = ('user', 'secret');
sub smtp {
    my ($port, $seconds) = @_;
    my $smtp = new Net::SMTP('127.0.0.1', Port => $port, Timeout => $seconds) or return 0;
    return 1;
}
sub pop {
    my ($port, $seconds) = @_;
    my $pop = new Mail::POP3Client(USER => $login, PASSWORD => $passwd, HOST => '127.0.0.1',
        USESSL => 0, PORT => $port, DEBUG => 0, TIMEOUT => $seconds) or return 0;
    return $pop->login() ? 1 : 0;
}
sub imap {
    my ($port, $seconds) = @_;
    my $imap = Net::IMAP::Simple->new("127.0.0.1:$port", timeout => $seconds) or return 0;
    return $imap->login($login, $passwd) ? 1 : 0;
}
sub nntp {
    my ($port, $seconds) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp')
        or return 0;
    my $s = IO::Select->new($sock);
    return 0 if scalar($s->can_read($seconds)) == 0;
    my $buf;
    sysread($sock, $buf, 64);
    return $buf =~ /^2/ ? 1 : 0;
}
sub ftp {
    my ($port, $seconds) = @_;
    open(TMP, '+>', undef);
    eval {
        my $ftp = Net::FTP->new("127.0.0.1:$port", Timeout => $seconds) or die "no connection\n";
        $ftp->login($login, $passwd); $ftp->cwd('/'); $ftp->binary(); $ftp->pasv();
        $ftp->get('/welcome', *TMP); $ftp->quit();
    };
    seek TMP, 0, 0; local $/; my $memory = <TMP>; close TMP;
    return $memory =~ /Hello/ ? 1 : 0;
}
sub simpletcp {
    my ($port, $seconds) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp')
        or return 0;
    print $sock "PING\n"; $sock->flush(); shutdown($sock, 1);
    while (<$sock>) { return 1 if /Hello$/; }
    return 0;
}
my %checks = (smtp => \&smtp, pop => \&pop, imap => \&imap, nntp => \&nntp, ftp => \&ftp,
    simpletcp => \&simpletcp);
while (my $line = <STDIN>) {
    chomp $line;
    my ($service, $port, $seconds) = split /\t/, $line;
    my $up = 0;
    eval {
        local $SIG{ALRM} = sub { die "Timeout Alarm" };
        alarm $seconds;
        $up = $checks{$service}->($port, $seconds + 5);
        alarm 0;
    };
    alarm 0;
    print $up ? "up\n" : "down\n";
}
"#;

fn ours(service: &str, target: SocketAddr, seconds: u64) -> bool {
    let Negotiate::Asks(question) = Service::named(service).unwrap().negotiate else {
        panic!("{service} is not asked");
    };
    let pattern = if service == "ftp" { "Hello" } else { "Hello$" };
    let dialogue = Dialogue {
        request: if service == "ftp" {
            b"/welcome".to_vec()
        } else {
            b"PING\\n".to_vec()
        },
        receive: Some(Arc::new(Pattern::new(pattern.as_bytes()).unwrap())),
        login: Some(b"user".to_vec()),
        passwd: Some(b"secret".to_vec()),
        ..Dialogue::new(target, Duration::from_secs(seconds))
    };
    let probe = question(dialogue).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let means = Means::new(Dialler::default());
    runtime
        .block_on(probe.ask(Turn::default(), &means))
        .0
        .is_up()
}

/// What a server does when it has said all.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    Close,
    /// Says nothing more and keeps the connection.
    Hold,
}

use Then::{Close, Hold};

/// Seconds where a server makes both wait, and where none should come.
const BRIEF: u64 = 2;
const PATIENT: u64 = 20;
/// A server that closes waits so long for a line.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone)]
struct Odd {
    service: &'static str,
    /// The first is said at once, each further one after a line.
    answers: Vec<String>,
    then: Then,
}

fn serve(odd: Odd) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, odd) = (stream.unwrap(), odd.clone());
            thread::spawn(move || attend(stream, &odd));
        }
    });
    address
}

fn attend(mut stream: TcpStream, odd: &Odd) -> Option<()> {
    if odd.then == Close {
        // Who waits for more than was said sees an end.
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    if odd.service == "ftp" {
        return transfer(stream, &mut lines, odd);
    }
    for (at, answer) in odd.answers.iter().enumerate() {
        if at > 0 {
            lines.next()?.ok()?;
        }
        stream.write_all(answer.as_bytes()).ok()?;
    }
    if odd.then == Hold {
        thread::park_timeout(Duration::from_secs(BRIEF + 1));
    } else if odd.service != "simpletcp" {
        // What is still asked is heard, so that nothing is reset.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    Some(())
}

/// A server of ftp that sends `Hello` and answers like any, but for the answers that begin with a
/// command: `RETR 550 no`. The first answer is the greeting.
fn transfer(
    mut stream: TcpStream,
    lines: &mut impl Iterator<Item = std::io::Result<String>>,
    odd: &Odd,
) -> Option<()> {
    stream.write_all(odd.answers.first()?.as_bytes()).ok()?;
    let (mut listener, mut remote) = (None, None);
    for line in lines {
        let line = line.ok()?;
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let own = odd
            .answers
            .iter()
            .find_map(|answer| answer.strip_prefix(verb)?.strip_prefix(' '));
        let usual = match verb {
            "USER" => "331 who?\r\n".to_owned(),
            "PASS" => "230 in\r\n".to_owned(),
            "PASV" => {
                let opened = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let port = opened.local_addr().unwrap().port();
                listener = Some(opened);
                format!("227 (127,0,0,1,{},{})\r\n", port / 256, port % 256)
            }
            "PORT" => {
                let numbers: Vec<u16> = argument.split(',').flat_map(str::parse).collect();
                let port = numbers.get(4)? * 256 + numbers.get(5)?;
                (listener, remote) = (None, Some(SocketAddr::from(([127, 0, 0, 1], port))));
                "200 ok\r\n".to_owned()
            }
            "RETR" => "150 comes\r\n".to_owned(),
            _ => "200 ok\r\n".to_owned(),
        };
        let answer = own.unwrap_or(&usual);
        stream.write_all(answer.as_bytes()).ok()?;
        if verb == "RETR" && answer.contains("150") {
            let mut data = match (&listener, remote) {
                (Some(listener), _) => listener.accept().ok()?.0,
                (None, Some(remote)) => TcpStream::connect(remote).ok()?,
                (None, None) => return None,
            };
            data.write_all(b"Hello\n").ok()?;
            drop(data);
            stream.write_all(b"226 done\r\n").ok()?;
        }
    }
    Some(())
}

fn odd(service: &'static str, answers: &[&str], then: Then) -> Odd {
    let answers = answers.iter().map(|text| (*text).to_owned()).collect();
    Odd {
        service,
        answers,
        then,
    }
}

const GREETINGS: &[&str] = &[
    "",
    "\r\n",
    "220 mx\r\n",
    "220\r\n",
    "220\n",
    "22\r\n",
    "220x\r\n",
    " 220 mx\r\n",
    "220-a\r\n220 b\r\n",
    "220-a\r\n",
    "220-a\r\nb\r\n220 c\r\n",
    "220-a\r\n554 b\r\n",
    "554 no\r\n",
    "421 no\r\n",
    "120 no\r\n",
    "299 odd\r\n",
    "2200 odd\r\n",
    "350 no\r\n",
    "noise\r\n220 mx\r\n",
    "220 mx",
    "+OK\r\n",
    "+ok\r\n",
    "+OKAY\r\n",
    "+ OK\r\n",
    "-ERR\r\n",
    "+OK",
    "* OK\r\n",
    "*  ok x\r\n",
    "* PREAUTH x\r\n",
    "* BYE\r\n",
    "* NO\r\n",
    "*OK\r\n",
    "* OK",
    "* OKAY\r\n",
    "OK\r\n",
    "200 news\r\n",
    "2",
    "502 no\r\n",
    "Hello\n",
    "a\nHello\nb\n",
    "Hello\r\n",
    "Hello",
    "aHello",
    "\nHello\n\n",
    "\0Hello\n",
];
const HELLOS: &[&[&str]] = &[
    &["250-a\r\n250 b\r\n"],
    &["250-a\r\nb\r\n"],
    &["250-a\r\n550 b\r\n", "250\r\n"],
    &["502 no\r\n", "250 ok\r\n"],
    &["502 no\r\n", "502 no\r\n"],
    &["421 no\r\n", "250 ok\r\n"],
    &["350 no\r\n", "250 ok\r\n"],
    &["150 no\r\n"],
    &["noise\r\n", "250 ok\r\n"],
    &["502-a\r\n502 b\r\n", "220 ok\r\n"],
    &["250 ok"],
    &["550-a\r\nnoise\r\n", "250 ok\r\n"],
];
const CAPA: &str = "+OK\r\nUSER\r\n.\r\n";
const USER: &str = "+OK\r\n";
const PASS: &str = "+OK\r\n";
const POP_LOGINS: &[&[&str]] = &[
    &[CAPA, USER, PASS],
    &[CAPA, USER, "-ERR\r\n"],
    &[CAPA, "-ERR\r\n", PASS],
    &[CAPA, "+\r\n", PASS],
    &[CAPA, USER, "+ok\r\n"],
    &[CAPA, USER, "+OK"],
    &["+OK\r\nSASL CRAM-MD5\r\n.\r\n", "+ PGE+\r\n", "+OK\r\n"],
    &[
        "+OK\r\nSASL CRAM-MD5\r\n.\r\n",
        "+ PGE+\r\n",
        "-ERR\r\n",
        USER,
        PASS,
    ],
    &["+OK\r\nSASL CRAM-MD5\r\n.\r\n", "-ERR\r\n", USER, PASS],
    &["+OK\r\nSASL PLAIN\r\n . \r\n.\r\n", USER, PASS],
    &["noise\r\n", USER, PASS],
    &[CAPA],
];
const IMAP_LOGINS: &[&str] = &[
    "0 OK\r\n",
    "0 ok\r\n",
    "0 OKAY\r\n",
    "0  OK\r\n",
    "0 NO\r\n",
    "0 BAD\r\n",
    "0 no x\r\n",
    "00 OK\r\n0 NO\r\n",
    "1 OK\r\n0 NO\r\n",
    "* OK\r\n0 OK\r\n",
    "* BYE\r\n",
    "0 OK",
    "0\r\n0 OK\r\n",
    "* X {4}\r\n0 NO\r\n0 OK\r\n",
    "* X ({4}\r\n0 NO\r\n)\r\n0 OK\r\n",
    "* X {0}\r\n0 OK\r\n",
    "* X ({0}\r\n0 NO\r\nx)\r\n0 OK\r\n",
    "noise\r\n0 OK\r\n",
    "* {x}\r\n0 OK\r\n",
    "X {4}\r\n0 NO\r\n",
    "0 FOO\r\n0 OK\r\n",
    "* X {4} \r\n0 NO\r\n0 OK\r\n",
];

/// Greetings of every kind, and what comes behind a good one.
fn odd_servers() -> Vec<Odd> {
    let mut all = Vec::new();
    for service in ["smtp", "nntp", "simpletcp"] {
        let behind: &[&str] = if service == "smtp" {
            &["250 ok\r\n", "221\r\n"]
        } else {
            &[]
        };
        for greeting in GREETINGS.iter().copied() {
            let answers = [&[greeting][..], behind].concat();
            all.push(odd(service, &answers, Close));
        }
        all.push(odd(service, &[], Hold));
    }
    for greeting in GREETINGS.iter().copied() {
        let pop = [
            greeting,
            "-ERR\r\n",
            "+OK\r\n",
            "+OK\r\n",
            "+OK 0 0\r\n",
            "+OK\r\n",
        ];
        all.push(odd("pop", &pop, Close));
        all.push(odd(
            "imap",
            &[greeting, "0 OK in\r\n", "", "2 OK\r\n"],
            Close,
        ));
        all.push(odd("ftp", &[greeting], Close));
    }
    all.extend(odd_mail());
    all.extend(odd_files());
    all
}

fn odd_mail() -> Vec<Odd> {
    let mut all = Vec::new();
    for hello in HELLOS.iter().copied() {
        all.push(odd("smtp", &[&["220 mx\r\n"][..], hello].concat(), Close));
    }
    all.push(odd("smtp", &["220 mx\r\n250 early\r\n"], Close));
    for login in POP_LOGINS.iter().copied() {
        // The old library logs in once more when it failed, and asks for the number of messages.
        let again = ["+OK 1 1\r\n", "+OK\r\n"];
        let failed = login.iter().any(|answer| answer.starts_with("-ERR"));
        let rest: &[&str] = if failed { &[] } else { &again };
        all.push(odd("pop", &[&["+OK\r\n"][..], login, rest].concat(), Close));
    }
    let apop = "+OK <1.2@here>\r\n";
    all.push(odd(
        "pop",
        &[apop, "+OK\r\n", "+OK\r\n", "+OK 1 1\r\n", "+OK\r\n"],
        Close,
    ));
    for login in IMAP_LOGINS.iter().copied() {
        all.push(odd("imap", &["* OK\r\n", login, "", "2 OK\r\n"], Close));
    }
    for service in ["pop", "imap", "smtp"] {
        all.push(odd(service, &["* OK\r\n"], Hold));
        all.push(odd(service, &["+OK\r\n"], Hold));
        all.push(odd(service, &["220 mx\r\n"], Hold));
    }
    all
}

fn odd_files() -> Vec<Odd> {
    let own: [&[&str]; 16] = [
        &[],
        &["USER 230 in\r\n"],
        &["USER 530 no\r\n", "user 331 who?\r\n"],
        &["USER 530 no\r\n", "user 530 no\r\n"],
        &["PASS 530 no\r\n"],
        &["PASS 332 account?\r\n"],
        &["CWD 550 no\r\n"],
        &["PASS 230-a\r\n230 b\r\n"],
        &["PASS 230-a\r\n b\r\nc\r\n230 d\r\n"],
        &["RETR 550 no\r\n"],
        &["RETR 226 done\r\n"],
        &["PORT 500 no\r\n", "PASV 500 no\r\n"],
        &["RETR 125 comes 150\r\n"],
        &["CWD noise\r\n250 ok\r\n"],
        &["USER 331-a\r\n331 b\r\n"],
        &["PASV 227 nowhere\r\n"],
    ];
    let greeted = own
        .iter()
        .map(|own| odd("ftp", &[&["220 hi\r\n"], *own].concat(), Close));
    greeted.collect()
}

/// What the two say where they differ, over several libraries at once; and how many were up.
fn differences(servers: Vec<Odd>) -> Option<(Vec<String>, usize)> {
    const WORKERS: usize = 8;
    let queue = Mutex::new(servers);
    let found = Mutex::new((Vec::new(), 0));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            let modules = ["Mail::POP3Client", "Net::IMAP::Simple"];
            let packages = "libmail-pop3client-perl libnet-imap-simple-perl";
            let mut library = Library::start(&modules, packages, LIBRARY)?;
            let (queue, found) = (&queue, &found);
            scope.spawn(move || {
                loop {
                    let next = queue.lock().unwrap().pop();
                    let Some(odd) = next else { return };
                    let seconds = if odd.then == Hold { BRIEF } else { PATIENT };
                    let (shown, service) = (format!("{odd:?}"), odd.service);
                    let server = serve(odd);
                    let theirs = library.is_up(&format!("{service}\t{}\t{seconds}", server.port()));
                    let ours = ours(service, server, seconds);
                    let mut found = found.lock().unwrap();
                    found.1 += usize::from(ours);
                    if theirs != ours {
                        let text = format!("{shown}: library {theirs}, ours {ours}");
                        found.0.push(text);
                    }
                }
            });
        }
        Some(())
    })?;
    Some(found.into_inner().unwrap())
}

#[test]
fn verdicts_on_odd_servers_are_those_of_the_old_libraries() {
    let servers = odd_servers();
    let count = servers.len();
    if let Some((found, up)) = differences(servers) {
        assert!(found.is_empty(), "{}", found.join("\n"));
        println!("{count} servers, {up} of them up");
        assert!(
            (count / 5..count * 4 / 5).contains(&up),
            "{up} of {count} say little"
        );
    }
}
