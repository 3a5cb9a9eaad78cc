//! Serves a scripted cluster on a status socket, to look at hbtui without one:
//!
//! `cargo run -p hbtui --example fake -- DIR [REALS]`, then `cargo run -p hbtui -- --run DIR`.
//! Every five seconds lb1 dies or comes back; standby and takeover move the group.
//! Prints the moment of each change of owner, milliseconds since 1970.

#[path = "../src/sample.rs"]
mod sample;

use ha_status::{
    Action, ClaimCause, ClaimReason, Hello, NodeStatus, Notice, Reply, Request, SCHEMA_VERSION,
    Severity, Snapshot,
    socket::{CLIENTS_MAX, ClientRequest, Publisher, Server},
};
use std::{
    env,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::mpsc;

/// How long each scene lasts.
const SCENE: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut args = env::args().skip(1);
    let dir = args.next().unwrap_or_else(|| "/tmp/hbtui-fake".to_owned());
    let reals = args.next().and_then(|reals| reals.parse().ok());
    let director = reals.map_or_else(sample::director, sample::many_reals);
    let cluster = Snapshot::Cluster(sample::two_nodes());
    tokio::try_join!(
        serve(Path::new(&dir).join("hbd.sock"), "lb1", cluster),
        serve(
            Path::new(&dir).join("ldird.ldirectord.sock"),
            "ldirectord",
            Snapshot::Director(director)
        ),
    )?;
    Ok(())
}

async fn serve(path: std::path::PathBuf, name: &str, mut state: Snapshot) -> anyhow::Result<()> {
    let hello = Hello {
        version: SCHEMA_VERSION,
        program: "fake".to_owned(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        name: name.to_owned(),
        pid: std::process::id(),
    };
    let (sender, mut requests) = mpsc::channel::<ClientRequest>(CLIENTS_MAX);
    let _serving = Server::bind(&path, 0o660, "haclient")
        .await?
        .start(&hello, sender);
    let mut publisher = Publisher::new();
    let mut scene = tokio::time::interval(SCENE);
    scene.tick().await;
    loop {
        tokio::select! {
            _ = scene.tick() => {
                if let Snapshot::Cluster(cluster) = &mut state {
                    let dies = cluster.groups[0].owner.as_deref() == Some("lb1");
                    change_owner(&mut state, &mut publisher, if dies { "lb2" } else { "lb1" });
                }
            }
            Some(request) = requests.recv() => match request.request {
                Request::Snapshot => {
                    age(&mut state);
                    publisher.snapshot(request.reply, &state);
                }
                Request::Follow => publisher.follow(request.reply, &state),
                Request::Metrics => request.reply.send(Reply::Metrics { text: String::new() }),
                Request::Opinion { .. } => {
                    let views = Vec::new();
                    request.reply.send(Reply::Opinion { views });
                }
                Request::Act { action } => {
                    let to = if matches!(action, Action::Standby { .. }) { "lb2" } else { "lb1" };
                    change_owner(&mut state, &mut publisher, to);
                    let text = format!("{to} runs all groups");
                    request.reply.send(Reply::Done { text });
                }
            }
        }
    }
}

fn change_owner(state: &mut Snapshot, publisher: &mut Publisher, to: &str) {
    let Snapshot::Cluster(cluster) = state else {
        return;
    };
    let group = &mut cluster.groups[0];
    group.owner = Some(to.to_owned());
    group.epoch += 1;
    group.reason.claim = Some(ClaimReason {
        owner: to.to_owned(),
        cause: ClaimCause::Moved,
    });
    cluster.nodes[1].status = if to == "lb1" {
        NodeStatus::Active
    } else {
        NodeStatus::Up
    };
    let notice = Notice {
        at_ms: now_ms(),
        severity: Severity::Notice,
        text: format!("group {}: owner {to}", group.name),
    };
    println!("{} {to}", notice.at_ms);
    cluster.recent.push(notice.clone());
    publisher.notice(&notice);
    publisher.publish(state);
}

/// Counters grow by themselves.
fn age(state: &mut Snapshot) {
    match state {
        Snapshot::Cluster(cluster) => {
            for link in &mut cluster.links {
                link.packets += 5;
                link.heard_ms = Some(now_ms() % 200);
            }
        }
        Snapshot::Director(director) => {
            for real in director
                .services
                .iter_mut()
                .flat_map(|service| &mut service.reals)
            {
                real.connections += 1;
                real.active_connections = u32::try_from(now_ms() % 50).unwrap_or(0);
            }
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
