//! What strangers send, to the heartbeat port and to the status socket, changes nothing but a counter.

pub(super) mod datagrams;

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ha_status::{ClusterSnapshot, Counters, NodeStatus, RunState};

use super::ownership::{nodes, settled_on, with_pair};
use super::random::Random;
use super::watch::throughout;
use super::{Case, Place, amount};
use crate::bed::wait;
use crate::scenario::director::Director;
use crate::scenario::pair::Pair;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "garbage_changes_nothing_but_a_counter",
        place: Place::Here,
        run: on_the_wire,
    },
    Case {
        name: "garbage_on_the_status_socket_disturbs_nobody",
        place: Place::Here,
        run: on_the_socket,
    },
];

const LIMIT: Duration = Duration::from_secs(20);
const PORT: u16 = 694;
/// For each node, or as many as `LAB_DATAGRAMS` says.
const DATAGRAMS: u64 = 20_000;
/// So many are sent before the receiver is asked whether it has them all: they must fit into the
/// socket's queue, or the kernel throws some away.
const BATCH: usize = 50;
const SEED: u64 = 20_241_120;
const CAPTURED: usize = 20;
/// The daemon may need a moment's memory; it may not keep any.
const GROWTH_KIB: u64 = 2048;

/// What garbage may not change.
#[derive(Debug, PartialEq, Eq)]
struct State {
    nodes: Vec<(String, NodeStatus, u64)>,
    groups: Vec<(String, Option<String>, u64, RunState)>,
    late: u64,
    lost: u64,
}

impl State {
    fn of(cluster: &ClusterSnapshot) -> Self {
        let nodes = cluster.nodes.iter();
        let groups = cluster.groups.iter();
        Self {
            nodes: nodes
                .map(|node| (node.name.clone(), node.status, node.generation))
                .collect(),
            groups: groups
                .map(|group| {
                    let owner = group.owner.clone();
                    (group.name.clone(), owner, group.epoch, group.state)
                })
                .collect(),
            late: cluster.counters.late,
            lost: cluster.counters.lost,
        }
    }
}

/// A daemon under fire: how it was before.
pub(super) struct Target<'a> {
    node: &'a Director,
    before: State,
    counters: Counters,
    process: String,
    memory_kib: u64,
}

impl<'a> Target<'a> {
    pub(super) fn new(node: &'a Director) -> Result<Self> {
        let cluster = node.cluster()?;
        Ok(Self {
            node,
            before: State::of(&cluster),
            counters: cluster.counters,
            process: process(node)?,
            memory_kib: memory_kib(node)?,
        })
    }

    pub(super) fn refused(&self) -> Result<u64> {
        Ok(rejected(&self.node.cluster()?.counters) - rejected(&self.counters))
    }

    /// Refused, or known as old.
    fn dropped(&self) -> Result<u64> {
        let now = self.node.cluster()?.counters;
        let old = |counters: &Counters| counters.duplicates + counters.replays;
        Ok(self.refused()? + old(&now) - old(&self.counters))
    }

    fn is_unchanged(&self) -> Result<()> {
        let name = self.node.name();
        let cluster = self.node.cluster()?;
        let now = State::of(&cluster);
        ensure!(
            now == self.before,
            "{name} was {:?} and is {now:?}",
            self.before
        );
        let late = cluster
            .recent
            .iter()
            .find(|notice| notice.text.starts_with("Late"));
        ensure!(late.is_none(), "{name} says {late:?}");
        ensure!(
            process(self.node)? == self.process,
            "{name}: hbd is another process"
        );
        self.is_as_large()
    }

    pub(super) fn is_as_large(&self) -> Result<()> {
        let memory = memory_kib(self.node)?;
        ensure!(
            memory <= self.memory_kib + GROWTH_KIB,
            "{}: hbd had {} KiB and has {memory} KiB",
            self.name(),
            self.memory_kib
        );
        Ok(())
    }

    pub(super) fn name(&self) -> &str {
        self.node.name()
    }
}

fn rejected(counters: &Counters) -> u64 {
    counters.rejected_frame
        + counters.rejected_digest
        + counters.rejected_key
        + counters.rejected_length
        + counters.rejected_malformed
}

fn process(node: &Director) -> Result<String> {
    node.host().run(&["pidof", "hbd"])
}

fn memory_kib(node: &Director) -> Result<u64> {
    let shown = node.host().sh("grep VmRSS /proc/$(pidof hbd)/status")?;
    let number = shown.split_whitespace().nth(1);
    number
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("no memory in {shown:?}"))
}

fn on_the_wire() -> Result<()> {
    with_pair(|pair| {
        let socket = pair.client().within(|| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
            socket.set_read_timeout(Some(LIMIT))?;
            Ok(socket)
        })?;
        // What a node said itself it ignores: it gets garbage made of the other's words.
        let mut fires = [
            Fire::new(
                Target::new(pair.one())?,
                [10, 77, 0, 1],
                capture(&socket, "lb2")?,
            ),
            Fire::new(
                Target::new(pair.two())?,
                [10, 77, 0, 2],
                capture(&socket, "lb1")?,
            ),
        ];
        let datagrams = usize::try_from(amount("LAB_DATAGRAMS", DATAGRAMS)?)?;
        while fires.iter().any(|fire| fire.sent < datagrams) {
            for fire in &mut fires {
                fire.send_batch(&socket)?;
            }
        }
        for fire in &fires {
            fire.all_was_refused()?;
            fire.target.is_unchanged()?;
        }
        settled_on(pair, "lb1")
    })
}

/// Genuine status messages of a node.
pub(super) fn capture(socket: &UdpSocket, node: &str) -> Result<Vec<Vec<u8>>> {
    let sender = format!("src={node}");
    let mut genuine = Vec::new();
    let mut buffer = vec![0; 65_536];
    let started = Instant::now();
    while genuine.len() < CAPTURED {
        ensure!(started.elapsed() < LIMIT, "{node} is not heard");
        let (length, _) = socket
            .recv_from(&mut buffer)
            .context("the pair is silent")?;
        let packet = buffer.get(..length).unwrap_or_default();
        let says = |word: &str| {
            packet
                .windows(word.len())
                .any(|part| part == word.as_bytes())
        };
        if says("t=status") && says(&sender) {
            genuine.push(packet.to_vec());
        }
    }
    Ok(genuine)
}

/// The garbage for one target.
struct Fire<'a> {
    target: Target<'a>,
    address: SocketAddr,
    genuine: Vec<Vec<u8>>,
    random: Random,
    sent: usize,
    replays: usize,
}

impl<'a> Fire<'a> {
    fn new(target: Target<'a>, address: [u8; 4], genuine: Vec<Vec<u8>>) -> Self {
        Self {
            target,
            address: SocketAddr::from((address, PORT)),
            genuine,
            random: Random::new(SEED),
            sent: 0,
            replays: 0,
        }
    }

    /// Sends a batch and waits until all that was sent so far is counted.
    fn send_batch(&mut self, socket: &UdpSocket) -> Result<()> {
        for number in 0..BATCH {
            let datagram = if number == 0 {
                datagrams::killer()
            } else {
                datagrams::draw(&mut self.random, &self.genuine)
            };
            socket.send_to(&datagram.bytes, self.address)?;
            self.sent += 1;
            self.replays += usize::from(datagram.is_replay);
        }
        let name = self.target.node.name();
        let sent = u64::try_from(self.sent)?;
        let mut dropped = 0;
        wait::for_some("all of a batch is counted", LIMIT, || {
            dropped = self.target.dropped()?;
            Ok((dropped >= sent).then_some(()))
        })
        .with_context(|| format!("{name} counted {dropped} of {sent}"))?;
        ensure!(dropped == sent, "{name} counted {dropped} of {sent}");
        Ok(())
    }

    fn all_was_refused(&self) -> Result<()> {
        let spoiled = u64::try_from(self.sent - self.replays)?;
        let refused = self.target.refused()?;
        // A flipped bit that no digest covers, such as the end of a line, is no fault.
        ensure!(
            refused >= spoiled * 95 / 100 && refused <= spoiled,
            "{} refused {refused} of {spoiled}",
            self.target.node.name()
        );
        Ok(())
    }
}

/// Clients beyond those that a daemon serves at once.
const CROWD: usize = 100;
/// Longer than any request may be.
const HUGE_LINE: usize = 4 * 1024 * 1024;
const PERIOD: Duration = Duration::from_secs(2);

fn on_the_socket() -> Result<()> {
    with_pair(|pair| {
        let targets = [Target::new(pair.one())?, Target::new(pair.two())?];
        for node in nodes(pair) {
            junk_lines(node)?;
            huge_line(node)?;
            half_lines(node)?;
        }
        for target in &targets {
            target.is_unchanged()?;
        }
        crowds(pair, &targets)?;
        settled_on(pair, "lb1")
    })
}

fn junk_lines(node: &Director) -> Result<()> {
    let mut random = Random::new(SEED);
    for round in 0..200 {
        let mut stream = connect(node)?;
        let length = random.below(200);
        let mut line: Vec<u8> = (0..length).map(|_| (random.next() >> 40) as u8).collect();
        if round % 2 == 0 {
            line = br#"{"request":"act","action":{"verb":"stand"#.to_vec();
        }
        line.push(b'\n');
        give(&mut stream, &line)?;
        drain(&mut stream)?;
    }
    Ok(())
}

fn huge_line(node: &Director) -> Result<()> {
    let mut stream = connect(node)?;
    give(&mut stream, &vec![b'x'; HUGE_LINE])?;
    drain(&mut stream)
}

fn half_lines(node: &Director) -> Result<()> {
    for half in [&br#"{"request":"#[..], b"{", b"", b"\0\0\0", b"\xff\xfe"] {
        let mut stream = connect(node)?;
        give(&mut stream, half)?;
    }
    Ok(())
}

/// Idle clients take every place; the cluster goes on, and the places are free again afterwards.
fn crowds(pair: &Pair, targets: &[Target<'_>]) -> Result<()> {
    let mut crowd = Vec::new();
    for node in nodes(pair) {
        for _ in 0..CROWD {
            crowd.push(connect(node)?);
        }
    }
    throughout(PERIOD, || {
        for node in nodes(pair) {
            ensure!(
                node.host().processes("hbd").len() == 1,
                "{}: hbd is gone",
                node.name()
            );
        }
        Ok(())
    })?;
    drop(crowd);
    for target in targets {
        wait::until("a place is free again", LIMIT, || {
            target.node.cluster().is_ok()
        })?;
        target.is_unchanged()?;
    }
    Ok(())
}

fn connect(node: &Director) -> Result<UnixStream> {
    let folder = File::open(node.run_folder().join("heartbeat"))?;
    // A socket's address holds 107 bytes; a repository may lie deeper than that.
    let short = format!("/proc/self/fd/{}/hbd.sock", folder.as_raw_fd());
    let stream = UnixStream::connect(short)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

/// Writes, and accepts that the daemon has heard enough at some point.
fn give(stream: &mut UnixStream, bytes: &[u8]) -> Result<()> {
    match stream.write_all(bytes) {
        Err(error) if !is_hang_up(&error) => {
            bail!("the daemon neither reads nor hangs up: {error}")
        }
        _ => Ok(()),
    }
}

/// Says no more, and reads until the daemon hangs up as well.
fn drain(stream: &mut UnixStream) -> Result<()> {
    let _ = stream.shutdown(Shutdown::Write);
    match std::io::copy(&mut stream.take(1024 * 1024), &mut std::io::sink()) {
        Err(error) if !is_hang_up(&error) => bail!("the daemon does not hang up: {error}"),
        _ => Ok(()),
    }
}

fn is_hang_up(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    )
}
