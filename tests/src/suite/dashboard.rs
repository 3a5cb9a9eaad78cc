//! hbtui as a person sees it, in a terminal of tmux, while a node dies: how soon the screen tells, and
//! whether the terminal is given back.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ha_status::{Heard, Mirror, Reply, Request, Snapshot};

use super::ownership::{figure, with_pair};
use super::{Case, Place};
use crate::bed::wait;
use crate::scenario::director::Director;
use crate::scenario::pair::Pair;
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "hbtui_shows_a_new_owner_within_200_ms",
        place: Place::Here,
        run: shows_a_new_owner,
    },
    Case {
        name: "hbtui_restores_the_terminal",
        place: Place::Here,
        run: restores_the_terminal,
    },
];

const LIMIT: Duration = Duration::from_secs(20);
/// From the event on the status socket to the screen.
const PROMISE: Duration = Duration::from_millis(200);
const SIZES: [Size; 2] = [
    Size {
        columns: 80,
        rows: 24,
    },
    Size {
        columns: 200,
        rows: 60,
    },
];

#[derive(Debug, Clone, Copy)]
struct Size {
    columns: u16,
    rows: u16,
}

/// A terminal of its own tmux server. Dropping it ends the server and all that runs in it.
struct Terminal {
    server: String,
}

impl Terminal {
    /// With a shell in it.
    fn open(size: Size) -> Result<Self> {
        let server = format!("lab-{}-{}", std::process::id(), size.columns);
        let terminal = Self { server };
        let (columns, rows) = (size.columns.to_string(), size.rows.to_string());
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            "env",
            "PS1=$ ",
            "sh",
        ])?;
        Ok(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> Result<String> {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new("tmux")
            .args(["-L", &self.server])
            .args(arguments)
            .env_remove("TMUX")
            .stdin(Stdio::null())
            .output()
            .context("cannot run tmux")?;
        ensure!(
            status.success(),
            "tmux {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&stderr).trim()
        );
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    }

    fn screen(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-p"])
    }

    fn ask(&self, format: &str) -> Result<String> {
        let answer = self.tmux(&["display-message", "-p", format])?;
        Ok(answer.trim().to_owned())
    }

    fn type_line(&self, line: &str) -> Result<()> {
        self.tmux(&["send-keys", "-l", line])?;
        self.tmux(&["send-keys", "Enter"]).map(drop)
    }

    /// Waits until what is on the screen satisfies `check`; gives the screen.
    fn await_screen(&self, what: &str, check: impl Fn(&str) -> bool) -> Result<String> {
        let mut last = String::new();
        wait::for_some(what, LIMIT, || {
            last = self.screen()?;
            Ok(check(&last).then_some(()))
        })
        .with_context(|| format!("the screen shows\n{last}"))?;
        Ok(last)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}

/// The command line that follows the hbd of this node.
fn command_line(programs: &Programs, node: &Director) -> String {
    let run = node.run_folder().join("heartbeat");
    format!(
        "{} --run '{}' --hbd hbd.sock",
        programs.path("hbtui").display(),
        run.display()
    )
}

/// The group's row has this node in the column called `owner`.
fn shows_owner(screen: &str, owner: &str) -> bool {
    let mut rows = screen.lines().skip_while(|row| !row.contains(" owner "));
    let heading = rows.next().unwrap_or_default();
    let before = heading.split(" owner ").next().unwrap_or_default();
    // In characters: the frame and the marks are no single bytes.
    let column = before.chars().count() + 1;
    let group = rows.find(|row| row.contains("IPaddr::10.77.0.100"));
    let shown: String = group
        .into_iter()
        .flat_map(|row| row.chars().skip(column))
        .collect();
    shown.split_whitespace().next() == Some(owner)
}

fn shows_a_new_owner() -> Result<()> {
    let programs = Programs::find()?;
    for size in SIZES {
        with_pair(|pair| {
            let terminal = Terminal::open(size)?;
            start(&terminal, &programs, pair.two())?;
            terminal.await_screen("lb1 is shown as the owner", |screen| {
                shows_owner(screen, "lb1")
            })?;
            let late = lateness(pair, &terminal)?;
            let Size { columns, rows } = size;
            figure(
                &format!("from the event to the screen, {columns}x{rows}"),
                late,
            );
            ensure!(late <= PROMISE, "the screen told after {late:?}");
            Ok(())
        })?;
    }
    Ok(())
}

fn start(terminal: &Terminal, programs: &Programs, node: &Director) -> Result<()> {
    // A socket's address holds 107 bytes; from its own folder any repository is near enough.
    let folder = node.run_folder().join("heartbeat");
    terminal.type_line(&format!("cd '{}'", folder.display()))?;
    terminal.type_line(&command_line(programs, node))
}

/// lb1 dies: from the owner's change on the status stream of lb2 to its change on the screen.
fn lateness(pair: &Pair, terminal: &Terminal) -> Result<Duration> {
    let changed = follow_owner(pair.two().run_folder().join("heartbeat"), "lb2")?;
    let shown = thread::scope(|scope| {
        // Looked at from before the event on: the end of all that is in a host takes its time.
        let shown = scope.spawn(|| {
            wait::for_some("lb2 is shown as the owner", LIMIT, || {
                let screen = terminal.screen()?;
                Ok(shows_owner(&screen, "lb2").then(Instant::now))
            })
        });
        pair.one().power_off()?;
        shown
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    let changed = changed
        .recv_timeout(LIMIT)
        .context("the stream never told")??;
    Ok(shown.saturating_duration_since(changed))
}

/// Follows a status socket from now on; sends the moment at which `owner` owns the first group.
fn follow_owner(folder: PathBuf, owner: &'static str) -> Result<mpsc::Receiver<Result<Instant>>> {
    let mut lines = follow(&folder)?;
    let (told, telling) = mpsc::channel();
    thread::spawn(move || {
        let mut mirror = Mirror::default();
        let moment = loop {
            match next_owner(&mut lines, &mut mirror) {
                Ok(Some(name)) if name == owner => break Ok(Instant::now()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        let _ = told.send(moment);
    });
    Ok(telling)
}

fn follow(folder: &Path) -> Result<BufReader<UnixStream>> {
    let folder = std::fs::File::open(folder)?;
    let short = format!("/proc/self/fd/{}/hbd.sock", folder.as_raw_fd());
    let mut stream = UnixStream::connect(short)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut request = serde_json::to_vec(&Request::Follow)?;
    request.push(b'\n');
    stream.write_all(&request)?;
    Ok(BufReader::new(stream))
}

fn next_owner(lines: &mut BufReader<UnixStream>, mirror: &mut Mirror) -> Result<Option<String>> {
    let mut line = String::new();
    lines.read_line(&mut line)?;
    ensure!(!line.is_empty(), "the daemon closed the connection");
    let reply: Reply = serde_json::from_str(&line)?;
    match mirror.take(reply)? {
        Heard::Snapshot | Heard::Change => {}
        Heard::Notice(_) | Heard::Other(_) => return Ok(None),
    }
    match mirror.snapshot() {
        Some(Snapshot::Cluster(cluster)) => {
            Ok(cluster.groups.first().and_then(|group| group.owner.clone()))
        }
        Some(Snapshot::Director(_)) => bail!("hbd answered as an ldird"),
        None => Ok(None),
    }
}

/// By its own key, and by a signal from outside.
fn restores_the_terminal() -> Result<()> {
    let programs = Programs::find()?;
    with_pair(|pair| {
        for size in SIZES {
            let terminal = Terminal::open(size)?;
            let before = settings(&terminal)?;
            for end in ["q", "TERM"] {
                start(&terminal, &programs, pair.two())?;
                wait::for_some("hbtui has the terminal", LIMIT, || {
                    Ok((terminal.ask("#{alternate_on}")? == "1").then_some(()))
                })?;
                terminal
                    .await_screen("the cluster is shown", |screen| shows_owner(screen, "lb1"))?;
                if end == "q" {
                    terminal.tmux(&["send-keys", "q"])?;
                } else {
                    terminate_child(&terminal)?;
                }
                wait::for_some(&format!("hbtui leaves after {end}"), LIMIT, || {
                    Ok((terminal.ask("#{alternate_on} #{cursor_flag}")? == "0 1").then_some(()))
                })?;
                let after = settings(&terminal)?;
                ensure!(
                    after == before,
                    "after {end} stty says {after}, before {before}"
                );
            }
        }
        Ok(())
    })
}

/// What `stty -g` says inside the terminal: its checksum, which fits on a line.
fn settings(terminal: &Terminal) -> Result<String> {
    const MARK: &str = "settings are ";
    terminal.type_line("clear")?;
    terminal.type_line("echo settings are $(stty -g | cksum) whole")?;
    let told = |screen: &str| {
        let mut lines = screen.lines();
        // A prompt may stand before it: what was typed ahead is echoed before the screen is cleared.
        let sum = lines.find_map(|line| {
            let sum = line.split_once(MARK)?.1.strip_suffix(" whole")?;
            // The command itself, echoed, holds the same words.
            (!sum.contains('$')).then_some(sum)
        });
        sum.map(str::to_owned)
    };
    let screen = terminal.await_screen("stty answers", |screen| told(screen).is_some())?;
    told(&screen).context("it was there a moment ago")
}

/// Sends SIGTERM to what runs in the shell of the terminal.
fn terminate_child(terminal: &Terminal) -> Result<()> {
    let shell = terminal.ask("#{pane_pid}")?;
    let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))?;
    let child = children
        .split_whitespace()
        .next()
        .context("nothing runs in the terminal")?;
    let sent = Command::new("kill").args(["-TERM", child]).status()?;
    ensure!(sent.success(), "cannot signal {child}");
    Ok(())
}
