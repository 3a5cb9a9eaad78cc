#![allow(clippy::unwrap_used)]

use super::*;
use std::fs;
use std::process::Command;

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heartbeat.pid");
    (folder, path)
}

#[test]
fn the_file_has_the_old_layouts() {
    let (_folder, path) = place();
    let held = Lockfile::acquire(&path, Layout::Padded, &[]).unwrap();
    let content = fs::read_to_string(&path).unwrap();
    assert_eq!(content.len(), 12);
    assert_eq!(content.trim(), std::process::id().to_string());
    assert!(content.ends_with('\n'));
    drop(held);
    assert!(!path.exists());
    let _held = Lockfile::acquire(&path, Layout::Plain, &[]).unwrap();
    let content = fs::read_to_string(&path).unwrap();
    assert_eq!(content, format!("{}\n", std::process::id()));
}

#[test]
fn a_second_instance_is_refused_and_leaves_the_file_alone() {
    let (_folder, path) = place();
    let held = Lockfile::acquire(&path, Layout::Padded, &[]).unwrap();
    let refused = Lockfile::acquire(&path, Layout::Padded, &[]).unwrap_err();
    let expected = Some(std::process::id());
    assert!(matches!(refused, LockError::Running { pid, .. } if pid == expected));
    assert!(path.exists());
    drop(held);
    Lockfile::acquire(&path, Layout::Padded, &[]).unwrap();
}

#[test]
fn a_stale_file_is_taken_over() {
    let (_folder, path) = place();
    // Longer than what we write, and of a process that cannot exist.
    fs::write(&path, format!("{:>30}\n", i32::MAX)).unwrap();
    let _held = Lockfile::acquire(&path, Layout::Padded, &["heartbeat"]).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().len(), 12);
}

#[test]
fn nonsense_in_the_file_is_no_pid() {
    let (_folder, path) = place();
    for nonsense in ["", "\n", "no\n", "-5\n", "0\n", "99999999999999\n"] {
        fs::write(&path, nonsense).unwrap();
        drop(Lockfile::acquire(&path, Layout::Padded, &["heartbeat"]).unwrap());
    }
}

#[test]
fn a_living_rival_without_a_lock_counts() {
    let (_folder, path) = place();
    let mut rival = Command::new("sleep").arg("60").spawn().unwrap();
    fs::write(&path, format!("{:>11}\n", rival.id())).unwrap();
    // Between fork and exec the child still carries our name.
    let comm = format!("/proc/{}/comm", rival.id());
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while fs::read_to_string(&comm).unwrap() != "sleep\n" {
        assert!(std::time::Instant::now() < limit, "sleep never started");
        std::thread::yield_now();
    }
    let refused = Lockfile::acquire(&path, Layout::Padded, &["sleep"]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("already running [pid {}] ({})", rival.id(), path.display())
    );
    assert!(path.exists());
    let holds = |programs| holder(&path, programs).map(|pid| pid.as_raw_nonzero().get());
    assert_eq!(holds(&["hbd", "sleep"]), i32::try_from(rival.id()).ok());
    // A recycled pid of another program is no rival.
    assert_eq!(holds(&["hbd"]), None);
    let held = Lockfile::acquire(&path, Layout::Padded, &["heartbeat"]);
    rival.kill().unwrap();
    rival.wait().unwrap();
    held.unwrap();
    fs::write(&path, format!("{:>11}\n", rival.id())).unwrap();
    assert_eq!(holder(&path, &["sleep"]), None, "it has ended");
}

#[test]
fn a_file_that_became_anothers_is_not_removed() {
    let (_folder, path) = place();
    let held = Lockfile::acquire(&path, Layout::Padded, &[]).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "         42\n").unwrap();
    drop(held);
    assert_eq!(fs::read_to_string(&path).unwrap(), "         42\n");
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let path = Path::new("/nonexistent/heartbeat.pid");
    let error = Lockfile::acquire(path, Layout::Plain, &[]).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/heartbeat.pid"));
}

#[test]
fn a_file_that_was_removed_under_us_is_written_again_with_its_directory() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let path = run.join("ldirectord.x.pid");
    fs::create_dir(&run).unwrap();
    let mut held = Lockfile::acquire(&path, Layout::Plain, &[]).unwrap();
    assert!(held.refill().is_none(), "it is there");
    fs::remove_dir_all(&run).unwrap();
    let said = held.refill().unwrap().to_string();
    assert!(said.ends_with("is written again"), "{said}");
    let content = fs::read_to_string(&path).unwrap();
    assert_eq!(content, format!("{}\n", std::process::id()));
    let second = Lockfile::acquire(&path, Layout::Plain, &[]);
    assert!(second.is_err(), "the new file is held like the first");
    drop(held);
    assert!(!path.exists());
}

#[test]
fn a_file_that_another_daemon_wrote_meanwhile_is_left_to_it_and_told_once() {
    let (_folder, path) = place();
    let mut held = Lockfile::acquire(&path, Layout::Plain, &[]).unwrap();
    fs::remove_file(&path).unwrap();
    let another = Lockfile::acquire(&path, Layout::Padded, &[]).unwrap();
    let said = held.refill().unwrap();
    assert!(matches!(said, Refill::Failed { .. }), "{said}");
    assert!(held.refill().is_none(), "that was said");
    assert_eq!(fs::read_to_string(&path).unwrap().len(), 12);
    drop(another);
    let said = held.refill().unwrap();
    assert!(matches!(said, Refill::Written(_)), "{said}");
}
