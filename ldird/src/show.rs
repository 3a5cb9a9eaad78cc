//! `ldird show`: what the running director says of itself, as text or JSON, once or for good.

use crate::console::{FAILED, OK, say};
use crate::instance::{Instance, State};
use crate::siblings;
use crate::wording::health;
use ha_status::socket::{Client, ClientError};
use ha_status::{DirectorSnapshot, RealServer, Reply, Request, Snapshot};
use std::fmt::Write as _;

pub(crate) async fn run(instance: &Instance, json: bool, follow: bool) -> anyhow::Result<u8> {
    let mut client = match connect(instance).await {
        Ok(client) => client,
        Err(error) => {
            eprintln!(
                "no answer from a director for {}: {}: {error}{}",
                instance.path.display(),
                instance.socket.display(),
                match instance.state() {
                    State::Running(_) => "",
                    State::Stale(_) | State::Stopped => "; it is stopped",
                }
            );
            return Ok(FAILED);
        }
    };
    let request = if follow {
        Request::Follow
    } else {
        Request::Snapshot
    };
    client.request(&request).await?;
    while let Some(reply) = client.next().await? {
        if follow && json {
            say(&format!("{}\n", serde_json::to_string(&reply)?));
            continue;
        }
        match reply {
            Reply::Snapshot {
                snapshot: Snapshot::Director(snapshot),
                ..
            } => {
                if json {
                    say(&format!("{}\n", serde_json::to_string_pretty(&snapshot)?));
                } else {
                    say(&table(&snapshot));
                }
            }
            Reply::Notice { notice, .. } => say(&format!("{}\n", notice.text)),
            Reply::Error { text } => {
                eprintln!("{text}");
                return Ok(FAILED);
            }
            Reply::Hello(_)
            | Reply::Rows { .. }
            | Reply::Snapshot { .. }
            | Reply::Change { .. }
            | Reply::Metrics { .. }
            | Reply::Done { .. } => {}
        }
        if !follow {
            break;
        }
    }
    Ok(OK)
}

/// Under its own name, or under whatever name the director of this file runs.
async fn connect(instance: &Instance) -> Result<Client, ClientError> {
    if let Ok(client) = Client::connect(&instance.socket).await {
        return Ok(client);
    }
    if let State::Running(pid) = instance.state()
        && let Some(client) = siblings::reach(instance, pid).await
    {
        return Ok(client);
    }
    Client::connect(&instance.socket).await
}

/// One line per virtual service and real server.
fn table(snapshot: &DirectorSnapshot) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        writeln!(text, "{}", words.trim_end()).expect("writing to a String succeeds");
    };
    for service in &snapshot.services {
        let missing = if service.in_table {
            ""
        } else {
            " (not in the table)"
        };
        line(format!(
            "{} {} {}{missing}",
            service.id, service.scheduler, service.name
        ));
        for real in &service.reals {
            let weight = real
                .table_weight
                .map_or_else(|| "-".to_owned(), |weight| weight.to_string());
            line(format!(
                "  {:<24} {:<4} {weight:>5}/{:<5} {:<11} {:>6} {:>6}  {}: {}",
                real.address,
                real.forwarding,
                real.weight,
                health(real.health),
                real.active_connections,
                real.inactive_connections,
                real.check,
                said(real),
            ));
        }
        if let Some(fallback) = &service.fallback {
            let active = if fallback.active {
                "in use"
            } else {
                "not in use"
            };
            line(format!(
                "  {:<24} {:<4} fallback, {active}",
                fallback.address, fallback.forwarding
            ));
        }
    }
    text
}

/// What the last check said, or why it could not be asked.
pub(crate) fn said(real: &RealServer) -> String {
    match &real.could_not_ask {
        Some(want) => format!("could not be asked: {want}"),
        None => real.message.clone(),
    }
}
