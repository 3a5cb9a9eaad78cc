//! Many checks at once: who waits for whom, and what one costs.
#![allow(clippy::unwrap_used)]

use super::{CONCURRENT_MAX, Lines, Probed, Prober, SLOW, Shared, places};
use crate::probes::{Command, Connect, Dialler, Dialogue, External, Http, Means, Probe};
use ldird_core::config::ProbeId;
use ldird_core::input::Finding;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

#[test]
fn all_places_fit_into_the_descriptors() {
    assert_eq!(places(Some(1024)), 192);
    assert_eq!(places(Some(0)), 1);
    assert_eq!(places(Some(1 << 20)) as u64, CONCURRENT_MAX);
    assert_eq!(places(None) as u64, CONCURRENT_MAX);
}

/// Accepts in the kernel, and says nothing.
fn silent() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn http(target: SocketAddr, path: u32, timeout: Duration) -> Probe {
    let dialogue = Dialogue {
        request: format!("/{path}").into_bytes(),
        ..Dialogue::new(target, timeout)
    };
    Http::plain(dialogue).unwrap()
}

async fn answer(answers: &mut mpsc::Receiver<Probed>) -> Probed {
    let answer = tokio::time::timeout(Duration::from_secs(20), answers.recv());
    answer.await.unwrap().unwrap()
}

/// With two places, six servers that hang and one that is well: after its first round nobody who
/// hangs stands in the way of the one that does not.
#[tokio::test]
async fn hanging_servers_delay_only_each_other() {
    let hang = SLOW + Duration::from_millis(200);
    let (_listener, address) = silent();
    let mut probes: BTreeMap<ProbeId, Arc<Probe>> = (0..6)
        .map(|id| (ProbeId(id), Arc::new(http(address, id, hang))))
        .collect();
    let connect = Connect {
        target: address,
        timeout: hang,
    };
    let well = ProbeId(6);
    probes.insert(well, Arc::new(Probe::Connect(connect)));
    let (mut prober, mut answers) = Prober::with_places(probes, 2);
    for id in 0..6 {
        prober.start(ProbeId(id), Instant::now());
    }
    for _ in 0..6 {
        let finding = answer(&mut answers).await.verdict.finding;
        assert_ne!(finding, Finding::Up);
    }
    for id in 0..7 {
        prober.start(ProbeId(id), Instant::now());
    }
    let first = answer(&mut answers).await;
    assert_eq!(first.probe, well);
    assert_eq!(first.verdict.finding, Finding::Up);
}

/// In a first round nobody knows who hangs: as many as there are places of both kinds do not keep the
/// others waiting.
#[tokio::test]
async fn hanging_servers_of_a_first_round_leave_places_for_others() {
    let hang = Duration::from_secs(20);
    let (_listener, address) = silent();
    let mut probes: BTreeMap<ProbeId, Arc<Probe>> = (0..3)
        .map(|id| (ProbeId(id), Arc::new(http(address, id, hang))))
        .collect();
    let target = address;
    let timeout = hang;
    probes.insert(
        ProbeId(3),
        Arc::new(Probe::Connect(Connect { target, timeout })),
    );
    let (mut prober, mut answers) = Prober::with_places(probes, 2);
    for id in 0..4 {
        prober.start(ProbeId(id), Instant::now());
    }
    let first = answer(&mut answers).await;
    assert_eq!(
        (first.probe, first.verdict.finding),
        (ProbeId(3), Finding::Up)
    );
}

/// A check that waits for a connection holds this and its socket; a thousand of them fit beside
/// everything else.
#[test]
fn a_waiting_check_is_small() {
    let shared = Shared {
        means: Means::new(Dialler::default()),
        connections: Lines::new(1),
        commands: Lines::new(1),
        memory: Mutex::default(),
    };
    let probe = http((Ipv4Addr::LOCALHOST, 80).into(), 0, SLOW);
    let task = size_of_val(&shared.run(ProbeId(0), &probe));
    println!("a check: {task} bytes");
    assert!(task <= 1536, "{task}");
}

/// The commands write down when they begin and end.
#[tokio::test]
async fn no_more_commands_run_at_once_than_there_are_places() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let text = format!("echo + >> {0}; sleep 0.1; echo - >> {0}", file.display());
    let check = |id: u32| {
        let words = ["/bin/sh", "-c", &text, "check"].map(str::to_owned);
        Probe::External(Box::new(External {
            command: Command::Words(words.to_vec()),
            arguments: [id, 0, 0, 0].map(|number| number.to_string()),
            environment: Vec::new(),
            timeout: Duration::from_secs(20),
        }))
    };
    let probes = (0..8).map(|id| (ProbeId(id), Arc::new(check(id))));
    let (mut prober, mut answers) = Prober::with_places(probes.collect(), 2);
    for id in 0..8 {
        prober.start(ProbeId(id), Instant::now());
    }
    for _ in 0..8 {
        assert_eq!(answer(&mut answers).await.verdict.finding, Finding::Up);
    }
    let log = std::fs::read_to_string(file).unwrap();
    let mut running = 0;
    for line in log.lines() {
        running += if line == "+" { 1 } else { -1 };
        assert!(running <= 4, "{log}");
    }
    assert_eq!(log.lines().count(), 16);
}
