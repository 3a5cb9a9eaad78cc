//! `ldird ipvs`: the kernel's table in the formats of ipvsadm, for directors that have no ipvsadm.

mod daemon;

use crate::cli::{Ipvs, Listing, read_daemon};
use crate::console::{FAILED, OK, say};
use anyhow::{Context as _, bail};
use ldird_ipvs::{Client, text};
use std::io::Read as _;
use std::path::Path;

/// A saved table is no longer than this, bytes.
const INPUT_MAX: u64 = 64 * 1024 * 1024;

/// Where the kernel lists connections, which netlink does not tell.
const CONNECTIONS: &str = "/proc/net/ip_vs_conn";

/// `words` are those behind `daemon`; `run` is where directors listen.
pub(crate) async fn run(what: Ipvs, words: &[String], run: &Path) -> anyhow::Result<u8> {
    if let Ipvs::Restore { clear } = what {
        return restore(clear).await;
    }
    if what == Ipvs::Daemon {
        let order = read_daemon(words).map_err(anyhow::Error::msg)?;
        return daemon::run(order, run).await;
    }
    let mut client = Client::connect().await?;
    match what {
        Ipvs::List(listing) => say(&list(&mut client, listing).await?),
        Ipvs::Save => say(&text::save(&client.dump().await?)),
        Ipvs::Clear | Ipvs::Restore { .. } | Ipvs::Daemon => client.flush().await?,
    }
    Ok(OK)
}

async fn list(client: &mut Client, listing: Listing) -> anyhow::Result<String> {
    Ok(match listing {
        Listing::Table {
            columns,
            service: None,
        } => {
            let info = client.info().await?;
            text::list(&info, &client.dump().await?, columns)
        }
        Listing::Table {
            columns,
            service: Some(id),
        } => match client.service(&id).await? {
            Some(status) => text::list_service(&status, columns),
            None => bail!("No such service: {id}"),
        },
        Listing::Connections { engines } => {
            let listed = std::fs::read_to_string(CONNECTIONS).context(CONNECTIONS)?;
            text::connections(&listed, engines)
        }
        Listing::Timeouts => format!("{}\n", client.timeouts().await?),
        Listing::Daemons => daemons(client).await?,
    })
}

async fn daemons(client: &mut Client) -> anyhow::Result<String> {
    let daemons = client.daemons().await?;
    let lines = daemons
        .iter()
        .flat_map(|one| [one.to_string(), "\n".to_owned()]);
    Ok(lines.collect())
}

/// Nothing is changed if a line is wrong; after that, as with ipvsadm, the first refusal ends it.
async fn restore(clear: bool) -> anyhow::Result<u8> {
    let mut input = String::new();
    // One byte more than is taken: what was cut off would otherwise look complete.
    let read = std::io::stdin()
        .take(INPUT_MAX + 1)
        .read_to_string(&mut input)
        .context("standard input")?;
    if u64::try_from(read).is_ok_and(|read| read > INPUT_MAX) {
        bail!("a saved table of more than {INPUT_MAX} bytes is none; nothing is changed");
    }
    let commands = match text::parse(&input) {
        Ok(commands) => commands,
        Err(faults) => {
            for fault in faults {
                eprintln!("{fault}");
            }
            eprintln!("nothing is changed");
            return Ok(FAILED);
        }
    };
    let mut client = Client::connect().await?;
    if clear {
        client.flush().await?;
    }
    for (number, command) in commands.iter().enumerate() {
        let done = client.apply(command).await;
        done.with_context(|| {
            let total = commands.len();
            format!("restore stopped at command {} of {total}", number + 1)
        })?;
    }
    Ok(OK)
}
