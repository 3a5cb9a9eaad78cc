//! `cargo lab bench beside`: ldird, keepalived and ldirectord ask the same servers on the same kernel,
//! one after the other in one run: processor time for each check, and how soon each sees a death
//! while others hang.
//!
//! They need IPVS, so this may run in the emulated machine: only ratios count then. Checks are counted
//! by the servers.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::farm::{Check, Group, Shape};
use crate::bed::host::Host;
use crate::bed::netns::Process;
use crate::bed::network::Network;
use crate::bed::swarm::{self, Manner, Port, Swarm};
use crate::bed::usage::Usage;
use crate::bed::{packages, program, vm, wait};
use crate::scenario::programs::Programs;

/// The hidden subcommand of the lab.
pub(super) const INSIDE: &str = "bench-inside";
/// Many enough that steps of 10 ms do not matter.
const REALS: usize = 150;
/// For ldirectord, which asks one after the other, and runs ipvsadm for each: what a check costs does
/// not depend on how many there are.
const REALS_OF_PERL: usize = 20;
/// From a start to the measurement: all are up, and asked in turns.
const SETTLE: Duration = Duration::from_secs(6);
/// Until the slowest has asked all of its servers; Perl starts in seconds under emulation.
const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Until the slowest has seen a death.
const NOTICE_LIMIT: Duration = Duration::from_secs(120);

const WELL: u16 = 80;
const SILENT: u16 = 81;
const CLOSING: u16 = 83;

/// What is asked, and what keepalived calls it.
const KINDS: [(Check, &str); 3] = [
    (Check::Connect, "TCP_CHECK { connect_timeout 3 }"),
    (
        Check::HttpStatus,
        "HTTP_GET { connect_timeout 3 url { path /index.html status_code 200 } }",
    ),
    (
        Check::Http,
        "HTTP_GET { connect_timeout 3 url { path /index.html digest DIGEST } }",
    ),
];

/// Builds, and boots a machine if this kernel has no IPVS.
pub(super) fn run(period: Duration) -> Result<()> {
    packages::ensure_programs()?;
    Programs::build_released()?;
    let seconds = period.as_secs().to_string();
    let argv = [program()?.display().to_string(), INSIDE.to_owned(), seconds];
    let each = (SETTLE + period + Duration::from_secs(40)) * 5;
    let limit = each * KINDS.len() as u32 + 3 * NOTICE_LIMIT;
    let code = vm::run(&vm::Options::command(argv, limit))?;
    ensure!(code == 0, "the measurements ended with exit code {code}");
    Ok(())
}

/// The inner half, with programs that are built.
pub(super) fn run_inside(period: Duration) -> Result<()> {
    let programs = Programs::released()?;
    let mut bench = Bench::new(programs)?;
    println!("{REALS} real servers, every second; processor time for each check");
    for (check, keepalived) in KINDS {
        bench.costs(check, keepalived, period)?;
    }
    println!("50 real servers of which 5 hang, http, interval 1 s, time-out 3 s");
    for who in [Who::Ldird, Who::Ldirectord] {
        if let Err(error) = bench.notices(who) {
            println!("  {:<11} {error:#}", who.name());
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Ldird,
    Keepalived,
    Ldirectord,
}

impl Who {
    /// Also that of its processes.
    fn name(self) -> &'static str {
        match self {
            Self::Ldird => "ldird",
            Self::Keepalived => "keepalived",
            Self::Ldirectord => "ldirectord",
        }
    }
}

struct Bench {
    host: Arc<Host>,
    swarm: Swarm,
    programs: Programs,
}

impl Bench {
    fn new(programs: Programs) -> Result<Self> {
        let network = Network::new()?;
        let host = Arc::new(network.host("bench").power_on()?);
        swarm::fits(&host)?;
        let port = |number, manner| Port { number, manner };
        let ports = [
            port(WELL, Manner::Http),
            port(SILENT, Manner::Silent),
            port(CLOSING, Manner::Http),
        ];
        let swarm = Swarm::start(&host, &program()?, None, &ports)?;
        Ok(Self {
            host,
            swarm,
            programs,
        })
    }

    /// In turns, so that what changes with time meets both.
    fn costs(&mut self, check: Check, keepalived: &str, period: Duration) -> Result<()> {
        self.set(check, REALS, keepalived)?;
        let order = [Who::Ldird, Who::Keepalived, Who::Keepalived, Who::Ldird];
        let mut sums = [Cost::default(), Cost::default()];
        for who in order {
            let cost = self.cost(who, REALS, period)?;
            let sum = &mut sums[usize::from(who == Who::Keepalived)];
            *sum = sum.with(cost);
        }
        let [ours, theirs] = sums;
        println!(
            "{:<12} ldird {:.3} ms, keepalived {:.3} ms: ratio {:.2} ({} and {} checks)",
            check.name(),
            ours.each_ms(),
            theirs.each_ms(),
            ours.each_ms() / theirs.each_ms(),
            ours.checks,
            theirs.checks
        );
        self.set(check, REALS_OF_PERL, keepalived)?;
        match self.cost(Who::Ldirectord, REALS_OF_PERL, period) {
            Ok(old) => println!(
                "{:<12} ldirectord {:.3} ms ({} checks)",
                "",
                old.each_ms(),
                old.checks
            ),
            Err(error) => println!("{:<12} ldirectord: {error:#}", ""),
        }
        Ok(())
    }

    fn set(&self, check: Check, reals: usize, keepalived: &str) -> Result<()> {
        let groups = [Group {
            count: reals,
            port: WELL,
        }];
        self.write(&shape(check, &groups), keepalived)
    }

    fn cost(&mut self, who: Who, reals: usize, period: Duration) -> Result<Cost> {
        let daemon = Daemon::start(&self.host, &self.programs, who)?;
        let before = self.accepted()?;
        wait::for_some("every server is asked", START_LIMIT, || {
            Ok((self.accepted()? >= before + reals as u64).then_some(()))
        })?;
        std::thread::sleep(SETTLE);
        let (checks, usage) = (self.accepted()?, daemon.usage()?);
        std::thread::sleep(period);
        let cpu = daemon.usage()?.cpu.saturating_sub(usage.cpu);
        let checks = self.accepted()?.saturating_sub(checks);
        Ok(Cost { cpu, checks })
    }

    fn accepted(&mut self) -> Result<u64> {
        Ok(self.swarm.accepted()?.values().sum())
    }

    fn notices(&mut self, who: Who) -> Result<()> {
        let group = |count, port| Group { count, port };
        let groups = [group(40, WELL), group(5, SILENT), group(5, CLOSING)];
        self.swarm.turn(&[Port {
            number: CLOSING,
            manner: Manner::Http,
        }])?;
        self.write(&shape(Check::Http, &groups), "TCP_CHECK { }")?;
        let begun = Instant::now();
        let _daemon = Daemon::start(&self.host, &self.programs, who)?;
        let up = self.await_weights("1", &[WELL, CLOSING], 45, begun)?;
        self.await_weights("0", &[SILENT], 5, begun)?;
        self.swarm.turn(&[Port {
            number: CLOSING,
            manner: Manner::Closed,
        }])?;
        let died = Instant::now();
        let seen = self.await_weights("0", &[CLOSING], 5, died)?;
        println!(
            "  {:<11} all others up after {:.1} s, the death of 5 seen after {:.1} s",
            who.name(),
            up.as_secs_f64(),
            seen.as_secs_f64()
        );
        Ok(())
    }

    /// How long after `begun` the kernel's table has so many rows with these ports at this weight.
    fn await_weights(
        &self,
        weight: &str,
        ports: &[u16],
        count: usize,
        begun: Instant,
    ) -> Result<Duration> {
        const PACE: Duration = Duration::from_millis(200);
        let ends: Vec<String> = ports.iter().map(|port| format!(":{port}")).collect();
        loop {
            let table = self.host.run(&["ipvsadm", "-Sn"])?;
            let rows = table.lines().filter(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let real = words.iter().skip_while(|word| **word != "-r").nth(1);
                let stands = words.iter().skip_while(|word| **word != "-w").nth(1);
                stands == Some(&weight)
                    && real.is_some_and(|real| ends.iter().any(|end| real.ends_with(end)))
            });
            if rows.count() >= count {
                return Ok(begun.elapsed());
            }
            ensure!(begun.elapsed() < NOTICE_LIMIT, "nothing seen in:\n{table}");
            std::thread::sleep(PACE);
        }
    }

    fn write(&self, shape: &Shape<'_>, keepalived: &str) -> Result<()> {
        let etc = self.host.folder().join("etc");
        fs::write(etc.join("ldirectord.cf"), shape.file())?;
        let page = self.host.sh("printf 'Test Page\\n' | md5sum")?;
        let digest = page.split_whitespace().next().context("md5sum")?;
        let check = keepalived.replace("DIGEST", digest);
        let check = check.replace(" { ", " {\n").replace(" }", "\n}");
        let check = check
            .replace(" url", "\nurl")
            .replace(" status", "\nstatus");
        let check = check.replace(" digest", "\ndigest");
        let mut text = String::from("global_defs {\nrouter_id bench\n}\n");
        for service in shape.services() {
            let _ = writeln!(
                text,
                "virtual_server {} 80 {{\ndelay_loop 1\nlvs_sched wlc\nlvs_method NAT\nprotocol TCP",
                service.address
            );
            for (address, port) in service.reals {
                let _ = writeln!(
                    text,
                    "real_server {address} {port} {{\nweight 1\n{check}\n}}"
                );
            }
            text.push_str("}\n");
        }
        fs::write(etc.join("keepalived.conf"), text)?;
        Ok(())
    }
}

fn shape(check: Check, groups: &[Group]) -> Shape<'_> {
    Shape {
        check,
        groups,
        interval: 1,
        timeout: 3,
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    cpu: Duration,
    checks: u64,
}

impl Cost {
    fn with(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            checks: self.checks + other.checks,
        }
    }

    fn each_ms(self) -> f64 {
        self.cpu.as_secs_f64() * 1000.0 / self.checks.max(1) as f64
    }
}

/// One of the three, running. It ends with this value, and the table is empty.
struct Daemon {
    host: Arc<Host>,
    who: Who,
    child: Child,
}

impl Daemon {
    fn start(host: &Arc<Host>, programs: &Programs, who: Who) -> Result<Self> {
        let ldird = programs.path("ldird").display().to_string();
        let argv: Vec<&str> = match who {
            Who::Ldird => vec![&ldird, "run"],
            Who::Keepalived => vec![
                "keepalived",
                "--dont-fork",
                "--check",
                "--use-file=/etc/ha.d/keepalived.conf",
            ],
            // In the foreground, so that it is our child.
            Who::Ldirectord => vec!["ldirectord", "--debug", "/etc/ha.d/ldirectord.cf", "start"],
        };
        let (name, arguments) = argv.split_first().context("a program")?;
        let log = File::create(host.folder().join(format!("log/{}.log", who.name())))?;
        let child = host
            .command(name)?
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", who.name()))?;
        Ok(Self {
            host: Arc::clone(host),
            who,
            child,
        })
    }

    fn usage(&self) -> Result<Usage> {
        let processes = self.host.processes(self.who.name());
        ensure!(!processes.is_empty(), "{} has ended", self.who.name());
        Usage::of_all(processes.into_iter().map(Process::pid))
    }

    fn end(&mut self) -> Result<()> {
        wait::until("the director ends", STOP_LIMIT, || {
            self.host.signal(self.who.name(), Signal::KILL);
            self.host.processes(self.who.name()).is_empty()
        })?;
        self.child.wait()?;
        self.host
            .sh("ipvsadm -C; rm -f /run/ldird* /run/ldirectord*")?;
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
