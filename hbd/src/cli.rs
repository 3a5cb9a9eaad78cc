//! The command line of hbd: options and subcommands, their help, nothing else.

use crate::config::DEFAULT_BAUD;
use clap::{Args, Parser, Subcommand, ValueEnum};
use ha_status::HoldSet;
use std::path::PathBuf;
use std::time::Duration;

/// Exit codes, those of the old daemon (Heartbeat specification 9.1).
pub mod exit {
    pub const OK: u8 = 0;
    /// Something failed, or the daemon is not running.
    pub const FAILED: u8 = 1;
    /// The command line is wrong.
    pub const USAGE: u8 = 2;
    /// Permission denied, or the pid file cannot be used.
    pub const PERMISSION: u8 = 4;
    /// The daemon has ended, but something could not be stopped and may still be active.
    pub const HELD: u8 = 8;
    /// The configuration cannot be used.
    pub const CONFIGURATION: u8 = 6;
}

const EXAMPLES: &str = "\
Examples:
  hbd check                        every fault in /etc/ha.d, with file, line and caret
  hbd check --offline DIR          files meant for another machine
  hbd shadow --for 7d              listen beside the live daemon: would hbd have done the same?
  hbd genkey                       /etc/ha.d/authkeys with a new key: copy it to every other node
  hbd link test /dev/ttyS0         on both ends of a serial cable: does it carry heartbeats?
  hbd                              run in the foreground, as a service manager wants it
  hbd status --follow              nodes, links and groups, and every change
  hbd why lb2                      why node lb2 is in its state
  hbd why links                    how good the links are, and which deadtime they allow
  hbd standby                      hand every group to the other node";

// Each paragraph is one line: clap breaks it where the terminal ends.
const SHADOW_HELP: &str = "\
Run it on either node beside the live daemon, which need not be stopped, or on a third machine in the \
same network with a copy of ha.cf, haresources and authkeys (--etc DIR). It needs root, for it listens \
with packet sockets; a serial line has one reader and is not heard.

USR1 prints the report, HUP reads authkeys again, TERM prints the report and ends. Its status socket is \
in RUN/shadow: `hbtui --hbd /run/heartbeat/shadow/hbd.sock` and `hbd --run /run/heartbeat/shadow status` \
show what it hears.

Exits with 0 if the pair did what hbd would have done, with 1 if it did not or was never heard, with 6 \
if the files cannot be used.";

/// Keeps cluster nodes aware of each other and decides who runs which resource group of haresources.
///
/// Reads the ha.cf, haresources and authkeys of Heartbeat 3.0.6, and speaks its protocol.
#[derive(Debug, Parser)]
#[command(name = "hbd", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Where things are.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Common {
    /// Configuration: ha.cf, haresources, authkeys, resource.d
    #[arg(long, global = true, value_name = "DIR", default_value = "/etc/ha.d")]
    pub etc: PathBuf,
    /// What must survive a restart: this node's identity and generation
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/var/lib/heartbeat"
    )]
    pub state: PathBuf,
    /// Pid file and status socket
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/run/heartbeat"
    )]
    pub run: PathBuf,
    /// This node's name, in place of `nodeinfo` and `uname -n`
    #[arg(long, global = true, value_name = "NAME")]
    pub node: Option<String>,
}

impl Common {
    /// The status socket.
    pub fn socket(&self) -> PathBuf {
        self.run.join("hbd.sock")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run in the foreground (the default)
    Run,
    /// Check the configuration and show every fault
    #[command(after_help = "Exits with 0 if hbd can start with it (warnings or not), else with 6.")]
    Check(Check),
    /// Ask or tell the running daemon
    #[command(flatten)]
    Client(ClientCommand),
    /// Write an authkeys file with a new random key, on one node only
    #[command(
        after_help = "The file must be the same on every node: copy it, do not make another."
    )]
    Genkey(Genkey),
    /// Try a serial cable, before a daemon uses it
    #[command(subcommand)]
    Link(Link),
    /// Listen to a live pair, send nothing, and say what hbd would have done in its place
    #[command(after_help = SHADOW_HELP)]
    Shadow(Shadow),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Shadow {
    /// End after this time: 90s, 10m, 2h or 7d, a year at most
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub limit: Option<Duration>,
    /// Keep the report in this file, each minute and at the end
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// A time as people write it.
fn time(text: &str) -> Result<Duration, String> {
    const YEAR_S: u64 = 366 * 86_400;
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..) {
        Some("" | "s") => Some(1),
        Some("m") => Some(60),
        Some("h") => Some(3600),
        Some("d") => Some(86_400),
        Some(_) | None => None,
    };
    let number = digits.parse::<u64>().ok().filter(|number| *number > 0);
    let seconds = number
        .zip(unit)
        .and_then(|(one, other)| one.checked_mul(other));
    let seconds = seconds.filter(|seconds| *seconds <= YEAR_S);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "a time is 90s, 10m, 2h or 7d, a year at most".to_owned())
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Link {
    /// Say whether characters arrive, at this speed, and how the handshake lines stand
    #[command(
        after_help = "Run it on both ends at the same time. Exits with 0 if both hear each other, \
                      else with 1."
    )]
    Test(LinkTest),
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct LinkTest {
    /// The serial port
    #[arg(value_name = "DEVICE")]
    pub device: String,
    /// Bits per second, as `baud` of ha.cf
    #[arg(long, value_name = "RATE", default_value_t = DEFAULT_BAUD)]
    pub baud: u32,
    /// Give up after so many seconds; a good cable is told at once
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 15)]
    pub seconds: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Genkey {
    /// The file to write, readable to its owner only; never over one that is there [default:
    /// authkeys in the configuration directory]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How packets are signed: next to a Heartbeat 3.0.6 it must be sha1
    #[arg(long, value_enum, default_value_t = KeyMethod::Sha256)]
    pub method: KeyMethod,
    /// Print to standard output and write no file
    #[arg(long, conflicts_with = "file")]
    pub print: bool,
}

/// Methods that a new key can be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyMethod {
    /// Understood by Heartbeat, too
    Sha1,
    Sha256,
    Sha512,
}

impl KeyMethod {
    /// The word of authkeys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Check {
    /// Directories to check, in place of --etc; each gets its verdict
    #[arg(value_name = "DIR")]
    pub directories: Vec<PathBuf>,
    /// Look at the files alone and not at this machine's name, interfaces, addresses and scripts:
    /// they are for another one
    #[arg(long)]
    pub offline: bool,
    /// Print what usable files mean: nodes, times, media, keys, groups
    #[arg(long)]
    pub show: bool,
    /// Print every directive of ha.cf with its default and meaning, and check nothing
    #[arg(long)]
    pub list: bool,
}

/// Commands that need the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ClientCommand {
    /// Show nodes, links and resource groups
    Status {
        /// The whole snapshot as JSON
        #[arg(long)]
        json: bool,
        /// Go on with every change until interrupted
        #[arg(long)]
        follow: bool,
    },
    /// Explain the state of a node or group, where the time of a failover went, or the links
    #[command(
        after_help = "`links`: how long each node and ping node was silent in the last day, over \
                      each link and over all together, what the deadtime and shorter ones would \
                      have meant, and which one they have deserved. Of what this node hears, since \
                      hbd started."
    )]
    Why {
        /// A node's name, or a group's: its first resource, or a part of any that no other group
        /// has; or the word `links`
        #[arg(value_name = "NODE|GROUP|links")]
        subject: String,
    },
    /// Hand resource groups to the other node
    Standby {
        /// Which groups
        #[arg(value_enum, default_value_t = Groups::All)]
        groups: Groups,
    },
    /// Take resource groups from the other node, and start again what has failed here
    Takeover {
        /// Which groups
        #[arg(value_enum, default_value_t = Groups::All)]
        groups: Groups,
        /// Also groups that another node could not stop: you have made sure that nothing of them is
        /// active there. Asks for the name of each such node, on standard input
        #[arg(long)]
        force: bool,
    },
    /// End the daemon after handing over its resource groups
    Stop,
    /// Read the configuration again; a faulty one changes nothing
    Reload,
}

/// Which groups, in the words of `hb_standby`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Groups {
    /// Every group
    All,
    /// Groups that prefer this node
    Local,
    /// Groups that prefer another node
    Foreign,
    /// The same as foreign
    Failback,
}

impl From<Groups> for HoldSet {
    fn from(groups: Groups) -> Self {
        match groups {
            Groups::All => Self::All,
            Groups::Local => Self::Local,
            Groups::Foreign | Groups::Failback => Self::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("10m", 600),
            ("2h", 7200),
            ("7d", 604_800),
        ] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "0",
            "m",
            "10x",
            "-5m",
            "1.5h",
            "99999999999999999999d",
            "400d",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
