//! The command line of `cargo lab`: what a person may ask for, and where it leads.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::bed::netns::init;
use crate::bed::swarm::{self, Port};
use crate::bed::{probe, vm};
use crate::bench::{self, Bench};
use crate::demo::{self, Shape, action, control};
use crate::mutants;
use crate::suite;

/// See the cluster run: real daemons, real servers, a real kernel's balancing, on this machine alone.
#[derive(Debug, Parser)]
#[command(
    name = "cargo lab",
    bin_name = "cargo lab",
    version,
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run a command under a kernel with IPVS, with this machine's files and programs.
    ///
    /// Boots an emulated machine in a few seconds where this kernel has no IPVS. The command sees this
    /// machine's root at the same paths, but its writes vanish with it, except those below
    /// target/lab/scratch. At a terminal, Ctrl-] ends a machine that no longer answers.
    Vm {
        /// End the command after this many seconds.
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        limit: u64,
        /// The command and its arguments; a shell if there is none.
        #[arg(last = true, value_name = "CMD")]
        command: Vec<String>,
    },
    /// Run every test there is: unit, simulation, namespaces, kernel. Ends in `N passed, N failed`.
    Test {
        /// Only tests whose name contains one of these; `workspace` means those of cargo test.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Print the names and run nothing.
        #[arg(long)]
        list: bool,
    },
    /// Watch two directors balance and fail over, and break things yourself.
    Demo {
        #[arg(value_enum, default_value_t = Shape::Dr)]
        shape: Shape,
        /// No terminal: a line per step, the outages in milliseconds, the score.
        #[arg(long)]
        script: bool,
    },
    /// Measure how long an address is silent at each kind of takeover, on this kernel.
    Gaps,
    /// Measure: figures beside their budgets.
    ///
    /// For figures that count, build as for use: cargo run --release -p lab -- bench WHAT
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Put small bugs into the pure cores, one at a time, and see whether a test notices.
    ///
    /// Prints the kill rate of each core and its survivors. Builds cargo-mutants at the first call.
    Mutants {
        /// Every file of both cores (hours) and not only those that CI tries (minutes).
        #[arg(long)]
        all: bool,
        /// Of these only each Nth, beginning with the Kth: several machines share the work.
        #[arg(long, value_name = "K/N", requires = "all")]
        shard: Option<String>,
        /// Only those of this file, e.g. ldird/core/src/health.rs; can be given again.
        #[arg(long, value_name = "FILE", conflicts_with = "all")]
        file: Vec<String>,
    },
    /// Leave the demo's cluster running for a look.
    Up {
        #[arg(value_enum, default_value_t = Shape::Dr)]
        shape: Shape,
    },
    /// Run a command on a host of the cluster that runs; a shell if there is none.
    In {
        /// lb1, lb2, web1, web2, web3 or client.
        host: String,
        #[arg(last = true, value_name = "CMD")]
        command: Vec<String>,
    },
    /// Break or mend something in the cluster that runs.
    Do {
        #[arg(value_enum)]
        action: action::Action,
    },
    /// The inner half of `bench failover`.
    #[command(hide = true)]
    BenchFailoverInside {
        rounds: u32,
        #[arg(long)]
        ours: bool,
    },
    /// The scripted demo under the kernel that it needs.
    #[command(hide = true)]
    DemoInside {
        #[arg(value_enum)]
        shape: Shape,
        results: PathBuf,
    },
    /// The demo at a terminal, under the kernel that it needs.
    #[command(hide = true)]
    DemoLive,
    /// The key menu below the dashboard.
    #[command(hide = true)]
    DemoMenu { control: PathBuf },
    /// The cluster with a shell beside it.
    #[command(hide = true)]
    UpInside,
    /// The tests that need the kernel, by exact name.
    #[command(hide = true)]
    TestInside {
        results: PathBuf,
        names: Vec<String>,
    },
    /// A bench under the kernel that it needs.
    #[command(hide = true)]
    BenchInside { seconds: u64 },
    /// Process 1 of the emulated machine.
    #[command(hide = true)]
    Inside,
    /// Thousands of real servers on loopback: `80=http 81=silent 82=deaf`.
    #[command(hide = true)]
    Swarm { ports: Vec<Port> },
    /// Answer datagrams at an address with this host's name.
    #[command(hide = true)]
    Echo { address: Ipv4Addr },
    /// Process 1 of a host.
    #[command(hide = true)]
    HostInit {
        name: String,
        /// The host's disk.
        #[arg(long)]
        private: Option<PathBuf>,
    },
}

/// Parses the arguments, does what they say and gives the exit status.
pub fn run() -> ExitCode {
    match perform(Arguments::parse().task) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<u8> {
    match task {
        Task::Vm { limit, command } => run_inside(limit, command),
        Task::Test { list: true, .. } => {
            suite::list();
            Ok(0)
        }
        Task::Test { names, .. } => suite::run(&names).map(|passed| u8::from(!passed)),
        Task::Demo {
            script: true,
            shape,
        } => demo::run_script(shape).map(|passed| u8::from(!passed)),
        Task::Demo { shape, .. } => demo::run(shape),
        Task::Gaps => demo::run_gaps().map(|passed| u8::from(!passed)),
        Task::BenchFailoverInside { rounds, ours } => {
            bench::failover::run_inside(rounds, ours).map(|()| 0)
        }
        Task::Bench { what } => bench::run(&what).map(|()| 0),
        Task::Mutants { all, shard, file } => {
            let scope = match (all, shard) {
                (false, _) if !file.is_empty() => mutants::Scope::Files(file),
                (false, _) => mutants::Scope::Bounded,
                (true, None) => mutants::Scope::All,
                (true, Some(shard)) => mutants::Scope::Shard(shard),
            };
            mutants::run(&scope).map(|explained| u8::from(!explained))
        }
        Task::Up { shape } => demo::up(shape),
        Task::In { host, command } => control::enter(&host, &command).map(|()| 0),
        Task::Do { action } => control::perform(action).map(|said| {
            println!("{said}");
            0
        }),
        Task::DemoInside { shape, results } => demo::run_script_inside(shape, &results).map(|()| 0),
        Task::DemoLive => demo::run_live().map(|()| 0),
        Task::DemoMenu { control } => demo::run_menu(&control).map(|()| 0),
        Task::UpInside => demo::run_up(demo::Look::FromShell).map(|()| 0),
        Task::TestInside { results, names } => suite::run_inside(&results, &names).map(|()| 0),
        Task::BenchInside { seconds } => bench::run_inside(seconds).map(|()| 0),
        Task::Inside => vm::inside::run(),
        Task::Swarm { ports } => swarm::run(&ports).map(|()| 0),
        Task::Echo { address } => probe::echo(address).map(|()| 0),
        Task::HostInit { name, private } => init::run(&name, private.as_deref()).map(|()| 0),
    }
}

fn run_inside(limit: u64, command: Vec<String>) -> Result<u8> {
    let shell = command.is_empty();
    let argv = if shell {
        vec!["bash".to_owned(), "--norc".to_owned()]
    } else {
        command
    };
    let limit = (!shell).then(|| Duration::from_secs(limit));
    vm::run(&vm::Options {
        argv,
        limit,
        interactive: true,
    })
}
