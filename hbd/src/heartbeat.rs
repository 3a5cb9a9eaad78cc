//! Called as `heartbeat`: the letters, words and exit codes of that command (Heartbeat specification
//! 9.1), for init scripts and for habits. It means whichever daemon the pid file names, hbd or the
//! old one, so that it works at every moment of an exchange of the two.

use crate::cli::{Cli, Common, exit};
use crate::client::process::Process;
use crate::config::{Options, ThisHost, load};
use crate::{check, daemon, presence};
use clap::Parser as _;
use ha_plumbing::lockfile;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The name that asks for this.
const NAME: &str = "heartbeat";
/// Programs that may be meant.
const DAEMONS: [&str; 2] = ["hbd", "heartbeat"];
/// Of `heartbeat -s` for a daemon that does not run and has left no pid file.
const STOPPED: u8 = 3;
const USAGE: &str = "Usage: heartbeat [-dfklrsvV]\n\
    -f  run in the foreground\n\
    -k  stop the daemon that runs, and wait for its end\n\
    -r  have it read its configuration again\n\
    -s  say whether it runs\n\
    -V  print the version\n\
    -d, -l and -v are accepted and mean nothing\n";

/// What a command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Start { foreground: bool },
    Stop,
    Reload,
    Status,
    Version,
}

/// Is this the name that the program was called by?
pub fn is_meant(program: Option<OsString>) -> bool {
    let name = program
        .as_deref()
        .and_then(|path| Path::new(path).file_name());
    name.is_some_and(|name| name == NAME)
}

/// Does it; the exit code.
pub fn run(words: impl Iterator<Item = OsString>) -> u8 {
    let order = match read(words) {
        Ok(order) => order,
        Err(complaint) => {
            complain(&format!("heartbeat: {complaint}\n{USAGE}"));
            return exit::USAGE;
        }
    };
    let common = Cli::parse_from(["hbd"]).common;
    let pid_file = presence::pid_file(&common.run);
    let running = lockfile::holder(&pid_file, &DAEMONS);
    match (order, running) {
        (Order::Version, _) => say(&format!("hbd {}\n", env!("CARGO_PKG_VERSION"))),
        (Order::Status, Some(pid)) => say(&status(pid, &common)),
        (Order::Status, None) => {
            say("heartbeat is stopped. No process\n");
            if pid_file.exists() {
                exit::FAILED
            } else {
                STOPPED
            }
        }
        (Order::Stop, Some(pid)) => stop(pid),
        (Order::Stop, None) => {
            complain("INFO: Heartbeat already stopped.\n");
            exit::OK
        }
        (Order::Reload, Some(pid)) => reload(pid, &common),
        (Order::Start { .. }, Some(pid)) => {
            complain(&format!("INFO: heartbeat: already running [pid {pid}].\n"));
            exit::OK
        }
        (Order::Start { foreground: true }, None) => daemon::run(&common),
        (Order::Start { foreground: false } | Order::Reload, None) => start(&common),
    }
}

/// As the old one, which takes the letters in any order and together, and does one thing: the first
/// of these that was asked for.
fn read(words: impl Iterator<Item = OsString>) -> Result<Order, String> {
    let mut letters = String::new();
    for word in words {
        let word = word.to_string_lossy();
        match word.strip_prefix('-') {
            Some(more) if !more.is_empty() => letters.push_str(more),
            Some(_) | None => return Err(format!("{word}: not understood")),
        }
    }
    if let Some(letter) = letters.chars().find(|letter| !"dfklrsvV".contains(*letter)) {
        return Err(match letter {
            'M' => "-M: hbd manages resources, or does not run".to_owned(),
            'R' | 'C' => format!("-{letter}: hbd keeps what runs over a reload by itself"),
            'D' | 'W' => format!("-{letter}: `hbd check --list` shows every directive"),
            letter => format!("-{letter}: no such option"),
        });
    }
    let asked = |letter: char| letters.contains(letter);
    let orders = [
        ('V', Order::Version),
        ('s', Order::Status),
        ('k', Order::Stop),
        ('r', Order::Reload),
    ];
    let order = orders.into_iter().find(|(letter, _)| asked(*letter));
    Ok(order.map_or(
        Order::Start {
            foreground: asked('f'),
        },
        |(_, order)| order,
    ))
}

/// `heartbeat OK [pid 815 et al] is running on director1 [lb1]...`
fn status(pid: Pid, common: &Common) -> String {
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy();
    let local = loaded(common).map(|loaded| loaded.local.as_str().to_owned());
    let node = local.unwrap_or_else(|_| host.to_lowercase());
    let pid = pid.as_raw_nonzero();
    format!("heartbeat OK [pid {pid} et al] is running on {host} [{node}]...\n")
}

/// Waits without limit: resources may take their time.
fn stop(pid: Pid) -> u8 {
    let number = pid.as_raw_nonzero().get();
    let process = Process::open(u32::try_from(number).unwrap_or_default());
    match signal(pid, Signal::TERM) {
        exit::OK => {
            process.wait_for_end();
            exit::OK
        }
        code => code,
    }
}

fn reload(pid: Pid, common: &Common) -> u8 {
    match loaded(common) {
        Ok(_) => signal(pid, Signal::HUP),
        Err(faults) => {
            let pid = pid.as_raw_nonzero();
            complain(&faults.render_for_stderr());
            complain(&format!(
                "Config errors: Heartbeat pid {pid} NOT restarted\n"
            ));
            if faults.permission_denied() {
                exit::PERMISSION
            } else {
                exit::FAILED
            }
        }
    }
}

/// In the background, once the configuration is known to be good.
fn start(common: &Common) -> u8 {
    if let Err(faults) = loaded(common) {
        complain(&faults.render_for_stderr());
        complain("Heartbeat not started: configuration error.\n");
        return check::exit_code(&faults);
    }
    let program = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
    let mut command = Command::new(program);
    command.arg0("hbd").arg("run").current_dir("/");
    // Out of the reach of the terminal's keys.
    command.process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    match command.stderr(Stdio::null()).spawn() {
        Ok(_) => exit::OK,
        Err(error) => {
            complain(&format!("heartbeat: cannot start hbd: {error}\n"));
            exit::FAILED
        }
    }
}

fn loaded(common: &Common) -> Result<crate::config::Loaded, ha_plumbing::Diagnostics> {
    let options = Options {
        node: common.node.as_deref(),
        host: &ThisHost,
    };
    load(&common.etc, options)
}

/// One that has ended meanwhile needs none.
fn signal(pid: Pid, signal: Signal) -> u8 {
    match kill_process(pid, signal) {
        Ok(()) | Err(Errno::SRCH) => exit::OK,
        Err(error) => {
            let pid = pid.as_raw_nonzero();
            complain(&format!(
                "heartbeat: cannot signal process {pid}: {error}\n"
            ));
            exit::PERMISSION
        }
    }
}

fn say(text: &str) -> u8 {
    let _ = io::stdout().write_all(text.as_bytes());
    exit::OK
}

fn complain(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(words: &[&str]) -> Result<Order, String> {
        read(words.iter().map(OsString::from))
    }

    #[test]
    fn letters_mean_what_they_meant_alone_and_together() {
        let start = |foreground| Ok(Order::Start { foreground });
        for (words, means) in [
            (&[][..], start(false)),
            (&["-f"], start(true)),
            (&["-d", "-f"], start(true)),
            (&["-ddvlf"], start(true)),
            (&["-k"], Ok(Order::Stop)),
            (&["-dk"], Ok(Order::Stop)),
            (&["-s"], Ok(Order::Status)),
            (&["-r"], Ok(Order::Reload)),
            (&["-V"], Ok(Order::Version)),
        ] {
            assert_eq!(order(words), means, "{words:?}");
        }
    }

    #[test]
    fn letters_that_would_change_what_runs_are_refused_and_not_ignored() {
        for words in [
            &["-M"][..],
            &["-R", "-C", "all"],
            &["-x"],
            &["stop"],
            &["-"],
        ] {
            assert!(order(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn only_the_last_part_of_the_name_counts() {
        for (name, meant) in [
            ("heartbeat", true),
            ("/usr/libexec/heartbeat/heartbeat", true),
            ("/usr/libexec/heartbeat/hbd", false),
            ("hbd", false),
        ] {
            assert_eq!(is_meant(Some(name.into())), meant, "{name}");
        }
        assert!(!is_meant(None));
    }
}
