//! Questions to a daemon's status socket, from outside its host and without a runtime.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ha_status::{Reply, Request, SCHEMA_VERSION, Snapshot, VirtualService};

/// For each line of an answer; a frozen daemon must not hold up a scenario.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than any snapshot of the lab.
const LINE_LIMIT: u64 = 32 * 1024 * 1024;

/// One snapshot from the socket `name` in `folder`.
pub fn snapshot(folder: &Path, name: &str) -> Result<Snapshot> {
    ask(folder, name).with_context(|| format!("socket {name} of {}", folder.display()))
}

fn ask(folder: &Path, name: &str) -> Result<Snapshot> {
    let folder = File::open(folder)?;
    // A socket's address holds 107 bytes; a repository may lie deeper than that.
    let short = format!("/proc/self/fd/{}/{name}", folder.as_raw_fd());
    let mut stream = UnixStream::connect(short)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.try_clone()?);
    match reply(&mut lines)? {
        Reply::Hello(hello) => ensure!(
            hello.version == SCHEMA_VERSION,
            "schema version {} instead of {SCHEMA_VERSION}",
            hello.version
        ),
        other => bail!("no hello but {other:?}"),
    }
    let mut request = serde_json::to_vec(&Request::Snapshot)?;
    request.push(b'\n');
    stream.write_all(&request)?;
    whole(&mut lines)
}

/// The snapshot, with the rows of a large one that come before it.
fn whole(lines: &mut BufReader<UnixStream>) -> Result<Snapshot> {
    let (mut groups, mut services) = (Vec::new(), Vec::<VirtualService>::new());
    loop {
        match reply(lines)? {
            Reply::Rows {
                groups: more,
                services: parts,
                continued,
            } => {
                groups.extend(more);
                let mut parts = parts.into_iter();
                if continued && let (Some(last), Some(part)) = (services.last_mut(), parts.next()) {
                    last.reals.extend(part.reals);
                }
                services.extend(parts);
            }
            Reply::Snapshot { mut snapshot, .. } => {
                match &mut snapshot {
                    Snapshot::Cluster(cluster) => drop(cluster.groups.splice(0..0, groups)),
                    Snapshot::Director(director) => drop(director.services.splice(0..0, services)),
                }
                return Ok(snapshot);
            }
            other => bail!("no snapshot but {other:?}"),
        }
    }
}

fn reply(lines: &mut BufReader<UnixStream>) -> Result<Reply> {
    let mut line = String::new();
    lines.by_ref().take(LINE_LIMIT).read_line(&mut line)?;
    ensure!(!line.is_empty(), "the daemon closed the connection");
    serde_json::from_str(&line).context("the daemon spoke nonsense")
}
