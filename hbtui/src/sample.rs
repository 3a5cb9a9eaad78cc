//! Snapshots made by hand, for drawn frames and for the example that serves them.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the example includes this file as its own and needs a part of it"
)]

use ha_status::{
    ClaimCause, ClaimReason, ClusterPhase, ClusterSnapshot, Counters, DirectorPhase,
    DirectorSnapshot, Duty, Fallback, Fate, Group, GroupReason, GroupRun, Health, Link, LinkState,
    Node, NodeKind, NodeStatus, Notice, Quality, RealServer, Resource, RunState, Severity, Span,
    Timing, Totals, VirtualService,
};

/// 2026-11-20 16:00:00 UTC.
pub const START_MS: u64 = 1_795_190_400_000;

/// lb1 answers; lb1 and lb2 are active, lb1 runs the one group.
pub fn two_nodes() -> ClusterSnapshot {
    ClusterSnapshot {
        node: "lb1".to_owned(),
        at_ms: START_MS,
        uptime_ms: 3_600_000,
        phase: ClusterPhase::Running,
        extended: true,
        auto_failback: "on".to_owned(),
        keepalive_ms: 200,
        deadtime_ms: 2_000,
        nodes: vec![node("lb1", true), node("lb2", false)],
        links: vec![
            link("bcast", "eth1", 180),
            link("serial", "/dev/ttyS0", 190),
        ],
        groups: vec![group()],
        refused: Vec::new(),
        counters: Counters::default(),
        recent: vec![
            notice(0, Severity::Info, "link lb2 bcast eth1: up"),
            notice(210, Severity::Notice, "node lb2: is active"),
            notice(
                1_250,
                Severity::Notice,
                "group IPaddr::10.0.0.100/24/eth0: running here",
            ),
        ],
    }
}

/// lb2 answers; lb1 died, lb2 took its group.
pub fn after_failover() -> ClusterSnapshot {
    let mut cluster = two_nodes();
    "lb2".clone_into(&mut cluster.node);
    for node in &mut cluster.nodes {
        node.local = node.name == "lb2";
    }
    cluster.nodes[0].status = NodeStatus::Dead;
    cluster.nodes[0].heard_ms = Some(6_100);
    cluster.nodes[0].since_ms = START_MS - 4_100;
    cluster.nodes[1].heard_ms = None;
    for link in &mut cluster.links {
        "lb1".clone_into(&mut link.node);
        link.state = LinkState::Dead;
        link.heard_ms = Some(6_100);
    }
    let group = &mut cluster.groups[0];
    group.owner = Some("lb2".to_owned());
    group.epoch = 8;
    group.runs = vec![run("lb2", RunState::Running)];
    group.reason = reason(
        "lb2",
        ClaimCause::Next {
            before: "lb1".to_owned(),
            fate: Fate::Silent { links: 2 },
        },
    );
    group.timing = Some(Timing {
        total_ms: 2_012,
        silence_ms: Some(2_003),
        address_ms: Some(3),
        table_ms: Some(8),
        ..Timing::default()
    });
    cluster
        .recent
        .push(notice(5_900, Severity::Warning, "node lb1: is dead"));
    cluster.recent.push(notice(
        5_930,
        Severity::Notice,
        "group IPaddr::10.0.0.100/24/eth0: taken over from lb1",
    ));
    cluster.recent.push(notice(
        5_939,
        Severity::Info,
        "IPaddr::10.0.0.100/24/eth0 runs here after 2012 ms: silence 2003 ms, address 3 ms, table 8 ms",
    ));
    cluster
}

/// Two services with three real servers each; one is down, one is nearly so.
pub fn director() -> DirectorSnapshot {
    let web = VirtualService {
        reals: vec![
            real(1, Health::Up, "200 OK"),
            real(2, Health::Down, "connection refused"),
            RealServer {
                failures: 1,
                ..real(3, Health::Up, "no answer within 3 s")
            },
        ],
        ..service("tcp", 80, "wlc")
    };
    let ftp = VirtualService {
        reals: [1, 2, 3]
            .map(|host| RealServer {
                address: format!("10.0.0.{host}:21"),
                check: "connect".to_owned(),
                ..real(host, Health::Up, "connected")
            })
            .into(),
        persistent: 300,
        ..service("tcp", 21, "rr")
    };
    DirectorSnapshot {
        config: "ldirectord".to_owned(),
        path: "/etc/ha.d/ldirectord.cf".to_owned(),
        at_ms: START_MS,
        uptime_ms: 3_600_000,
        phase: DirectorPhase::Running,
        duty: Duty::default(),
        sync: None,
        outdated: None,
        services: vec![web, ftp],
        totals: Totals::default(),
        recent: vec![notice(
            4_000,
            Severity::Error,
            "real server 10.0.0.2:80 of tcp:10.0.0.100:80: down: connection refused",
        )],
    }
}

/// One service with this many real servers.
pub fn many_reals(count: usize) -> DirectorSnapshot {
    let mut director = director();
    let mut service = service("tcp", 80, "wlc");
    service.reals = (0..count)
        .map(|number| RealServer {
            address: format!("10.1.{}.{}:80", number / 250, number % 250 + 1),
            ..real(1, Health::Up, "200 OK")
        })
        .collect();
    director.services = vec![service];
    director
}

fn node(name: &str, local: bool) -> Node {
    Node {
        name: name.to_owned(),
        local,
        kind: NodeKind::Normal,
        status: NodeStatus::Active,
        extended: true,
        generation: 12,
        heard_ms: (!local).then_some(180),
        deadtime_ms: 2_000,
        since_ms: START_MS - 3_600_000,
        same_haresources: Some(true),
        quality: None,
    }
}

/// Of a link that loses a packet now and then.
fn quality() -> Quality {
    let span = |heard| Span {
        watched_ms: heard * 200,
        heard,
        lost: heard / 1_000,
        duplicates: 0,
        median_ms: 200,
        p99_ms: 203,
        longest_ms: 412,
        outages: 0,
        longest_outage_ms: 0,
    };
    Quality {
        minute: span(300),
        hour: span(18_000),
        day: span(400_000),
        silences: Vec::new(),
        jitter_us: Some(840),
        round_trip_us: None,
    }
}

fn link(medium: &str, device: &str, heard_ms: u64) -> Link {
    Link {
        node: "lb2".to_owned(),
        medium: medium.to_owned(),
        device: device.to_owned(),
        state: LinkState::Up,
        not_sent: None,
        heard_ms: Some(heard_ms),
        packets: 18_000,
        quality: Some(Box::new(quality())),
    }
}

fn group() -> Group {
    let resource = |script: &str, arg: &str| Resource {
        script: script.to_owned(),
        args: vec![arg.to_owned()],
    };
    Group {
        name: "IPaddr::10.0.0.100/24/eth0".to_owned(),
        preferred: "lb1".to_owned(),
        owner: Some("lb1".to_owned()),
        epoch: 7,
        state: RunState::Running,
        runs: vec![run("lb1", RunState::Running), run("lb2", RunState::Stopped)],
        resources: vec![
            resource("IPaddr", "10.0.0.100/24/eth0"),
            resource("ldirectord", "ldirectord.cf"),
        ],
        reason: reason("lb1", ClaimCause::Preferred),
        timing: None,
    }
}

fn reason(owner: &str, cause: ClaimCause) -> GroupReason {
    let owner = owner.to_owned();
    GroupReason {
        claim: Some(ClaimReason { owner, cause }),
        ..GroupReason::default()
    }
}

fn run(node: &str, state: RunState) -> GroupRun {
    GroupRun {
        node: node.to_owned(),
        state,
    }
}

fn service(protocol: &str, port: u16, scheduler: &str) -> VirtualService {
    VirtualService {
        id: format!("{protocol}:10.0.0.100:{port}"),
        address: format!("10.0.0.100:{port}"),
        protocol: protocol.to_owned(),
        scheduler: scheduler.to_owned(),
        persistent: 0,
        name: String::new(),
        in_table: true,
        fallback: Some(Fallback {
            address: format!("127.0.0.1:{port}"),
            forwarding: "gate".to_owned(),
            active: false,
        }),
        panic: None,
        opinion: None,
        enforced: 0,
        leaving: Vec::new(),
        reals: Vec::new(),
        connections: 48_211,
        packets_in: 612_000,
        bytes_in: 91_500_000,
    }
}

fn real(host: u32, health: Health, message: &str) -> RealServer {
    let up = health == Health::Up;
    RealServer {
        address: format!("10.0.0.{host}:80"),
        forwarding: "gate".to_owned(),
        weight: 1,
        table_weight: Some(u32::from(up)),
        health,
        since_ms: START_MS - 60_000,
        failures: 0,
        failure_limit: 3,
        check: "negotiate http".to_owned(),
        message: message.to_owned(),
        could_not_ask: None,
        trial: None,
        stage: None,
        certificate_until_ms: None,
        agent: None,
        overrides: Vec::new(),
        draining: None,
        checked_ms: Some(700),
        took_us: Some(850),
        active_connections: if up { 41 + host } else { 0 },
        inactive_connections: if up { 230 + host } else { 12 },
        connections: 16_000,
    }
}

fn notice(after_ms: u64, severity: Severity, text: &str) -> Notice {
    Notice {
        at_ms: START_MS - 10_000 + after_ms,
        severity,
        text: text.to_owned(),
    }
}
