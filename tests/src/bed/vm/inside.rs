//! Process 1 inside the emulated machine: runs the one job, reaps everybody's orphans, reports how it
//! ended, powers off.
//!
//! Standard output and errors are copied to virtio ports; with a terminal, a pty stands between.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, WaitOptions, wait};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::system::{RebootCommand, reboot};
use rustix::termios::{Winsize, tcsetwinsize};

use super::channel::{CONTROL, ERRORS, Job, OUTPUT, Size, ToHost, ToInside};
use crate::bed::{modules, wait as waiting};

/// Background processes may keep the output open for ever; their last words get this long.
const LAST_WORDS: Duration = Duration::from_millis(300);
const PORTS_LIMIT: Duration = Duration::from_secs(10);

/// Runs as process 1 and ends with the machine's power off.
pub fn run() -> ! {
    if let Err(error) = serve() {
        // The console is all that is left.
        eprintln!("lab: inside: {error:#}");
    }
    rustix::fs::sync();
    let _ = reboot(RebootCommand::PowerOff);
    loop {
        thread::park();
    }
}

fn serve() -> Result<()> {
    let mut control = open_port(CONTROL)?;
    let mut orders = BufReader::new(control.try_clone()?).lines();
    let job = match orders.next() {
        Some(line) => match serde_json::from_str(&line?)? {
            ToInside::Job(job) => job,
            ToInside::Resize(_) => bail!("a size came before the job"),
        },
        None => bail!("the host left"),
    };
    prepare();
    tell(&mut control, &ToHost::Booted)?;
    let report = match start(&job, orders) {
        Ok(running) => ToHost::Ended(running.wait()?),
        Err(error) => ToHost::Failed(format!("{error:#}")),
    };
    rustix::fs::sync();
    tell(&mut control, &report)
}

fn tell(control: &mut File, message: &ToHost) -> Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    control.write_all(&line).context("the host does not listen")
}

/// Brings up what a booted machine has and the script before us did not do.
fn prepare() {
    if let Err(error) = modules::load_all(modules::FOR_HOSTS) {
        eprintln!("lab: inside: {error:#}");
    }
    let _ = rustix::system::sethostname(b"lab");
    let _ = Command::new("/sbin/ip")
        .args(["link", "set", "lo", "up"])
        .status();
}

/// A job under way, with the copies of its output.
struct Running {
    leader: Pid,
    copied: mpsc::Receiver<()>,
    copies: usize,
}

fn start(
    job: &Job,
    orders: impl Iterator<Item = std::io::Result<String>> + Send + 'static,
) -> Result<Running> {
    let (done, copied) = mpsc::channel();
    let output = open_port(OUTPUT)?;
    let mut command = command(job)?;
    let Some(size) = job.terminal else {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {:?}", job.argv))?;
        copy(child.stdout.take().context("piped")?, output, done.clone());
        copy(
            child.stderr.take().context("piped")?,
            open_port(ERRORS)?,
            done,
        );
        return Ok(Running {
            leader: Pid::from_child(&child),
            copied,
            copies: 2,
        });
    };
    let (master, slave) = open_terminal(size)?;
    let child = command
        .stdin(slave.try_clone()?)
        .stdout(slave.try_clone()?)
        .stderr(slave)
        .spawn()
        .with_context(|| format!("cannot run {:?}", job.argv))?;
    // The command holds the slave's descriptors: without it the copy below would never end.
    drop(command);
    copy(output.try_clone()?, master.try_clone()?, mpsc::channel().0);
    copy(master.try_clone()?, output, done);
    thread::spawn(move || follow_size(orders, master));
    Ok(Running {
        leader: Pid::from_child(&child),
        copied,
        copies: 1,
    })
}

impl Running {
    /// Reaps everything until the job itself ends; gives its exit code.
    fn wait(self) -> Result<u8> {
        loop {
            let Some((pid, status)) = wait(WaitOptions::empty()).context("nothing to wait for")?
            else {
                continue;
            };
            if pid == self.leader {
                for _ in 0..self.copies {
                    let _ = self.copied.recv_timeout(LAST_WORDS);
                }
                return Ok(exit_code(ExitStatus::from_raw(status.as_raw())));
            }
        }
    }
}

/// The shell's convention: 128 + signal.
pub(super) fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
}

fn command(job: &Job) -> Result<Command> {
    let (program, arguments) = job.argv.split_first().context("nothing to run")?;
    let environment: BTreeMap<&str, &str> = job
        .environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut command = if job.terminal.is_some() {
        // A session of its own with the pty as its terminal, or Ctrl-C would reach nobody.
        let mut leader = Command::new("setsid");
        leader.arg("--ctty").arg(program);
        leader
    } else {
        Command::new(program)
    };
    command
        .args(arguments)
        .env_clear()
        .envs(environment)
        .current_dir(&job.folder);
    Ok(command)
}

fn open_terminal(size: Size) -> Result<(File, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    resize(&master, size)?;
    let path = PathBuf::from(name.into_string().context("a pty's name")?);
    let slave = OpenOptions::new().read(true).write(true).open(path)?;
    Ok((File::from(master), slave.into()))
}

fn resize(master: &impl std::os::fd::AsFd, size: Size) -> Result<()> {
    let size = Winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(master, size).context("cannot size the terminal")
}

fn follow_size(orders: impl Iterator<Item = std::io::Result<String>>, master: File) {
    for line in orders.map_while(Result::ok) {
        if let Ok(ToInside::Resize(size)) = serde_json::from_str(&line) {
            let _ = resize(&master, size);
        }
    }
}

/// Copies until either side ends, then says so.
fn copy(from: impl Read + Send + 'static, to: impl Write + Send + 'static, done: mpsc::Sender<()>) {
    thread::spawn(move || {
        super::pump(from, to);
        let _ = done.send(());
    });
}

/// Opens a virtio port by its name: without udev there are no links for them.
fn open_port(name: &str) -> Result<File> {
    let folder = Path::new("/sys/class/virtio-ports");
    waiting::for_some(&format!("port {name}"), PORTS_LIMIT, || {
        for entry in fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
        {
            let label = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
            if label.trim() == name {
                let device = Path::new("/dev").join(entry.file_name());
                return Ok(OpenOptions::new().read(true).write(true).open(device).ok());
            }
        }
        Ok(None)
    })
}
