//! The program from outside: frames and JSON for a pipe, and the terminal it leaves behind.
#![allow(clippy::unwrap_used)]

#[path = "../src/sample.rs"]
mod sample;

use ha_status::{
    Action, Hello, Reply, Request, SCHEMA_VERSION, Snapshot,
    socket::{CLIENTS_MAX, ClientRequest, Publisher, Server},
};
use rustix::{
    fs::{Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcgetattr, tcsetwinsize},
};
use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Nothing here takes this long unless it is broken.
const LIMIT: Duration = Duration::from_secs(20);

/// The sequence that leaves the alternate screen (xterm's private mode 1049).
const LEAVE: &str = "\u{1b}[?1049l";

fn hbtui(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hbtui"));
    command
        .arg("--run")
        .arg(dir)
        .args(args)
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm");
    command
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Serves the snapshots in a thread of its own until the test ends; actions go to `acted`.
fn serve(dir: &Path, snapshots: Vec<(&str, Snapshot)>, acted: &Sender<Action>) {
    for (socket, state) in snapshots {
        let (path, acted) = (dir.join(socket), acted.clone());
        let (ready, started) = channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let hello = Hello {
                    version: SCHEMA_VERSION,
                    program: "fake".to_owned(),
                    release: "0".to_owned(),
                    name: "lb1".to_owned(),
                    pid: 1,
                };
                let (sender, mut requests) =
                    tokio::sync::mpsc::channel::<ClientRequest>(CLIENTS_MAX);
                let server = Server::bind(&path, 0o600, "haclient").await.unwrap();
                let _serving = server.start(&hello, sender);
                ready.send(()).unwrap();
                let mut publisher = Publisher::new();
                while let Some(request) = requests.recv().await {
                    match request.request {
                        Request::Follow => publisher.follow(request.reply, &state),
                        Request::Act { action } => {
                            let _ = acted.send(action);
                            let text = "by the test".to_owned();
                            request.reply.send(Reply::Done { text });
                        }
                        _ => publisher.snapshot(request.reply, &state),
                    }
                }
            });
        });
        started.recv_timeout(LIMIT).unwrap();
    }
}

fn pair() -> Vec<(&'static str, Snapshot)> {
    vec![
        ("hbd.sock", Snapshot::Cluster(sample::two_nodes())),
        (
            "ldird.ldirectord.sock",
            Snapshot::Director(sample::director()),
        ),
    ]
}

/// hbtui on a terminal of its own.
struct Terminal {
    child: Child,
    keys: File,
    /// The terminal's other end, kept open: its settings are what the program leaves behind.
    inner: OwnedFd,
    said: Arc<Mutex<String>>,
}

impl Terminal {
    fn start(dir: &Path) -> Terminal {
        let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&outer).unwrap();
        unlockpt(&outer).unwrap();
        let name = ptsname(&outer, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let inner = rustix::fs::open(name, flags, Mode::empty()).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&inner, size).unwrap();
        let end = || Stdio::from(inner.try_clone().unwrap());
        let child = hbtui(dir, &[])
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let mut screen = File::from(outer.try_clone().unwrap());
        let heard = Arc::clone(&said);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                heard.lock().unwrap().push_str(&text);
            }
        });
        Terminal {
            child,
            keys: File::from(outer),
            inner,
            said,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Is the terminal as a shell wants it: lines, echo, Ctrl-C?
    fn is_cooked(&self) -> bool {
        use rustix::termios::LocalModes;
        let wanted = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        tcgetattr(&self.inner).unwrap().local_modes.contains(wanted)
    }

    fn has_said(&self, text: &str) -> bool {
        self.said.lock().unwrap().contains(text)
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Waits for the end and checks what is left behind.
    fn assert_restored(mut self) {
        wait("the end", || self.child.try_wait().unwrap().is_some());
        wait("the old screen", || self.has_said(LEAVE));
        assert!(self.is_cooked());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LIMIT, "waited in vain for {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

fn started(dir: &Path) -> Terminal {
    let terminal = Terminal::start(dir);
    wait("the first frame", || terminal.has_said("10.0.0.100:80"));
    assert!(!terminal.is_cooked());
    terminal
}

#[test]
fn one_frame_for_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    serve(dir.path(), pair(), &channel().0);
    let args = ["--once", "--width", "120", "--height", "40"];
    let output = hbtui(dir.path(), &args).output().unwrap();
    let frame = text(&output);
    assert!(output.status.success());
    assert_eq!(frame.lines().count(), 40);
    for shown in ["lb2", "IPaddr::10.0.0.100/24/eth0", "connection refused"] {
        assert!(frame.contains(shown), "{shown} is not in\n{frame}");
    }
    assert!(!frame.contains('\u{1b}'));
}

#[test]
fn everything_as_json() {
    let dir = tempfile::tempdir().unwrap();
    serve(dir.path(), pair(), &channel().0);
    let output = hbtui(dir.path(), &["--json"]).output().unwrap();
    let merged: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success());
    assert_eq!(
        merged["sources"][0]["snapshot"]["groups"][0]["owner"],
        "lb1"
    );
    assert_eq!(merged["sources"][1]["snapshot"]["config"], "ldirectord");
}

#[test]
fn a_picture_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    serve(dir.path(), pair(), &channel().0);
    let file = dir.path().join("frame.svg");
    let output = hbtui(dir.path(), &["--svg", file.to_str().unwrap()]).output();
    assert!(output.unwrap().status.success());
    let picture = std::fs::read_to_string(file).unwrap();
    assert!(picture.contains("10.0.0.100:80"));
}

#[test]
fn nobody_there_is_a_failure_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let output = hbtui(dir.path(), &["--once"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let frame = text(&output);
    assert!(frame.contains("No such file or directory"), "{frame}");
}

#[test]
fn a_pipe_is_no_dashboard() {
    let dir = tempfile::tempdir().unwrap();
    let output = hbtui(dir.path(), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("--once"), "{words}");
}

#[test]
fn q_and_ctrl_c_restore_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    serve(dir.path(), pair(), &channel().0);
    for keys in ["q", "\u{3}"] {
        let mut terminal = started(dir.path());
        terminal.press(keys);
        terminal.assert_restored();
    }
}

#[test]
fn signals_restore_the_terminal() {
    use rustix::process::Signal;
    let dir = tempfile::tempdir().unwrap();
    serve(dir.path(), pair(), &channel().0);
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let terminal = started(dir.path());
        terminal.signal(signal);
        terminal.assert_restored();
    }
}

#[test]
fn standby_reaches_the_daemon_and_its_answer_the_screen() {
    let dir = tempfile::tempdir().unwrap();
    let (acted, actions) = channel();
    serve(dir.path(), pair(), &acted);
    let mut terminal = started(dir.path());
    terminal.press("s\r");
    let action = actions.recv_timeout(LIMIT).unwrap();
    assert!(matches!(action, Action::Standby { .. }), "{action:?}");
    wait("the answer", || terminal.has_said("by the test"));
    terminal.press("q");
    terminal.assert_restored();
}

#[test]
fn a_daemon_that_comes_later_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let terminal = Terminal::start(dir.path());
    wait("the first frame", || terminal.has_said("No such file"));
    serve(dir.path(), pair(), &channel().0);
    wait("hbd", || terminal.has_said("IPaddr::10.0.0.100/24/eth0"));
    wait("ldird", || terminal.has_said("10.0.0.100:80"));
}
