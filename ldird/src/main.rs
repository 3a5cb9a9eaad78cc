//! ldird, the director daemon: checks real servers and keeps the kernel's IPVS table right, from
//! the ldirectord.cf files that ldirectord reads. Called as `ldirectord` it is the drop-in.
//!
//! Reads the command line and hands over; decisions are made in ldird-core.

mod apply;
mod check;
mod cli;
mod commands;
mod config;
mod console;
mod control;
mod daemon;
mod disk;
mod driver;
mod dry_run;
mod duty;
mod import;
mod instance;
mod ipvs;
mod kept;
mod lateness;
mod launch;
mod ledger;
mod loss;
mod mail;
mod maintenance;
mod monitor;
mod names_kept;
mod orders;
mod plan;
mod probes;
mod process;
mod rehearsal;
mod shadow;
mod show;
mod siblings;
mod standing;
mod sync;
mod watch;
mod wording;

use cli::Request;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::read(std::env::args_os()) {
        Request::Tell(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Request::Usage(text) => {
            println!("{text}");
            ExitCode::from(console::USAGE)
        }
        Request::Run(invocation) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
                // As a task: to wake the future that the runtime blocks on costs a system call,
                // which a director would pay once or twice for each check.
                let task = runtime.spawn(async move { commands::run(&invocation).await });
                let done = runtime.block_on(task);
                // Threads that hang in a dead disk or name server are not waited for: whoever restarts
                // us waits for our end.
                runtime.shutdown_background();
                done?
            });
            match done {
                Ok(code) => ExitCode::from(code),
                Err(error) => {
                    eprintln!("ldird: {error:#}");
                    ExitCode::from(console::FAILED)
                }
            }
        }
    }
}
