//! Questions to a daemon's status socket, from outside its host and without a runtime.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ha_status::{Reply, Request, SCHEMA_VERSION, Snapshot};

/// For each line of an answer; a frozen daemon must not hold up a scenario.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than any snapshot of the lab.
const LINE_LIMIT: u64 = 4 * 1024 * 1024;

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
    match reply(&mut lines)? {
        Reply::Snapshot { snapshot, .. } => Ok(snapshot),
        other => bail!("no snapshot but {other:?}"),
    }
}

fn reply(lines: &mut BufReader<UnixStream>) -> Result<Reply> {
    let mut line = String::new();
    lines.by_ref().take(LINE_LIMIT).read_line(&mut line)?;
    ensure!(!line.is_empty(), "the daemon closed the connection");
    serde_json::from_str(&line).context("the daemon spoke nonsense")
}
