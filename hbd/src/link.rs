//! `hbd link test DEVICE`: is this null-modem cable good for heartbeats? Run on both ends at once, as
//! `cat` there and `echo` here were of old. Says whether characters arrive, at which speed, whether
//! the other end hears us, and how the handshake lines stand.
//!
//! Each end greets once in a while, and says in its greeting whether it has heard the other. Never
//! beside a daemon: the lock of the line is respected.

use crate::cli::{Common, LinkTest, exit};
use crate::config::{Host as _, ThisHost};
use crate::media::serial::lock::{DIRECTORY, Lock, LockError};
use anyhow::{Context, Result};
use serialport::{ClearBuffer, FlowControl, SerialPort, TTYPort};
use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two greetings; a look at what has arrived takes no longer.
const PACE: Duration = Duration::from_millis(200);
/// No more than this waits on a line that takes nothing, bytes: writing must not block.
const WAITING_MAX: u32 = 512;
/// What greetings begin with, and what follows the name when the other end was heard.
const GREETING: &str = "hbd link test of ";
const HEARD: &str = ", hears you";
/// The longest line that is looked at, bytes.
const LINE_MAX: usize = 256;

/// Tests until each end has heard the other, or for as long as is asked; the exit code.
pub fn test(common: &Common, options: &LinkTest) -> u8 {
    let name = common.node.clone().unwrap_or_else(|| ThisHost.name());
    match listen(options, &name) {
        Ok((findings, wires)) => {
            let text = report(options, &findings, wires);
            // A reader that went away wants no verdict.
            let _ = io::stdout().write_all(text.as_bytes());
            if findings.answered {
                exit::OK
            } else {
                exit::FAILED
            }
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "hbd: {error:#}");
            exit::FAILED
        }
    }
}

/// Greets and listens.
fn listen(options: &LinkTest, name: &str) -> Result<(Findings, Wires)> {
    let device = options.device.as_str();
    let _lock = match Lock::acquire(device, Path::new(DIRECTORY)) {
        Ok(lock) => Some(lock),
        Err(error @ LockError::Taken { .. }) => {
            return Err(error).context("stop what uses the line first");
        }
        // Nobody could lock it.
        Err(LockError::File { .. }) => None,
    };
    let settings = serialport::new(device, options.baud).flow_control(FlowControl::Hardware);
    let mut port =
        TTYPort::open(&settings.timeout(PACE)).with_context(|| format!("cannot open {device}"))?;
    port.clear(ClearBuffer::All)?;
    let mut findings = Findings::default();
    let end = Instant::now() + Duration::from_secs(options.seconds.into());
    let mut greet = Instant::now();
    while !findings.answered && Instant::now() < end {
        if greet <= Instant::now() {
            say(&mut port, &greeting(name, findings.greeted()))?;
            greet = Instant::now() + PACE;
        }
        let mut room = [0; LINE_MAX];
        match port.read(&mut room) {
            Ok(0) => anyhow::bail!("{device} has hung up"),
            Ok(count) => findings.take(room.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {device}")),
        }
    }
    if findings.answered {
        // The other end may not know yet.
        say(&mut port, &greeting(name, true))?;
        port.flush()?;
    }
    let wires = Wires {
        cts: port.read_clear_to_send().ok(),
        dsr: port.read_data_set_ready().ok(),
        dcd: port.read_carrier_detect().ok(),
    };
    // Closing would wait for what a stuck line never takes.
    if !findings.answered {
        port.clear(ClearBuffer::Output)?;
    }
    Ok((findings, wires))
}

fn greeting(name: &str, heard: bool) -> String {
    let heard = if heard { HEARD } else { "" };
    format!("{GREETING}{name}{heard}\n")
}

fn say(port: &mut TTYPort, text: &str) -> Result<()> {
    if port.bytes_to_write().unwrap_or(0) < WAITING_MAX {
        match port.write_all(text.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::TimedOut => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// The handshake lines; `None` where the device has none.
#[derive(Debug, Clone, Copy, Default)]
struct Wires {
    cts: Option<bool>,
    dsr: Option<bool>,
    dcd: Option<bool>,
}

/// What has arrived.
#[derive(Debug, Default)]
struct Findings {
    characters: u64,
    /// Of those, neither ASCII nor a line feed.
    unreadable: u64,
    /// Frames of heartbeats.
    frames: u64,
    /// Who greeted last.
    peer: Option<String>,
    /// It has heard us.
    answered: bool,
    line: Vec<u8>,
}

impl Findings {
    fn greeted(&self) -> bool {
        self.peer.is_some()
    }

    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.characters = self.characters.saturating_add(1);
            let readable = matches!(byte, b'\n' | b'\r' | b' '..=b'~');
            self.unreadable = self.unreadable.saturating_add(u64::from(!readable));
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.look_at(&String::from_utf8_lossy(&line));
            } else if self.line.len() < LINE_MAX {
                self.line.push(*byte);
            }
        }
    }

    fn look_at(&mut self, line: &str) {
        if line.ends_with(">>>") {
            self.frames = self.frames.saturating_add(1);
        }
        // What came before it on the line is noise.
        let Some((_, said)) = line.split_once(GREETING) else {
            return;
        };
        let (name, heard) = match said.strip_suffix(HEARD) {
            Some(name) => (name, true),
            None => (said, false),
        };
        self.peer = Some(name.escape_default().to_string());
        self.answered |= heard;
    }

    /// In one sentence, and what to do.
    fn verdict(&self) -> String {
        let peer = self.peer.as_deref();
        match (peer, self.answered, self.frames) {
            (Some(peer), true, _) => {
                format!("good: {peer} is heard, and hears this node")
            }
            (Some(peer), false, _) => format!(
                "one way only: {peer} is heard, but does not hear this node: look at the wire from \
                 TxD here to RxD there, and from RTS there to CTS here"
            ),
            (None, _, 1..) => "heartbeats arrive: a daemon runs at the other end; stop it and run \
                 `hbd link test` there as well"
                .to_owned(),
            (None, _, 0) if self.characters == 0 => {
                "nothing arrives: run `hbd link test` on the other end at the same time; then look \
                 at the cable, which must be a null-modem one, and at the port's name"
                    .to_owned()
            }
            (None, _, 0) if self.unreadable * 4 > self.characters => {
                "characters arrive and make no sense: the other end has another speed (--baud, \
                 baud in ha.cf)"
                    .to_owned()
            }
            (None, _, 0) => "characters arrive, but none of `hbd link test`: something else (a \
                 login, a console) uses the other end"
                .to_owned(),
        }
    }
}

fn report(options: &LinkTest, findings: &Findings, wires: Wires) -> String {
    let mut out = String::new();
    let (device, baud) = (&options.device, options.baud);
    let _ = writeln!(out, "{device} at {baud} baud: {}", findings.verdict());
    let state = |name: &str, on: Option<bool>| match on {
        Some(true) => format!("{name} on"),
        Some(false) => format!("{name} off"),
        None => format!("{name} unknown"),
    };
    let _ = writeln!(
        out,
        "{}, {}, {}; {} characters came, {} of them unreadable",
        state("CTS", wires.cts),
        state("DSR", wires.dsr),
        state("DCD", wires.dcd),
        findings.characters,
        findings.unreadable,
    );
    if wires.cts == Some(false) {
        let _ = writeln!(
            out,
            "CTS off holds back everything that this node sends: RTS and CTS are not crossed, or \
             the port of the other end is closed"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pieces: &[&[u8]]) -> Findings {
        let mut findings = Findings::default();
        for piece in pieces {
            findings.take(piece);
        }
        findings
    }

    #[test]
    fn each_finding_has_its_verdict() {
        for (heard, verdict) in [
            (&b""[..], "nothing arrives"),
            (b"\x80\xff\x00\xf0\x91", "another speed"),
            (b"login: \nPassword: \n", "something else"),
            (b"\x00>>>\nt=status\n<<<\n", "heartbeats arrive"),
            (b"hbd link test of lb2\n", "one way only: lb2"),
            (b"\xffhbd link test of lb2, hears you\n", "good: lb2"),
        ] {
            let told = found(&[heard]).verdict();
            assert!(told.contains(verdict), "{heard:?}: {told}");
        }
    }

    #[test]
    fn greeting_is_understood_in_pieces_and_says_whether_the_other_was_heard() {
        let text = greeting("lb2", true);
        let (first, rest) = text.as_bytes().split_at(9);
        let findings = found(&[first, rest]);
        assert!(findings.answered && findings.greeted());
        let findings = found(&[greeting("lb2", false).as_bytes()]);
        assert!(!findings.answered && findings.greeted());
    }

    #[test]
    fn line_without_end_is_not_kept() {
        let findings = found(&[&[b'x'; 10 * LINE_MAX]]);
        assert_eq!(findings.line.len(), LINE_MAX);
        assert_eq!(findings.characters, 10 * LINE_MAX as u64);
    }
}
