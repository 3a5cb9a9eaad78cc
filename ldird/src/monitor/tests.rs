//! Rows L10 and L11 of the specification's section 8.6.
#![allow(clippy::unwrap_used)]

use super::{Entry, Monitor, Monitors, line};
use ldird_core::config::ProbeId;
use ldird_core::input::{Finding, Noted, Verdict};
use ldird_core::table::{DestinationKey, ServiceKey};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

fn monitor(file: &Path, port: u16) -> Monitor {
    Monitor {
        file: file.to_owned(),
        service: ServiceKey::Fwmark { mark: 1, v6: false },
        real: DestinationKey {
            address: [10, 0, 0, 1].into(),
            port,
        },
        id: "negotiate http tcp 10.0.0.1 80 3 gate / ".to_owned(),
    }
}

fn verdict(finding: Finding, message: &str) -> Verdict {
    Verdict {
        finding,
        message: message.to_owned(),
        took: Duration::ZERO,
        noted: Noted::default(),
    }
}

fn without_time(text: &str) -> Vec<String> {
    let rest = |line: &str| line.split_once("] ").unwrap().1.to_owned();
    text.lines().map(rest).collect()
}

#[tokio::test]
async fn l10_every_answer_is_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("monitor.log");
    let all = BTreeMap::from([(ProbeId(7), vec![monitor(&file, 80), monitor(&file, 81)])]);
    let mut monitors = Monitors::default();
    let mut note = |finding, message: &str| {
        let verdict = verdict(finding, message);
        let maintained = |monitor: &Monitor| monitor.real.port == 81;
        monitors.note(&all, ProbeId(7), &verdict, maintained);
        monitors.note(&all, ProbeId(8), &verdict, maintained);
    };
    note(Finding::Up, "200 OK");
    note(Finding::CouldNotAsk, "no memory");
    note(Finding::Down, "");
    monitors.finish().await;
    let pid = std::process::id();
    let id = "negotiate http tcp 10.0.0.1 80 3 gate / ";
    let maintenance = format!("[{pid}] {id} [down] Server in maintenance");
    let wanted = [
        format!("[{pid}] {id} [up] 200 OK"),
        maintenance.clone(),
        format!("[{pid}] {id} [down] -"),
        maintenance,
    ];
    assert_eq!(without_time(&fs::read_to_string(file).unwrap()), wanted);
}

#[test]
fn l11_a_message_is_one_field_of_one_line() {
    let text = line(SystemTime::UNIX_EPOCH, "x", false, "100% a|b\r\nc");
    assert!(text.ends_with(" x [down] 100%25 a%7cb%0d%0ac\n"), "{text}");
    assert!(text.starts_with("[Thu Jan  1 "), "{text}");
}

/// The old daemon ends.
#[tokio::test]
async fn a_file_that_cannot_be_written_costs_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good");
    let mut monitors = Monitors::default();
    for file in [folder.path(), &good, folder.path(), &good] {
        monitors.push(Entry {
            file: file.to_owned(),
            text: "line\n".to_owned(),
        });
    }
    monitors.finish().await;
    assert_eq!(fs::read_to_string(good).unwrap(), "line\nline\n");
}
