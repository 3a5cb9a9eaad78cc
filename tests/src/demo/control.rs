//! The running lab's control socket: what a person can do to the cluster, and how another process of
//! the lab (the key menu, `cargo lab do`, `cargo lab in`) asks for it. One JSON value per line.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::action::Action;
use super::stage::Stage;
use crate::bed::artefacts;

/// Bringing back starts machines: the slowest action by far, and slower under emulation.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
const LINE_LIMIT: u64 = 64 * 1024;
/// How often a watcher gets new figures.
const WATCH_EVERY: Duration = Duration::from_millis(200);
const SOCKET: &str = "control";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Request {
    Do(Action),
    /// How to run a command on this host.
    Enter(String),
    /// Figures, again and again until the connection ends.
    Watch,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reply {
    Done(String),
    /// A command is run on the host by appending it to these words.
    Prefix(Vec<String>),
    /// Lines for a person.
    Figures(Vec<String>),
    Failed(String),
}

/// The socket while the lab runs. Dropping it removes it.
pub(super) struct Control {
    folder: tempfile::TempDir,
}

impl Control {
    /// Serves `stage` from now on, and leaves a note where [`perform`] and [`enter`] find it.
    pub(super) fn serve(stage: &Arc<Stage>) -> Result<Self> {
        // Not below target: a socket's address must be short.
        let folder = tempfile::Builder::new().prefix("lab-").tempdir()?;
        let listener = UnixListener::bind(folder.path().join(SOCKET))?;
        let control = Self { folder };
        fs::create_dir_all(artefacts())?;
        fs::write(note(), control.socket().display().to_string())?;
        let stage = Arc::downgrade(stage);
        thread::spawn(move || {
            for client in listener.incoming().filter_map(Result::ok) {
                let Some(stage) = stage.upgrade() else { break };
                thread::spawn(move || {
                    // A client that went away needs no answer.
                    let _ = answer(client, stage);
                });
            }
        });
        Ok(control)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }
}

/// The socket of the demo's tmux is beside the control socket.
pub(super) fn tmux_socket(control: &Path) -> PathBuf {
    control.with_file_name("tmux")
}

impl Drop for Control {
    fn drop(&mut self) {
        let ours = self.socket().display().to_string();
        if fs::read_to_string(note()).is_ok_and(|noted| noted == ours) {
            let _ = fs::remove_file(note());
        }
    }
}

/// Where the socket of the lab that runs is noted.
fn note() -> PathBuf {
    artefacts().join("running")
}

fn answer(stream: UnixStream, stage: Arc<Stage>) -> Result<()> {
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.set_write_timeout(Some(ANSWER_LIMIT))?;
    let request: Request = hear(&mut BufReader::new(stream.try_clone()?))?;
    match request {
        Request::Do(action) => tell(&stream, &Reply::of(stage.act(action), Reply::Done)),
        Request::Enter(host) => tell(&stream, &Reply::of(stage.enter(&host), Reply::Prefix)),
        Request::Watch => {
            // Holds the cluster only while it looks: a watcher must not keep an ended lab alive.
            let stage = {
                let weak = Arc::downgrade(&stage);
                drop(stage);
                weak
            };
            while let Some(stage) = stage.upgrade() {
                tell(&stream, &Reply::Figures(stage.figures()))?;
                drop(stage);
                thread::sleep(WATCH_EVERY);
            }
            Ok(())
        }
    }
}

impl Reply {
    fn of<T>(outcome: Result<T>, good: fn(T) -> Self) -> Self {
        outcome.map_or_else(|error| Self::Failed(format!("{error:#}")), good)
    }
}

/// Has the running lab do something; gives what it said.
pub fn perform(action: Action) -> Result<String> {
    request(&running()?, action)
}

/// As [`perform`], for a lab whose socket is known.
pub(super) fn request(socket: &Path, action: Action) -> Result<String> {
    match ask(socket, &Request::Do(action))? {
        Reply::Done(text) => Ok(text),
        Reply::Failed(text) => bail!("{text}"),
        other @ (Reply::Prefix(_) | Reply::Figures(_)) => bail!("the lab answered {other:?}"),
    }
}

/// Becomes a command (a shell if there is none) on a host of the running lab.
pub fn enter(host: &str, command: &[String]) -> Result<()> {
    let prefix = match ask(&running()?, &Request::Enter(host.to_owned()))? {
        Reply::Prefix(words) => words,
        Reply::Failed(text) => bail!("{text}"),
        other @ (Reply::Done(_) | Reply::Figures(_)) => bail!("the lab answered {other:?}"),
    };
    let (program, arguments) = prefix.split_first().context("no way in")?;
    let mut entering = Command::new(program);
    entering.args(arguments);
    if command.is_empty() {
        entering.args(["env", &format!("PS1={host}# "), "sh", "+m", "-i"]);
    } else {
        entering.args(command);
    }
    // Only returns when it fails.
    Err(entering.exec()).context("cannot enter the host")
}

/// Calls `show` with new figures until it says false or the lab ends.
pub(super) fn watch(socket: &Path, mut show: impl FnMut(Vec<String>) -> bool) -> Result<()> {
    let stream = connect(socket)?;
    tell(&stream, &Request::Watch)?;
    let mut lines = BufReader::new(stream);
    while let Ok(Reply::Figures(figures)) = hear(&mut lines) {
        if !show(figures) {
            break;
        }
    }
    Ok(())
}

fn running() -> Result<PathBuf> {
    let noted = fs::read_to_string(note()).map(PathBuf::from).ok();
    noted
        .filter(|socket| socket.exists())
        .context("no lab is running here: start one with `cargo lab up` or `cargo lab demo`")
}

fn ask(socket: &Path, request: &Request) -> Result<Reply> {
    let stream = connect(socket)?;
    tell(&stream, request)?;
    hear(&mut BufReader::new(stream)).context("the lab gave no answer")
}

fn connect(socket: &Path) -> Result<UnixStream> {
    let stream = UnixStream::connect(socket).context("the lab does not listen")?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.set_write_timeout(Some(ANSWER_LIMIT))?;
    Ok(stream)
}

fn tell(mut stream: &UnixStream, message: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(stream.write_all(&line)?)
}

fn hear<T: for<'a> Deserialize<'a>>(lines: &mut BufReader<UnixStream>) -> Result<T> {
    let mut line = String::new();
    lines.by_ref().take(LINE_LIMIT).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}
