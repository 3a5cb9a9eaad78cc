//! `ldird show`: what the running director says of itself, as text or JSON, once or for good.

use crate::console::{FAILED, OK, say};
use crate::instance::{Instance, State};
use crate::siblings;
use crate::wording::{age, counted, health, listed, outdated as outdated_words};
use ha_status::socket::{Client, ClientError};
use ha_status::{
    Agent, ConnectionSync, DirectorSnapshot, Draining, Duty, Lateness, Leaving, Override, Panic,
    RealServer, Reply, Request, Role, Says, SecondOpinion, Snapshot, Stage, Trial,
};
use std::fmt::Write as _;
use std::time::Duration;

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
            | Reply::Opinion { .. }
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
    let sync = snapshot.sync.as_ref().map(synchronised);
    let late = punctuality(&snapshot.totals.lateness);
    let older = snapshot.outdated.as_ref().map(|outdated| {
        let text = outdated_words(outdated, snapshot.at_ms, &snapshot.config);
        format!("  OLDER RULES: {text}")
    });
    let head = [Some(standing(snapshot)), older, sync, late];
    head.into_iter().flatten().for_each(&mut line);
    for service in &snapshot.services {
        let missing = if service.in_table {
            ""
        } else if snapshot.duty.held_back {
            " (held back)"
        } else {
            " (not in the table)"
        };
        line(format!(
            "{} {} {}{missing}",
            service.id, service.scheduler, service.name
        ));
        if let Some(panic) = &service.panic {
            line(panicking(panic, snapshot.at_ms));
        }
        if let Some(opinion) = &service.opinion {
            line(second_opinion(opinion, snapshot.at_ms));
        }
        if service.enforced > 0 {
            let count = service.enforced;
            line(format!(
                "  rows that others changed and that were put back: {count}"
            ));
        }
        for real in &service.reals {
            real_rows(real, snapshot.at_ms)
                .into_iter()
                .for_each(&mut line);
        }
        for leaving in &service.leaving {
            line(on_its_way(leaving, snapshot.at_ms));
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

/// A real server's line, and those below it for what is out of the usual.
fn real_rows(real: &RealServer, at_ms: u64) -> Vec<String> {
    let weight = real
        .table_weight
        .map_or_else(|| "-".to_owned(), |weight| weight.to_string());
    let row = format!(
        "  {:<24} {:<4} {weight:>5}/{:<5} {:<11} {:>6} {:>6}  {}: {}",
        real.address,
        real.forwarding,
        real.weight,
        health(real.health),
        real.active_connections,
        real.inactive_connections,
        real.check,
        said(real),
    );
    let stage = real
        .stage
        .map(|stage| format!("      {}", in_stage(stage, at_ms)));
    let trial = real.trial.as_ref().map(tried);
    let expiry = real
        .certificate_until_ms
        .map(|until| certificate(until, at_ms));
    let agent = real.agent.as_ref().map(|agent| asked_for(agent, at_ms));
    let orders = real.overrides.iter().map(|order| overridden(order, at_ms));
    let draining = real.draining.as_ref().map(drained);
    [Some(row), trial, stage, expiry, agent]
        .into_iter()
        .flatten()
        .chain(orders)
        .chain(draining)
        .collect()
}

/// `  PANIC for 12s: 3 real servers fail and keep their weights, until they pass or in 4m48s`
fn panicking(panic: &Panic, at_ms: u64) -> String {
    format!(
        "  PANIC for {}: {}, until they pass or in {}",
        age(at_ms.saturating_sub(panic.since_ms)),
        match panic.failing {
            1 => "1 real server fails and keeps its weight".to_owned(),
            failing => format!("{failing} real servers fail and keep their weights"),
        },
        age(panic.until_ms.saturating_sub(at_ms)),
    )
}

/// `  10.0.0.1:80   leaves: not in the file any more; weight 1 until those in its place …`
fn on_its_way(leaving: &Leaving, at_ms: u64) -> String {
    let Leaving {
        address,
        weight,
        until_ms,
    } = leaving;
    let left = age(until_ms.saturating_sub(at_ms));
    format!(
        "  {address:<24} leaves: not in the file any more; weight {weight} until those in its place \
         have been checked, or for {left}"
    )
}

/// `      on trial: web is said to be here, and stays 10.0.0.1:80 until a check has passed`
fn tried(trial: &Trial) -> String {
    let Trial { name, known } = trial;
    format!("      on trial: {name} is said to be here, and stays {known} until a check has passed")
}

/// `  SECOND OPINION for 12s: 10.0.0.3:80 fails here and keeps its weight, lb2 finds 10.0.0.1:80 up; until
/// that changes or in 14m48s`
fn second_opinion(opinion: &SecondOpinion, at_ms: u64) -> String {
    let SecondOpinion { real, node, up, .. } = opinion;
    if node.is_empty() {
        return format!(
            "  SECOND OPINION: {real} fails and is the last one, others are being asked"
        );
    }
    format!(
        "  SECOND OPINION for {}: {real} fails here and keeps its weight, {node} finds {} up; until that \
         changes or in {}",
        age(at_ms.saturating_sub(opinion.since_ms)),
        listed(up),
        age(opinion.until_ms.saturating_sub(at_ms)),
    )
}

/// What a real server is in the middle of.
fn in_stage(stage: Stage, at_ms: u64) -> String {
    match stage {
        Stage::Rising { passes, of } => format!("passed {passes} of {of}, down until then"),
        Stage::SlowStart { weight, full_ms } => {
            let left = age(full_ms.saturating_sub(at_ms));
            format!("slow start: weight {weight}, all of it in {left}")
        }
        Stage::Held => "fails, and its weight is held".to_owned(),
    }
}

/// `8000 checks in the last minute, begun late by 0.6 ms (median), 1.9 ms (99 %), 4.0 ms (worst)`
fn punctuality(late: &Lateness) -> Option<String> {
    let ms = |micros: u64| Duration::from_micros(micros).as_secs_f64() * 1000.0;
    let text = format!(
        "{} checks in the last minute, begun late by {:.1} ms (median), {:.1} ms (99 %), {:.1} ms (worst)",
        late.checks,
        ms(late.median_us),
        ms(late.p99_us),
        ms(late.worst_us)
    );
    (late.checks > 0).then_some(text)
}

/// `web.cf: on standby for 2m05s, as root (uid 0, pid 7) asked; the table is held back`
fn standing(snapshot: &DirectorSnapshot) -> String {
    let Duty {
        role,
        held_back,
        resident: _,
        since_ms,
        by,
    } = &snapshot.duty;
    let role = match role {
        Role::Active => "active",
        Role::Standby => "on standby",
    };
    let age = age(snapshot.at_ms.saturating_sub(*since_ms));
    let by = match by.as_str() {
        "" => String::new(),
        by => format!(", by {by}"),
    };
    let held = if *held_back {
        "; the table is held back"
    } else {
        ""
    };
    format!("{}: {role} for {age}{by}{held}", snapshot.config)
}

/// `  connections: master on eth1, syncid 7`
fn synchronised(sync: &ConnectionSync) -> String {
    let ConnectionSync {
        end,
        interface,
        sync_id,
        runs,
        problem,
    } = sync;
    let state = match (runs, problem.as_str()) {
        (true, "") => String::new(),
        (true, problem) => format!("; {problem}"),
        (false, "") => ": not yet".to_owned(),
        (false, problem) => format!(": not synchronised: {problem}"),
    };
    let end = end.word();
    format!("  connections: {end} on {interface}, syncid {sync_id}{state}")
}

/// `      its certificate is good for 12 days`
fn certificate(until_ms: u64, at_ms: u64) -> String {
    let days = until_ms.saturating_sub(at_ms) / (24 * 60 * 60 * 1000);
    match (until_ms <= at_ms, days) {
        (true, _) => "      its certificate has expired".to_owned(),
        (false, 0) => "      its certificate is good for less than a day".to_owned(),
        (false, 1) => "      its certificate is good for 1 day".to_owned(),
        (false, days) => format!("      its certificate is good for {days} days"),
    }
}

/// `      its agent, for 2m05s: 75 % of the weight`
fn asked_for(agent: &Agent, at_ms: u64) -> String {
    let age = age(at_ms.saturating_sub(agent.since_ms));
    format!("      its agent, for {age}: {agent}")
}

/// `      drain for 2m05s, by alice (uid 1000, pid 7): a new disk; ends in 8m00s`
fn overridden(order: &Override, at_ms: u64) -> String {
    let mut text = format!("      {}", order.says.word());
    if let Says::Weight { weight, regardless } = order.says {
        let anyway = if regardless {
            ", also while checks fail,"
        } else {
            ""
        };
        write!(text, " {weight}{anyway}").expect(WRITES);
    }
    let since = age(at_ms.saturating_sub(order.since_ms));
    write!(text, " for {since}, by {}", order.by).expect(WRITES);
    if !order.why.is_empty() {
        write!(text, ": {}", order.why).expect(WRITES);
    }
    if let Some(until) = order.until_ms {
        let left = age(until.saturating_sub(at_ms));
        write!(text, "; ends in {left}").expect(WRITES);
    }
    text
}

/// `      12 of 40 connections are left, none in about 50s`
fn drained(draining: &Draining) -> String {
    let Draining {
        at_first,
        left,
        empty_in_ms,
    } = *draining;
    let when = match empty_in_ms {
        _ if left == 0 => String::new(),
        Some(time) => format!(", none in about {}", age(time)),
        None => String::new(),
    };
    let are = if left == 1 { "is" } else { "are" };
    format!(
        "      {left} of {} {are} left{when}",
        counted(at_first as usize, "connection")
    )
}

const WRITES: &str = "writing to a String succeeds";

/// What the last check said, or why it could not be asked.
pub(crate) fn said(real: &RealServer) -> String {
    match &real.could_not_ask {
        Some(want) => format!("could not be asked: {want}"),
        None => real.message.clone(),
    }
}

#[cfg(test)]
mod tests;
