//! The demo at a terminal: tmux with the dashboard above and the key menu below.
//!
//! tmux holds the terminal and puts it back however its panes end; this process holds the cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::control::{Control, tmux_socket};
use super::menu;
use super::stage::{self, Stage};
use crate::bed::signals::Signals;
use crate::bed::{program, say};
use crate::scenario::programs::Programs;

const TICK: Duration = Duration::from_millis(50);
/// Where the dashboard's complaint is kept, should it fail.
const COMPLAINT: &str = "hbtui.stderr";
const UPPER_PANE: &str = "lab:0.0";

/// Sets the stage, opens the screen, and returns when the person quits.
pub fn run() -> Result<()> {
    let programs = Programs::find()?;
    let signals = Signals::watch()?;
    let stage = Stage::set(&programs)?;
    let control = Control::serve(&stage)?;
    let view = control.folder().join("director");
    let dashboard = Dashboard::new(&control, &programs, &view)?;
    let again = dashboard.clone();
    stage.keep_view(view, move || again.restart())?;
    let screen = Screen::open(&control, &dashboard)?;
    let ended = screen.wait(&signals);
    say("taking the cluster down");
    drop(control);
    ended.and(stage::end(stage))
}

/// The upper pane: how hbtui is started there.
#[derive(Clone)]
struct Dashboard {
    command: String,
    tmux: PathBuf,
}

impl Dashboard {
    fn new(control: &Control, programs: &Programs, view: &Path) -> Result<Self> {
        let tmux = tmux_socket(&control.socket());
        let command = format!(
            "{} --run {} 2> {}; {}",
            quoted(&programs.path("hbtui"))?,
            quoted(&view.join("heartbeat"))?,
            quoted(&control.folder().join(COMPLAINT))?,
            // Its end is the end of the demo.
            format_args!("tmux -S {} kill-server", quoted(&tmux)?),
        );
        Ok(Self { command, tmux })
    }

    /// Starts it anew in its pane. Before there is one, this does nothing.
    fn restart(&self) {
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(&self.tmux)
            .args(["respawn-pane", "-k", "-t", UPPER_PANE, &self.command])
            .output();
    }
}

/// tmux in the foreground. Dropping it ends its server.
struct Screen {
    client: Child,
    socket: PathBuf,
    complaint: PathBuf,
}

impl Screen {
    fn open(control: &Control, dashboard: &Dashboard) -> Result<Self> {
        let socket = dashboard.tmux.clone();
        let complaint = control.folder().join(COMPLAINT);
        let settings = control.folder().join("tmux.conf");
        let height = menu::HEIGHT.to_string();
        fs::write(&settings, SETTINGS.replace("MENU_HEIGHT", &height))?;
        let menu = format!(
            "exec {} demo-menu {}",
            quoted(&program()?)?,
            quoted(&control.socket())?
        );
        let mut command = Command::new("tmux");
        command
            .arg("-u")
            .arg("-S")
            .arg(&socket)
            .arg("-f")
            .arg(&settings);
        command.args(["new-session", "-s", "lab", &dashboard.command, ";"]);
        command.args(["split-window", "-v", "-l", &height, &menu]);
        // The person may sit in a tmux of their own.
        let client = command
            .env_remove("TMUX")
            .spawn()
            .context("cannot run tmux")?;
        Ok(Self {
            client,
            socket,
            complaint,
        })
    }

    fn wait(mut self, signals: &Signals) -> Result<()> {
        loop {
            if let Some(status) = self.client.try_wait()? {
                let said = fs::read_to_string(&self.complaint).unwrap_or_default();
                ensure!(said.trim().is_empty(), "hbtui: {}", said.trim());
                ensure!(status.success(), "tmux ended with {status}");
                return Ok(());
            }
            if let Some(signal) = signals.ending() {
                bail!("ended by signal {signal}");
            }
            thread::sleep(TICK);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .arg("kill-server")
            .output();
        let _ = self.client.wait();
    }
}

/// No status line, no delay after escape; F2 changes between dashboard and menu, a click does as well.
/// When the terminal changes its size, the menu keeps its own.
const SETTINGS: &str = "\
set -g default-terminal screen-256color
set -g status off
set -g mouse on
set -s escape-time 0
bind -n F2 select-pane -t :.+
set-hook -g window-resized 'resize-pane -t lab:0.1 -y MENU_HEIGHT'
";

/// A path as one word of shell.
fn quoted(path: &Path) -> Result<String> {
    let path = path.to_str().context("a path that is not UTF-8")?;
    Ok(format!("'{}'", path.replace('\'', r"'\''")))
}
