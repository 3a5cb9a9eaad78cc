//! Real servers that count: one host, one address each, every connection of a client written down as
//! it is accepted. Whether a server is well is a switch; its port answers all the same.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::bed::host::Host;

/// What a check looks for.
pub(super) const WELL: &str = "all is well";
/// Answers without an end.
pub(super) const DOWNLOAD: &str = "/download";
/// Between two pieces of a download.
const PIECE: Duration = Duration::from_millis(50);
/// An idle connection ends with the server; this is how soon that is noticed.
const PATIENCE: Duration = Duration::from_millis(200);
const LINE_LIMIT: u64 = 1024;
const PORT: u16 = 80;

/// Servers at addresses of one host. Dropping them ends every connection.
pub(super) struct Servers {
    host: Arc<Host>,
    each: BTreeMap<Ipv4Addr, Arc<Server>>,
    ends: Arc<AtomicBool>,
}

struct Server {
    name: String,
    well: AtomicBool,
    /// Connections that came from this client.
    client: IpAddr,
    clients: AtomicUsize,
}

impl Servers {
    /// Listens at these addresses; all are well.
    pub(super) fn start(host: Arc<Host>, addresses: &[Ipv4Addr], client: IpAddr) -> Result<Self> {
        let ends = Arc::new(AtomicBool::new(false));
        let mut servers = Self {
            host: Arc::clone(&host),
            each: BTreeMap::new(),
            ends: Arc::clone(&ends),
        };
        for address in addresses {
            let server = Arc::new(Server {
                name: address.to_string(),
                well: AtomicBool::new(true),
                client,
                clients: AtomicUsize::new(0),
            });
            servers.each.insert(*address, Arc::clone(&server));
            let (place, ends) = (SocketAddr::from((*address, PORT)), Arc::clone(&ends));
            host.within(|| {
                let listener = TcpListener::bind(place).context("a server's port")?;
                // Threads made in here inherit the network.
                thread::spawn(move || server.accept(&listener, &ends));
                Ok(())
            })?;
        }
        Ok(servers)
    }

    /// From now on its page does, or does not, hold what a check looks for.
    pub(super) fn set_well(&self, address: Ipv4Addr, well: bool) -> Result<()> {
        self.get(address)?.well.store(well, Ordering::SeqCst);
        Ok(())
    }

    /// Connections of clients that have reached it.
    pub(super) fn clients(&self, address: Ipv4Addr) -> Result<usize> {
        Ok(self.get(address)?.clients.load(Ordering::SeqCst))
    }

    fn get(&self, address: Ipv4Addr) -> Result<&Server> {
        let server = self.each.get(&address);
        server
            .map(AsRef::as_ref)
            .with_context(|| format!("no server at {address}"))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let places = self.each.keys().map(|address| (*address, PORT));
        let _ = self.host.within(|| {
            for place in places {
                // Wakes the one that accepts.
                let _ = TcpStream::connect_timeout(&place.into(), PATIENCE);
            }
            Ok(())
        });
    }
}

impl Server {
    fn accept(self: Arc<Self>, listener: &TcpListener, ends: &Arc<AtomicBool>) {
        while let Ok((stream, peer)) = listener.accept() {
            if ends.load(Ordering::SeqCst) {
                return;
            }
            if peer.ip() == self.client {
                self.clients.fetch_add(1, Ordering::SeqCst);
            }
            let (server, ends) = (Arc::clone(&self), Arc::clone(ends));
            // Whatever becomes of one connection is seen by its client.
            thread::spawn(move || server.serve(stream, &ends).ok());
        }
    }

    fn serve(&self, stream: TcpStream, ends: &AtomicBool) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut writer = stream.try_clone()?;
        let mut lines = BufReader::new(stream);
        while let Some((path, keeps)) = request(&mut lines, ends)? {
            if path == DOWNLOAD {
                return self.download(&mut writer, ends);
            }
            let word = if self.well.load(Ordering::SeqCst) {
                WELL
            } else {
                "out of order"
            };
            let body = format!("{} {word}\n", self.name);
            let keep = if keeps { "keep-alive" } else { "close" };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: {keep}\r\n\r\n"
            );
            writer.write_all((head + &body).as_bytes())?;
            if !keeps {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Its name again and again, until the client has enough.
    fn download(&self, writer: &mut TcpStream, ends: &AtomicBool) -> std::io::Result<()> {
        writer.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        while !ends.load(Ordering::SeqCst) {
            writer.write_all(format!("{}\n", self.name).as_bytes())?;
            thread::sleep(PIECE);
        }
        Ok(())
    }
}

/// The path of the next request, and whether another one may follow; `None` at the end.
fn request(
    lines: &mut BufReader<TcpStream>,
    ends: &AtomicBool,
) -> std::io::Result<Option<(String, bool)>> {
    let Some(first) = line(lines, ends)? else {
        return Ok(None);
    };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut keeps = first.ends_with("HTTP/1.1");
    loop {
        match line(lines, ends)? {
            Some(field) if field.is_empty() => return Ok(Some((path, keeps))),
            Some(field) => keeps &= !field.eq_ignore_ascii_case("connection: close"),
            None => return Ok(None),
        }
    }
}

/// Waits for a line as long as the server lives.
fn line(lines: &mut BufReader<TcpStream>, ends: &AtomicBool) -> std::io::Result<Option<String>> {
    let mut text = String::new();
    while !ends.load(Ordering::SeqCst) {
        match lines.by_ref().take(LINE_LIMIT).read_line(&mut text) {
            Ok(_) if text.ends_with('\n') => return Ok(Some(text.trim_end().to_owned())),
            Ok(_) => return Ok(None),
            Err(error) if is_early(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Nothing has come yet, that is all.
pub(super) fn is_early(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}
