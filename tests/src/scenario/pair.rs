//! Two hbd hosts with one address, and a client that asks it each millisecond: how long is nobody there?
//!
//! keepalive 100 ms, deadtime 1 s, the group prefers lb1 and fails back. Each measurement starts with
//! lb1 serving and says where it ends; [`Pair::restore`] leads back.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ha_status::{NodeStatus, RunState};

use super::director::{Configuration, Director};
use super::programs::Programs;
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::bed::probe::{Gap, Probe};
use crate::bed::wait;

/// The address that moves.
pub const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
/// A director's serial port, on its own disk.
pub const LINE: &str = "/srv/line";
const PROBE_INTERVAL: Duration = Duration::from_millis(1);
/// For every single event; the longest, a crash, takes the deadtime of a second.
const LIMIT: Duration = Duration::from_secs(20);
/// The new owner must answer for this long after all is settled: announcements are repeated five times
/// at 200 ms, and a second change of owner would show.
const QUIET: Duration = Duration::from_millis(1200);

const HA_CF: &str = "\
keepalive 100ms
warntime 500ms
deadtime 1
initdead 5
udpport 694
bcast eth0
auto_failback on
node lb1
node lb2
";

/// The pair, running. Dropping it ends it.
pub struct Pair {
    one: Director,
    two: Director,
    client: Host,
}

impl Pair {
    /// Starts both and waits until lb1 serves and each sees the other.
    pub fn start(programs: &Programs) -> Result<Self> {
        Self::start_with(programs, HA_CF)
    }

    /// The same with an `ha.cf` of the caller's, for nodes lb1 and lb2. Clients are on eth0, a cable of
    /// their own is on eth1.
    pub fn start_with(programs: &Programs, ha_cf: &str) -> Result<Self> {
        Self::start_wired(programs, ha_cf, None)
    }

    /// The same with a serial port each, which both know as [`LINE`].
    pub fn start_wired(programs: &Programs, ha_cf: &str, ports: Option<[&str; 2]>) -> Result<Self> {
        let network = Network::new()?;
        network.segment("lan")?;
        network.segment("sync")?;
        let files = vec![
            ("ha.cf", ha_cf.to_owned()),
            ("haresources", format!("lb1 IPaddr::{VIP}/24/eth0\n")),
            ("authkeys", "auth 1\n1 sha1 a-key-of-the-lab\n".to_owned()),
        ];
        let configuration = Configuration::Files(files);
        let director = |name: &str, address: &str, second: &str, port: Option<&str>| {
            let host = network.host(name).nic("lan", &[address]);
            let host = host.nic("sync", &[second]).power_on()?;
            if let Some(port) = port {
                host.run(&["ln", "-s", port, LINE])?;
            }
            Director::install(Arc::new(host), programs, &configuration, VIP)
        };
        let pair = Self {
            one: director("lb1", "10.77.0.1/24", "10.88.0.1/24", ports.map(|it| it[0]))?,
            two: director("lb2", "10.77.0.2/24", "10.88.0.2/24", ports.map(|it| it[1]))?,
            client: network
                .host("client")
                .nic("lan", &["10.77.0.50/24"])
                .power_on()?,
        };
        pair.one.start()?;
        pair.two.start()?;
        pair.await_settled(&pair.one)?;
        Ok(pair)
    }

    pub fn one(&self) -> &Director {
        &self.one
    }

    pub fn two(&self) -> &Director {
        &self.two
    }

    pub fn client(&self) -> &Host {
        &self.client
    }

    /// lb1 loses power. Ends with lb2 serving, lb1 off.
    pub fn crash(&self) -> Result<Gap> {
        self.measure(&self.two, || self.one.power_off())
    }

    /// lb1 comes back (from power loss or a stop) and gets its group. Ends with lb1 serving.
    pub fn failback(&self) -> Result<Gap> {
        self.measure(&self.one, || {
            if self.one.host().is_on() {
                self.one.start()
            } else {
                self.one.power_on()
            }
        })
    }

    /// `hbd standby` on lb1. Ends with lb2 serving, both running.
    pub fn standby(&self) -> Result<Gap> {
        self.measure(&self.two, || self.one.hbd(&["standby"]).map(drop))
    }

    /// `hbd takeover` on lb1. Ends with lb1 serving.
    pub fn takeover(&self) -> Result<Gap> {
        self.measure(&self.one, || self.one.hbd(&["takeover"]).map(drop))
    }

    /// hbd ends in order on lb1. Ends with lb2 serving, lb1 on without hbd.
    pub fn stop(&self) -> Result<Gap> {
        self.measure(&self.two, || self.one.stop())
    }

    /// lb1's cable is cut until both serve, then joined: the gap after joining. Ends with either serving.
    pub fn heal_partition(&self) -> Result<Gap> {
        let probe = self.probe()?;
        self.one.host().cut()?;
        wait::until("both sides serve", LIMIT, || {
            self.one.serves()
                && self.two.serves()
                && self.one.sees("lb2", NodeStatus::Dead)
                && self.two.sees("lb1", NodeStatus::Dead)
        })?;
        probe.await_answer("lb2", Instant::now(), LIMIT)?;
        let joined = Instant::now();
        self.one.host().join()?;
        let both = [&self.one, &self.two];
        let owner = wait::for_some("one side lets go", LIMIT, || {
            let met = self.one.sees("lb2", NodeStatus::Active)
                && self.two.sees("lb1", NodeStatus::Active);
            let owners: Vec<_> = both.iter().filter(|one| one.serves()).collect();
            let idle = both.iter().filter(|one| one.groups_are(RunState::Stopped));
            Ok(match owners.as_slice() {
                [owner] if met && idle.count() == 1 => Some(**owner),
                _ => None,
            })
        })?;
        Self::quiet_gap(&probe, owner, joined)
    }

    /// Leads from where a measurement ended to lb1 serving, and waits until all is quiet.
    pub fn restore(&self) -> Result<()> {
        if !self.one.host().is_on() || self.one.host().processes("hbd").is_empty() {
            self.failback()?;
        } else if !self.one.serves() {
            self.takeover()?;
        }
        self.await_settled(&self.one)
    }

    /// Asks the address from the client each millisecond.
    pub fn probe(&self) -> Result<Probe> {
        let probe = Probe::start(&self.client, VIP, PROBE_INTERVAL)?;
        wait::until("the address answers", LIMIT, || {
            probe.owner(LIMIT).is_some()
        })?;
        Ok(probe)
    }

    /// The longest silence from `event` until `owner` serves and all is quiet.
    fn measure(&self, owner: &Director, event: impl FnOnce() -> Result<()>) -> Result<Gap> {
        let probe = self.probe()?;
        let since = Instant::now();
        event()?;
        self.await_settled(owner)?;
        Self::quiet_gap(&probe, owner, since)
    }

    fn quiet_gap(probe: &Probe, owner: &Director, since: Instant) -> Result<Gap> {
        let quiet = Instant::now() + QUIET;
        probe.await_answer(owner.name(), quiet, LIMIT)?;
        let gap = probe.longest_gap(since);
        ensure!(
            gap.after.is_some(),
            "nobody answers after {:?}: {gap:?}",
            since.elapsed()
        );
        ensure!(owner.serves(), "{} serves no more", owner.name());
        Ok(gap)
    }

    /// Waits until `owner` runs the group, and the other, if it runs at all, does not.
    fn await_settled(&self, owner: &Director) -> Result<()> {
        let other = if owner.name() == self.one.name() {
            &self.two
        } else {
            &self.one
        };
        wait::until(&format!("{} alone serves", owner.name()), LIMIT, || {
            if !owner.serves() {
                return false;
            }
            if !other.host().is_on() || other.host().processes("hbd").is_empty() {
                return true;
            }
            other.groups_are(RunState::Stopped)
                && owner.sees(other.name(), NodeStatus::Active)
                && other.sees(owner.name(), NodeStatus::Active)
        })
        .with_context(|| {
            format!(
                "lb1 said:\n{}\nlb2 said:\n{}",
                self.one.last_words(),
                self.two.last_words()
            )
        })?;
        Ok(())
    }
}

/// Every gap of one pair, by its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gaps {
    pub crash: Duration,
    pub failback: Duration,
    pub standby: Duration,
    pub partition: Duration,
    pub stop: Duration,
}

/// A power loss takes the deadtime and 50 ms; everything that is agreed on takes 50 ms.
pub const CRASH_BUDGET: Duration = Duration::from_millis(1050);
pub const AGREED_BUDGET: Duration = Duration::from_millis(50);

impl Gaps {
    /// Measures one after the other on a fresh pair, on the kernel that this runs under.
    pub fn measure(programs: &Programs) -> Result<Self> {
        let pair = Pair::start(programs)?;
        let crash = pair.crash().context("crash")?;
        let failback = pair.failback().context("failback")?;
        let standby = pair.standby().context("standby")?;
        pair.restore().context("after the standby")?;
        let partition = pair.heal_partition().context("partition")?;
        pair.restore().context("after the partition")?;
        let stop = pair.stop().context("stop")?;
        Ok(Self {
            crash: crash.length,
            failback: failback.length,
            standby: standby.length,
            partition: partition.length,
            stop: stop.length,
        })
    }

    /// Those that are longer than promised, in words.
    pub fn over_budget(&self) -> Vec<String> {
        let promised = [
            ("crash", self.crash, CRASH_BUDGET),
            ("failback", self.failback, AGREED_BUDGET),
            ("standby", self.standby, AGREED_BUDGET),
            ("partition", self.partition, AGREED_BUDGET),
            ("stop", self.stop, AGREED_BUDGET),
        ];
        let late = promised.into_iter().filter(|(_, gap, budget)| gap > budget);
        late.map(|(name, gap, budget)| {
            format!("{name} {} ms > {} ms", millis(gap), budget.as_millis())
        })
        .collect()
    }
}

/// The two lines of the demo.
impl fmt::Display for Gaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "gap_ms partition={} stop={}",
            millis(self.partition),
            millis(self.stop)
        )?;
        write!(
            f,
            "gap_ms crash={} failback={} standby={}",
            millis(self.crash),
            millis(self.failback),
            millis(self.standby)
        )
    }
}

/// Whole milliseconds, rounded up: a budget is not met by rounding.
fn millis(gap: Duration) -> u128 {
    gap.as_micros().div_ceil(1000)
}
