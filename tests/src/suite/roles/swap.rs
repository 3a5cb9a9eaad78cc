//! An exchange in place: the old daemon of a node is stopped, hbd goes on with its configuration and
//! its state, and the other way round. The peer, an old daemon, sees restarts of a node that it
//! knows; `heartbeat -k` and `-s` give sense at every moment.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ha_status::NodeStatus;

use super::node::{Rules, VIP, files};
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::peers::{HEARTBEAT, Heartbeat};
use crate::bed::wait;
use crate::scenario::director::Director;
use crate::scenario::programs::Programs;

const LIMIT: Duration = Duration::from_secs(60);
const PEER: &str = "lb1";
const NODE: &str = "lb2";
/// hbd under the old command's name, as an administrator may install it in its place.
const BY_NAME: &str = "/srv/heartbeat";

/// The node that is exchanged, and its peer.
struct Exchange {
    peer: Heartbeat,
    host: Arc<Host>,
    old: Heartbeat,
    new: Director,
}

/// Who a node says it is to its peers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    uuid: Vec<u8>,
    generation: u64,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ended {
    code: Option<i32>,
    said: String,
}

impl Exchange {
    fn build() -> Result<Self> {
        let network = Network::new()?;
        network.segment("lan")?;
        let host = |name: &str, address: &str| {
            let host = network.host(name).nic("lan", &[address]);
            Ok::<_, anyhow::Error>(Arc::new(host.power_on()?))
        };
        let files = files(Rules::Returns);
        let peer = Heartbeat::install(host(PEER, "10.77.0.1/24")?, &files)?;
        let host = host(NODE, "10.77.0.2/24")?;
        let old = Heartbeat::install(Arc::clone(&host), &files)?;
        let programs = Programs::find()?;
        let new = Director::adopt(Arc::clone(&host), &programs, VIP)?;
        let srv = host.folder().join("srv");
        fs::create_dir_all(&srv)?;
        symlink(programs.path("hbd"), srv.join("heartbeat"))?;
        Ok(Self {
            peer,
            host,
            old,
            new,
        })
    }

    /// Either command with one letter.
    fn command(&self, program: &str, letter: &str) -> Result<Ended> {
        let mut command = self.host.command("timeout")?;
        let output = command.args(["30", program, letter]).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok(Ended {
            code: output.status.code(),
            said: String::from_utf8_lossy(&said).into_owned(),
        })
    }

    /// It must end so and say this.
    fn expect(&self, (program, letter): (&str, &str), code: i32, word: &str) -> Result<()> {
        let ended = self.command(program, letter)?;
        ensure!(
            ended.code == Some(code) && ended.said.contains(word),
            "{program} {letter} ended with {ended:?} and not with {code} and {word:?}"
        );
        Ok(())
    }

    fn identity(&self) -> Result<Identity> {
        let state = self.host.folder().join("state");
        let read = |name: &str| fs::read(Path::new(&state).join(name)).context(name.to_owned());
        let generation = String::from_utf8(read("hb_generation")?)?;
        Ok(Identity {
            uuid: read("hb_uuid")?,
            generation: generation.trim().parse()?,
        })
    }

    /// It is the same node in a later life, and the peer has taken it for that.
    fn is_back(&self, before: &Identity, begun: usize) -> Result<Identity> {
        let restarted = format!("Heartbeat restart on node {NODE}");
        wait::until("the peer sees the node again", LIMIT, || {
            let log = self.peer.log();
            log.get(begun..).is_some_and(|log| log.contains(&restarted))
                && self.peer.node_status(NODE).as_deref() == Some("active")
        })
        .with_context(|| self.peer.log())?;
        let now = self.identity()?;
        ensure!(
            now.uuid == before.uuid && now.generation > before.generation,
            "{now:?} is not a later life of {before:?}"
        );
        let refused = self.peer.log().contains("replay attack");
        ensure!(!refused, "the peer took the node for a replay");
        Ok(now)
    }

    fn start_new(&self, before: &Identity) -> Result<Identity> {
        let begun = self.peer.log().len();
        self.new.start()?;
        wait::until("hbd sees the peer", LIMIT, || {
            self.new.sees(PEER, NodeStatus::Active)
        })
        .with_context(|| self.new.last_words())?;
        self.is_back(before, begun)
    }

    fn start_old(&self, before: &Identity) -> Result<Identity> {
        let begun = self.peer.log().len();
        self.old.start()?;
        wait::until("heartbeat sees the peer", LIMIT, || {
            self.old.node_status(PEER).as_deref() == Some("active")
        })
        .with_context(|| self.old.log())?;
        self.is_back(before, begun)
    }

    /// Nothing runs: both commands say so.
    fn all_is_stopped(&self) -> Result<()> {
        for program in [HEARTBEAT, BY_NAME] {
            self.expect((program, "-k"), 0, "already stopped")?;
            let status = self.command(program, "-s")?;
            let stale = self.host.sh("test -e /run/heartbeat.pid").is_ok();
            let code = if stale { 1 } else { 3 };
            ensure!(
                status.code == Some(code) && status.said.contains("heartbeat is stopped"),
                "{program} -s: {status:?}, pid file: {stale}"
            );
        }
        Ok(())
    }

    fn runs(&self) -> bool {
        !self.host.processes("hbd").is_empty()
    }
}

pub(super) fn run() -> Result<()> {
    let exchange = Exchange::build()?;
    tell(&exchange).with_context(|| format!("hbd said:\n{}", exchange.new.last_words()))
}

fn tell(exchange: &Exchange) -> Result<()> {
    exchange.peer.start()?;
    exchange.old.start()?;
    wait::until("the old pair has met", LIMIT, || {
        exchange.peer.node_status(NODE).as_deref() == Some("active")
    })?;
    let first = exchange.identity()?;
    exchange.expect((BY_NAME, "-s"), 0, "heartbeat OK [pid ")?;
    exchange.expect((HEARTBEAT, "-k"), 0, "")?;
    exchange.all_is_stopped().context("before hbd")?;

    let second = exchange.start_new(&first).context("hbd")?;
    // The old program takes the process of the pid file for its own: it does not start beside hbd.
    for program in [HEARTBEAT, BY_NAME] {
        exchange.expect((program, "-s"), 0, "heartbeat OK [pid ")?;
        exchange.expect((program, "-f"), 0, "already running [pid ")?;
        exchange.expect((program, "-r"), 0, "")?;
        ensure!(exchange.runs(), "{program} -r has ended hbd");
    }
    exchange.expect((HEARTBEAT, "-k"), 0, "")?;
    ensure!(!exchange.runs(), "heartbeat -k came back too soon");
    exchange.all_is_stopped().context("after hbd")?;

    let third = exchange.start_old(&second).context("the way back")?;
    exchange.expect((BY_NAME, "-k"), 0, "")?;
    exchange.all_is_stopped().context("after the way back")?;
    exchange.start_new(&third).context("hbd again")?;
    exchange.expect((BY_NAME, "-k"), 0, "")?;
    ensure!(!exchange.runs(), "hbd as heartbeat -k came back too soon");
    exchange.all_is_stopped().context("at the end")
}
