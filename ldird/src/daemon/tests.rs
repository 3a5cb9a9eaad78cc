//! One director for each file, also where nobody can say who the other one is.
#![allow(clippy::unwrap_used)]

use super::{Unheld, hold_file};
use crate::instance::Instance;
use ha_plumbing::claim::{self, Claim};
use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

fn instance(folder: &tempfile::TempDir) -> Instance {
    let folder = folder.path();
    Instance {
        name: "x.cf".to_owned(),
        path: folder.join("x.cf"),
        pidfile: folder.join("pid"),
        socket: folder.join("run/ldird.x.cf.sock"),
        etc: folder.to_owned(),
        run: folder.join("run"),
    }
}

/// Lets go, and lets the runtime close the sockets, with which the name ends.
async fn let_go(claim: Claim) {
    drop(claim);
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_file_is_held_once_and_the_holder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let instance = instance(&folder);
    fs::write(&instance.path, "").unwrap();
    let held = hold_file(&instance).unwrap();
    let pid = i32::try_from(std::process::id()).unwrap();
    let second = hold_file(&instance).unwrap_err();
    assert!(matches!(second, Unheld::Running(found) if found == pid));
    drop(held);
}

/// Its queue is full, so that the kernel does not say who it is.
#[tokio::test]
async fn a_holder_that_cannot_be_named_keeps_others_away_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let instance = instance(&folder);
    fs::write(&instance.path, "").unwrap();
    let held = hold_file(&instance).unwrap();
    let sockets = fs::read_dir(&instance.run).unwrap();
    let place = sockets.map(|entry| entry.unwrap().path()).next().unwrap();
    let_go(held).await;
    let _ = fs::remove_file(&place);
    let stranger = UnixListener::bind(&place).unwrap();
    rustix::net::listen(&stranger, 0).unwrap();
    let _waiting = std::os::unix::net::UnixStream::connect(&place).unwrap();
    let why = hold_file(&instance).unwrap_err();
    assert!(matches!(why, Unheld::Nameless), "{why}");
}

/// Another user has the name, and the run folder is none.
#[tokio::test]
async fn who_can_claim_nothing_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let instance = instance(&folder);
    fs::write(&instance.path, "").unwrap();
    fs::write(&instance.run, "no folder").unwrap();
    let held = hold_file(&instance).unwrap();
    assert!(held.trouble().is_some(), "the name alone will do");
    let_go(held).await;
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can act as another user");
        return;
    }
    let name = format!("ldird:{}", claim::identity(&instance.path).display());
    // The kernel keeps users by thread.
    let stranger = std::thread::spawn(move || {
        let user = rustix::process::Uid::from_raw(65_534);
        rustix::thread::set_thread_res_uid(user, user, user).unwrap();
        let address = SocketAddr::from_abstract_name(name).unwrap();
        UnixListener::bind_addr(&address)
    });
    let _stranger = stranger.join().unwrap().unwrap();
    let why = hold_file(&instance).unwrap_err();
    assert!(matches!(why, Unheld::Unknowable(_)), "{why}");
    let why = why.to_string();
    assert!(
        why.contains("user 65534") && why.contains("cannot be made"),
        "{why}"
    );
}
