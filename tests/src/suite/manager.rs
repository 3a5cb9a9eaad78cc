//! ldird's unit under a real service manager: systemd as process 1 of namespaces, with a stand-in for
//! the daemon that writes down which signal has ended it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Case, Place};
use crate::bed::{repository, wait};

pub(super) const CASES: &[Case] = &[Case {
    name: "systemctl_restart_hands_the_table_over_and_stop_cleans_it",
    place: Place::Kernel,
    run: restart_and_stop,
}];

const SYSTEMD: &str = "/lib/systemd/systemd";
/// For systemd to boot or to carry out one job, under emulation.
const LIMIT: Duration = Duration::from_secs(60);

/// Its own processes, mounts and control groups; of this machine nothing can be changed. The first
/// word is the folder of the units.
const BOOT: &str = r#"
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t sysfs sysfs /sys || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir /tmp/units && cp -r "$1"/. /tmp/units
mount -o remount,bind,ro /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
cp -r /tmp/units/. /run/systemd/system
export container=lab
exec /lib/systemd/systemd --system --unit=lab.target --log-target=null --show-status=0
"#;

/// What the target pulls in, and nothing of this machine's.
const TARGET: &str = "[Unit]\nDefaultDependencies=no\nWants=ldird.service\n";

/// Instead of what needs the daemon itself.
const STAND_IN: &str = "[Service]\nType=simple\nWatchdogSec=0\nExecStart=\n\
    ExecStart=/bin/sh /run/systemd/system/stand-in\n";

/// Ends as the daemon does: USR1 hands over, TERM cleans the table.
const DAEMON: &str = r"
echo start >>/run/told
trap 'echo handed over >>/run/told; exit 0' USR1
trap 'echo cleaned >>/run/told; exit 0' TERM
while :; do sleep 0.05; done
";

fn restart_and_stop() -> Result<()> {
    if !Path::new(SYSTEMD).exists() {
        println!("    skipped: this machine has no systemd");
        return Ok(());
    }
    let machine = Machine::boot()?;
    machine.await_told("start\n")?;
    machine.systemctl("restart")?;
    machine.await_told("start\nhanded over\nstart\n")?;
    machine.systemctl("stop")?;
    machine.await_told("start\nhanded over\nstart\ncleaned\n")
}

/// Namespaces in which systemd is process 1. Dropping it ends all.
struct Machine {
    /// `unshare`, whose child systemd is.
    holder: Child,
    /// systemd, as seen from here.
    init: u32,
    _units: tempfile::TempDir,
}

impl Machine {
    fn boot() -> Result<Self> {
        let units = tempfile::tempdir()?;
        let shipped = fs::read_to_string(repository().join("ldird/dist/ldird.service"))?;
        let service = shipped.find("[Service]").context("a service section")?;
        let install = shipped.find("[Install]").context("an install section")?;
        let unit = format!(
            "[Unit]\nDefaultDependencies=no\n{}",
            &shipped[service..install]
        );
        let write = |name: &str, text: &str| fs::write(units.path().join(name), text);
        write("ldird.service", &unit)?;
        write("lab.target", TARGET)?;
        write("stand-in", DAEMON)?;
        fs::create_dir(units.path().join("ldird.service.d"))?;
        write("ldird.service.d/stand-in.conf", STAND_IN)?;
        let mut holder = Command::new("unshare")
            .args(["--net", "--uts", "--mount", "--pid", "--ipc", "--cgroup"])
            .args(["--fork", "--kill-child=KILL", "--", "/bin/sh", "-c", BOOT])
            .arg("boot")
            .arg(units.path())
            .stdin(Stdio::null())
            .spawn()
            .context("cannot run unshare")?;
        let children = format!("/proc/{0}/task/{0}/children", holder.id());
        let init = wait::for_some("process 1 of the namespaces", LIMIT, || {
            ensure!(holder.try_wait()?.is_none(), "systemd has ended at once");
            let text = fs::read_to_string(&children)?;
            Ok(text
                .split_whitespace()
                .next()
                .and_then(|one| one.parse().ok()))
        })?;
        Ok(Self {
            holder,
            init,
            _units: units,
        })
    }

    fn systemctl(&self, verb: &str) -> Result<()> {
        let output = Command::new("nsenter")
            .args(["--net", "--uts", "--mount", "--pid", "--ipc"])
            .args(["--target", &self.init.to_string(), "--"])
            .args(["systemctl", verb, "ldird.service"])
            .output()
            .context("cannot run nsenter")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "systemctl {verb}: {said}");
        Ok(())
    }

    /// Waits until the stand-in has told this and nothing else.
    fn await_told(&self, wanted: &str) -> Result<()> {
        let path = format!("/proc/{}/root/run/told", self.init);
        let mut told = String::new();
        let waited = wait::until("the unit does what it should", LIMIT, || {
            told = fs::read_to_string(&path).unwrap_or_default();
            told == wanted
        });
        waited
            .map(drop)
            .with_context(|| format!("it told {told:?} instead of {wanted:?}"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its child goes with it, and with process 1 everything inside.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
