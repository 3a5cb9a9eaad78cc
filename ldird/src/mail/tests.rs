//! What a mail says (specification C.1), and mail servers and mailers that are well, refuse, hang,
//! babble, or are not there.
#![allow(clippy::unwrap_used)]

use super::{Office, Sent, place};
use crate::config::{Mail as Settings, Signature};
use ldird_core::alerts::{Alert, Audience, Fact, Mail, Phase};
use ldird_core::output::Notice;
use ldird_core::table::{DestinationKey, Protocol, ServiceKey};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn service() -> ServiceKey {
    ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: ([10, 0, 0, 100], 80).into(),
    }
}

fn alert(last: u8) -> Alert {
    Alert {
        service: service(),
        phase: Phase::Running,
        fact: Fact::Changed(Notice::RealDeleted {
            service: service(),
            real: DestinationKey {
                address: [10, 0, 0, last].into(),
                port: 80,
            },
        }),
    }
}

fn mail(to: &str, relay: Option<&str>) -> Mail {
    Mail {
        audience: Audience {
            to: to.to_owned(),
            relay: relay.map(str::to_owned),
        },
        alerts: vec![alert(1)],
        more: 0,
    }
}

fn office() -> Office {
    Office {
        host: "lb1".to_owned(),
        user: "root@lb1".to_owned(),
        sendmails: Vec::new(),
        limit: Duration::from_secs(20),
    }
}

fn signed(name: &str, comment: &str) -> Settings {
    let signature = Signature {
        name: name.to_owned(),
        comment: comment.to_owned(),
    };
    Settings {
        signatures: [(service(), signature)].into(),
        ..Settings::default()
    }
}

fn composed(mail: &Mail, settings: &Settings) -> String {
    String::from_utf8(office().compose(mail, settings).unwrap()).unwrap()
}

/// Whether a header line of that beginning is there.
fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let head = text.split("\r\n\r\n").next().unwrap();
    head.lines()
        .find_map(|line| line.strip_prefix(&format!("{name}: ")))
}

#[test]
fn one_alert_is_the_old_mail() {
    let text = composed(
        &mail("root,admin@example.com", Some("mx")),
        &Settings::default(),
    );
    let told = "Deleted real server: 10.0.0.1:80 (10.0.0.100:80)";
    assert_eq!(header(&text, "Subject"), Some(told));
    assert_eq!(header(&text, "To"), Some("root,admin@example.com"));
    assert_eq!(header(&text, "From"), Some("root@lb1"));
    assert!(header(&text, "Date").is_some() && header(&text, "Message-ID").is_some());
    let body = text.split_once("\r\n\r\n").unwrap().1;
    let wanted =
        format!("ldirectord host: lb1\r\nLog-Message: {told}\r\nDaemon-Status: running\r\n\r\n");
    assert_eq!(body, wanted);
    let text = composed(&mail("root", None), &Settings::default());
    assert_eq!(header(&text, "From"), None, "the mailer knows");
}

#[test]
fn many_alerts_are_one_mail_with_a_line_each() {
    let mut mail = mail("root", None);
    mail.alerts.push(alert(2));
    mail.more = 3;
    let mut settings = signed("Web", "shop, rack 7");
    settings.from = Some("Director <lb@example.com>".to_owned());
    let text = composed(&mail, &settings);
    let first = "[Web] Deleted real server: 10.0.0.1:80 (10.0.0.100:80)";
    let subject = text.replace("\r\n ", " ");
    assert_eq!(
        header(&subject, "Subject"),
        Some(&*format!("{first} (and 4 more)"))
    );
    assert_eq!(header(&text, "From"), Some("Director <lb@example.com>"));
    for line in [
        &format!("Log-Message: {first}"),
        "Log-Message: [Web] Deleted real server: 10.0.0.2:80 (10.0.0.100:80)",
        "3 more are in the log",
        "Service name: Web",
        "Comment: shop, rack 7",
    ] {
        assert_eq!(
            text.matches(&format!("{line}\r\n")).count(),
            1,
            "{line}\n{text}"
        );
    }
}

#[test]
fn other_scripts_reach_the_subject_as_a_mail_may_have_them() {
    let text = composed(&mail("root", None), &signed("Läden", "ü"));
    assert!(
        text.is_ascii() || header(&text, "Subject").unwrap().is_ascii(),
        "{text}"
    );
    assert!(
        header(&text, "Subject").unwrap().contains("=?utf-8?b?"),
        "{text}"
    );
}

#[test]
fn a_mail_server_may_have_a_port() {
    let rows = [
        ("mx.example.com", ("mx.example.com", 25)),
        ("mx:587", ("mx", 587)),
        ("10.0.0.1", ("10.0.0.1", 25)),
        ("10.0.0.1:26", ("10.0.0.1", 26)),
        ("[2001:db8::1]:26", ("2001:db8::1", 26)),
        ("[2001:db8::1]", ("2001:db8::1", 25)),
        ("mx:x", ("mx", 25)),
    ];
    for (text, (host, port)) in rows {
        assert_eq!(place(text), (host.to_owned(), port), "{text}");
    }
}

#[test]
fn users_of_this_machine_are_users_of_this_machine() {
    let office = office();
    let rows = [
        ("root", Some("root@lb1")),
        ("a@example.com", Some("a@example.com")),
        ("Admin <a@example.com>", Some("a@example.com")),
        ("no body@", None),
    ];
    for (text, address) in rows {
        let found = office.address(text).ok().map(|found| found.to_string());
        assert_eq!(found.as_deref(), address, "{text}");
    }
}

/// A script in the place of sendmail.
fn mailer(text: &str) -> (TempDir, Office) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sendmail");
    let text = text.replace("FOLDER", folder.path().to_str().unwrap());
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let office = Office {
        sendmails: vec!["/nowhere/sendmail".into(), path],
        ..office()
    };
    (folder, office)
}

#[tokio::test]
async fn the_mailer_of_this_machine_reads_the_whole_mail() {
    let (folder, office) = mailer("echo \"$@\" > FOLDER/args; cat > FOLDER/mail");
    let sent = office.send(&mail("root", None), &Settings::default()).await;
    assert_eq!(sent, Sent::Arrived);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("args"), "-i -t\n");
    let text = read("mail");
    assert!(
        text.contains("\nTo: root\n") && !text.contains('\r'),
        "{text}"
    );
}

#[tokio::test]
async fn a_mailer_that_fails_says_why() {
    let (_folder, office) = mailer("echo queue is full >&2; exit 75");
    let sent = office.send(&mail("root", None), &Settings::default()).await;
    let why = "sendmail: queue is full (exit status 75)".to_owned();
    assert_eq!(sent, Sent::Failed(why));
    let office = super::tests::office();
    let sent = office.send(&mail("root", None), &Settings::default()).await;
    assert_eq!(
        sent,
        Sent::Failed("there is no sendmail on this machine".to_owned())
    );
}

/// A mail server of our own, for one conversation: answers of that beginning get that answer.
fn scripted(
    rows: &'static [(&'static str, &'static str)],
) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        stream.write_all(b"220 mx\r\n").unwrap();
        let mut heard = Vec::new();
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap_or(0) > 0 {
            let text = line.trim_end().to_owned();
            let found = rows.iter().find(|(start, _)| text.starts_with(start));
            if let Some((_, answer)) = found {
                let _ = stream.write_all(answer.as_bytes());
            }
            heard.push(text);
            line.clear();
        }
        heard
    });
    (address, server)
}

const GOOD: &[(&str, &str)] = &[
    ("EHLO", "250 mx\r\n"),
    ("MAIL", "250 ok\r\n"),
    ("RCPT TO:<nobody", "550 no such user\r\n"),
    ("RCPT", "250 ok\r\n"),
    ("DATA", "354 go on\r\n"),
    (".", "250 taken\r\n"),
    ("QUIT", "221 bye\r\n"),
];

async fn send_to(address: SocketAddr, to: &str) -> Sent {
    let relay = address.to_string();
    let settings = Settings::default();
    office().send(&mail(to, Some(&relay)), &settings).await
}

/// W19: the old daemon took the whole list for one address.
#[tokio::test]
async fn each_recipient_is_named_by_itself() {
    let (address, server) = scripted(GOOD);
    let sent = send_to(address, "root, admin@example.com").await;
    assert_eq!(sent, Sent::Arrived);
    let heard = server.join().unwrap();
    let told: Vec<&str> = heard.iter().take(4).map(String::as_str).collect();
    let wanted = [
        "EHLO lb1",
        "MAIL FROM:<root@lb1>",
        "RCPT TO:<root@lb1>",
        "RCPT TO:<admin@example.com>",
    ];
    assert_eq!(told, wanted);
}

#[tokio::test]
async fn a_refused_recipient_costs_the_others_nothing() {
    let (address, server) = scripted(GOOD);
    let sent = send_to(address, "nobody@x.com,admin@x.com").await;
    let Sent::InPart(why) = sent else {
        panic!("{sent:?}");
    };
    assert!(why.starts_with("nobody@x.com: "), "{why}");
    assert!(server.join().unwrap().iter().any(|line| line == "."));
    let (address, server) = scripted(GOOD);
    let sent = send_to(address, "nobody@x.com").await;
    assert!(matches!(sent, Sent::Failed(_)), "{sent:?}");
    server.join().unwrap();
}

#[tokio::test]
async fn a_mail_server_that_refuses_or_is_not_there_says_so() {
    let (address, server) = scripted(&[("EHLO", "250 mx\r\n"), ("MAIL", "451 later\r\n")]);
    let sent = send_to(address, "root").await;
    let Sent::Failed(why) = sent else {
        panic!("{sent:?}");
    };
    assert!(why.contains("later"), "{why}");
    server.join().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let sent = send_to(address, "root").await;
    let Sent::Failed(why) = sent else {
        panic!("{sent:?}");
    };
    assert!(why.contains("refused"), "{why}");
}

#[tokio::test]
async fn a_mail_server_or_mailer_that_hangs_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = listener.local_addr().unwrap().to_string();
    let limit = Duration::from_millis(300);
    let impatient = |office: Office| Office { limit, ..office };
    let settings = Settings::default();
    let mail = mail("root", Some(&relay));
    let sent = impatient(office()).send(&mail, &settings).await;
    assert_eq!(sent, Sent::Failed("no end within 0.3 s".to_owned()));
    let (_folder, office) = mailer("cat > FOLDER/mail; sleep 600");
    let mail = super::tests::mail("root", None);
    let sent = impatient(office).send(&mail, &settings).await;
    assert!(
        matches!(&sent, Sent::Failed(why) if why.contains("no end within")),
        "{sent:?}"
    );
}

/// One line without an end.
#[tokio::test]
async fn a_mail_server_that_babbles_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut sent = 0;
        while stream.write_all(&[b'2'; 4096]).is_ok() {
            sent += 4096;
        }
        sent
    });
    let begun = Instant::now();
    let sent = send_to(address, "root").await;
    assert!(matches!(sent, Sent::Failed(_)), "{sent:?}");
    assert!(begun.elapsed() < office().limit / 2, "not for want of time");
    server.join().unwrap();
}

/// Python's own mail server, if this machine has it.
struct Library {
    child: Child,
    address: SocketAddr,
    out: BufReader<std::process::ChildStdout>,
}

const LIBRARY: &str = "
import asyncore, smtpd, sys, warnings
class Server(smtpd.SMTPServer):
    def process_message(self, peer, mailfrom, rcpttos, data, **rest):
        print(mailfrom, ','.join(rcpttos), data.count(b'Log-Message:'), flush=True)
server = Server(('127.0.0.1', 0), None)
print(server.socket.getsockname()[1], flush=True)
asyncore.loop()
";

impl Library {
    fn start() -> Option<Self> {
        let mut child = Command::new("python3")
            .args(["-W", "ignore", "-c", LIBRARY])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let Ok(port) = line.trim().parse::<u16>() else {
            child.wait().unwrap();
            println!("skipped: python3 has no smtpd");
            return None;
        };
        let address = ([127, 0, 0, 1], port).into();
        Some(Self {
            child,
            address,
            out,
        })
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_mail_server_that_others_wrote_takes_the_mail() {
    let Some(mut library) = Library::start() else {
        return;
    };
    let mut connection = TcpStream::connect(library.address).unwrap();
    connection
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut greeting = [0; 3];
    connection.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"220");
    let sent = send_to(library.address, "a@example.com,b@example.com").await;
    assert_eq!(sent, Sent::Arrived);
    let mut line = String::new();
    library.out.read_line(&mut line).unwrap();
    assert_eq!(line, "root@lb1 a@example.com,b@example.com 1\n");
}
