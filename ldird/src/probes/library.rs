//! The old daemon's own libraries, asked as it asks them: a Perl process that reads one question a line
//! and answers each with `up` or `down`.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub(super) struct Library {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Library {
    /// `None`, with the reason on stdout, where these modules of Debian's packages are not installed.
    pub(super) fn start(modules: &[&str], packages: &str, script: &str) -> Option<Self> {
        let test = Command::new("perl")
            .args(modules.iter().map(|module| format!("-M{module}")))
            .args(["-e", "1"])
            .stderr(Stdio::null())
            .status();
        if !test.is_ok_and(|status| status.success()) {
            let modules = modules.join(", ");
            println!("skipped: perl has not all of {modules} (package {packages})");
            return None;
        }
        let mut child = Command::new("perl")
            .args(["-e", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let ask = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Some(Self {
            child,
            ask,
            answers,
        })
    }

    pub(super) fn is_up(&mut self, question: &str) -> bool {
        writeln!(self.ask, "{question}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert!(matches!(line.trim(), "up" | "down"), "{line}");
        line.trim() == "up"
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
