//! A director: a host with our programs installed, its configuration, and hbd running on it.
//!
//! One that is [`Director::resident`] has `ldird.service` enabled: ldird runs from boot, on standby until
//! hbd says that its resource is active. On any other the resource group starts it where the group runs.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ha_status::{ClusterSnapshot, DirectorSnapshot, NodeStatus, RunState, Snapshot, Timing};

use super::programs::{NAMES, Programs};
use super::status;
use crate::bed::host::Host;
use crate::bed::{probe, repository, wait};

/// For a daemon that was told to stop.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Lines of a log that are shown when something fails.
const LOG_TAIL: usize = 12;

/// What goes into `/etc/ha.d`.
#[derive(Debug, Clone)]
pub enum Configuration {
    /// The samples of the repository, unchanged, with its resource scripts.
    Samples,
    /// Files by name and content.
    Files(Vec<(&'static str, String)>),
}

/// A director, on or off.
pub struct Director {
    host: Arc<Host>,
    programs: Programs,
    /// Answers probes at this address as long as the director has power.
    probed: Ipv4Addr,
    /// ldird runs from boot.
    resident: bool,
    children: Mutex<Vec<Child>>,
}

impl Director {
    /// Installs programs and configuration on a host that is on. Starts nothing yet.
    pub fn install(
        host: Arc<Host>,
        programs: &Programs,
        configuration: &Configuration,
        probed: Ipv4Addr,
    ) -> Result<Self> {
        let director = Self {
            host,
            programs: programs.clone(),
            probed,
            resident: false,
            children: Mutex::default(),
        };
        director.configure(configuration)?;
        director.install_programs()?;
        director.boot()?;
        Ok(director)
    }

    /// Installs programs alone: the configuration on the host is the one that an old daemon had, with
    /// all its scripts, and so is the state that it left.
    pub fn adopt(host: Arc<Host>, programs: &Programs, probed: Ipv4Addr) -> Result<Self> {
        let director = Self {
            host,
            programs: programs.clone(),
            probed,
            resident: false,
            children: Mutex::default(),
        };
        director.install_programs()?;
        director.boot()?;
        Ok(director)
    }

    /// With `ldird.service` enabled, as README.md recommends.
    pub fn resident(mut self) -> Self {
        self.resident = true;
        self
    }

    pub fn name(&self) -> &str {
        self.host.name()
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its `/run`, seen from outside: hbd's socket is in `heartbeat` there, ldird's in `run` itself.
    pub fn run_folder(&self) -> PathBuf {
        self.host.folder().join("run")
    }

    /// Starts hbd in the foreground, with every path at its default; before it, as their units have it,
    /// a resident ldird that does not run yet.
    pub fn start(&self) -> Result<()> {
        if self.resident && self.host.processes("ldird").is_empty() {
            self.service("ldird", &["run", "--standby"])?;
        }
        self.service("hbd", &["run"])
    }

    /// Starts one of our programs as a service manager does.
    fn service(&self, name: &str, arguments: &[&str]) -> Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log(&format!("{name}.log")))
            .with_context(|| format!("cannot write the log of {name}"))?;
        let child = self
            .host
            .command(self.programs.path(name))?
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{}: cannot start {name}", self.name()))?;
        self.children().push(child);
        Ok(())
    }

    /// Starts ldird as its unit does: on standby, for hbd to make it active.
    pub fn start_resident_ldird(&self) -> Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log("ldird.log"))
            .context("cannot write ldird's log")?;
        let child = self
            .host
            .command(self.programs.path("ldird"))?
            .args(["run", "--standby"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{}: cannot start ldird", self.name()))?;
        self.children().push(child);
        Ok(())
    }

    /// Ends hbd in order, and waits until it is gone.
    pub fn stop(&self) -> Result<()> {
        self.hbd(&["stop"])?;
        wait::until(&format!("hbd of {} ends", self.name()), STOP_LIMIT, || {
            self.host.processes("hbd").is_empty()
        })?;
        Ok(())
    }

    /// Loses power: see [`Host::power_off`].
    pub fn power_off(&self) -> Result<()> {
        self.host.power_off()?;
        for mut child in self.children().drain(..) {
            let _ = child.wait();
        }
        Ok(())
    }

    /// Gets power again and starts hbd, as a machine that boots does. On already is no error.
    pub fn power_on(&self) -> Result<()> {
        if self.host.is_on() {
            return Ok(());
        }
        self.host.power_on()?;
        self.boot()?;
        self.start()
    }

    /// Runs one of our programs on this director to its end.
    pub fn program(&self, name: &str, arguments: &[&str]) -> Result<String> {
        let path = self.programs.path(name);
        let mut argv = vec![path.to_str().context("a path that is not UTF-8")?];
        argv.extend(arguments);
        self.host.run(&argv)
    }

    /// Runs `hbd` with these arguments.
    pub fn hbd(&self, arguments: &[&str]) -> Result<String> {
        self.program("hbd", arguments)
    }

    /// The cluster as this director's hbd sees it.
    pub fn cluster(&self) -> Result<ClusterSnapshot> {
        match status::snapshot(&self.run_folder().join("heartbeat"), "hbd.sock")? {
            Snapshot::Cluster(cluster) => Ok(cluster),
            Snapshot::Director(_) => bail!("{}: hbd answered as an ldird", self.name()),
        }
    }

    /// How its first group came to run here; `None` while it does not.
    pub fn timing(&self) -> Result<Option<Timing>> {
        let groups = self.cluster()?.groups.into_iter();
        Ok(groups.map(|group| group.timing).next().flatten())
    }

    /// The balancing as this director's ldird sees it; fails where none runs.
    pub fn balancing(&self) -> Result<DirectorSnapshot> {
        let socket = self
            .balancing_socket()
            .with_context(|| format!("{} runs no ldird", self.name()))?;
        match status::snapshot(&self.run_folder(), &socket)? {
            Snapshot::Director(director) => Ok(director),
            Snapshot::Cluster(_) => bail!("{}: ldird answered as an hbd", self.name()),
        }
    }

    /// Does hbd see `node` in this state? No answer means no.
    pub fn sees(&self, node: &str, status: NodeStatus) -> bool {
        self.cluster().is_ok_and(|cluster| {
            let mut nodes = cluster.nodes.iter();
            nodes.any(|known| known.name == node && known.status == status)
        })
    }

    /// Are all its groups in this state here? No answer means no.
    pub fn groups_are(&self, state: RunState) -> bool {
        self.cluster().is_ok_and(|cluster| {
            !cluster.groups.is_empty() && cluster.groups.iter().all(|group| group.state == state)
        })
    }

    /// Is it on, with every group running here?
    pub fn serves(&self) -> bool {
        self.host.is_on() && self.groups_are(RunState::Running)
    }

    /// The end of hbd's log, for a failure that needs explaining.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log("hbd.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(LOG_TAIL)..);
        tail.unwrap_or_default().join("\n")
    }

    /// So many lines hbd has written to its log.
    pub fn lines_said(&self) -> Result<usize> {
        let log = fs::read_to_string(self.log("hbd.log")).context("hbd's log")?;
        Ok(log.lines().count())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.host.folder().join("log").join(name)
    }

    fn balancing_socket(&self) -> Option<String> {
        let names = fs::read_dir(self.run_folder()).ok()?.filter_map(Result::ok);
        let mut names = names.filter_map(|entry| entry.file_name().into_string().ok());
        names.find(|name| {
            let configuration = name.strip_prefix("ldird.");
            configuration.is_some_and(|name| name.strip_suffix(".sock").is_some())
        })
    }

    /// Replaces what Debian's packages left in `/etc/ha.d`.
    fn configure(&self, configuration: &Configuration) -> Result<()> {
        let etc = self.host.folder().join("etc");
        // The folder itself is mounted in the host: only what is in it may go.
        for entry in fs::read_dir(&etc)? {
            let path = entry?.path();
            if path.is_dir() && !path.is_symlink() {
                fs::remove_dir_all(&path)?;
            } else {
                fs::remove_file(&path)?;
            }
        }
        match configuration {
            Configuration::Samples => {
                copy_files(&repository().join("ha.d"), &etc)?;
                // The key of the samples is public and refused: each cluster has one of its own.
                fs::write(etc.join("authkeys"), "auth 1\n1 sha1 a-key-of-the-lab\n")?;
            }
            Configuration::Files(files) => {
                for (name, content) in files {
                    fs::write(etc.join(name), content)?;
                }
            }
        }
        copy_files(&repository().join("resource.d"), &etc.join("resource.d"))?;
        let keys = etc.join("authkeys");
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o600))
            .with_context(|| format!("{} has no authkeys", self.name()))
    }

    /// Puts our programs where an administrator's own programs are; `boot` mounts them there.
    fn install_programs(&self) -> Result<()> {
        let installed = self.installed();
        fs::create_dir_all(&installed)?;
        for name in NAMES {
            std::os::unix::fs::symlink(self.programs.path(name), installed.join(name))?;
        }
        Ok(())
    }

    fn installed(&self) -> PathBuf {
        self.host.folder().join("programs")
    }

    /// What is gone after each loss of power.
    fn boot(&self) -> Result<()> {
        let installed = self.installed();
        let installed = installed.to_str().context("a path that is not UTF-8")?;
        self.host
            .run(&["mount", "--bind", installed, "/usr/local/sbin"])?;
        let answering = probe::start_echo(&self.host, self.probed)?;
        self.children().push(answering);
        Ok(())
    }

    fn children(&self) -> MutexGuard<'_, Vec<Child>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        let _ = self.power_off();
    }
}

/// Copies a folder's contents with their modes.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let copied = Command::new("cp")
        .arg("-R")
        .arg("--preserve=mode")
        .arg(from.join("."))
        .arg(to)
        .status()?;
    ensure!(copied.success(), "cannot copy {}", from.display());
    Ok(())
}
