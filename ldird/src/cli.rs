//! The command line: exactly the old daemon's `[options] [CONFIG] COMMAND` (specification 1.1), and
//! the commands that are new.

mod daemon;
mod ipvs;
pub(crate) mod orders;
pub(crate) mod shadow;

pub(crate) use daemon::{DaemonOrder, Swap, read as read_daemon};
pub(crate) use ipvs::{Ipvs, Listing};

use clap::{CommandFactory as _, Parser, error::ErrorKind};
use orders::Verb;
use std::ffi::OsString;
use std::path::PathBuf;

/// Checks real servers and keeps the kernel's IPVS table right, from ldirectord.cf.
#[derive(Debug, Parser)]
#[command(
    name = "ldird",
    disable_version_flag = true,
    override_usage = "ldird [OPTIONS] [CONFIG] COMMAND",
    after_help = COMMANDS
)]
struct Arguments {
    /// Stay in the foreground, log to standard error, in detail; no pid file
    #[arg(short, long)]
    debug: bool,
    /// reload: also if it takes out more than half of what serves, or of one virtual service
    #[arg(long)]
    force: bool,
    /// Print the version
    #[arg(short, long)]
    version: bool,
    /// Where CONFIG is looked for first, also in its folder conf
    #[arg(long, value_name = "DIR", default_value = "/etc/ha.d")]
    etc: PathBuf,
    /// Where pid file and status socket are
    #[arg(long, value_name = "DIR", default_value = "/var/run")]
    run: PathBuf,
    /// [CONFIG] COMMAND; CONFIG is ldirectord.cf if only one word is given
    #[arg(trailing_var_arg = true, value_name = "OPERAND", hide = true)]
    operands: Vec<String>,
}

const COMMANDS: &str = "\
Commands:
  start         start in the background; returns when the table is set up. Where a director is
                on standby: it becomes active, and the whole table goes in at once
  stop          stop; waits until it has stopped; works without CONFIG, too. A director of
                `run --standby` takes its table out and goes on checking, on standby
  restart       hand the table over to a new director: nobody notices; a broken CONFIG
                changes nothing
  try-restart   restart if it is running
  reload        read CONFIG again; a broken one changes nothing (also force-reload), and one
                that takes out more than half of what serves, or of one virtual service,
                or leaves them weight 0, needs --force
  status        is it running? exit 0 yes, 3 no or on standby, 1 stale pid file
  run [--standby|--dry-run]
                stay in the foreground, for a service manager; --standby: check from the
                beginning, and hold the table back until `start`; --dry-run: check and decide,
                touch nothing: the table is in memory, no mail, no command; see it with
                `ldird --run /var/run/ldird.dry-run show`
  check         all faults of CONFIG and of what it needs of this machine, with file, line and
                caret; exit 2 if there are errors [--offline] [--json] [FILE…]
  plan          each check's verdict, and the changes of the table that would be made now
  shadow [--for TIME] [--report FILE]
                beside a live ldirectord, keepalived or ldird of this machine: check everything,
                touch nothing, and say where that one's table differs from the one that ldird
                would make, since when, and who was faster; exit 1 if they differ at the end
  show          the running director: virtual services, real servers [--json] [--follow]
  drain VIRTUAL REAL     no new connections for REAL; those that it has go on
  undrain VIRTUAL REAL   as its checks and CONFIG say again
  weight VIRTUAL REAL N  this weight instead of CONFIG's; with --force also while checks fail
  maintenance VIRTUAL REAL on|off
                as a file in maintenancedir. VIRTUAL: an address, mark or name, or all; REAL:
                10.0.0.1:80, or 10.0.0.1. [--for 10m] [--reason TEXT]; --force: also if nobody
                is left
  ipvs list     the kernel's table as `ipvsadm -Ln` prints it [-t|-u|-f SERVICE [-6]]
                [--stats|--rate [--exact]] [--thresholds] [--persistent-conn] [--tun-info]
                or [-c] connections, [--timeout] time-outs, [--daemon] synchronisation
  ipvs save|restore|clear
                as `ipvsadm -Sn`, `-R` and `-C`; restore reads standard input, a wrong line
                there changes nothing [--clear: in place of what is there]
  ipvs daemon   connection synchronisation: list | start master|backup --mcast-interface NAME
                [--syncid N] [--sync-maxlen N] [--mcast-group A] [--mcast-port N]
                [--mcast-ttl N] | stop master|backup; swap is LVSSyncDaemonSwap
  import        keepalived.conf as ldirectord.cf, ha.cf and haresources, and what has no equivalent
                [--node NAME] [--peer NAME] [--to DIR] FILE

CONFIG is a name in /etc/ha.d or a path; by default ldirectord.cf.
Exit: 0 done, 1 failed, 2 configuration error, 3 not running (status), 255 usage.
";

/// The configuration that is meant where none is named, and what the instance is called then: the
/// old daemon's rule is that a name that was not given is shorter than one that was.
pub(crate) const DEFAULT_FILE: &str = "ldirectord.cf";
pub(crate) const DEFAULT_NAME: &str = "ldirectord";

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invocation {
    pub(crate) debug: bool,
    pub(crate) etc: PathBuf,
    pub(crate) run: PathBuf,
    /// As given: a name or a path.
    pub(crate) config: String,
    /// The configuration's short name, part of the pid file's name.
    pub(crate) name: String,
    pub(crate) command: Command,
    /// Further files of a check, or the words behind `import`, `shadow`, `ipvs daemon` or an operator's
    /// word.
    pub(crate) more: Vec<String>,
    /// `--force`.
    pub(crate) force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Start,
    Stop,
    Restart,
    TryRestart,
    /// `force`: also if that takes out more than half of what serves, or of one service.
    Reload {
        force: bool,
    },
    Status,
    Run(Running),
    Check(Manner),
    Plan,
    Show {
        json: bool,
        follow: bool,
    },
    Ipvs(Ipvs),
    /// The words behind it are in [`Invocation::more`].
    Order(Verb),
    /// The same.
    Shadow,
    /// The same.
    Import,
}

/// What a director in the foreground does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Running {
    Active,
    /// Only check until the resource becomes active, and stay when it stops.
    Standby,
    /// Check and decide, with a table in memory.
    DryRun,
}

/// How a check is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    /// One JSON value a file, on a line: what was read, and what was found.
    pub(crate) json: bool,
    /// For files that are meant for another machine: neither kernel nor name servers are asked.
    pub(crate) offline: bool,
}

/// What the command line comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    Run(Invocation),
    /// Print this and exit 0.
    Tell(String),
    /// Print this as usage and exit 255.
    Usage(String),
}

/// Reads the arguments, the program's own name first.
pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Request {
    // The old daemon knew `-?`, which no parser of options does.
    let arguments = arguments.into_iter().map(|argument| {
        if argument == "-?" {
            "--help".into()
        } else {
            argument
        }
    });
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            return Request::Tell(error.to_string());
        }
        Err(error) => return usage(&error.to_string()),
    };
    if arguments.version {
        return Request::Tell(version());
    }
    if asks_for_help(&arguments.operands) {
        return Request::Tell(Arguments::command().render_help().to_string());
    }
    let (operands, more) = match arguments.operands.split_first() {
        Some((first, words)) if first == IMPORT => (vec![first.clone()], words.to_vec()),
        Some((first, [second, words @ ..])) if first == "ipvs" && second == DAEMON => {
            (vec![first.clone(), second.clone()], words.to_vec())
        }
        _ => match with_words(&arguments.operands) {
            Some(taken_apart) => taken_apart,
            None => without_more(&arguments.operands),
        },
    };
    let Some((config, mut command)) = command(&operands) else {
        return usage(&complaint(&arguments.operands));
    };
    if command == Command::Ipvs(Ipvs::Daemon)
        && let Err(complaint) = daemon::read(&more)
    {
        return usage(&complaint);
    }
    let (config, name) = match config {
        None => (DEFAULT_FILE.to_owned(), DEFAULT_NAME.to_owned()),
        Some(config) => {
            let name = config.rsplit('/').next().unwrap_or(config);
            (config.to_owned(), name.to_owned())
        }
    };
    if let Command::Reload { force } = &mut command {
        *force |= arguments.force;
    }
    Request::Run(Invocation {
        debug: arguments.debug,
        etc: arguments.etc,
        run: arguments.run,
        config,
        name,
        command,
        more,
        force: arguments.force,
    })
}

/// Behind a command, too, where the parser takes everything for a word of it. `import` has a text of
/// its own.
fn asks_for_help(operands: &[String]) -> bool {
    operands.first().is_some_and(|first| first != IMPORT)
        && operands.iter().any(|word| word == "--help" || word == "-h")
}

/// Takes the words behind an operator's word, or behind `shadow`, apart; it stands first, or behind
/// CONFIG.
fn with_words(operands: &[String]) -> Option<(Vec<String>, Vec<String>)> {
    let mut first = operands.iter().take(2);
    let verb = first.position(|word| word == shadow::SHADOW || Verb::read(word).is_some())?;
    let (words, more) = operands.split_at(verb + 1);
    Some((words.to_vec(), more.to_vec()))
}

/// Takes the files of a check apart, except for the first one.
fn without_more(operands: &[String]) -> (Vec<String>, Vec<String>) {
    let mut words = operands.to_vec();
    let Some(check) = words.iter().take(2).position(|word| word == "check") else {
        return (words, Vec::new());
    };
    let mut files = 0;
    let more = words.extract_if(check + 1.., |word| {
        let file = !word.starts_with('-');
        files += usize::from(file);
        file && files + check > 1
    });
    let more = more.collect();
    // `check --offline FILE`: the file comes first.
    let file = words
        .iter()
        .skip(check + 1)
        .position(|word| !word.starts_with('-'));
    if let Some(file) = file {
        let file = words.remove(check + 1 + file);
        words.insert(check + 1, file);
    }
    (words, more)
}

/// One word is a command; of two or more the first is CONFIG, as it always was, unless only the
/// first is a command: both orders are understood. The words after a new command belong to it.
fn command(operands: &[String]) -> Option<(Option<&str>, Command)> {
    let words: Vec<&str> = operands.iter().map(String::as_str).collect();
    let (first, rest) = words.split_first()?;
    if let Some((second, after)) = rest.split_first()
        && let Some(command) = old_command(second, after).or_else(|| new_command(second, after))
    {
        return Some((Some(first), command));
    }
    let alone = if matches!(rest, [] | [FORCE]) {
        old_command(first, rest)
    } else {
        None
    };
    if let Some(command) = alone.or_else(|| new_command(first, rest)) {
        return Some((None, command));
    }
    let (config, after) = rest.split_first()?;
    let old = if after.is_empty() {
        old_command(first, after)
    } else {
        None
    };
    let command = old.or_else(|| new_command(first, after))?;
    (!config.starts_with('-')).then_some((Some(*config), command))
}

/// Has words of its own behind it, a file's name among them.
const IMPORT: &str = "import";

/// The same behind `ipvs`.
const DAEMON: &str = "daemon";

/// What may stand behind `run`.
const STANDBY: &str = "--standby";
const DRY_RUN: &str = "--dry-run";

/// What may stand behind `reload`, too.
const FORCE: &str = "--force";

/// The words after an old command are ignored, as they always were.
fn old_command(word: &str, after: &[&str]) -> Option<Command> {
    match word {
        "start" => Some(Command::Start),
        "stop" => Some(Command::Stop),
        "restart" => Some(Command::Restart),
        "try-restart" => Some(Command::TryRestart),
        "reload" | "force-reload" => Some(Command::Reload {
            force: after.contains(&FORCE),
        }),
        "status" => Some(Command::Status),
        _ => None,
    }
}

fn new_command(word: &str, after: &[&str]) -> Option<Command> {
    match (word, after) {
        ("run", []) => Some(Command::Run(Running::Active)),
        ("run", [STANDBY]) => Some(Command::Run(Running::Standby)),
        ("run", [DRY_RUN]) => Some(Command::Run(Running::DryRun)),
        ("check", options) => {
            let known = |option: &&str| matches!(*option, "--json" | "--offline");
            let manner = Manner {
                json: options.contains(&"--json"),
                offline: options.contains(&"--offline"),
            };
            options.iter().all(known).then_some(Command::Check(manner))
        }
        ("plan", []) => Some(Command::Plan),
        ("show", options) => {
            let known = |option: &&str| matches!(*option, "--json" | "--follow");
            let show = Command::Show {
                json: options.contains(&"--json"),
                follow: options.contains(&"--follow"),
            };
            options.iter().all(known).then_some(show)
        }
        (shadow::SHADOW, []) => Some(Command::Shadow),
        (IMPORT, []) => Some(Command::Import),
        (word, []) if Verb::read(word).is_some() => Verb::read(word).map(Command::Order),
        ("ipvs", words) => ipvs::read(words).ok().map(Command::Ipvs),
        _ => None,
    }
}

fn complaint(operands: &[String]) -> String {
    let words: Vec<&str> = operands.iter().map(String::as_str).collect();
    if let ["ipvs", words @ ..] | [_, "ipvs", words @ ..] = words.as_slice()
        && let Err(complaint) = ipvs::read(words)
    {
        return complaint;
    }
    match operands {
        [] => "a command is missing".to_owned(),
        [word] => format!("no such command: {word}"),
        words => format!("no such configuration and command: {}", words.join(" ")),
    }
}

fn usage(complaint: &str) -> Request {
    // The parser repeats the usage after its complaint; the whole help follows anyway.
    let complaint = complaint.lines().next().unwrap_or_default();
    let help = Arguments::command().render_help();
    Request::Usage(format!("{complaint}\n{help}").trim_start().to_owned())
}

fn version() -> String {
    let banner = crate::wording::BANNER;
    let release = env!("CARGO_PKG_VERSION");
    format!("{banner}\nldird {release}, in place of ldirectord\nLicence: MIT OR Apache-2.0\n")
}

#[cfg(test)]
mod tests;
