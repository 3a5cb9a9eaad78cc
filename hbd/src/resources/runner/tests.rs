#![allow(clippy::unwrap_used)]

mod resident;

use super::*;
use crate::announce::Announcer;
use crate::resources::Resources;
use crate::resources::builtin::Addresses;
use crate::resources::kernel::Kernel;
use crate::resources::resident::Directors;
use crate::resources::script::Site;
use hbd_core::config::{NodeName, ResourceConfig};
use hbd_core::input::Steps;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::mpsc;

const GROUP: GroupId = GroupId::new(41);
const LIMIT: Duration = Duration::from_secs(20);
const REPORTS: usize = 16;

/// A group of scripts that write what they are asked into one file.
struct Bed {
    directory: TempDir,
    resources: Resources,
    reports: mpsc::Receiver<Report>,
    sites: watch::Sender<Arc<Site>>,
}

/// Keeps its state in a file named like itself; other behaviour is put in front of it.
const HONEST: &str = r#"
case $action in
start) touch "$me.on" ;;
stop) rm -f "$me.on" ;;
status) if [ -e "$me.on" ]; then echo running; else echo stopped; fi ;;
esac"#;

impl Bed {
    fn new(scripts: &[(&str, &str)], limits: ScriptLimits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, body) in scripts {
            write_script(directory.path(), name, body);
        }
        let group = GroupConfig {
            name: "group".to_owned(),
            holds: Vec::new(),
            preferred: NodeName::new("lb1").unwrap(),
            resources: scripts
                .iter()
                .map(|(name, _)| ResourceConfig {
                    script: (*name).to_owned(),
                    args: Vec::new(),
                })
                .collect(),
        };
        let groups = std::iter::once((GROUP, group)).collect();
        let (sender, reports) = mpsc::channel(REPORTS);
        let site = Site {
            directories: vec![directory.path().to_owned()],
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        };
        let (sites, site) = watch::channel(Arc::new(site));
        let means = Means {
            site,
            addresses: Addresses {
                kernel: Kernel::connect().unwrap(),
                announcer: Announcer::new().0,
            },
            builtin: true,
            directors: Some(Directors {
                etc: directory.path().to_owned(),
                run: directory.path().to_owned(),
            }),
            reports: sender,
        };
        Self {
            resources: Resources::new(&groups, limits, &means),
            directory,
            reports,
            sites,
        }
    }

    /// The next answer to the core.
    async fn input(&mut self) -> Input {
        let next = async {
            loop {
                if let Report::Input(input) = self.reports.recv().await.unwrap() {
                    return input;
                }
            }
        };
        tokio::time::timeout(LIMIT, next).await.unwrap()
    }

    /// What the start that was asked for, and succeeds, spent its time on.
    async fn steps(&mut self) -> Steps {
        match self.input().await {
            Input::Started {
                result: Ok(()),
                steps,
                ..
            } => steps,
            other => panic!("{other:?} instead of a start that succeeds"),
        }
    }

    /// Why the start that was asked for failed.
    async fn failed_start(&mut self) -> Failure {
        match self.input().await {
            Input::Started {
                result: Err(failure),
                ..
            } => failure,
            other => panic!("{other:?} instead of a start that fails"),
        }
    }

    /// The same for a stop.
    async fn failed_stop(&mut self) -> Failure {
        match self.input().await {
            Input::Stopped {
                result: Err(failure),
                ..
            } => failure,
            other => panic!("{other:?} instead of a stop that fails"),
        }
    }

    /// What the scripts were asked, in order.
    fn asked(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.directory.path().join("log"));
        log.unwrap_or_default().lines().map(str::to_owned).collect()
    }

    async fn until_asked(&self, what: &str) {
        let seen = async {
            while !self.asked().iter().any(|line| line == what) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LIMIT, seen).await.unwrap();
    }
}

fn write_script(directory: &Path, name: &str, body: &str) {
    let path = directory.join(name);
    let head = format!(
        "#!/bin/sh\nme={path}\naction=$1\necho \"{name} $1\" >>{log}\n",
        path = path.display(),
        log = directory.join("log").display(),
    );
    std::fs::write(&path, format!("{head}{body}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn limits() -> ScriptLimits {
    ScriptLimits {
        start: LIMIT,
        stop: LIMIT,
        status: LIMIT,
    }
}

#[tokio::test]
async fn group_starts_left_to_right_and_stops_right_to_left() {
    let mut bed = Bed::new(&[("a", HONEST), ("b", HONEST)], limits());
    bed.resources.start(GROUP);
    assert!(matches!(
        bed.input().await,
        Input::Started { result: Ok(()), .. }
    ));
    bed.resources.stop(GROUP);
    assert!(matches!(
        bed.input().await,
        Input::Stopped { result: Ok(()), .. }
    ));
    let expected = [
        "a status", "a start", "b status", "b start", "b stop", "a stop",
    ];
    assert_eq!(bed.asked(), expected);
}

#[tokio::test]
async fn running_resource_is_not_started_again() {
    let mut bed = Bed::new(&[("a", HONEST)], limits());
    std::fs::write(bed.directory.path().join("a.on"), "").unwrap();
    bed.resources.start(GROUP);
    assert!(matches!(
        bed.input().await,
        Input::Started { result: Ok(()), .. }
    ));
    assert_eq!(bed.asked(), ["a status"]);
}

#[tokio::test]
async fn failed_start_stops_the_whole_group() {
    let failing = "[ $action = start ] && { echo no disk >&2; exit 1; }; exit 0";
    let mut bed = Bed::new(&[("a", HONEST), ("b", failing), ("c", HONEST)], limits());
    bed.resources.start(GROUP);
    let failure = bed.failed_start().await;
    assert_eq!(failure.resource, "b");
    assert_eq!(failure.reason, "start: exit status 1 (no disk)");
    assert!(!failure.still_held);
    assert_eq!(bed.asked()[4..], ["c stop", "b stop", "a stop"]);
}

#[tokio::test]
async fn probe_tells_how_much_of_a_group_is_active() {
    let mut bed = Bed::new(&[("a", HONEST), ("b", HONEST)], limits());
    for (mark, expected) in [
        (None, Activity::Nothing),
        (Some("a.on"), Activity::Something),
        (Some("b.on"), Activity::Everything),
    ] {
        if let Some(mark) = mark {
            std::fs::write(bed.directory.path().join(mark), "").unwrap();
        }
        bed.resources.probe(GROUP);
        let Input::Probed { activity, .. } = bed.input().await else {
            panic!("a probe is answered");
        };
        assert_eq!(activity, expected);
    }
}

#[tokio::test]
async fn stop_ends_a_start_that_hangs() {
    let hanging = "[ $action = start ] && sleep 60; exit 0";
    let mut bed = Bed::new(&[("a", HONEST), ("b", hanging)], limits());
    bed.resources.start(GROUP);
    bed.until_asked("b start").await;
    bed.resources.stop(GROUP);
    let failure = bed.failed_start().await;
    assert!(failure.still_held);
    assert!(matches!(
        bed.input().await,
        Input::Stopped { result: Ok(()), .. }
    ));
    assert_eq!(bed.asked()[4..], ["b stop", "a stop"]);
}

#[tokio::test]
async fn stop_that_hangs_is_stuck_within_its_limit() {
    let stuck = "[ $action = stop ] && sleep 60; echo running";
    let limits = ScriptLimits {
        stop: Duration::from_millis(300),
        ..limits()
    };
    let mut bed = Bed::new(&[("a", HONEST), ("b", stuck)], limits);
    bed.resources.stop(GROUP);
    let failure = bed.failed_stop().await;
    assert_eq!(failure.resource, "b");
    assert!(failure.still_held);
    assert_eq!(
        bed.asked().last().unwrap(),
        "a stop",
        "the others are stopped all the same"
    );
}

#[tokio::test]
async fn stop_that_fails_is_forgiven_when_the_resource_says_stopped() {
    let lying = "[ $action = stop ] && exit 1; echo stopped";
    let limits = ScriptLimits {
        stop: Duration::from_millis(500),
        ..limits()
    };
    let mut bed = Bed::new(&[("a", lying)], limits);
    bed.resources.stop(GROUP);
    assert!(matches!(
        bed.input().await,
        Input::Stopped { result: Ok(()), .. }
    ));
}

#[tokio::test]
async fn missing_script_fails_to_start_and_has_nothing_to_stop() {
    let mut bed = Bed::new(&[("a", HONEST)], limits());
    std::fs::remove_file(bed.directory.path().join("a")).unwrap();
    bed.resources.start(GROUP);
    let failure = bed.failed_start().await;
    assert_eq!(failure.reason, "start: Cannot locate resource script a");
    assert!(!failure.still_held);
}

#[tokio::test]
async fn script_that_vanishes_after_its_start_is_not_taken_for_stopped() {
    let limits = ScriptLimits {
        stop: Duration::from_millis(300),
        ..limits()
    };
    let mut bed = Bed::new(&[("a", HONEST)], limits);
    bed.resources.start(GROUP);
    bed.input().await;
    std::fs::remove_file(bed.directory.path().join("a")).unwrap();
    bed.resources.stop(GROUP);
    let failure = bed.failed_stop().await;
    assert!(failure.still_held);
    write_script(bed.directory.path(), "a", HONEST);
    bed.resources.stop(GROUP);
    assert!(matches!(
        bed.input().await,
        Input::Stopped { result: Ok(()), .. }
    ));
}

#[tokio::test]
async fn start_that_waited_behind_its_stop_begins_nothing() {
    let slow = "[ $action = status ] && sleep 60; exit 0";
    let mut bed = Bed::new(&[("a", slow)], limits());
    bed.resources.probe(GROUP);
    bed.until_asked("a status").await;
    bed.resources.start(GROUP);
    bed.resources.stop(GROUP);
    assert!(matches!(bed.input().await, Input::Probed { .. }));
    assert!(matches!(
        bed.input().await,
        Input::Started { result: Err(_), .. }
    ));
    assert!(matches!(
        bed.input().await,
        Input::Stopped { result: Ok(()), .. }
    ));
    assert_eq!(bed.asked(), ["a status", "a stop"]);
}

#[tokio::test]
async fn announcements_without_end_do_not_keep_a_group_from_stopping() {
    let hanging = "[ $action = start ] && sleep 60; exit 0";
    let mut bed = Bed::new(&[("a", hanging)], limits());
    bed.resources.start(GROUP);
    bed.until_asked("a start").await;
    for _ in 0..1000 {
        bed.resources.announce(GROUP);
    }
    bed.resources.stop(GROUP);
    assert!(matches!(
        bed.input().await,
        Input::Started { result: Err(_), .. }
    ));
    assert!(matches!(
        bed.input().await,
        Input::Stopped { result: Ok(()), .. }
    ));
}

#[tokio::test]
async fn script_that_cannot_be_executed_failed_and_is_not_stuck() {
    let binary = [0x7f, b'E', b'L', b'F', 0, 0, 0, 0];
    let contents: [(&[u8], &str); 3] = [
        (b"#!/bin/sh\r\nexit 0\r\n", "CR LF"),
        (
            b"#!/nonesuch/shell\nexit 0\n",
            "interpreter /nonesuch/shell",
        ),
        (&binary, "cannot be executed"),
    ];
    for (content, why) in contents {
        let mut bed = Bed::new(&[("a", HONEST), ("b", HONEST)], limits());
        std::fs::write(bed.directory.path().join("b"), content).unwrap();
        bed.resources.probe(GROUP);
        assert!(matches!(
            bed.input().await,
            Input::Probed {
                activity: Activity::Nothing,
                ..
            }
        ));
        bed.resources.start(GROUP);
        let failure = bed.failed_start().await;
        assert!(failure.reason.contains(why), "{}", failure.reason);
        assert!(!failure.still_held, "{}", failure.reason);
        assert_eq!(bed.asked().last().unwrap(), "a stop");
    }
}

/// ETXTBSY stands for every refusal that passes: no process, no memory, no descriptor.
#[tokio::test]
async fn script_that_cannot_be_executed_now_is_not_taken_for_stopped() {
    let limits = ScriptLimits {
        stop: Duration::from_millis(300),
        ..limits()
    };
    let mut bed = Bed::new(&[("a", HONEST)], limits);
    let path = bed.directory.path().join("a");
    let writing = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    bed.resources.probe(GROUP);
    let Input::Probed { activity, .. } = bed.input().await else {
        panic!("a probe is answered");
    };
    assert_eq!(activity, Activity::Unclear);
    bed.resources.stop(GROUP);
    let failure = bed.failed_stop().await;
    assert!(failure.still_held);
    assert!(failure.reason.contains("now"), "{}", failure.reason);
    assert_eq!(bed.asked(), [""; 0]);
    drop(writing);
    // Another file: a program that some other test starts may hold this one open for a moment.
    std::fs::remove_file(path).unwrap();
    write_script(bed.directory.path(), "a", HONEST);
    bed.resources.stop(GROUP);
    assert!(matches!(
        bed.input().await,
        Input::Stopped { result: Ok(()), .. }
    ));
    assert_eq!(bed.asked(), ["a stop"]);
}

#[tokio::test]
async fn script_without_an_interpreter_line_runs_as_the_old_shell_ran_it() {
    let mut bed = Bed::new(&[("a", HONEST)], limits());
    let path = bed.directory.path().join("a");
    let script = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, script.strip_prefix("#!/bin/sh\n").unwrap()).unwrap();
    bed.resources.start(GROUP);
    assert!(matches!(
        bed.input().await,
        Input::Started { result: Ok(()), .. }
    ));
    assert_eq!(bed.asked(), ["a status", "a start"]);
}

#[tokio::test]
async fn a_script_that_runs_after_a_reload_finds_the_new_settings() {
    let body = r#"echo "$action with $HA_LOGFILE" >>"$me.saw""#;
    let mut bed = Bed::new(&[("a", body)], limits());
    let before = Arc::clone(&bed.sites.borrow());
    for name in ["/old", "/new"] {
        let mut site = Site::clone(&before);
        site.environment.push(("HA_LOGFILE".into(), name.into()));
        bed.sites.send_replace(Arc::new(site));
        bed.resources.stop(GROUP);
        bed.input().await;
    }
    let saw = std::fs::read_to_string(bed.directory.path().join("a.saw")).unwrap();
    assert_eq!(saw, "stop with /old\nstop with /new\n");
}
