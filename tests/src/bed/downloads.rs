//! Downloads that are under way while something happens to the directors: does an established
//! connection go on to its end?
//!
//! A client reads the beginning of each, waits, and reads the rest later: the real server's window is full
//! meanwhile, so that what waits is not on its way already.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::host::Host;
use super::real_server::RealServer;

/// More than a connection holds on its way while nobody reads.
const BYTES: usize = 8 * 1024 * 1024;
/// For a packet that should come; a broken connection says so sooner.
const PATIENCE: Duration = Duration::from_secs(30);
const HEAD_BYTES_MAX: usize = 4096;
/// A real server's name is told by so many first bytes of what it sends.
const NAME_BYTES: usize = 4;

/// Lets a real server offer what is downloaded: its name, of [`NAME_BYTES`] letters, all over.
pub fn offer(real: &RealServer) -> Result<()> {
    let name = real.host().name();
    ensure!(name.len() == NAME_BYTES, "{name} has another length");
    Ok(fs::write(real.pages().join("big"), content(name))?)
}

fn content(name: &str) -> Vec<u8> {
    let mut all = name.as_bytes().repeat(BYTES / name.len() + 1);
    all.truncate(BYTES);
    all
}

/// A download that has begun.
pub struct Download {
    stream: TcpStream,
    /// The first bytes behind the answer's head.
    begun: Vec<u8>,
}

impl Download {
    /// So many at once, from this host.
    pub fn begin(client: &Host, server: SocketAddr, count: usize) -> Result<Vec<Self>> {
        let begun = client.within(|| (0..count).map(|_| Self::begin_here(server)).collect());
        begun.context("the downloads begin")
    }

    fn begin_here(server: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /big HTTP/1.0\r\n\r\n")?;
        let mut read = Vec::new();
        let mut byte = [0];
        while !read.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            read.extend(byte);
            ensure!(read.len() < HEAD_BYTES_MAX, "an endless head");
        }
        ensure!(read.starts_with(b"HTTP/1.1 200"), "{read:?}");
        let mut begun = vec![0; NAME_BYTES];
        stream.read_exact(&mut begun)?;
        Ok(Self { stream, begun })
    }

    /// Reads the rest; gives the server that sent it.
    pub fn end(mut self) -> Result<String> {
        let name = String::from_utf8(self.begun.clone())?;
        self.stream.read_to_end(&mut self.begun)?;
        let length = self.begun.len();
        ensure!(length == BYTES, "ended after {length} bytes");
        ensure!(self.begun == content(&name), "{name} sent something else");
        Ok(name)
    }

    /// Does the kernel of this director know each of these connections as an established one? It also
    /// remembers those of an earlier turn.
    pub fn are_known(director: &Host, downloads: &[Self]) -> Result<bool> {
        let text =
            director.within(|| Ok(fs::read_to_string("/proc/thread-self/net/ip_vs_conn")?))?;
        for download in downloads {
            let port = download.stream.local_addr()?.port();
            let server = download.stream.peer_addr()?;
            let IpAddr::V4(address) = server.ip() else {
                anyhow::bail!("{server} is not of IPv4");
            };
            let from_to = format!(
                " {port:04X} {:08X} {:04X} ",
                address.to_bits(),
                server.port()
            );
            let mut lines = text.lines();
            if !lines.any(|line| line.contains(&from_to) && line.contains("ESTABLISHED")) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
