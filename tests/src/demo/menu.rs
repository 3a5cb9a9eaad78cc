//! The lower part of the demo's screen: keys, the client's figures, what was done last.
//!
//! Runs in a tmux pane of its own, so a terminal that it leaves raw dies with the pane.

use std::io::{Read, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use rustix::termios::{OptionalActions, tcgetattr, tcgetwinsize, tcsetattr};

use super::action::Action;
use super::control;

/// Lines of the pane: keys, two of figures, the last action.
pub(super) const HEIGHT: u16 = 4;
const KEYS: &[(u8, &str, Option<Action>)] = &[
    (b'k', "kill primary", Some(Action::KillPrimary)),
    (b'r', "stop a real", Some(Action::StopReal)),
    (b'c', "cut cable", Some(Action::CutCable)),
    (b'b', "bring back", Some(Action::BringBack)),
    (b'q', "quit", None),
];
/// Not read here: tmux itself switches panes.
const SWITCH: &str = "F2 dashboard";
const CTRL_C: u8 = 3;
const HOME: &str = "\x1b[H";
const CLEAR_REST_OF_LINE: &str = "\x1b[K";
const CLEAR_REST: &str = "\x1b[J";
const HIDE_CURSOR: &str = "\x1b[?25l";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// What is on the screen.
#[derive(Default)]
struct Screen {
    figures: Vec<String>,
    message: String,
}

type Shared = Arc<Mutex<Screen>>;

/// Serves key strokes until `q`, or until the lab is gone.
pub fn run(socket: &Path) -> Result<()> {
    make_raw()?;
    write!(stdout(), "{HIDE_CURSOR}")?;
    let screen = Shared::default();
    let watching = Arc::clone(&screen);
    let (from, ending) = (socket.to_path_buf(), socket.to_path_buf());
    thread::spawn(move || {
        let _ = control::watch(&from, |figures| {
            update(&watching, |screen| screen.figures = figures)
        });
        // Without the lab there is nothing to look at.
        quit(&ending);
    });
    let mut byte = [0];
    while let Ok(1) = stdin().read(&mut byte) {
        if byte == [CTRL_C] {
            break;
        }
        let chosen = KEYS.iter().find(|(key, ..)| byte.first() == Some(key));
        match chosen {
            Some((_, name, Some(action))) => start(socket.to_path_buf(), &screen, name, *action),
            Some((_, _, None)) => break,
            None => {}
        }
    }
    quit(socket);
    Ok(())
}

/// Acts in the background: figures go on, and so do keys.
fn start(socket: PathBuf, screen: &Shared, name: &'static str, action: Action) {
    let screen = Arc::clone(screen);
    thread::spawn(move || {
        update(&screen, |screen| screen.message = format!("{name} ..."));
        let said = control::request(&socket, action);
        let said = said.unwrap_or_else(|error| format!("{name}: {error:#}"));
        update(&screen, |screen| screen.message = said);
    });
}

/// Changes the screen and shows it. False if nobody can see it any more.
fn update(screen: &Shared, change: impl FnOnce(&mut Screen)) -> bool {
    let mut screen = screen.lock().unwrap_or_else(PoisonError::into_inner);
    change(&mut screen);
    let columns = tcgetwinsize(stdout()).map_or(80, |size| usize::from(size.ws_col));
    let mut out = stdout().lock();
    out.write_all(paint(&screen, columns).as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

fn paint(screen: &Screen, columns: usize) -> String {
    let keys: Vec<String> = KEYS
        .iter()
        .map(|(key, name, _)| format!("{BOLD}{}{PLAIN} {name}", char::from(*key)))
        .collect();
    let cut = |line: &String| line.chars().take(columns).collect::<String>();
    let mut lines = vec![format!("{}  {SWITCH}", keys.join("  "))];
    lines.extend(screen.figures.iter().map(cut));
    lines.push(cut(&screen.message));
    let line = format!("{CLEAR_REST_OF_LINE}\r\n");
    format!("{HOME}{}{CLEAR_REST}", lines.join(&line))
}

fn make_raw() -> Result<()> {
    let mut settings = tcgetattr(stdin()).context("the menu needs a terminal")?;
    settings.make_raw();
    tcsetattr(stdin(), OptionalActions::Now, &settings).context("cannot set the terminal")
}

/// Ends tmux and with it both panes; whoever started it cleans up.
fn quit(socket: &Path) {
    let _ = Command::new("tmux")
        .arg("-S")
        .arg(control::tmux_socket(socket))
        .arg("kill-server")
        .stdin(Stdio::null())
        .status();
}
