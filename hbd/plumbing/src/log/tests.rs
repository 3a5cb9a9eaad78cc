#![allow(clippy::unwrap_used)]

use super::file::LogFile;
use super::syslog::Syslog;
use super::*;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::UNIX_EPOCH;

const PATIENCE: Duration = Duration::from_secs(10);

fn settings(folder: &Path) -> Settings {
    Settings {
        layout: Layout::Heartbeat {
            host: "lb1".to_owned(),
        },
        console: Console::Off,
        logfile: Some(folder.join("ha-log")),
        debugfile: Some(folder.join("ha-debug")),
        facility: None,
        debug: 0,
    }
}

fn logging(log: &Log, action: impl FnOnce()) {
    let collector = Collector { log: log.clone() };
    tracing::subscriber::with_default(collector, action);
    assert!(log.flush(PATIENCE));
}

fn record(text: &str) -> Record {
    Record {
        at: UNIX_EPOCH,
        level: Level::Info,
        text: text.to_owned(),
    }
}

/// Without `Mon dd hh:mm:ss `.
fn after_stamp(line: &str) -> &str {
    line.get(16..).unwrap()
}

#[test]
fn lines_have_the_old_layout_and_levels() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(&settings(folder.path())).unwrap();
    logging(&log, || {
        tracing::info!("Link lb2:eth0 up.");
        tracing::warn!(count = 2, name = "lb2", "node {}: is dead", "lb2");
        emit(
            Level::Critical,
            "Cluster node lb2 returning after partition.",
        );
        emit(Level::Notice, "two\nlines\x1b[2J");
        tracing::debug!("not wanted");
    });
    let content = fs::read_to_string(folder.path().join("ha-log")).unwrap();
    let lines: Vec<_> = content.lines().map(after_stamp).collect();
    let head = format!("lb1 heartbeat: [{}]:", std::process::id());
    assert_eq!(
        lines,
        [
            format!("{head} info: Link lb2:eth0 up."),
            format!("{head} WARN: node lb2: is dead count=2 name=\"lb2\""),
            format!("{head} CRIT: Cluster node lb2 returning after partition."),
            format!("{head} notice: two lines [2J"),
        ]
    );
    assert_eq!(log.dropped(), 0);
}

#[test]
fn debug_lines_appear_on_demand_and_only_in_the_debug_file() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(&settings(folder.path())).unwrap();
    logging(&log, || {
        log.set_debug(1);
        tracing::debug!("seen");
        tracing::trace!("too much");
        tracing::debug!(target: "hyper::client", "not ours");
        log.set_debug(0);
        tracing::debug!("unseen");
        tracing::info!("always");
    });
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let (log_text, debug_text) = (read("ha-log"), read("ha-debug"));
    assert_eq!(log_text.lines().count(), 1, "{log_text}");
    assert!(log_text.ends_with("info: always\n"));
    assert_eq!(debug_text.lines().count(), 2, "{debug_text}");
    assert!(debug_text.contains("debug: seen\n"));
}

#[test]
fn reconfiguring_sends_later_lines_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    let log = Log::new(&settings).unwrap();
    logging(&log, || tracing::info!("first"));
    settings.logfile = Some(folder.path().join("other"));
    settings.debugfile = Some("/dev/null".into());
    log.reconfigure(&settings);
    logging(&log, || tracing::info!("second"));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("ha-log").ends_with("first\n"));
    assert!(read("ha-debug").ends_with("first\n"));
    assert!(read("other").ends_with("second\n"));
}

#[test]
fn a_rotated_file_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ha-log");
    let mut file = LogFile::checking_every(&path, Duration::ZERO).unwrap();
    assert!(file.write("one"));
    fs::rename(&path, folder.path().join("ha-log.1")).unwrap();
    assert!(file.write("two"));
    fs::remove_file(&path).unwrap();
    assert!(file.write("three"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    let rotated = fs::read_to_string(folder.path().join("ha-log.1")).unwrap();
    assert_eq!(rotated, "one\n");
    assert!(LogFile::new(Path::new("/dev/null")).is_none());
}

#[test]
fn a_line_that_cannot_be_written_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(&folder.path().join("missing"));
    settings.debugfile = None;
    let log = Log::new(&settings).unwrap();
    logging(&log, || tracing::info!("lost"));
    assert_eq!(log.dropped(), 1);
}

#[test]
fn syslog_gets_facility_level_and_tag_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut syslog = Syslog::to(Facility::from_name("local0").unwrap(), &path);
    let layout = Layout::HeartbeatDated;
    let mut send = |text: &str| {
        let record = record(text);
        let line = layout.syslog_line(&record, 7);
        syslog.write(record.at, layout.syslog_priority(record.level), &line)
    };
    let receive = |server: &UnixDatagram| {
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = [0; 200];
        let length = server.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    assert!(!send("nobody listens"));
    let server = UnixDatagram::bind(&path).unwrap();
    assert!(send("one"));
    // 16 (local0) * 8 + 6 (info).
    let packet = receive(&server);
    assert!(packet.starts_with("<134>"), "{packet}");
    assert!(packet.ends_with(" heartbeat: [7]: info: one"), "{packet}");
    drop(server);
    fs::remove_file(&path).unwrap();
    let server = UnixDatagram::bind(&path).unwrap();
    assert!(send("two"));
    assert!(receive(&server).ends_with("two"));
}

#[test]
fn facilities_have_their_names() {
    assert!(Facility::from_name("LOCAL0").is_none());
    assert!(Facility::from_name("none").is_none());
    for (name, _) in Facility::NAMES {
        let facility = Facility::from_name(name).unwrap();
        let shown = if name == "security" { "auth" } else { name };
        assert_eq!(facility.name(), shown);
    }
}

#[test]
fn stamps_have_the_old_spellings() {
    let stamp = Stamp {
        year: 2026,
        month: 10,
        day: 5,
        weekday: 4,
        hour: 9,
        minute: 3,
        second: 1,
    };
    assert_eq!(stamp.short(), "Nov 05 09:03:01");
    assert_eq!(stamp.rfc3164(), "Nov  5 09:03:01");
    assert_eq!(stamp.numeric(), "2026/11/05_09:03:01");
    assert_eq!(stamp.ctime(), "Thu Nov  5 09:03:01 2026");
    // Whatever the time zone: noon of 2 January 1970 UTC is one of three days.
    let local = Stamp::local(UNIX_EPOCH + Duration::from_secs(129_600));
    assert_eq!((local.year, local.month), (1970, 0));
    assert!((1..=3).contains(&local.day));
}

#[test]
fn l6_ldirectord_lines_carry_the_configuration() {
    let layout = Layout::Ldirectord {
        config: "ldirectord.cf".to_owned(),
    };
    let line = layout.file_line(&record("Starting"), 9);
    assert!(line.ends_with("1970|ldirectord.cf|9] Starting") || line.contains("1969|"));
    let error = Record {
        level: Level::Error,
        ..record("Starting")
    };
    assert_eq!(layout.syslog_priority(error.level), 6);
    assert_eq!(layout.syslog_line(&error, 9), "ldirectord[9]: Starting");
}

#[test]
fn a_very_long_text_is_cut_between_characters() {
    let mut long = record(&"ä".repeat(5000));
    long.tidy();
    assert_eq!(long.text.chars().count(), 1025);
}
