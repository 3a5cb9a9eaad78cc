//! hbd: keeps the directors of a cluster aware of each other and decides who runs which resource
//! group. This file parses the command line and hands over.

// A program has no outside: `pub` means "for our other modules".
#![allow(unreachable_pub)]

mod addr_tool;
mod advice;
mod announce;
mod check;
mod cli;
mod client;
mod config;
mod control;
mod daemon;
mod doubts;
mod driver;
mod genkey;
mod heartbeat;
mod identity;
mod journal;
mod link;
mod link_address;
mod media;
mod presence;
mod reload;
mod resources;
mod shadow;
mod surroundings;
mod wording;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // For resource scripts, not for people: neither in the help nor in clap's way.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == addr_tool::COMMAND) {
        return addr_tool::run(words).into();
    }
    if heartbeat::is_meant(std::env::args_os().next()) {
        return heartbeat::run(std::env::args_os().skip(1)).into();
    }
    let cli = cli::Cli::parse();
    let code = match cli.command {
        None | Some(cli::Command::Run) => daemon::run(&cli.common),
        Some(cli::Command::Check(options)) => check::run(&cli.common, &options),
        Some(cli::Command::Client(command)) => client::run(&cli.common, &command),
        Some(cli::Command::Genkey(options)) => genkey::run(&cli.common, &options),
        Some(cli::Command::Link(cli::Link::Test(options))) => link::test(&cli.common, &options),
        Some(cli::Command::Shadow(options)) => shadow::run(&cli.common, &options),
    };
    code.into()
}
