//! `ldird ipvs`: the kernel's table in the formats of ipvsadm, for directors that have no ipvsadm.

use crate::cli::Ipvs;
use crate::console::{FAILED, OK, say};
use anyhow::Context as _;
use ldird_ipvs::{Client, text};
use std::io::Read as _;

/// A saved table is no longer than this, bytes.
const INPUT_MAX: u64 = 64 * 1024 * 1024;

pub(crate) async fn run(what: Ipvs) -> anyhow::Result<u8> {
    let mut client = Client::connect().await?;
    match what {
        Ipvs::List => {
            let info = client.info().await?;
            let table = client.dump().await?;
            say(&text::list(&info, &table, text::Columns::Normal));
        }
        Ipvs::Save => say(&text::save(&client.dump().await?)),
        Ipvs::Clear => client.flush().await?,
        Ipvs::Restore => return restore(&mut client).await,
    }
    Ok(OK)
}

/// Nothing is changed if a line is wrong; after that, as with ipvsadm, the first refusal ends it.
async fn restore(client: &mut Client) -> anyhow::Result<u8> {
    let mut input = String::new();
    std::io::stdin()
        .take(INPUT_MAX)
        .read_to_string(&mut input)
        .context("standard input")?;
    let commands = match text::parse(&input) {
        Ok(commands) => commands,
        Err(faults) => {
            for fault in faults {
                eprintln!("{fault}");
            }
            return Ok(FAILED);
        }
    };
    for command in &commands {
        client.apply(command).await?;
    }
    Ok(OK)
}
