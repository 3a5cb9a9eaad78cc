//! Process 1 of a host: names it, gives it private places, reaps orphans, and ends with the lab.
//!
//! Reaping matters: the old daemon's stop command waits for the daemon to vanish, and a zombie never
//! does. It starts nothing by itself: what runs on a host is put there from outside.

use std::fs;
use std::io::{Read, Write, stdin, stdout};
use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, ensure};
use rustix::mount::{MountFlags, mount, mount_bind};
use rustix::process::{WaitOptions, wait};
use tokio::signal::unix::{SignalKind, signal};

/// Where a host has its own files: below its folder, and where its programs look for them.
const PRIVATE: &[(&str, &str)] = &[
    ("run", "/run"),
    ("log", "/var/log"),
    ("state", "/var/lib/heartbeat"),
    ("etc", "/etc/ha.d"),
    ("srv", "/srv"),
];

/// Serves until the lab closes our standard input. The first line of output is our number outside, or
/// what went wrong.
pub fn run(name: &str, private: Option<&Path>) -> Result<()> {
    // Still the outer /proc: it shows the number by which the lab will find us.
    let outside = fs::read_link("/proc/self").context("there is no /proc")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _context = runtime.enter();
    // Before the lab may start anything, or an early orphan would stay a zombie.
    let mut ended = signal(SignalKind::child())?;
    if let Err(error) = set_up(name, private) {
        writeln!(stdout(), "{error:#}")?;
        return Err(error);
    }
    thread::spawn(leave_with_the_lab);
    writeln!(stdout(), "{}", outside.display())?;
    runtime.block_on(async {
        while ended.recv().await.is_some() {
            while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        }
    });
    Ok(())
}

fn set_up(name: &str, private: Option<&Path>) -> Result<()> {
    rustix::system::sethostname(name.as_bytes()).context("cannot set the host name")?;
    for (kind, place) in [("proc", "/proc"), ("sysfs", "/sys")] {
        mount(kind, place, kind, MountFlags::empty(), None)
            .with_context(|| format!("cannot mount {place}"))?;
    }
    if let Some(folder) = private {
        bind(folder)?;
    }
    let loopback = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    ensure!(
        loopback.is_ok_and(|status| status.success()),
        "cannot bring up the loopback device"
    );
    Ok(())
}

fn bind(folder: &Path) -> Result<()> {
    for (own, place) in PRIVATE {
        let own = folder.join(own);
        fs::create_dir_all(&own)?;
        fs::create_dir_all(place)?;
        mount_bind(&own, *place)
            .with_context(|| format!("cannot give the host its own {place}"))?;
    }
    fs::create_dir_all("/run/lock")?;
    Ok(())
}

fn leave_with_the_lab() {
    let mut nothing = [0; 16];
    while let Ok(1..) = stdin().read(&mut nothing) {}
    // The end of process 1 is the end of every process here.
    std::process::exit(0);
}
