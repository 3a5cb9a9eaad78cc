//! Servers of OpenSSL with every kind of TLS: what we speak is checked whole, what we do not speak
//! is up as far as a connection shows, and named.
#![allow(clippy::unwrap_used)]

use crate::probes::{Answer, Dialler, Dialogue, Finding, Means, Pattern, Probe, Service};
use crate::probes::{Negotiate, Turn};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Starting a program of OpenSSL and opening its port.
const START_MAX: Duration = Duration::from_secs(20);

/// A server with a directory of its own; ends with this value.
struct Server {
    child: Child,
    target: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// `key` is what `openssl req -newkey` takes; `None`, with a reason, without OpenSSL.
    fn start(key: &[&str], options: &[&str]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=x"])
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .args(key)
            .current_dir(&directory)
            .stderr(Stdio::null())
            .status();
        if made.is_err() {
            println!("skipped: there is no openssl");
            return None;
        }
        assert!(made.unwrap().success());
        fs::write(directory.path().join("page"), "Test Page").unwrap();
        let target = {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            listener.local_addr().unwrap()
        };
        let child = Command::new("openssl")
            .args([
                "s_server", "-quiet", "-WWW", "-key", "key.pem", "-cert", "cert.pem",
            ])
            .args(["-accept", &target.to_string()])
            .args(options)
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self {
            child,
            target,
            _directory: directory,
        };
        let start = Instant::now();
        while std::net::TcpStream::connect(target).is_err() {
            assert!(start.elapsed() < START_MAX, "{options:?}: no server");
            std::thread::yield_now();
        }
        Some(server)
    }

    async fn ask(&self, receive: &str) -> Answer {
        let probe = https(self.target, receive);
        let means = Means::new(Dialler::default());
        probe.ask(Turn::default(), &means).await.0
    }
}

fn https(target: SocketAddr, receive: &str) -> Probe {
    let Negotiate::Asks(question) = Service::named("https").unwrap().negotiate else {
        panic!("https is asked");
    };
    let dialogue = Dialogue {
        request: b"/page".to_vec(),
        receive: Some(Arc::new(Pattern::new(receive.as_bytes()).unwrap())),
        ..Dialogue::new(target, Duration::from_secs(30))
    };
    question(dialogue).unwrap()
}

const RSA: &[&str] = &["-newkey", "rsa:2048"];
const P256: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const P521: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"];
const ED25519: &[&str] = &["-newkey", "ed25519"];

#[tokio::test]
async fn a_server_that_speaks_what_we_lack_is_up_and_told_by_name() {
    let weak = "ALL:@SECLEVEL=0";
    let rows: [(&[&str], &[&str], &str); 10] = [
        (
            RSA,
            &["-tls1_2", "-cipher", "AES128-SHA"],
            "TLS_RSA_WITH_AES_128_CBC_SHA",
        ),
        (
            RSA,
            &["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
            "TLS_RSA_WITH_AES_128_GCM_SHA256",
        ),
        (
            RSA,
            &["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"],
            "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
        ),
        (
            RSA,
            &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA"],
            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        ),
        (
            P256,
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384"],
            "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
        ),
        (
            RSA,
            &[
                "-tls1_2",
                "-curves",
                "P-521",
                "-cipher",
                "ECDHE-RSA-AES128-GCM-SHA256",
            ],
            "over P-521",
        ),
        (RSA, &["-tls1_3", "-curves", "P-521"], "over P-521"),
        (P521, &["-tls1_2"], "a certificate or group of another kind"),
        (RSA, &["-tls1", "-cipher", weak], "TLS 1.0"),
        (RSA, &["-tls1_1", "-cipher", weak], "TLS 1.1"),
    ];
    for (key, options, name) in rows {
        let Some(server) = Server::start(key, options) else {
            return;
        };
        let answer = server.ask("Test Page").await;
        assert_eq!(
            answer.finding,
            Finding::Up,
            "{options:?}: {}",
            answer.message
        );
        assert!(answer.limited, "{options:?}: {}", answer.message);
        assert!(
            answer.message.contains(name),
            "{options:?}: {}",
            answer.message
        );
    }
}

/// Whatever the certificate's kind: nothing of it is computed.
#[tokio::test]
async fn a_server_that_speaks_what_we_speak_is_checked_whole() {
    let rows: [(&[&str], &[&str]); 5] = [
        (RSA, &[]),
        (RSA, &["-tls1_2"]),
        (P521, &["-tls1_3"]),
        (ED25519, &["-tls1_3"]),
        (
            P256,
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
        ),
    ];
    for (key, options) in rows {
        let Some(server) = Server::start(key, options) else {
            return;
        };
        let answer = server.ask("Test Page").await;
        assert!(answer.is_up(), "{key:?} {options:?}: {}", answer.message);
        assert!(!answer.limited, "{key:?} {options:?}: {}", answer.message);
        assert!(!server.ask("Other Page").await.is_up());
    }
}

/// A port that speaks no TLS at all, or refuses everyone, is down.
#[tokio::test]
async fn no_tls_at_all_is_down() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
        }
    });
    let means = Means::new(Dialler::default());
    let (answer, _) = https(target, "Test Page")
        .ask(Turn::default(), &means)
        .await;
    assert_eq!(answer.finding, Finding::Down, "{}", answer.message);
    let Some(server) = Server::start(RSA, &["-tls1_2", "-Verify", "1", "-verify_return_error"])
    else {
        return;
    };
    let answer = server.ask("Test Page").await;
    assert_eq!(
        answer.finding,
        Finding::Down,
        "wants a certificate: {}",
        answer.message
    );
}
