//! The binary's face: words and exit codes that scripts, init systems and cluster managers know
//! (specification 3.9, rows C1 to C13 of 8.5). Nothing here touches a kernel's table.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const GOOD: &str = "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate\n\tservice=http\n";
const BROKEN: &str = "nosuch=1\n";

/// A folder for configurations and one for pid files, gone at the end.
struct Bed {
    folder: TempDir,
}

/// What a command said and how it ended.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("etc")).unwrap();
        fs::create_dir(folder.path().join("run")).unwrap();
        Self { folder }
    }

    fn with(name: &str, text: &str) -> Self {
        let bed = Self::new();
        fs::write(bed.etc().join(name), text).unwrap();
        bed
    }

    fn etc(&self) -> PathBuf {
        self.folder.path().join("etc")
    }

    fn pidfile(&self, name: &str) -> PathBuf {
        self.folder
            .path()
            .join(format!("run/ldirectord.{name}.pid"))
    }

    fn run(&self, words: &[&str]) -> Said {
        self.run_in(&self.folder.path().join("run"), words)
    }

    /// With this folder for pid files and sockets.
    fn run_in(&self, run: &Path, words: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_ldird"))
            .arg("--etc")
            .arg(self.etc())
            .arg("--run")
            .arg(run)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A process that has `ldirectord` among its arguments and waits for its end.
struct Pretender {
    child: Child,
}

impl Pretender {
    fn start(bed: &Bed, name: &str) -> Self {
        let child = Command::new("sh")
            .args(["-c", "read line", "ldirectord"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        await_arguments(&child);
        fs::write(bed.pidfile(name), format!("{}\n", child.id())).unwrap();
        Self { child }
    }
}

/// A process is there a moment before its arguments are.
fn await_arguments(child: &Child) {
    let path = format!("/proc/{}/cmdline", child.id());
    let begun = Instant::now();
    while fs::read(&path).unwrap().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "no arguments");
        std::thread::yield_now();
    }
}

impl Drop for Pretender {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn c1_usage_on_standard_output_and_255() {
    let bed = Bed::new();
    for words in [&[][..], &["foo"], &["--bogus", "start"], &["x.cf", "Start"]] {
        let said = bed.run(words);
        assert_eq!(said.code, 255, "{words:?}");
        assert!(
            said.out.contains("Usage: ldird [OPTIONS] [CONFIG] COMMAND"),
            "{}",
            said.out
        );
    }
}

#[test]
fn c2_version_names_the_linux_director() {
    let said = Bed::new().run(&["-v"]);
    assert_eq!(said.code, 0);
    assert!(said.out.lines().next().unwrap().contains("Linux Director"));
}

#[test]
fn help_lists_every_command() {
    let said = Bed::new().run(&["--help"]);
    assert_eq!(said.code, 0);
    let commands = [
        "start",
        "stop",
        "restart",
        "try-restart",
        "reload",
        "status",
        "run",
        "check",
        "plan",
        "show",
        "ipvs",
    ];
    for command in commands {
        assert!(said.out.contains(&format!("\n  {command} ")), "{command}");
    }
}

#[test]
fn c3_a_missing_configuration_is_1() {
    let said = Bed::new().run(&["missing.cf", "start"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (1, "Config file missing.cf not found\n")
    );
}

#[test]
fn configurations_are_found_in_three_places() {
    let bed = Bed::with("a.cf", GOOD);
    fs::create_dir(bed.etc().join("conf")).unwrap();
    fs::write(bed.etc().join("conf/b.cf"), GOOD).unwrap();
    let path = bed.etc().join("conf/b.cf");
    for config in ["a.cf", "b.cf", path.to_str().unwrap()] {
        assert_eq!(bed.run(&[config, "check", "--offline"]).code, 0, "{config}");
    }
}

#[test]
fn c5_status_of_a_running_director_is_told_on_both_channels() {
    let bed = Bed::with("ldirectord.cf", GOOD);
    let pretender = Pretender::start(&bed, "ldirectord");
    let said = bed.run(&["status"]);
    let path = bed.etc().join("ldirectord.cf");
    let line = format!(
        "ldirectord for {} is running with pid: {}\n",
        path.display(),
        pretender.child.id()
    );
    assert_eq!((said.code, said.out, said.err), (0, line.clone(), line));
}

#[test]
fn c12_without_a_file_the_pid_file_is_named_ldirectord() {
    let bed = Bed::with("ldirectord.cf", GOOD);
    let _pretender = Pretender::start(&bed, "ldirectord");
    assert_eq!(bed.run(&["status"]).code, 0);
}

#[test]
fn c13_the_pid_file_is_named_after_the_file_wherever_it_lies() {
    let bed = Bed::with("x.cf", GOOD);
    let _pretender = Pretender::start(&bed, "x.cf");
    let path = bed.etc().join("x.cf");
    assert_eq!(bed.run(&[path.to_str().unwrap(), "status"]).code, 0);
}

#[test]
fn c6_a_stale_pid_file_is_1() {
    let bed = Bed::with("x.cf", GOOD);
    fs::write(bed.pidfile("x.cf"), "999999999\n").unwrap();
    let said = bed.run(&["x.cf", "status"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err
            .starts_with("ldirectord stale pid file 999999999 for "),
        "{}",
        said.err
    );
    assert!(
        said.out.starts_with("ldirectord is stopped for "),
        "{}",
        said.out
    );
}

#[test]
fn c7_c8_c10_commands_without_a_running_director() {
    let bed = Bed::with("x.cf", GOOD);
    let rows = [
        ("stop", 0),
        ("try-restart", 0),
        ("reload", 1),
        ("force-reload", 1),
        ("status", 3),
    ];
    for (command, code) in rows {
        assert_eq!(
            bed.run(&["x.cf", command]).code,
            code,
            "rows C7, C8, C10: {command}"
        );
    }
    assert!(!bed.pidfile("x.cf").exists(), "C10: not started");
}

/// C11 and W1: the old daemon exits 2 and deletes the running daemon's pid file.
#[test]
fn c11_a_broken_configuration_does_no_harm_to_a_running_director() {
    let bed = Bed::with("x.cf", BROKEN);
    let mut pretender = Pretender::start(&bed, "x.cf");
    assert_eq!(bed.run(&["x.cf", "status"]).code, 0);
    for command in ["start", "reload"] {
        let said = bed.run(&["x.cf", command]);
        assert_eq!(said.code, 2, "{command}");
        assert!(
            said.err.contains("Unknown command nosuch=1"),
            "{}",
            said.err
        );
    }
    assert!(bed.pidfile("x.cf").exists());
    assert!(
        pretender.child.try_wait().unwrap().is_none(),
        "nobody was signalled"
    );
    assert_eq!(
        bed.run(&["x.cf", "stop"]).code,
        0,
        "stop works with a broken file"
    );
    assert!(
        !pretender.child.wait().unwrap().success(),
        "ended by the signal"
    );
}

#[test]
fn start_of_a_running_director_does_nothing() {
    let bed = Bed::with("x.cf", GOOD);
    let mut pretender = Pretender::start(&bed, "x.cf");
    assert_eq!(bed.run(&["x.cf", "start"]).code, 0);
    assert!(pretender.child.try_wait().unwrap().is_none());
}

#[test]
fn show_without_a_director_says_where_it_looked() {
    let bed = Bed::with("x.cf", GOOD);
    let said = bed.run(&["x.cf", "show"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("ldird.x.cf.sock"), "{}", said.err);
}

#[test]
fn restore_refuses_a_wrong_table_before_it_changes_anything() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ldird"))
        .args(["ipvs", "restore"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines = b"# saved\n-A -t 10.0.0.1:80 -s rr\n-A -t www:80 -s rr\n-a -t 10.0.0.1:80\n";
    input.write_all(lines).unwrap();
    drop(input);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    let faults: Vec<&str> = said.lines().collect();
    assert!(faults[0].starts_with("line 3: \"www:80\""), "{said}");
    assert!(faults[1].starts_with("line 4: \"-a\""), "{said}");
    assert_eq!(faults[2], "nothing is changed", "{said}");
}

#[test]
fn a_kernel_without_ipvs_is_found_by_check_before_the_service_is_lost() {
    let bed = Bed::with("x.cf", GOOD);
    let said = bed.run(&["x.cf", "check"]);
    let present = Path::new("/proc/net/ip_vs").exists();
    let wanted = if present { 0 } else { 2 };
    assert_eq!(said.code, wanted, "{}{}", said.out, said.err);
    assert_eq!(said.err.contains("the kernel has no IPVS"), !present);
    let verdict = if present {
        ": usable: "
    } else {
        ": not usable: 1 error"
    };
    assert!(said.out.contains(verdict), "{}", said.out);
    assert_eq!(bed.run(&["check", "--offline", "x.cf"]).code, 0);
}

#[test]
fn check_says_as_json_what_it_reads() {
    let bed = Bed::with("x.cf", GOOD);
    fs::write(bed.etc().join("y.cf"), BROKEN).unwrap();
    let said = bed.run(&["check", "--json", "--offline", "x.cf", "y.cf"]);
    assert_eq!(said.code, 2, "the worst of them");
    let lines: Vec<serde_json::Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [good, broken] = lines.as_slice() else {
        panic!("a line for each file: {}", said.out);
    };
    assert_eq!(good["virtuals"][0]["id"], "tcp:10.0.0.100:80");
    assert_eq!(good["virtuals"][0]["reals"][0]["server"], "10.0.0.1");
    assert_eq!(broken["usable"], false);
    assert_eq!(broken["diagnostics"][0]["line"], 1);
}

/// Every file of the golden folder against what `check` says of it. `UPDATE_GOLDEN=1` writes anew.
#[test]
fn faults_look_as_they_should() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<PathBuf> = fs::read_dir(&golden)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "cf"));
    assert!(!files.is_empty());
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let bed = Bed::with(name, &fs::read_to_string(&file).unwrap());
        let said = bed.run(&[name, "check", "--offline"]);
        let found = format!(
            "{}{}exit {}\n",
            scrub(&bed, &said.err),
            scrub(&bed, &said.out),
            said.code
        );
        let expected = file.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(
            found, wanted,
            "{name}; UPDATE_GOLDEN=1 cargo test -p ldird --test cli"
        );
    }
}

/// Without what differs from run to run.
fn scrub(bed: &Bed, text: &str) -> String {
    let text = text.replace(bed.etc().to_str().unwrap(), "/etc/ha.d");
    let mut out = String::new();
    for line in text.lines() {
        let line = match line.split_once("] ") {
            Some((head, rest)) if head.starts_with("Error [") => format!("Error [PID] {rest}"),
            Some((head, rest)) if head.starts_with("Warning [") => format!("Warning [PID] {rest}"),
            _ => line.to_owned(),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}

#[test]
fn an_editor_with_the_configuration_open_is_no_director() {
    let bed = Bed::with("ldirectord.cf", GOOD);
    let mut editor = Command::new("sh")
        .args(["-c", "read line", "vi", "/etc/ha.d/ldirectord.cf"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    fs::write(bed.pidfile("ldirectord"), format!("{}\n", editor.id())).unwrap();
    assert_eq!(bed.run(&["status"]).code, 1, "a stale pid file");
    assert_eq!(bed.run(&["stop"]).code, 0);
    assert_eq!(editor.try_wait().unwrap(), None, "the editor lives");
    editor.kill().unwrap();
    editor.wait().unwrap();
}

#[test]
fn an_empty_pid_file_is_a_stopped_director() {
    let bed = Bed::with("ldirectord.cf", GOOD);
    fs::write(bed.pidfile("ldirectord"), "").unwrap();
    assert_eq!(bed.run(&["status"]).code, 3);
}

#[test]
fn a_restart_with_a_broken_configuration_ends_nobody() {
    let bed = Bed::with("x.cf", BROKEN);
    let mut pretender = Pretender::start(&bed, "x.cf");
    for command in ["restart", "try-restart"] {
        let said = bed.run(&["x.cf", command]);
        assert_eq!(said.code, 2, "{command}: {}", said.err);
        assert!(
            said.err.contains("Unknown command nosuch=1"),
            "{}",
            said.err
        );
        assert!(
            said.err.contains("the running director goes on"),
            "{}",
            said.err
        );
        let ended = pretender.child.try_wait().unwrap();
        assert_eq!(ended, None, "{command} ended it");
    }
}

#[test]
fn a_file_without_any_virtual_service_is_an_error() {
    let bed = Bed::with("x.cf", "checkinterval=5\n# virtual=10.0.0.100:80\n");
    for command in ["check", "start", "reload"] {
        let mut pretender = Pretender::start(&bed, "x.cf");
        let said = bed.run(&["x.cf", command]);
        assert_eq!(said.code, 2, "{command}");
        let why = "there is no virtual service";
        assert!(said.err.contains(why), "{command}: {}", said.err);
        assert_eq!(pretender.child.try_wait().unwrap(), None, "{command}");
    }
}

#[test]
fn a_director_is_stopped_although_its_configuration_was_deleted() {
    let bed = Bed::new();
    let mut pretender = Pretender::start(&bed, "x.cf");
    let said = bed.run(&["x.cf", "status"]);
    assert_eq!(
        (said.code, said.out.contains("is running")),
        (0, true),
        "{}",
        said.err
    );
    for command in ["start", "restart", "reload", "check"] {
        assert_eq!(bed.run(&["x.cf", command]).code, 1, "{command} needs it");
    }
    assert_eq!(bed.run(&["x.cf", "stop"]).code, 0);
    assert!(
        !pretender.child.wait().unwrap().success(),
        "ended by the signal"
    );
}

/// An old daemon that a cluster manager started as `ldirectord.cf`, looked for without a name.
#[test]
fn an_old_daemon_is_found_under_the_other_name_of_its_file() {
    let bed = Bed::with("ldirectord.cf", GOOD);
    let mut pretender = Pretender::start(&bed, "ldirectord.cf");
    assert_eq!(bed.run(&["status"]).code, 0);
    assert_eq!(bed.run(&["start"]).code, 0, "nothing to start");
    assert_eq!(pretender.child.try_wait().unwrap(), None);
    assert_eq!(bed.run(&["stop"]).code, 0);
    assert!(!pretender.child.wait().unwrap().success());
}

#[test]
fn a_stop_without_a_director_ends_the_role_of_the_one_that_was_killed() {
    let bed = Bed::with("x.cf", GOOD);
    let file = bed.folder.path().join("run/ldird.x.cf.role");
    let path = bed.etc().canonicalize().unwrap().join("x.cf");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let text = format!(
        "{}\n{}\nresident\nactive\n1\nroot\n",
        path.display(),
        boot.trim()
    );
    fs::write(&file, text).unwrap();
    assert_eq!(bed.run(&["x.cf", "status"]).code, 3, "nothing runs");
    assert_eq!(bed.run(&["x.cf", "stop"]).code, 0);
    assert!(!file.exists(), "the next one begins on standby");
}

/// Beside whatever runs, without a kernel's table: the check is made, nothing is done, and no other
/// command takes it for the director of the file.
#[test]
fn a_dry_run_checks_touches_nothing_and_is_no_director() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let bed = Bed::new();
    let mark = bed.etc().join("called");
    let text = format!(
        "checkinterval=1\nfallbackcommand=touch {}\nlogfile={}\nvirtual=10.0.0.100:80\n\
         \treal={address} masq\n\treal=127.0.0.1:1 masq\n\tchecktype=connect\n\
         virtual=10.0.0.101:80\n\treal=127.0.0.1:1 masq\n\tchecktype=connect\n",
        mark.display(),
        bed.etc().join("log").display()
    );
    fs::write(bed.etc().join("x.cf"), text).unwrap();
    let run = bed.folder.path().join("run");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ldird"))
        .args(["--etc", bed.etc().to_str().unwrap()])
        .args(["--run", run.to_str().unwrap()])
        .args(["x.cf", "run", "--dry-run"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let dry = run.join("ldird.dry-run");
    let begun = Instant::now();
    let shown = loop {
        let said = bed.run_in(&dry, &["x.cf", "show"]);
        let settled = said.out.matches(" down ").count() == 2;
        if settled && said.out.contains(" up ") {
            break said.out;
        }
        let (out, err) = (said.out, said.err);
        assert!(begun.elapsed() < Duration::from_secs(20), "{out}{err}");
    };
    assert!(shown.contains("begun late by"), "{shown}");
    assert_eq!(bed.run(&["x.cf", "status"]).code, 3, "it is no director");
    let files = fs::read_dir(&run).unwrap();
    let files: Vec<_> = files.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["ldird.dry-run"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!mark.exists(), "a command was run");
    assert!(!bed.etc().join("log").exists(), "the log was written");
}
