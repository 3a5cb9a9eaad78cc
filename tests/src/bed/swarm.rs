//! Thousands of real servers in one process: each port behaves in a way of its own at every address
//! of its host, so that 127.0.0.0/8 alone holds more servers than any site has.
//!
//! Runs as `lab swarm` on a host and is told on its standard input how a port behaves from then on.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::host::Host;

/// Connections that may wait to be accepted: a first round comes all at once.
const BACKLOG: i32 = 16_384;
/// More than any request of a check.
const REQUEST_MAX: usize = 4096;
/// A connection of a server that answers lasts no longer.
const CONNECTION_MAX: Duration = Duration::from_secs(10);
const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 10\r\n\
    Connection: close\r\n\r\nTest Page\n";
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\
    Connection: close\r\n\r\n";

/// How a port behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Serves a small page.
    Http,
    /// Accepts, closes.
    Open,
    /// Accepts, says nothing.
    Silent,
    /// Does not accept: packets that would open a connection are lost.
    Deaf,
    /// Refuses.
    Closed,
    /// Serves the page for so many milliseconds, then fails as long in one of many ways, and so on;
    /// each address at another time.
    Flapping(u64),
}

impl fmt::Display for Manner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http => f.write_str("http"),
            Self::Open => f.write_str("open"),
            Self::Silent => f.write_str("silent"),
            Self::Deaf => f.write_str("deaf"),
            Self::Closed => f.write_str("closed"),
            Self::Flapping(period) => write!(f, "flapping:{period}"),
        }
    }
}

impl FromStr for Manner {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "http" => Self::Http,
            "open" => Self::Open,
            "silent" => Self::Silent,
            "deaf" => Self::Deaf,
            "closed" => Self::Closed,
            _ => match text.strip_prefix("flapping:").map(str::parse) {
                Some(Ok(period)) if period > 0 => Self::Flapping(period),
                _ => bail!("no manner is called {text}"),
            },
        })
    }
}

/// A port and its manner, as `80=http`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    pub number: u16,
    pub manner: Manner,
}

impl FromStr for Port {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (number, manner) = text.split_once('=').context("PORT=MANNER")?;
        Ok(Self {
            number: number.parse().context("a port")?,
            manner: manner.parse()?,
        })
    }
}

/// The address of one of the servers, by its number.
pub fn address(number: u32) -> Ipv4Addr {
    // 127.0.x.y is left to those who use loopback for something else.
    let [_, high, middle, low] = (number + (1 << 16)).to_be_bytes();
    Ipv4Addr::new(127, high, middle, low)
}

/// The process on a host. Dropping it ends it.
pub struct Swarm {
    child: Child,
    tell: ChildStdin,
    said: io::BufReader<std::process::ChildStdout>,
}

impl Swarm {
    /// Starts it, as the lab `program` has it, on the processor `core`, if one is named, and waits
    /// until all ports are open.
    pub fn start(host: &Host, program: &Path, core: Option<usize>, ports: &[Port]) -> Result<Self> {
        let mut command = match core {
            Some(core) => {
                let mut command = host.command("taskset")?;
                command.arg("-c").arg(core.to_string()).arg(program);
                command
            }
            None => host.command(program)?,
        };
        command.arg("swarm");
        Self::spawn(command, ports)
    }

    fn spawn(mut command: Command, ports: &[Port]) -> Result<Self> {
        for port in ports {
            command.arg(format!("{}={}", port.number, port.manner));
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the servers")?;
        let tell = child.stdin.take().context("piped")?;
        let said = io::BufReader::new(child.stdout.take().context("piped")?);
        let mut swarm = Self { child, tell, said };
        swarm.hear()?;
        Ok(swarm)
    }

    /// These ports behave so from now on.
    pub fn turn(&mut self, ports: &[Port]) -> Result<()> {
        let words: Vec<String> = ports
            .iter()
            .map(|port| format!("{}={}", port.number, port.manner))
            .collect();
        self.say(&words.join(" "))?;
        self.hear().map(drop)
    }

    /// Connections that were accepted so far, by port.
    pub fn accepted(&mut self) -> Result<BTreeMap<u16, u64>> {
        self.say("count")?;
        let said = self.hear()?;
        let counts = said.split_whitespace().map(|word| {
            let (port, count) = word.split_once('=').context("PORT=COUNT")?;
            Ok((port.parse()?, count.parse()?))
        });
        counts.collect()
    }

    fn say(&mut self, line: &str) -> Result<()> {
        use io::Write as _;
        writeln!(self.tell, "{line}").context("the servers are gone")
    }

    fn hear(&mut self) -> Result<String> {
        use io::BufRead as _;
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        match line.trim_end().strip_prefix("ok") {
            Some(rest) => Ok(rest.trim().to_owned()),
            None => bail!("the servers said {line:?}"),
        }
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process itself: lives until its standard input ends.
pub fn run(ports: &[Port]) -> Result<()> {
    // A hanging connection costs a descriptor.
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, all).context("descriptors")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(ports))
}

async fn serve(ports: &[Port]) -> Result<()> {
    let mut open = Open::default();
    for port in ports {
        open.turn(*port).await?;
    }
    println!("ok");
    let mut lines = told();
    while let Some(line) = lines.recv().await {
        if line == "count" {
            let counts = open.ports.iter();
            let counts: Vec<String> = counts
                .map(|(number, port)| format!("{number}={}", port.accepted.load(Ordering::Relaxed)))
                .collect();
            println!("ok {}", counts.join(" "));
            continue;
        }
        for word in line.split_whitespace() {
            open.turn(word.parse()?).await?;
        }
        println!("ok");
    }
    Ok(())
}

/// The lines of standard input, until it ends.
fn told() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

#[derive(Default)]
struct Open {
    ports: BTreeMap<u16, Listening>,
}

#[derive(Default)]
struct Listening {
    accepted: Arc<AtomicU64>,
    /// Accepts; a deaf port has a socket only, and what fills its queue.
    task: Option<JoinHandle<()>>,
    deaf: Option<(Socket, Vec<TcpStream>)>,
}

impl Open {
    async fn turn(&mut self, port: Port) -> Result<()> {
        let listening = self.ports.entry(port.number).or_default();
        if let Some(task) = listening.task.take() {
            task.abort();
            // Its socket is closed when it has ended.
            let _ = task.await;
        }
        listening.deaf = None;
        match port.manner {
            Manner::Closed => {}
            Manner::Deaf => listening.deaf = Some(deaf(port.number).await?),
            Manner::Http | Manner::Open | Manner::Silent | Manner::Flapping(_) => {
                let socket = listener(port.number, BACKLOG)?;
                socket.set_nonblocking(true)?;
                let listener = TcpListener::from_std(socket.into())?;
                let accepted = Arc::clone(&listening.accepted);
                listening.task = Some(tokio::spawn(accept(listener, port.manner, accepted)));
            }
        }
        Ok(())
    }
}

fn listener(port: u16, backlog: i32) -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
    socket.listen(backlog)?;
    Ok(socket)
}

/// With a queue of connections that nobody accepts, so full that the kernel drops what would open
/// another one.
async fn deaf(port: u16) -> Result<(Socket, Vec<TcpStream>)> {
    const FILL_MAX: usize = 16;
    const PATIENCE: Duration = Duration::from_millis(200);
    let socket = listener(port, 0)?;
    let mut filling = Vec::new();
    while filling.len() < FILL_MAX {
        let one = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        match timeout(PATIENCE, one).await {
            Ok(stream) => filling.push(stream?),
            Err(_) => return Ok((socket, filling)),
        }
    }
    bail!("port {port} does not get deaf")
}

async fn accept(listener: TcpListener, manner: Manner, accepted: Arc<AtomicU64>) {
    let start = Instant::now();
    loop {
        // Without descriptors it is tried again when a connection has ended.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        accepted.fetch_add(1, Ordering::Relaxed);
        let manner = match manner {
            Manner::Flapping(period) => match stream.local_addr() {
                Ok(address) => mood(address, period, start.elapsed()),
                Err(_) => Mood::Close,
            },
            Manner::Http => Mood::Page,
            Manner::Silent => Mood::Silence,
            Manner::Open | Manner::Deaf | Manner::Closed => Mood::Close,
        };
        match manner {
            Mood::Close => drop(stream),
            Mood::Page | Mood::Busy | Mood::Silence => {
                tokio::spawn(timeout(CONNECTION_MAX, answer(stream, manner)));
            }
        }
    }
}

/// What one connection meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Page,
    Busy,
    Silence,
    Close,
}

/// Of a flapping server at this time.
fn mood(address: SocketAddr, period: u64, passed: Duration) -> Mood {
    let number = match address {
        SocketAddr::V4(address) => u64::from(u32::from(*address.ip())),
        SocketAddr::V6(_) => 0,
    };
    // Spread by a multiple that has no factor in common with usual periods.
    let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
    let phase = (passed + number * 7919) / period;
    if phase.is_multiple_of(2) {
        return Mood::Page;
    }
    match (phase / 2 + number) % 3 {
        0 => Mood::Busy,
        1 => Mood::Silence,
        _ => Mood::Close,
    }
}

async fn answer(mut stream: TcpStream, mood: Mood) -> io::Result<()> {
    let mut request = [0; REQUEST_MAX];
    let mut filled = 0;
    loop {
        let rest = request.get_mut(filled..).unwrap_or_default();
        let length = stream.read(rest).await?;
        if length == 0 {
            return Ok(());
        }
        if mood == Mood::Silence {
            continue;
        }
        filled += length;
        let seen = request.get(..filled).unwrap_or_default();
        if seen.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let page = if mood == Mood::Busy { BUSY } else { PAGE };
    stream.write_all(page).await
}

/// Fails where this kernel cannot hold so many servers: too few connections may wait.
pub fn fits(host: &Host) -> Result<()> {
    let backlog = BACKLOG.to_string();
    host.sysctl(&[
        ("net.core.somaxconn", &backlog),
        ("net.ipv4.tcp_max_syn_backlog", &backlog),
    ])?;
    let set = host.sh("cat /proc/sys/net/core/somaxconn")?;
    ensure!(set.trim() == backlog, "somaxconn is {set}");
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_port_is_read_as_it_is_written() {
        for text in [
            "80=http",
            "81=silent",
            "82=deaf",
            "83=flapping:3000",
            "84=closed",
            "85=open",
        ] {
            let port: Port = text.parse().unwrap();
            assert_eq!(format!("{}={}", port.number, port.manner), text);
        }
        for text in ["80", "x=http", "80=other", "80=flapping:0"] {
            assert!(text.parse::<Port>().is_err(), "{text}");
        }
    }

    #[test]
    fn servers_have_addresses_of_their_own() {
        assert_eq!(address(0), Ipv4Addr::new(127, 1, 0, 0));
        assert_eq!(address(65_535), Ipv4Addr::new(127, 1, 255, 255));
        assert_eq!(address(65_536), Ipv4Addr::new(127, 2, 0, 0));
    }

    #[test]
    fn a_flapping_server_is_well_half_of_the_time() {
        let address = SocketAddr::from((Ipv4Addr::new(127, 1, 2, 3), 80));
        let moods: Vec<Mood> = (0..600)
            .map(|second| mood(address, 2000, Duration::from_secs(second)))
            .collect();
        let well = moods.iter().filter(|mood| **mood == Mood::Page).count();
        assert_eq!(well, 300);
        for bad in [Mood::Busy, Mood::Silence, Mood::Close] {
            assert!(moods.contains(&bad), "{bad:?}");
        }
    }
}
