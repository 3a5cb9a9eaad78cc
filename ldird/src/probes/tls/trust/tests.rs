//! Servers of imaps with certificates of a small authority.
#![allow(clippy::unwrap_used)]

use super::Trust;
use crate::probes::{Answer, Conversation, Dialler, Dialogue, Finding, Means, Turn};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const NAME: &str = "mail.example.org";

/// An authority, and where its certificate lies.
fn authority(folder: &Path, name: &str) -> (Issuer<'static, KeyPair>, PathBuf) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let path = folder.join(name);
    fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
    (Issuer::new(params, key), path)
}

/// A server of imaps with a certificate for [`NAME`], good until the first day of that year.
fn serve(issuer: &Issuer<'static, KeyPair>, until: i32) -> SocketAddr {
    let mut params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let _ = stream.write_all(b"* OK ready\r\n");
            let _ = std::io::Read::read(&mut stream, &mut [0; 64]);
        }
    });
    target
}

async fn ask(means: &Means, target: SocketAddr, trust: &Trust, name: Option<&str>) -> Answer {
    let dialogue = Dialogue {
        trust: trust.clone(),
        virtualhost: name.map(|name| name.as_bytes().to_vec()),
        ..Dialogue::new(target, Duration::from_secs(20))
    };
    let probe = Conversation::imaps(dialogue).unwrap();
    let (answer, _) = probe.ask(Turn::default(), means).await;
    answer.without_certificate()
}

#[tokio::test]
async fn a_certificate_is_judged_where_the_file_asks_for_it_and_the_result_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (issuer, path) = authority(folder.path(), "ours");
    let (_, other) = authority(folder.path(), "theirs");
    let (ours, theirs) = (Trust::File(path), Trust::File(other));
    let (good, old) = (serve(&issuer, 2999), serve(&issuer, 2002));
    let refused = |why| Answer::down(format!("the certificate is refused: {why}"));
    let up = Answer::up("* OK ready");
    let issuer_unknown = "its issuer is not trusted";
    let rows = [
        (good, &Trust::Everybody, None, up.clone()),
        (old, &Trust::Everybody, Some("x.example.org"), up.clone()),
        (good, &ours, Some(NAME), up.clone()),
        // There is no name that it could be for.
        (good, &ours, None, up.clone()),
        (
            good,
            &ours,
            Some("x.example.org"),
            refused("it is for another name"),
        ),
        (good, &theirs, Some(NAME), refused(issuer_unknown)),
        (good, &theirs, None, refused(issuer_unknown)),
        (old, &ours, Some(NAME), refused("it has expired")),
        (old, &ours, None, refused("it has expired")),
    ];
    let means = Means::new(Dialler::default());
    for (target, trust, name, expected) in rows {
        let answer = ask(&means, target, trust, name).await;
        assert_eq!(answer, expected, "{trust:?} {name:?}");
    }
}

/// Whom to trust is ours to know: that a file is missing says nothing of a server.
#[tokio::test]
async fn a_file_of_authorities_that_is_missing_or_empty_is_no_fault_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let (issuer, path) = authority(folder.path(), "ours");
    let target = serve(&issuer, 2999);
    let means = Means::new(Dialler::default());
    let later = folder.path().join("later");
    let trust = Trust::File(later.clone());
    for text in [None, Some("")] {
        if let Some(text) = text {
            fs::write(&later, text).unwrap();
        }
        let answer = ask(&means, target, &trust, Some(NAME)).await;
        assert_eq!(answer.finding, Finding::CouldNotAsk, "{}", answer.message);
        assert!(answer.message.contains("sslcafile"), "{}", answer.message);
    }
    // It is read again when it is there.
    fs::copy(path, &later).unwrap();
    let answer = ask(&means, target, &trust, Some(NAME)).await;
    assert_eq!(answer, Answer::up("* OK ready"));
}

#[tokio::test]
async fn the_systems_authorities_know_no_small_one() {
    let folder = tempfile::tempdir().unwrap();
    let (issuer, _) = authority(folder.path(), "ours");
    let target = serve(&issuer, 2999);
    let means = Means::new(Dialler::default());
    let answer = ask(&means, target, &Trust::System, Some(NAME)).await;
    if answer.finding == Finding::CouldNotAsk {
        println!("skipped: {}", answer.message);
        return;
    }
    let words = "the certificate is refused: its issuer is not trusted";
    assert_eq!(answer, Answer::down(words));
}
