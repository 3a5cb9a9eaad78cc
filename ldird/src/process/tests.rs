//! Real programs: good ones, and those that hang, fork, flood or cannot be run.
#![allow(clippy::unwrap_used)]

use super::{End, Job, Leftovers, NotStarted, Output, Ran, Unfinished, find, words};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// No step of these tests takes longer on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("script");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// What a shell script comes to.
async fn run(text: &str) -> Ran {
    job(text).run(LIMIT).await.unwrap()
}

fn job(text: &str) -> Job {
    Job {
        output: Output::LastLine,
        leftovers: Leftovers::Ended,
        ..Job::shell(text)
    }
}

/// Waits until a process is gone; a zombie that nobody collects yet is.
async fn gone(pid: &str) {
    let begun = Instant::now();
    let path = format!("/proc/{}/stat", pid.trim());
    let there = || fs::read_to_string(&path).is_ok_and(|stat| !stat.contains(") Z "));
    while there() {
        assert!(begun.elapsed() < LIMIT, "process {pid} lives");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_exit_code_and_the_last_line_come_back() {
    let rows = [
        ("exit 0", "exit status 0"),
        ("echo well; exit 0", "well (exit status 0)"),
        ("echo one; echo two >&2; exit 3", "two (exit status 3)"),
        ("printf 'no end'; exit 1", "no end (exit status 1)"),
        ("echo word; echo; echo '  '", "word (exit status 0)"),
        ("kill -9 $$", "ended by signal 9"),
    ];
    for (text, told) in rows {
        assert_eq!(run(text).await.to_string(), told, "{text}");
    }
}

#[tokio::test]
async fn a_program_finds_its_place_and_nothing_of_ours() {
    let ran = run("pwd; read line || echo \"$(pwd) nothing to read\"").await;
    assert_eq!(ran.last_line, "/ nothing to read");
    ha_plumbing::inherited::keep_to_ourselves().unwrap();
    // The standard three and the listing's own.
    let ran = run("ls /proc/self/fd | tr '\\n' ' '").await;
    assert_eq!(ran.last_line, "0 1 2 3");
    let group = run("ps -o pgid= -p $$ | tr -d ' '; echo $$").await;
    let own = rustix::process::getpgrp().as_raw_nonzero().to_string();
    assert_ne!(group.last_line, own);
}

#[tokio::test]
async fn what_is_given_to_a_program_reaches_it() {
    let mut job = job("wc -c");
    job.input = vec![b'x'; 300_000];
    let ran = job.run(LIMIT).await.unwrap();
    assert_eq!(ran.last_line, "300000", "more than a pipe holds");
    let mut job = super::tests::job("exit 0");
    job.input = vec![b'x'; 300_000];
    assert!(job.run(LIMIT).await.unwrap().succeeded(), "nobody reads it");
    let mut job = super::tests::job("echo $WORD");
    job.environment = vec![("WORD".to_owned(), "given".into())];
    assert_eq!(job.run(LIMIT).await.unwrap().last_line, "given");
}

/// It does not hear TERM, and neither does what it started.
#[tokio::test]
async fn a_program_that_hangs_is_ended_with_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let text = format!(
        "trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $$ $! > {0}.new; \
         mv {0}.new {0}; while :; do sleep 1; done",
        pids.display()
    );
    let begun = Instant::now();
    let limit = Duration::from_millis(500);
    let ended = job(&text).run(limit).await;
    assert!(matches!(ended, Err(Unfinished::TimedOut(_))), "{ended:?}");
    assert!(begun.elapsed() < LIMIT / 2, "nobody waits for the grace");
    for pid in fs::read_to_string(pids).unwrap().split_whitespace() {
        gone(pid).await;
    }
}

#[tokio::test]
async fn what_a_check_leaves_behind_is_ended_and_what_a_command_starts_lives() {
    let ran = run("sleep 600 & echo $!").await;
    assert!(
        ran.succeeded(),
        "its pipe is still open: nobody waits for that"
    );
    gone(&ran.last_line).await;
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let text = format!("sleep 600 & echo $! > {}", pid.display());
    let ran = Job::shell(&text).run(LIMIT).await.unwrap();
    assert!(ran.succeeded());
    let pid = fs::read_to_string(pid).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap();
    assert!(!stat.contains(") Z "), "{stat}");
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_program_that_floods_is_ended() {
    let ran = run("echo $$; yes").await;
    assert_eq!(ran.end, End::Flooded);
    assert!(ran.to_string().contains("ended for writing more than"));
    // One line without an end takes no more memory than any other.
    let ran = run("echo $$ >&2; exec cat /dev/zero").await;
    assert_eq!(ran.end, End::Flooded);
}

#[tokio::test]
async fn a_file_that_cannot_be_executed_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nobody");
    let windows = script(folder.path(), "#!/bin/sh\r\nexit 0\r\n");
    let refused = async |path: &Path| match Job::new(path).run(LIMIT).await {
        Err(Unfinished::NotStarted(NotStarted::Unusable(why))) => why,
        other => panic!("{other:?}"),
    };
    assert!(refused(&missing).await.contains("No such file"));
    let why = refused(&windows).await;
    assert!(why.contains("line ends of Windows"), "{why}");
    let strange = script(folder.path(), "#!/nowhere/perl\n");
    let why = refused(&strange).await;
    assert!(
        why.contains("its interpreter /nowhere/perl does not exist"),
        "{why}"
    );
    fs::set_permissions(&strange, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused(&strange).await.contains("Permission denied"));
    assert!(find(&strange).unwrap_err().contains("Permission denied"));
    assert!(find(folder.path()).is_err(), "a folder is no program");
    assert!(find(Path::new("sh")).is_ok());
    assert!(
        find(Path::new("no-such-program"))
            .unwrap_err()
            .contains("PATH")
    );
}

/// As the old daemon's library did.
#[tokio::test]
async fn a_script_without_interpreter_line_is_run_by_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    let path = script(folder.path(), "echo \"$1 $2\"\nexit 7\n");
    let job = Job {
        arguments: vec!["a b".into(), "c".into()],
        ..Job::new(&path)
    };
    let ran = job.run(LIMIT).await.unwrap();
    assert_eq!(ran.to_string(), "a b c (exit status 7)");
}

#[test]
fn words_of_a_command_end_at_blanks() {
    let rows: [(&str, &[&str]); 6] = [
        ("/bin/x", &["/bin/x"]),
        ("/bin/x  -a\t-b ", &["/bin/x", "-a", "-b"]),
        ("/bin/x 'a b' \"c 'd'\"", &["/bin/x", "a b", "c 'd'"]),
        ("/bin/x ''", &["/bin/x", ""]),
        ("/bin/x a'b c'd", &["/bin/x", "ab cd"]),
        ("", &[]),
    ];
    for (text, expected) in rows {
        assert_eq!(words(text), expected, "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("with blank");
    fs::write(&path, "").unwrap();
    let text = path.to_str().unwrap();
    assert_eq!(words(text), [text], "a file of that very name");
}
