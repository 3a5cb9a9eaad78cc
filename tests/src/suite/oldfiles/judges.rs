//! The two who judge: the real Heartbeat 3.0.6 at its start, and `hbd check --offline`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Case, File, grammar};
use crate::bed::host::Host;
use crate::bed::peers::HEARTBEAT;
use crate::scenario::programs::Programs;

/// A node that no file names: the last line of every haresources, so that the old daemon reads
/// everything, refuses only then, and never starts.
const STOPPER: &str = "zz-stop";
/// Old daemons at a time.
const WORKERS: usize = 2;
/// For all cases of a worker.
const LIMIT: Duration = Duration::from_secs(300);
/// Directories for one call of `hbd check`.
const BATCH: usize = 200;

/// What one of them said.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) accepted: bool,
    /// Errors of the old daemon; everything that `hbd check` says.
    pub(super) said: String,
}

/// Both verdicts over each case, in order.
pub(super) fn both(
    host: &Host,
    programs: &Programs,
    desk: &Path,
    cases: &[Case],
) -> Result<Vec<(Verdict, Verdict)>> {
    let folder = desk.join("cases");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let directories: Vec<PathBuf> = (0..cases.len())
        .map(|number| folder.join(number.to_string()))
        .collect();
    for (case, directory) in cases.iter().zip(&directories) {
        write(&directory.join("old"), case, true)?;
        write(&directory.join("new"), case, false)?;
    }
    let (old, new) = thread::scope(|scope| {
        let old = scope.spawn(|| old(host, &directories));
        let new = scope.spawn(|| new(programs, &directories));
        (old.join(), new.join())
    });
    let panicked = |_| anyhow::anyhow!("a judge panicked");
    let (old, new) = (old.map_err(panicked)??, new.map_err(panicked)??);
    Ok(old.into_iter().zip(new).collect())
}

/// The three files, of which the case is one.
fn write(directory: &Path, case: &Case, stopped: bool) -> Result<()> {
    fs::create_dir_all(directory)?;
    let usual = |file: File| -> String {
        let lines: &[&str] = match file {
            File::HaCf => &grammar::HA_CF,
            File::Haresources => &grammar::HARESOURCES,
            File::Authkeys => &grammar::AUTHKEYS,
        };
        lines.iter().flat_map(|line| [line, "\n"]).collect()
    };
    for file in File::ALL {
        let mut text = if file == case.file {
            case.text()
        } else {
            usual(file)
        };
        if file == File::Haresources && stopped {
            // An empty line ends a continuation that the case may have left open.
            text.extend(["\n", STOPPER, " x\n"]);
        }
        let path = directory.join(file.name());
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// Starts the old daemon with the files of each case; it refuses each time.
fn old(host: &Host, directories: &[PathBuf]) -> Result<Vec<Verdict>> {
    let count = directories.len();
    let Some(folder) = directories.first().and_then(|first| first.parent()) else {
        return Ok(Vec::new());
    };
    let cases = folder.display();
    // The files are those of the folder in which the daemon is started: one process for each case.
    let script = format!(
        "n=$1; etc=/srv/etc.$n; mkdir -p $etc\n\
         for f in ha.cf haresources authkeys; do ln -sf /proc/self/cwd/$f $etc/$f; done\n\
         mount --bind $etc /etc/ha.d\n\
         while [ $n -lt {count} ]; do\n\
         cd {cases}/$n/old; {HEARTBEAT} -f >/dev/null 2>said || :; n=$((n+{WORKERS}))\n\
         done"
    );
    let limit = LIMIT.as_secs().to_string();
    let workers: Vec<_> = (0..WORKERS)
        .map(|number| {
            host.command("timeout")?
                .args(["-s", "KILL", &limit, "unshare", "-m"])
                .args(["sh", "-c", &script, "worker", &number.to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .context("cannot start a worker")
        })
        .collect::<Result<_>>()?;
    for worker in workers {
        let output = worker.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "a worker failed: {said}");
    }
    let stopped = format!("haresources [{STOPPER}]");
    directories
        .iter()
        .map(|directory| {
            let said = fs::read(directory.join("old/said"))?;
            let said = String::from_utf8_lossy(&said).into_owned();
            let errors = said.lines().filter(|line| line.contains("ERROR: "));
            let errors = errors.filter_map(|line| line.split_once("ERROR: "));
            Ok(Verdict {
                accepted: said.contains(&stopped),
                said: errors.flat_map(|(_, text)| [text, "\n"]).collect(),
            })
        })
        .collect()
}

/// Asks `hbd check`, many directories at a time.
fn new(programs: &Programs, directories: &[PathBuf]) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for batch in directories.chunks(BATCH) {
        let batch: Vec<PathBuf> = batch.iter().map(|one| one.join("new")).collect();
        let output = std::process::Command::new(programs.path("hbd"))
            .args(["check", "--offline", "--show", "--node", "lb1"])
            .args(&batch)
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut rest = said.as_str();
        for directory in batch {
            let mark = format!("{}: ", directory.display());
            let place = rest
                .match_indices(&mark)
                .find(|(at, _)| {
                    let line = rest[at + mark.len()..].trim_start_matches("not ");
                    line.starts_with("usable: ")
                })
                .with_context(|| format!("hbd check has no verdict for {mark}{output:?}"))?;
            let (told, verdict) = rest.split_at(place.0);
            verdicts.push(Verdict {
                accepted: verdict[mark.len()..].starts_with("usable"),
                said: told.to_owned(),
            });
            rest = verdict.split_once('\n').map_or("", |(_, rest)| rest);
        }
    }
    Ok(verdicts)
}
