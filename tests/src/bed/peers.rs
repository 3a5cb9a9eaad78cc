//! The old daemons, as Debian ships them, on hosts of the lab: heartbeat 3.0.6 and ldirectord 4.12.
//!
//! Starts and stops them, asks them through their own tools, reads their logs. They are judges here:
//! nothing about them is changed, and nothing about what they should see is known.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::host::Host;
use super::wait;

/// Where Debian's package keeps the daemon.
pub const HEARTBEAT: &str = "/usr/libexec/heartbeat/heartbeat";
const LDIRECTORD: &str = "/usr/sbin/ldirectord";
/// The old director stops its children and its table at its own pace, in Perl, maybe under emulation.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Its processes die at once, but watch each other and may have started others meanwhile.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// Containers rarely allow more than a few pages; it goes on without.
const NO_LOCKED_MEMORY: &str = "Cannot lock ourselves into memory";

/// What its init script makes before it starts the daemon.
const RUN_FOLDERS: &str = "\
install -d -o hacluster -g haclient -m 0750 /run/heartbeat
install -d -o hacluster -g haclient -m 0750 /run/heartbeat/ccm /run/heartbeat/dopd
install -d -m 1777 /run/heartbeat/rsctmp
install -d /run/resource-agents";

/// The real heartbeat 3.0.6 on a host. Dropping it takes the host's power.
pub struct Heartbeat {
    host: Arc<Host>,
    child: Mutex<Option<Child>>,
}

impl Heartbeat {
    /// Writes `ha.cf`, `haresources` and `authkeys` beside the scripts that its packages installed.
    ///
    /// For [`Heartbeat::log`], `ha.cf` names `/var/log/ha-log` as its `logfile`.
    pub fn install(host: Arc<Host>, files: &[(&str, String)]) -> Result<Self> {
        let etc = host.folder().join("etc");
        for (name, content) in files {
            let path = etc.join(name);
            fs::write(&path, content)?;
            let mode = if *name == "authkeys" { 0o600 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        }
        Ok(Self {
            host,
            child: Mutex::new(None),
        })
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Starts the daemon in the foreground, as its unit file does, without waiting for it.
    pub fn start(&self) -> Result<()> {
        self.host.sh(RUN_FOLDERS)?;
        let child = self
            .host
            .command(HEARTBEAT)?
            .arg("-f")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{}: cannot start heartbeat", self.host.name()))?;
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        Ok(())
    }

    /// Stops it as its init script does, and waits until it is gone; how long that took. After
    /// `limit` it is an error.
    pub fn stop(&self, limit: Duration) -> Result<Duration> {
        let begin = Instant::now();
        let seconds = limit.as_secs().to_string();
        self.host.run(&["timeout", &seconds, HEARTBEAT, "-k"])?;
        self.reap();
        Ok(begin.elapsed())
    }

    /// Ends all its processes at once and without a farewell; what it ran stays active.
    pub fn kill(&self) -> Result<()> {
        wait::until("heartbeat is gone", KILL_LIMIT, || {
            self.host.signal("heartbeat", Signal::KILL) == 0
        })?;
        self.reap();
        Ok(())
    }

    /// Its host loses power.
    pub fn power_off(&self) -> Result<()> {
        self.host.power_off()?;
        self.reap();
        Ok(())
    }

    /// Its host gets power again, and starts it.
    pub fn power_on(&self) -> Result<()> {
        self.host.power_on()?;
        self.start()
    }

    fn reap(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut child) = child.take() {
            let _ = child.wait();
        }
    }

    /// What `cl_status nodestatus` says of a node; `None` while the daemon does not answer.
    pub fn node_status(&self, node: &str) -> Option<String> {
        // Its exit status is 1 for a dead node, which is an answer as well.
        let output = self
            .host
            .command("cl_status")
            .ok()?
            .args(["nodestatus", node])
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (!said.is_empty()).then_some(said)
    }

    /// Everything it logged.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.host.folder().join("log/ha-log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The lines in which it complains of anything but this machine: errors and worse.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.log();
        let loud = |line: &&str| {
            (line.contains("ERROR:") || line.contains("CRIT:")) && !line.contains(NO_LOCKED_MEMORY)
        };
        log.lines().filter(loud).map(str::to_owned).collect()
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        let _ = self.power_off();
        self.reap();
    }
}

/// The real ldirectord 4.12 on a host.
pub struct Ldirectord {
    host: Arc<Host>,
    configuration: PathBuf,
}

impl Ldirectord {
    /// For the configuration file with this path on the host.
    pub fn new(host: Arc<Host>, configuration: impl Into<PathBuf>) -> Self {
        Self {
            host,
            configuration: configuration.into(),
        }
    }

    /// Starts it as a daemon.
    pub fn start(&self) -> Result<()> {
        self.command("start")
    }

    /// Stops it in order and waits until it is gone.
    pub fn stop(&self) -> Result<()> {
        self.command("stop")?;
        wait::until("the old director ends", STOP_LIMIT, || {
            self.host.processes("ldirectord").is_empty()
        })?;
        Ok(())
    }

    fn command(&self, verb: &str) -> Result<()> {
        let configuration = self
            .configuration
            .to_str()
            .context("a path that is not UTF-8")?;
        self.host.run(&[LDIRECTORD, configuration, verb]).map(drop)
    }
}

impl Drop for Ldirectord {
    fn drop(&mut self) {
        self.host.signal("ldirectord", Signal::KILL);
    }
}
