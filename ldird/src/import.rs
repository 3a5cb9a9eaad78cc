//! `ldird import keepalived.conf`: what keepalived does, as ldirectord.cf, ha.cf and haresources, and
//! for each line that has no equivalent what to do about it.
//!
//! ```text
//!   source ──► tree ──► servers, checks ──► model ──► balancing ──► ldirectord.cf
//!   lines      blocks   └─► cluster ──────────────────────────────► ha.cf, haresources
//! ```
//!
//! Asks nobody, changes nothing that is there.

mod balancing;
mod checks;
mod cluster;
mod inherited;
mod model;
mod report;
mod servers;
mod source;
#[cfg(test)]
mod tests;
mod tree;

use crate::console::{CONFIGURATION, FAILED, OK, USAGE, say};
use balancing::{Mail, Output, Setting};
use cluster::{Group, Nodes};
use model::{Head, Virtual};
use report::Report;
use source::Files;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tree::Statement;

const USE: &str = "\
usage: ldird import [--node NAME] [--peer NAME] [--to DIR] keepalived.conf
  --node NAME   whose file it is, and what @NAME lines are compared with; this machine by default
  --peer NAME   the other director
  --to DIR      write the files there, over none that exists; otherwise they are printed
";

/// Bytes of one file: far above any configuration.
const FILE_MAX: u64 = 4 * 1024 * 1024;

/// What was asked for.
#[derive(Debug, Default)]
struct Wish<'a> {
    file: Option<&'a str>,
    node: Option<&'a str>,
    peer: Option<&'a str>,
    to: Option<&'a str>,
}

impl<'a> Wish<'a> {
    fn read(words: &'a [String]) -> Option<Self> {
        let mut wish = Self::default();
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let place = match word {
                "--node" => &mut wish.node,
                "--peer" => &mut wish.peer,
                "--to" => &mut wish.to,
                _ if word.starts_with('-') || wish.file.is_some() => return None,
                file => {
                    wish.file = Some(file);
                    continue;
                }
            };
            *place = Some(words.next()?);
        }
        wish.file.is_some().then_some(wish)
    }
}

/// Carries out the command; the words are those behind `import`. Gives the exit code.
pub(crate) fn run(words: &[String], etc: &Path) -> u8 {
    let Some(wish) = Wish::read(words) else {
        say(USE);
        return USAGE;
    };
    let file = Path::new(wish.file.unwrap_or_default());
    let system = rustix::system::uname();
    let own = system.nodename().to_string_lossy();
    let node = wish.node.unwrap_or(&own);
    let peer = wish
        .peer
        .map_or_else(|| format!("{node}-peer"), str::to_owned);
    let nodes = Nodes {
        this: node,
        other: &peer,
    };
    let mut report = Report::default();
    let read = source::lines(file, node, &Disk, &mut report);
    let outputs = match read {
        Ok(lines) => {
            let statements = tree::parse(&lines, &mut report);
            let etc = etc.display().to_string();
            convert(&statements, &nodes, (file, &etc), &mut report)
        }
        Err(error) => {
            eprintln!("ldird: cannot read {}: {error}", file.display());
            return FAILED;
        }
    };
    eprint!("{}", report.lines());
    if report.has_faults() {
        eprintln!("nothing is written: mend the lines above first");
        return CONFIGURATION;
    }
    let done = if let Some(folder) = wish.to {
        write(Path::new(folder), &outputs)
    } else {
        say(&printed(&outputs));
        Ok(())
    };
    if let Err(error) = done {
        eprintln!("ldird: {error}");
        return FAILED;
    }
    eprint!("{}", advice(&outputs, &wish, &nodes, report.remarks()));
    OK
}

/// All files from all statements.
fn convert(
    statements: &[Statement],
    nodes: &Nodes<'_>,
    (file, etc): (&Path, &str),
    report: &mut Report,
) -> Vec<Output> {
    let source = file.display().to_string();
    let mut mail = Mail::default();
    let (mut groups, mut instances, mut together) =
        (servers::Groups::new(), Vec::new(), Vec::new());
    for statement in statements {
        let name = statement.value().unwrap_or_default().to_owned();
        match statement.key() {
            "global_defs" => globals(statement, &mut mail, report),
            "virtual_server_group" => {
                groups.insert(name, servers::group(statement, report));
            }
            "vrrp_instance" => instances.push(cluster::instance(statement, report)),
            "vrrp_sync_group" => together.push(cluster::sync_group(statement, report)),
            // Read below; scripts are told where they are tracked.
            "virtual_server" | "vrrp_script" | "track_file" | "vrrp_track_file"
            | "vrrp_track_process" => {}
            "static_ipaddress" | "static_routes" | "static_rules" => {
                let advice = "belongs into the system's own network configuration";
                report.remark(&statement.place, statement.shown(), advice);
            }
            _ => report.remark(&statement.place, statement.shown(), inherited::UNKNOWN),
        }
    }
    let found: Vec<Virtual> = statements
        .iter()
        .filter(|statement| statement.key() == "virtual_server")
        .filter_map(|statement| servers::virtual_server(statement, &groups, report))
        .collect();
    let mut clusters = cluster::groups(instances, &together);
    let setting = Setting {
        mail: &mail,
        etc,
        source: &source,
    };
    let mut outputs = directors(&found, &mut clusters, &setting, report);
    if !clusters.is_empty() {
        outputs.extend(cluster::files(&clusters, nodes, &source, report));
    }
    outputs
}

/// A configuration of ldird for each group that has virtual servers; those of no group go with the
/// first.
fn directors(
    servers: &[Virtual],
    groups: &mut [Group],
    setting: &Setting<'_>,
    report: &mut Report,
) -> Vec<Output> {
    let has = |group: &Group, server: &Virtual| {
        let addresses = group.instances.iter().flat_map(|one| &one.addresses);
        let mut addresses = addresses.map(|address| &address.ip);
        addresses.any(|ip| {
            let is = |head: &Head| matches!(head, Head::Address(address, _) if address == ip);
            server.heads.iter().any(is)
        })
    };
    let owner = |server: &Virtual| groups.iter().position(|group| has(group, server));
    let owners: Vec<Option<usize>> = servers.iter().map(owner).collect();
    for (server, owner) in servers.iter().zip(&owners) {
        if owner.is_none() && !groups.is_empty() {
            balancing::tell_unowned(server, report);
        }
    }
    let mut outputs = Vec::new();
    for number in 0..groups.len().max(1) {
        let own = servers.iter().zip(&owners);
        let own: Vec<&Virtual> = own
            .filter(|(_, owner)| owner.unwrap_or(0) == number)
            .map(|(server, _)| server)
            .collect();
        if own.is_empty() {
            continue;
        }
        let name = if outputs.is_empty() {
            "ldirectord.cf".to_owned()
        } else {
            format!("ldirectord-{}.cf", number + 1)
        };
        outputs.extend(balancing::configuration(&name, &own, setting, report));
        if let Some(group) = groups.get_mut(number) {
            group.director = Some(name);
        }
    }
    outputs
}

fn globals(statement: &Statement, mail: &mut Mail, report: &mut Report) {
    for inner in statement.statements() {
        match inner.key() {
            "notification_email" => {
                let lines = inner.statements().iter();
                mail.to.extend(lines.flat_map(|line| line.words.clone()));
            }
            "notification_email_from" => mail.from = inner.value().map(str::to_owned),
            "smtp_server" => {
                let words = inner.values();
                mail.server = (!words.is_empty()).then(|| words.join(":"));
            }
            "lvs_sync_daemon" | "lvs_timeouts" | "lvs_flush" | "lvs_flush_onstop" => {
                let advice = match inner.key() {
                    "lvs_timeouts" => {
                        "tcptimeout=, tcpfintimeout= and udptimeout= of ldirectord.cf do this"
                    }
                    "lvs_sync_daemon" => {
                        "syncdaemon=INTERFACE and syncid=N of ldirectord.cf do this"
                    }
                    _ => "not needed: ldird leaves alone what is not its own",
                };
                report.remark(&inner.place, inner.shown(), advice);
            }
            "net_namespace" | "instance" | "use_pid_dir" => {
                let advice = "not taken over: start ldird there, with --run of its own";
                report.remark(&inner.place, inner.shown(), advice);
            }
            // How keepalived itself runs.
            _ => {}
        }
    }
}

/// Everything in one text.
fn printed(outputs: &[Output]) -> String {
    let one = |output: &Output| {
        [
            format!("### {}\n", output.name),
            output.text.clone(),
            "\n".to_owned(),
        ]
    };
    outputs.iter().flat_map(one).collect()
}

/// Writes all of them, or none where one of the names is taken.
fn write(folder: &Path, outputs: &[Output]) -> std::io::Result<()> {
    let taken = outputs
        .iter()
        .find(|output| folder.join(&output.name).exists());
    if let Some(taken) = taken {
        let path = folder.join(&taken.name);
        let message = format!("{} exists; nothing is written", path.display());
        return Err(std::io::Error::other(message));
    }
    std::fs::create_dir_all(folder)?;
    for output in outputs {
        let mode = if output.executable { 0o755 } else { 0o644 };
        let mut options = OpenOptions::new();
        let options = options.write(true).create_new(true).mode(mode);
        let mut file = options.open(folder.join(&output.name))?;
        file.write_all(output.text.as_bytes())?;
    }
    Ok(())
}

/// What to do next.
fn advice(outputs: &[Output], wish: &Wish<'_>, nodes: &Nodes<'_>, remarks: usize) -> String {
    let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
    let mut text = match remarks {
        0 => format!("{}: everything is taken over\n", names.join(", ")),
        1 => format!("{}: 1 line to look at\n", names.join(", ")),
        more => format!("{}: {more} lines to look at\n", names.join(", ")),
    };
    if names.contains(&"ha.cf") {
        if wish.peer.is_none() {
            let other = nodes.other;
            let hint = format!(
                "the other node is called {other}: write its `uname -n` there, or use --peer\n"
            );
            text.push_str(&hint);
        }
        text.push_str("next: hbd genkey, then hbd check and ldird ldirectord.cf check\n");
    } else {
        text.push_str("next: ldird ldirectord.cf check\n");
    }
    text
}

/// The files of this machine.
struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        use std::io::Read as _;
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_MAX {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Only the last part may be a pattern, with `*` and `?`.
    fn matching(&self, pattern: &Path) -> Vec<PathBuf> {
        let name = pattern
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let Some(name) = name.filter(|name| name.contains(['*', '?'])) else {
            return if pattern.is_file() {
                vec![pattern.to_owned()]
            } else {
                Vec::new()
            };
        };
        let folder = pattern.parent().unwrap_or(Path::new("."));
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let files = entries
            .map(|entry| entry.path())
            .filter(|path| path.is_file());
        let named = |path: &PathBuf| {
            let own = path
                .file_name()
                .map(|own| own.to_string_lossy().into_owned());
            own.is_some_and(|own| fits(name.as_bytes(), own.as_bytes()))
        };
        let mut found: Vec<PathBuf> = files.filter(named).collect();
        found.sort();
        found
    }
}

/// Does a name fit a pattern of `*` and `?`? Takes a time proportional to both.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(b'?') => (p, n) = (p + 1, n + 1),
            Some(&byte) if name.get(n) == Some(&byte) => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|&byte| byte == b'*')
}
