//! Differences between snapshots made of thrown bytes, and a few written by hand.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    Agent, Asks, ConnectionSync, GroupReason, GroupRun, Health, Leaving, LinkState, NodeKind,
    NodeStatus, NotSent, Outdated, Override, Quality, RefusedReason, Resource, Role, RunState,
    Says, SendTrouble, Severity, Span, Stage, SyncEnd, Timing, Trial,
};
use proptest::{collection::vec, prelude::*};

/// Makes values of few possibilities out of bytes, so that two snapshots often agree.
struct Dice<'a>(std::iter::Cycle<std::slice::Iter<'a, u8>>);

impl Dice<'_> {
    fn new(bytes: &[u8]) -> Dice<'_> {
        Dice(bytes.iter().cycle())
    }

    fn throw(&mut self, sides: u8) -> u8 {
        self.0.next().unwrap() % sides
    }

    fn number(&mut self) -> u64 {
        self.throw(4).into()
    }

    fn word(&mut self) -> String {
        ["a", "b", "c"][usize::from(self.throw(3))].to_owned()
    }

    fn flag(&mut self) -> bool {
        self.throw(2) == 0
    }

    fn maybe(&mut self) -> Option<u64> {
        self.flag().then(|| self.number())
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.throw(of.len().try_into().unwrap()))]
    }

    fn rows<T>(&mut self, row: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.throw(4)).map(|_| row(self)).collect()
    }

    fn node(&mut self) -> Node {
        Node {
            name: self.word(),
            local: self.flag(),
            kind: self.pick(&[NodeKind::Normal, NodeKind::Ping]),
            status: self.pick(&[NodeStatus::Active, NodeStatus::Dead]),
            extended: self.flag(),
            generation: self.number(),
            heard_ms: self.maybe(),
            deadtime_ms: self.number(),
            since_ms: self.number(),
            same_haresources: self.flag().then(|| self.flag()),
            quality: self.quality(),
        }
    }

    fn quality(&mut self) -> Option<Box<Quality>> {
        let jitter_us = self.maybe();
        let day = Span {
            heard: self.number(),
            ..Span::default()
        };
        self.flag().then(|| {
            Box::new(Quality {
                day,
                jitter_us,
                ..Quality::default()
            })
        })
    }

    fn link(&mut self) -> Link {
        Link {
            node: self.word(),
            medium: self.word(),
            device: self.word(),
            state: self.pick(&[LinkState::Init, LinkState::Up, LinkState::Dead]),
            heard_ms: self.maybe(),
            packets: self.number(),
            not_sent: self.maybe().map(|since_ms| NotSent {
                trouble: SendTrouble::NoBuffers,
                since_ms,
            }),
            quality: self.quality(),
        }
    }

    fn refused(&mut self) -> Refused {
        Refused {
            node: self.flag().then(|| self.word()),
            from: self.flag().then(|| self.word()),
            reason: if self.flag() {
                RefusedReason::WrongKey
            } else {
                RefusedReason::NotConfigured { name: self.word() }
            },
            count: self.number(),
            last_ms: self.number(),
        }
    }

    fn group(&mut self) -> Group {
        Group {
            name: self.word(),
            preferred: self.word(),
            owner: self.flag().then(|| self.word()),
            epoch: self.number(),
            state: self.pick(&[RunState::Running, RunState::Stopped]),
            runs: self.rows(|dice| GroupRun {
                node: dice.word(),
                state: dice.pick(&[RunState::Running, RunState::Stopped]),
            }),
            resources: self.rows(|dice| Resource {
                script: dice.word(),
                args: vec![dice.word()],
            }),
            reason: GroupReason {
                homeless: self.flag(),
                ..GroupReason::default()
            },
            timing: self.maybe().map(|total_ms| Timing {
                total_ms,
                silence_ms: self.maybe(),
                prepared: self.flag(),
                ..Timing::default()
            }),
        }
    }

    fn fallback(&mut self) -> Fallback {
        Fallback {
            address: self.word(),
            forwarding: self.word(),
            active: self.flag(),
        }
    }

    fn real(&mut self) -> RealServer {
        RealServer {
            address: self.word(),
            forwarding: self.word(),
            weight: 1,
            table_weight: self.flag().then_some(1),
            health: self.pick(&[Health::Up, Health::Down]),
            since_ms: self.number(),
            failures: 0,
            failure_limit: 1,
            check: "connect".to_owned(),
            message: self.word(),
            could_not_ask: self.flag().then(|| self.word()),
            trial: (self.throw(4) == 0).then(|| Trial {
                name: self.word(),
                known: self.word(),
            }),
            stage: self.flag().then_some(Stage::Held),
            certificate_until_ms: self.maybe(),
            agent: self.flag().then(|| Agent {
                asks: self.pick(&[Asks::Serve, Asks::Drain]),
                percent: self.throw(4).into(),
                why: self.word(),
                since_ms: self.number(),
                silent: None,
            }),
            overrides: if self.flag() {
                vec![Override {
                    says: Says::Drain,
                    by: self.word(),
                    why: String::new(),
                    since_ms: self.number(),
                    until_ms: None,
                }]
            } else {
                Vec::new()
            },
            draining: None,
            checked_ms: self.maybe(),
            took_us: self.maybe(),
            active_connections: self.throw(4).into(),
            inactive_connections: self.throw(4).into(),
            connections: self.number(),
        }
    }

    fn service(&mut self) -> VirtualService {
        VirtualService {
            id: self.word(),
            address: self.word(),
            protocol: "tcp".to_owned(),
            scheduler: self.word(),
            persistent: 0,
            name: String::new(),
            in_table: self.flag(),
            fallback: self.flag().then(|| self.fallback()),
            panic: None,
            opinion: None,
            enforced: self.throw(3).into(),
            leaving: self.rows(|dice| Leaving {
                address: dice.word(),
                weight: 1,
                until_ms: dice.number(),
            }),
            reals: self.rows(Dice::real),
            connections: self.number(),
            packets_in: self.number(),
            bytes_in: self.number(),
        }
    }

    fn notice(&mut self) -> Notice {
        Notice {
            at_ms: self.number(),
            severity: self.pick(&[Severity::Info, Severity::Error]),
            text: self.word(),
        }
    }

    fn snapshot(&mut self) -> Snapshot {
        if self.throw(8) < 4 {
            Snapshot::Cluster(ClusterSnapshot {
                node: if self.throw(16) == 0 { "x" } else { "lb1" }.to_owned(),
                at_ms: self.number(),
                uptime_ms: self.number(),
                phase: self.pick(&[ClusterPhase::Starting, ClusterPhase::Running]),
                extended: self.flag(),
                auto_failback: self.word(),
                keepalive_ms: self.number(),
                deadtime_ms: self.number(),
                nodes: self.rows(Dice::node),
                links: self.rows(Dice::link),
                groups: self.rows(Dice::group),
                refused: self.rows(Dice::refused),
                counters: Counters {
                    packets_in: self.number(),
                    ..Counters::default()
                },
                recent: self.rows(Dice::notice),
            })
        } else {
            Snapshot::Director(DirectorSnapshot {
                config: if self.throw(16) == 0 { "x" } else { "web" }.to_owned(),
                path: "/etc/ha.d/web.cf".to_owned(),
                at_ms: self.number(),
                uptime_ms: self.number(),
                phase: self.pick(&[DirectorPhase::Starting, DirectorPhase::Running]),
                duty: Duty {
                    role: self.pick(&[Role::Active, Role::Standby]),
                    ..Duty::default()
                },
                sync: (self.throw(2) == 0).then(|| ConnectionSync {
                    end: self.pick(&[SyncEnd::Master, SyncEnd::Backup]),
                    interface: "eth1".to_owned(),
                    sync_id: 7,
                    runs: self.throw(2) == 0,
                    problem: String::new(),
                }),
                outdated: (self.throw(4) == 0).then(|| Outdated {
                    refused_ms: self.number(),
                    why: self.word(),
                }),
                services: self.rows(Dice::service),
                totals: Totals {
                    checks: self.number(),
                    ..Totals::default()
                },
                recent: self.rows(Dice::notice),
            })
        }
    }
}

/// Two snapshots, the second from the same bytes but for a few.
fn pair() -> impl Strategy<Value = (Snapshot, Snapshot)> {
    let edits = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (vec(any::<u8>(), 150), edits).prop_map(|(mut bytes, edits)| {
        let old = Dice::new(&bytes).snapshot();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        (old, Dice::new(&bytes).snapshot())
    })
}

fn applied(old: &Snapshot, changes: &[Change]) -> Snapshot {
    let mut copy = old.clone();
    for change in changes {
        apply(&mut copy, change);
    }
    copy
}

proptest! {
    #[test]
    fn applying_the_difference_gives_the_new((old, new) in pair()) {
        let changes = diff(&old, &new, Volatile::Include);
        prop_assert_eq!(applied(&old, &changes), new.clone());
        prop_assert_eq!(diff(&new, &new, Volatile::Include), []);
    }

    #[test]
    fn without_volatile_fields_the_rest_still_agrees((old, new) in pair()) {
        let changes = diff(&old, &new, Volatile::Skip);
        let copy = applied(&old, &changes);
        prop_assert_eq!(diff(&copy, &new, Volatile::Skip), []);
    }

    #[test]
    fn changes_survive_their_line((old, new) in pair()) {
        let changes = diff(&old, &new, Volatile::Include);
        let line = serde_json::to_string(&changes).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<Change>>(&line).unwrap(), changes);
    }

    /// A server of another mind sends rows that we do not have; nothing may panic.
    #[test]
    fn changes_of_another_snapshot_do_no_harm((old, new) in pair(), (other, _) in pair()) {
        let _ = applied(&other, &diff(&old, &new, Volatile::Include));
    }
}

/// A cluster of two nodes, one group; for other tests, too.
pub(crate) fn pair_of_nodes() -> ClusterSnapshot {
    let bytes = [1];
    let mut dice = Dice::new(&bytes);
    let nodes = ["lb1", "lb2"].map(|name| Node {
        name: name.to_owned(),
        ..dice.node()
    });
    ClusterSnapshot {
        node: "lb1".to_owned(),
        at_ms: 1_000,
        uptime_ms: 1_000,
        phase: ClusterPhase::Running,
        extended: true,
        auto_failback: "on".to_owned(),
        keepalive_ms: 200,
        deadtime_ms: 2_000,
        nodes: nodes.into(),
        links: vec![dice.link()],
        groups: vec![dice.group()],
        refused: Vec::new(),
        counters: Counters::default(),
        recent: Vec::new(),
    }
}

pub(crate) fn service(reals: usize) -> VirtualService {
    let bytes = [1];
    let mut dice = Dice::new(&bytes);
    let mut service = dice.service();
    service.reals = (0..reals)
        .map(|number| RealServer {
            address: format!("10.0.0.{number}:80"),
            ..dice.real()
        })
        .collect();
    service
}

pub(crate) fn director(service: VirtualService) -> Snapshot {
    Snapshot::Director(DirectorSnapshot {
        config: "web".to_owned(),
        path: "/etc/ha.d/web.cf".to_owned(),
        at_ms: 0,
        uptime_ms: 0,
        phase: DirectorPhase::Running,
        duty: Duty::default(),
        sync: None,
        outdated: None,
        services: vec![service],
        totals: Totals::default(),
        recent: Vec::new(),
    })
}

#[test]
fn a_new_owner_is_one_row() {
    let old = pair_of_nodes();
    let mut new = old.clone();
    new.at_ms += 10;
    new.groups[0].owner = Some("lb2".to_owned());
    let group = new.groups[0].clone();
    let changes = diff(
        &Snapshot::Cluster(old),
        &Snapshot::Cluster(new),
        Volatile::Skip,
    );
    assert_eq!(changes, [Change::Group { group }]);
}

#[test]
fn ages_and_counters_alone_are_no_change() {
    let old = pair_of_nodes();
    let mut new = old.clone();
    new.at_ms += 1_000;
    new.uptime_ms += 1_000;
    new.counters.packets_in += 5;
    new.nodes[1].heard_ms = Some(7);
    new.links[0].packets += 5;
    let (old, new) = (Snapshot::Cluster(old), Snapshot::Cluster(new));
    assert_eq!(diff(&old, &new, Volatile::Skip), []);
}

#[test]
fn rows_in_another_order_travel_whole() {
    let old = pair_of_nodes();
    let mut new = old.clone();
    new.nodes.swap(0, 1);
    let new = Snapshot::Cluster(new);
    let changes = diff(&Snapshot::Cluster(old), &new, Volatile::Skip);
    let snapshot = Box::new(new);
    assert_eq!(changes, [Change::Whole { snapshot }]);
}

#[test]
fn a_service_travels_without_its_real_servers_and_keeps_them() {
    let old = director(service(3));
    let mut changed = service(3);
    changed.in_table = !changed.in_table;
    let new = director(changed);
    let changes = diff(&old, &new, Volatile::Skip);
    let [Change::Service { service }] = &changes[..] else {
        panic!("{changes:?}");
    };
    assert!(service.reals.is_empty());
    assert_eq!(applied(&old, &changes), new);
}

#[test]
fn more_changed_rows_than_the_limit_travel_whole() {
    let old = director(service(CHANGES_MAX + 1));
    let mut changed = service(CHANGES_MAX + 1);
    for real in &mut changed.reals {
        real.health = Health::Maintenance;
    }
    let changes = diff(&old, &director(changed), Volatile::Skip);
    assert!(matches!(changes[..], [Change::Whole { .. }]));
}

#[test]
fn a_notice_pushes_out_the_oldest() {
    let mut snapshot = Snapshot::Cluster(pair_of_nodes());
    let bytes = [0];
    for at_ms in 0..=200 {
        let notice = Dice::new(&bytes).notice();
        apply_notice(&mut snapshot, Notice { at_ms, ..notice });
    }
    let Snapshot::Cluster(cluster) = snapshot else {
        unreachable!()
    };
    assert_eq!(cluster.recent.len(), ClusterSnapshot::RECENT_MAX);
    assert_eq!(cluster.recent[0].at_ms, 1);
}
