//! One director for each file, whatever becomes of files and whoever takes their names.
#![allow(clippy::unwrap_used)]

use super::name::{NAME_MAX, listen, name};
use super::place;
use super::{Claim, Kind, Subject, holder};
use rustix::process::geteuid;
use rustix::thread::set_thread_res_uid;
use std::fs;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

const STRANGER: u32 = 65_534;

struct Bed {
    folder: tempfile::TempDir,
    file: PathBuf,
    run: PathBuf,
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.cf");
        fs::write(&file, "").unwrap();
        let run = folder.path().join("run");
        Self { folder, file, run }
    }

    fn claim(&self) -> io::Result<Claim> {
        Claim::acquire(Kind::Standby, self.subject(&self.file))
    }

    fn subject<'a>(&'a self, file: &'a Path) -> Subject<'a> {
        let run = &self.run;
        Subject { file, run }
    }

    fn holder(&self, file: &Path) -> Option<u32> {
        let holder = holder(Kind::Standby, self.subject(file));
        holder.map(|pid| pid.as_raw_nonzero().get().unsigned_abs())
    }
}

/// Lets go, and lets the runtime close the sockets, with which the name ends.
async fn let_go(claim: Claim) {
    drop(claim);
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}

fn own_pid() -> u32 {
    std::process::id()
}

/// Another user listens under the abstract name of this claim; `None` where only root could see to that.
fn stranger(bed: &Bed) -> Option<UnixListener> {
    if !geteuid().is_root() {
        println!("skipped: only root can act as another user");
        return None;
    }
    let file = bed.file.clone();
    // The kernel keeps users by thread.
    let other = std::thread::spawn(move || {
        let user = rustix::process::Uid::from_raw(STRANGER);
        // The name is made by somebody who may read the path.
        let name = name(Kind::Standby, &file);
        set_thread_res_uid(user, user, user).unwrap();
        listen(&name).unwrap()
    });
    Some(other.join().unwrap())
}

#[tokio::test]
async fn a_director_is_found_by_its_file_under_every_name_and_when_the_file_is_gone() {
    let bed = Bed::new();
    let link = bed.folder.path().join("y.cf");
    std::os::unix::fs::symlink(&bed.file, &link).unwrap();
    assert_eq!(bed.holder(&bed.file), None, "nobody runs it");
    let claim = bed.claim().unwrap();
    assert_eq!(claim.trouble(), None);
    assert_eq!(bed.holder(&bed.file), Some(own_pid()));
    assert_eq!(bed.holder(&link), Some(own_pid()), "by a link");
    let other = bed.folder.path().join("z.cf");
    assert_eq!(bed.holder(&other), None, "another file");
    fs::remove_file(&bed.file).unwrap();
    assert_eq!(bed.holder(&bed.file), Some(own_pid()), "deleted");
    fs::remove_dir_all(&bed.run).unwrap();
    assert_eq!(
        bed.holder(&bed.file),
        Some(own_pid()),
        "with the run folder"
    );
    drop(claim);
    assert_eq!(bed.holder(&bed.file), None, "at once");
}

#[tokio::test]
async fn a_file_is_claimed_once_and_again_when_its_director_is_gone() {
    let bed = Bed::new();
    let claim = bed.claim().unwrap();
    let second = bed.claim().unwrap_err();
    assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
    let_go(claim).await;
    assert_eq!(
        fs::read_dir(&bed.run).unwrap().count(),
        0,
        "nothing is left"
    );
    // One that was killed leaves its socket.
    let path = place::path(Kind::Standby, bed.subject(&bed.file));
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let claim = bed.claim().unwrap();
    assert_eq!(claim.trouble(), None);
    assert_eq!(bed.holder(&bed.file), Some(own_pid()));
}

#[tokio::test]
async fn a_stranger_under_the_name_is_no_director_keeps_none_away_and_is_told() {
    let bed = Bed::new();
    let Some(stranger) = stranger(&bed) else {
        return;
    };
    assert_eq!(bed.holder(&bed.file), None);
    let claim = bed.claim().unwrap();
    let trouble = claim.trouble().unwrap();
    assert!(trouble.contains("is taken by user 65534"), "{trouble}");
    assert_eq!(bed.holder(&bed.file), Some(own_pid()));
    let second = bed.claim().unwrap_err();
    assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
    drop(stranger);
    let second = bed.claim().unwrap_err();
    assert_eq!(second.kind(), io::ErrorKind::AddrInUse, "the name is free");
    assert_eq!(bed.holder(&bed.file), Some(own_pid()));
    drop(claim);
    assert_eq!(bed.holder(&bed.file), None);
}

#[tokio::test]
async fn a_claim_without_a_folder_is_held_by_its_name_and_one_without_both_is_none() {
    let bed = Bed::new();
    fs::write(&bed.run, "no folder").unwrap();
    let claim = bed.claim().unwrap();
    assert!(claim.trouble().unwrap().contains("cannot be made"));
    assert_eq!(bed.holder(&bed.file), Some(own_pid()));
    let_go(claim).await;
    let Some(_stranger) = stranger(&bed) else {
        return;
    };
    let error = bed.claim().unwrap_err().to_string();
    assert!(error.contains("user 65534"), "{error}");
    assert!(error.contains("cannot be made"), "{error}");
}

#[test]
fn names_of_long_paths_fit_and_differ() {
    let long = |end: &str| {
        name(
            Kind::Director,
            Path::new(&format!("/{}ö/{end}", "directory/".repeat(40))),
        )
    };
    assert!(long("a.cf").len() <= NAME_MAX, "{}", long("a.cf"));
    assert_ne!(long("a.cf"), long("b.cf"));
    assert!(long("a.cf").ends_with("a.cf"));
}
