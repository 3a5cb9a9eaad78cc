//! hbtui: the live view of a pair of directors. Starts what the command line asks for; the
//! dashboard itself is `app` (state), `view` (drawing), `source` (sockets) and `run` (the loop).

mod app;
mod cli;
mod keys;
mod print;
mod run;
#[cfg(test)]
mod sample;
mod source;
mod svg;
mod terminal;
mod text;
mod theme;
mod view;

use anyhow::{Context, bail};
use app::App;
use clap::Parser;
use cli::Options;
use std::{
    io::IsTerminal,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match hbtui(&Options::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hbtui: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn hbtui(options: &Options) -> anyhow::Result<ExitCode> {
    let ldirds = if options.ldird.is_empty() {
        source::ldird_sockets(&options.run).into_iter().collect()
    } else {
        options.ldird.clone()
    };
    let app = App::new(options.hbd_socket(), ldirds, options.read_only, now_ms());
    if options.once || options.json || options.svg.is_some() {
        return print::print(app, options).await;
    }
    if !std::io::stdout().is_terminal() {
        bail!("the output is not a terminal: --once prints one frame as text");
    }
    run::run(app, options)
        .await
        .context("the terminal failed")?;
    Ok(ExitCode::SUCCESS)
}

/// Wall clock, milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
