//! `cargo lab bench loop`: what the director's loop costs at the size of a large site, in its pure
//! core with a table in memory. The kernel's own time is not part of it: the loop does not wait for
//! it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use ldird_core::Director;
use ldird_core::config::{Check, Config, ProbeId, RealServer, Standby, VirtualService};
use ldird_core::diff;
use ldird_core::input::{Finding, Input, Noted, Verdict};
use ldird_core::options::Options;
use ldird_core::output::{Notice, Output};
use ldird_core::table::{
    DestinationKey, Forwarding, Protocol, ServiceKey, ServiceSpec, Table, Tunnel,
};

const SERVICES: u16 = 2277;
const REALS: u16 = 16;
const FLAPS: u32 = 40;

/// Runs the measurements and prints them.
pub(super) fn run() {
    println!("{SERVICES} services x {REALS} real servers, loop time of the director's core");
    let mut bench = Bench::start();
    bench
        .everybody(Finding::Up)
        .print("all real servers come up", None);
    bench.flaps();
    let weights = bench.reload(2);
    weights.print(
        "reload: all weights changed",
        Some(Duration::from_millis(100)),
    );
    let same = bench.reload(2);
    same.print("reload: nothing changed", Some(Duration::from_millis(100)));
    bench
        .look()
        .print("the whole table read, nothing changed", None);
    bench.table.clear();
    bench
        .look()
        .print("the table flushed by somebody else", None);
    bench
        .everybody(Finding::Down)
        .print("all real servers die", None);
}

/// Time spent in the core for one story.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    sum: Duration,
    /// The longest that the loop stood still.
    worst: Duration,
    edits: usize,
}

impl Cost {
    fn print(self, what: &str, budget: Option<Duration>) {
        let budget = budget.map_or_else(String::new, |budget| {
            let word = if self.sum <= budget { "within" } else { "OVER" };
            format!(", {word} the budget of {} ms", budget.as_millis())
        });
        println!(
            "{what:<40} {:>9.3} ms in all, {:>9.3} ms at once, {:>6} edits{budget}",
            milliseconds(self.sum),
            milliseconds(self.worst),
            self.edits,
        );
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A director and its table. Its time is made: nothing waits.
struct Bench {
    director: Director,
    table: Table,
    now: Instant,
    asked: BTreeSet<ProbeId>,
    cost: Cost,
}

impl Bench {
    fn start() -> Self {
        let now = Instant::now();
        let director = Director::new(config(1), now);
        let mut bench = Self {
            director,
            table: Table::new(),
            now,
            asked: BTreeSet::new(),
            cost: Cost::default(),
        };
        bench.drain();
        bench.take().print("start: the table is set up", None);
        bench
    }

    /// What was spent since the last call.
    fn take(&mut self) -> Cost {
        std::mem::take(&mut self.cost)
    }

    /// One input, and everything that it asks of the kernel.
    fn feed(&mut self, input: Input) {
        self.handle(input);
        self.drain();
    }

    fn handle(&mut self, input: Input) {
        let start = Instant::now();
        self.director.handle(input, self.now);
        let spent = start.elapsed();
        self.cost.sum += spent;
        self.cost.worst = self.cost.worst.max(spent);
    }

    fn drain(&mut self) {
        loop {
            let mut answer = None;
            while let Some(output) = self.director.poll() {
                match output {
                    Output::Probe { probe, .. } => {
                        self.asked.insert(probe);
                    }
                    Output::Read => answer = Some(Input::Table(self.table.clone())),
                    Output::ReadServices(keys) => {
                        let rows = keys.into_iter();
                        let rows = rows.map(|key| (key, self.table.get(&key).cloned()));
                        answer = Some(Input::Services(rows.collect()));
                    }
                    Output::List => {
                        answer = Some(Input::Listed(self.table.keys().copied().collect()));
                    }
                    Output::Apply(edits) => {
                        self.cost.edits += edits.len();
                        let results = edits.into_iter().map(|edit| {
                            let made = diff::apply(&mut self.table, &edit);
                            (edit, if made { Ok(()) } else { Err(String::new()) })
                        });
                        answer = Some(Input::Applied(results.collect()));
                    }
                    Output::Notice(Notice::EditFailed { edit, .. }) => {
                        println!("the model of the kernel refused {edit:?}");
                    }
                    Output::AskOpinion { .. } | Output::Notice(_) | Output::Exit => {}
                }
            }
            let Some(input) = answer else { return };
            self.handle(input);
        }
    }

    /// Time passes until this probe runs; every other one passes meanwhile.
    fn wait_for(&mut self, probe: Option<ProbeId>) {
        while probe.is_none_or(|probe| !self.asked.contains(&probe)) {
            let Some(due) = self.director.deadline() else {
                return;
            };
            self.now = self.now.max(due);
            self.feed(Input::Tick);
            let others: Vec<ProbeId> = self.asked.iter().copied().collect();
            for other in others.into_iter().filter(|other| Some(*other) != probe) {
                self.answer(other, Finding::Up);
            }
            if probe.is_none() {
                return;
            }
        }
    }

    fn answer(&mut self, probe: ProbeId, finding: Finding) {
        self.asked.remove(&probe);
        let verdict = Verdict {
            finding,
            message: format!("{finding:?}"),
            took: Duration::from_millis(1),
            noted: Noted::default(),
        };
        self.feed(Input::Probed { probe, verdict });
    }

    /// Every real server's next check finds this.
    fn everybody(&mut self, finding: Finding) -> Cost {
        let all = u32::from(SERVICES) * u32::from(REALS);
        let mut answered = vec![false; all as usize];
        let mut left = all;
        self.take();
        while left > 0 {
            let asked: Vec<ProbeId> = self.asked.iter().copied().collect();
            for probe in asked {
                let known = std::mem::replace(&mut answered[probe.0 as usize], true);
                left -= u32::from(!known);
                self.answer(probe, finding);
            }
            if let Some(due) = self.director.deadline() {
                self.now = self.now.max(due);
                self.feed(Input::Tick);
            }
        }
        self.take()
    }

    /// One server goes and comes back, again and again.
    fn flaps(&mut self) {
        let mut costs = Vec::new();
        for flap in 0..FLAPS {
            let probe = ProbeId(flap * 151);
            let finding = if flap % 2 == 0 {
                Finding::Down
            } else {
                Finding::Up
            };
            let probe = ProbeId(probe.0 - (flap % 2) * 151);
            self.wait_for(Some(probe));
            self.take();
            self.answer(probe, finding);
            costs.push(self.take());
        }
        costs.sort_by_key(|cost| cost.sum);
        let budget = Some(Duration::from_millis(1));
        costs[costs.len() / 2].print("one real server flaps, median", budget);
        costs[costs.len() - 1].print("one real server flaps, worst", budget);
    }

    fn reload(&mut self, weight: u32) -> Cost {
        let config = config(weight);
        self.take();
        self.feed(Input::Reload(config));
        self.take()
    }

    /// The next readings of the table that time brings.
    fn look(&mut self) -> Cost {
        const PERIOD: Duration = Duration::from_secs(10);
        let end = self.now + PERIOD;
        let mut spent = Cost::default();
        while self.now < end {
            self.wait_for(None);
            let cost = self.take();
            if cost.worst > spent.worst {
                spent = cost;
            }
        }
        spent
    }
}

fn config(weight: u32) -> Config {
    Config {
        services: (0..SERVICES)
            .map(|number| service(number, weight))
            .collect(),
        readdquiescent: false,
        standby: Standby::default(),
        incomplete: false,
        seed: 1,
    }
}

fn service(number: u16, weight: u32) -> VirtualService {
    let [high, low] = number.to_be_bytes();
    let address = SocketAddr::from(([10, 0, high, low], 80));
    let protocol = Protocol::Tcp;
    VirtualService {
        key: ServiceKey::Address { protocol, address },
        spec: ServiceSpec {
            scheduler: "wlc".to_owned(),
            persistent: None,
            netmask: 32,
            one_packet: false,
            scheduler_flags: [false; 3],
            pe: None,
        },
        reals: (0..REALS)
            .map(|real| real_server(number, real, weight))
            .collect(),
        fallback: None,
        quiescent: true,
        cleanstop: true,
        incomplete: false,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        failurecount: 1,
        options: Options::default(),
        name: String::new(),
    }
}

fn real_server(service: u16, real: u16, weight: u32) -> RealServer {
    let [high, low] = service.to_be_bytes();
    let key = DestinationKey {
        address: IpAddr::V4(Ipv4Addr::new(10, 16 + real as u8, high, low)),
        port: 80,
    };
    RealServer {
        key,
        configured: key,
        forwarding: Forwarding::Masq,
        weight,
        upper: 0,
        lower: 0,
        tunnel: Tunnel::Ipip,
        check: Check::Probe(ProbeId(
            u32::from(service) * u32::from(REALS) + u32::from(real),
        )),
        agent: None,
        description: "connect".to_owned(),
    }
}
