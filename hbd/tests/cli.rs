//! The face of the binary: help, check, genkey, exit codes, and what it says when no daemon runs.
//! `UPDATE_GOLDEN=1 cargo test -p hbd` writes the golden files anew.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn hbd(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hbd"))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn compare(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{}: UPDATE_GOLDEN=1 accepts this:\n{found}",
        path.display()
    );
}

/// A copy of the sample files in which authkeys has the mode that git does not keep.
fn samples() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../ha.d");
    for name in ["ha.cf", "haresources", "authkeys"] {
        let to = folder.path().join(name);
        fs::copy(from.join(name), &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

/// [`samples`] with a key of their own.
fn samples_with_a_key() -> tempfile::TempDir {
    let folder = samples();
    let keys = "auth 1\n1 sha1 a-key-that-nobody-knows\n";
    fs::write(folder.path().join("authkeys"), keys).unwrap();
    folder
}

#[test]
fn the_samples_are_usable_only_with_a_key_of_your_own() {
    let output = check(samples().path(), &["--node", "lb1"]);
    let text = stdout(&output);
    assert_eq!(code(&output), 6, "{text}");
    assert!(text.contains("key 1 is the published one"), "{text}");
    assert!(
        text.ends_with(": not usable: 1 error, 0 warnings\n"),
        "{text}"
    );
}

fn check(etc: &Path, more: &[&str]) -> Output {
    let mut words = vec!["check", "--offline", "--etc", etc.to_str().unwrap()];
    words.extend(more);
    hbd(&words)
}

#[test]
fn help_is_as_reviewed() {
    compare("help", &stdout(&hbd(&["--help"])));
    compare("check-help", &stdout(&hbd(&["check", "--help"])));
    compare("directives", &stdout(&hbd(&["check", "--list"])));
}

#[test]
fn the_samples_work_as_they_are_on_either_node() {
    let etc = samples_with_a_key();
    for node in ["lb1", "LB2"] {
        let output = check(etc.path(), &["--node", node]);
        let expected = format!(
            "{}: usable: 0 errors, 0 warnings (cluster linux-ha, node {} of 2, 1 medium, 1 resource group)\n",
            etc.path().display(),
            node.to_lowercase()
        );
        assert_eq!(stdout(&output), expected);
        assert_eq!(code(&output), 0);
    }
}

#[test]
fn a_faulty_configuration_ends_with_6_and_shows_every_fault() {
    let etc = samples_with_a_key();
    fs::write(
        etc.path().join("ha.cf"),
        "node lb1\nkeepalve 1\nkeepalive 1x\nbcast eth0\n",
    )
    .unwrap();
    let output = check(etc.path(), &["--node", "lb1"]);
    let text = stdout(&output);
    assert_eq!(code(&output), 6, "{text}");
    assert!(text.contains("/ha.cf:2:1\n"), "{text}");
    assert!(text.contains("/ha.cf:3:11\n"), "{text}");
    let verdict = text.lines().last().unwrap();
    assert!(
        verdict.ends_with(": not usable: 2 errors, 3 warnings"),
        "{verdict}"
    );
    assert!(!text.contains('\x1b'), "no colour in a pipe");
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let etc = samples_with_a_key();
    let path = etc.path().join("authkeys");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let output = check(etc.path(), &["--node", "lb1"]);
    let expected = format!(
        "Bad permissions on keyfile [{}], 600 recommended.",
        path.display()
    );
    assert!(stdout(&output).contains(&expected), "{}", stdout(&output));
    assert_eq!(code(&output), 6);
}

#[test]
fn a_generated_key_is_a_file_of_its_owner_and_never_replaces_another() {
    let etc = samples();
    let folder = etc.path().to_str().unwrap();
    let path = etc.path().join("authkeys");
    let genkey = |more: &[&str]| hbd(&[&["genkey", "--etc", folder], more].concat());
    let before = fs::read(&path).unwrap();
    let refused = genkey(&[]);
    assert_eq!(code(&refused), 1);
    assert!(
        stderr(&refused).contains("is there already"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::remove_file(&path).unwrap();
    let written = genkey(&[]);
    assert_eq!(code(&written), 0, "{}", stderr(&written));
    assert!(
        stdout(&written).contains("Copy it to every other node"),
        "{}",
        stdout(&written)
    );
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o600
    );
    let output = check(etc.path(), &["--node", "lb1"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(
        stdout(&output).contains("0 errors, 0 warnings"),
        "{}",
        stdout(&output)
    );
    let (one, other) = (
        genkey(&["--print"]),
        genkey(&["--print", "--method", "sha1"]),
    );
    assert!(stdout(&one).contains("\n1 sha256 ") && stdout(&other).contains("\n1 sha1 "));
    assert_ne!(one.stdout, fs::read(&path).unwrap());
}

/// One verdict for each directory, and what the files mean for whoever asks.
#[test]
fn several_directories_are_checked_at_once() {
    let (good, bad) = (samples_with_a_key(), samples());
    let folders = [good.path().to_str().unwrap(), bad.path().to_str().unwrap()];
    let output = hbd(&["check", "--offline", "--show", folders[0], folders[1]]);
    let text = stdout(&output);
    assert_eq!(code(&output), 6, "{text}");
    assert!(
        text.contains(&format!("\n{}: usable: 0 errors", folders[0])),
        "{text}"
    );
    assert!(
        text.contains(&format!("\n{}: not usable: 1 error", folders[1])),
        "{text}"
    );
    for fact in [
        "node lb1 (this one)\n",
        "deadtime 1000ms\n",
        "bcast eth0 port 694\n",
        "key 1 sha1 signs\n",
        "group IPaddr::10.10.0.100/24/eth0 prefers lb1\n    IPaddr 10.10.0.100/24/eth0\n    \
         ldirectord ldirectord.cf\n",
    ] {
        assert_eq!(text.matches(fact).count(), 1, "{fact}{text}");
    }
}

/// Without `--offline`: what only this machine can say.
#[test]
fn scripts_that_are_missing_here_make_the_files_unusable_here() {
    let etc = samples_with_a_key();
    let ha_cf = "node lb1 lb2\nucast lo 192.0.2.7\nauto_failback on\nlogfacility local0\n";
    fs::write(etc.path().join("ha.cf"), ha_cf).unwrap();
    fs::write(etc.path().join("haresources"), "lb1 no-such-script\n").unwrap();
    let folder = etc.path().to_str().unwrap();
    let words = ["check", "--node", "lb1", "--run", folder, folder];
    let output = hbd(&words);
    let text = stdout(&output);
    assert_eq!(code(&output), 6, "{text}");
    assert!(
        text.contains("no-such-script: there is no such resource script"),
        "{text}"
    );
    assert!(text.contains("haresources:1:5\n"), "{text}");
    assert_eq!(code(&check(etc.path(), &["--node", "lb1"])), 0);
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for words in [
        &["--nonsense"][..],
        &["standby", "some"],
        &["why"],
        &["nonsense"],
    ] {
        let output = hbd(words);
        assert_eq!(code(&output), 2, "{words:?}");
        assert!(stdout(&output).is_empty(), "{words:?}");
    }
}

#[test]
fn commands_say_so_when_no_daemon_runs() {
    let run = tempfile::tempdir().unwrap();
    let folder = run.path().to_str().unwrap();
    let socket = run.path().join("hbd.sock");
    for command in [
        &["status"][..],
        &["why", "lb1"],
        &["standby"],
        &["stop"],
        &["reload"],
    ] {
        let output = hbd(&[command, &["--run", folder]].concat());
        let expected = format!(
            "hbd is not running here: no socket at {}\n",
            socket.display()
        );
        assert_eq!(stderr(&output), expected, "{command:?}");
        assert_eq!(code(&output), 1, "{command:?}");
    }
    // What a crashed daemon leaves.
    drop(UnixListener::bind(&socket).unwrap());
    let output = hbd(&["status", "--run", folder]);
    assert!(
        stderr(&output).contains("nobody listens at"),
        "{}",
        stderr(&output)
    );
    assert_eq!(code(&output), 1);
}

#[test]
fn called_as_heartbeat_it_knows_that_commands_letters_alone() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("heartbeat");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_hbd"), &name).unwrap();
    let heartbeat = |letter| {
        let mut command = Command::new(&name);
        command.arg(letter).stdin(Stdio::null()).output().unwrap()
    };
    let version = heartbeat("-V");
    assert_eq!(code(&version), 0);
    assert!(stdout(&version).starts_with("hbd "));
    for letter in ["-x", "-M", "check", "--help"] {
        let output = heartbeat(letter);
        assert_eq!(code(&output), 2, "{letter}");
        assert!(stderr(&output).contains("Usage: heartbeat [-dfklrsvV]"));
    }
}

#[test]
fn a_shadow_refuses_files_that_cannot_be_used_and_times_that_are_none() {
    let etc = samples_with_a_key();
    fs::write(etc.path().join("ha.cf"), "node lb1\nkeepalve 1\n").unwrap();
    let etc = etc.path().to_str().unwrap();
    let output = hbd(&["shadow", "--etc", etc]);
    assert_eq!(code(&output), 6, "{}", stderr(&output));
    assert!(
        stderr(&output).contains("/ha.cf:2:1"),
        "{}",
        stderr(&output)
    );
    let output = hbd(&["shadow", "--for", "ever"]);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
}
