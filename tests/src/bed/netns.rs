//! One set of namespaces (network, host name, mounts, processes, IPC) with a process 1 of its own.
//!
//! Nothing here has a name in the file system: when the lab ends, however it ends, the kernel takes
//! the processes, their network and their mounts away.

pub mod init;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Killing everything in a space takes the kernel a few times this long.
const RELEASE_PACE: Duration = Duration::from_millis(5);

/// A process of a space, as seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(Pid);

impl Process {
    /// Its number outside.
    pub fn pid(self) -> Pid {
        self.0
    }

    /// Sends a signal; a process that is gone already is no error.
    pub fn signal(self, signal: Signal) {
        let _ = kill_process(self.0, signal);
    }
}

/// Running namespaces. Dropping this kills every process inside.
pub struct Space {
    holder: Child,
    /// Process 1, by its number outside.
    init: Pid,
    /// Process 1 ends with the other end of this pipe, so it cannot outlive the lab.
    _lifeline: ChildStdin,
    network: Arc<File>,
}

impl Space {
    /// Starts fresh namespaces called `name`; `private` holds what [`init`] puts over shared places.
    pub fn start(name: &str, private: Option<&Path>) -> Result<Self> {
        let mut command = Command::new("unshare");
        command
            .args([
                "--net",
                "--uts",
                "--mount",
                "--pid",
                "--ipc",
                "--fork",
                "--kill-child=KILL",
                "--",
            ])
            .arg(super::program()?)
            .args(["host-init", name]);
        if let Some(folder) = private {
            command.arg("--private").arg(folder);
        }
        let mut holder = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It complains when its child is killed, which is how every host ends.
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run unshare")?;
        let lifeline = holder.stdin.take().context("piped")?;
        let mut ready = String::new();
        BufReader::new(holder.stdout.take().context("piped")?).read_line(&mut ready)?;
        let init = ready.trim().parse().ok().and_then(Pid::from_raw);
        let Some(init) = init else {
            let _ = holder.kill();
            let _ = holder.wait();
            let reason = if ready.is_empty() {
                "no namespaces: only root may make them"
            } else {
                ready.trim()
            };
            anyhow::bail!("host {name}: {reason}");
        };
        let network = Arc::new(File::open(format!("/proc/{init}/ns/net"))?);
        Ok(Self {
            holder,
            init,
            _lifeline: lifeline,
            network,
        })
    }

    /// The number of process 1 outside, for `ip link ... netns NUMBER`.
    pub fn init(&self) -> Pid {
        self.init
    }

    /// A command that will run inside, as root, in folder `/`.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--net", "--uts", "--mount", "--pid", "--ipc"])
            .args(["--target", &self.init.to_string(), "--"])
            .arg(program);
        command
    }

    /// Runs `ip -batch` inside: many changes for the price of one process.
    pub fn ip(&self, lines: &[String]) -> Result<()> {
        let output = self.ip_batch(&["-batch", "-"], lines)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "ip: {}: {}",
            lines.join("; "),
            said.trim()
        );
        Ok(())
    }

    /// As [`Space::ip`], but goes on after a line that fails, and does not complain.
    pub fn ip_if_possible(&self, lines: &[String]) {
        let _ = self.ip_batch(&["-force", "-batch", "-"], lines);
    }

    fn ip_batch(&self, how: &[&str], lines: &[String]) -> Result<Output> {
        // Only the network is entered: process numbers in the lines mean what they mean outside.
        let mut child = Command::new("nsenter")
            .arg(format!("--net=/proc/{}/ns/net", self.init))
            .arg("ip")
            .args(how)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run nsenter")?;
        child
            .stdin
            .take()
            .context("piped")?
            .write_all(lines.join("\n").as_bytes())?;
        Ok(child.wait_with_output()?)
    }

    /// The network, which may be entered even after this space is gone.
    pub fn network(&self) -> Arc<File> {
        Arc::clone(&self.network)
    }

    /// Living processes inside whose name is `name` (process 1 excepted).
    pub fn processes(&self, name: &str) -> Vec<Process> {
        let Ok(ours) = namespace_of(self.init) else {
            return Vec::new();
        };
        let entries = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(Result::ok);
        let mut found: Vec<Pid> = entries
            .filter_map(|entry| {
                entry
                    .file_name()
                    .to_str()?
                    .parse()
                    .ok()
                    .and_then(Pid::from_raw)
            })
            .filter(|pid| *pid != self.init)
            .filter(|pid| namespace_of(*pid).is_ok_and(|theirs| theirs == ours))
            .filter(|pid| is_called(*pid, name))
            .collect();
        found.sort_by_key(|pid| pid.as_raw_pid());
        found.into_iter().map(Process).collect()
    }

    /// Lets those go on that brought a process in and stopped because it was stopped.
    ///
    /// nsenter does so, and nobody else may collect what is left of its process: while it stands
    /// still, these namespaces cannot end.
    pub fn release_entrants(&self) {
        let ours = format!("--target\0{}\0", self.init);
        for entry in fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
        {
            let pid = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            if let Some(pid) = pid.and_then(Pid::from_raw)
                && line.starts_with("nsenter\0")
                && line.contains(&ours)
            {
                let _ = kill_process(pid, Signal::CONT);
            }
        }
    }

    /// Kills everything inside at once: the kernel sends SIGKILL to all when process 1 goes.
    fn kill(&mut self) {
        let _ = kill_process(self.init, Signal::KILL);
        // Again and again: one may be about to stop just now.
        while matches!(self.holder.try_wait(), Ok(None)) {
            self.release_entrants();
            thread::sleep(RELEASE_PACE);
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs `work` on a thread inside a network, and nowhere else: sockets made there stay there.
pub fn within<T: Send>(network: &File, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let entered = scope.spawn(|| {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
                .context("cannot enter a host's network")?;
            work()
        });
        entered
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn namespace_of(pid: Pid) -> std::io::Result<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid"))
}

/// Compares the command name, which the kernel cuts at 15 bytes.
fn is_called(pid: Pid, name: &str) -> bool {
    let wanted = name.get(..name.len().min(15)).unwrap_or(name);
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == wanted)
}
