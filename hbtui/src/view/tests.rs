//! Frames as text. `INSTA_UPDATE=always cargo test -p hbtui` writes them anew; review the diff.
#![allow(clippy::unwrap_used)]

use crate::{
    app::{App, Message},
    print::{frame, lines},
    sample::{self, START_MS},
    source::{Event, Told},
    svg,
    theme::Theme,
};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ha_status::{
    Agent, Asks, ClusterSnapshot, ConnectionSync, DirectorSnapshot, Draining, Hello, NodeStatus,
    NotSent, Override, Panic, Refused, RefusedReason, Reply, SCHEMA_VERSION, Says, SecondOpinion,
    SendTrouble, Snapshot, Stage, SyncEnd,
};
use std::time::{Duration, Instant};

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (200, 60);
const THEME: Theme = Theme {
    colour: true,
    unicode: true,
};

/// An app that has just been told these snapshots.
fn app(cluster: Option<ClusterSnapshot>, director: Option<DirectorSnapshot>) -> App {
    let ldirds = director
        .iter()
        .map(|_| "/run/heartbeat/ldird.ldirectord.sock".into());
    let mut app = App::new(
        "/run/heartbeat/hbd.sock".into(),
        ldirds.collect(),
        false,
        START_MS,
    );
    if let Some(cluster) = cluster {
        let name = cluster.node.clone();
        connect(&mut app, 0, &name, Snapshot::Cluster(cluster));
    }
    if let Some(director) = director {
        connect(&mut app, 1, "ldirectord", Snapshot::Director(director));
    }
    app
}

fn connect(app: &mut App, source: usize, name: &str, snapshot: Snapshot) {
    let hello = Hello {
        version: SCHEMA_VERSION,
        program: "hbd".to_owned(),
        release: "0.1.0".to_owned(),
        name: name.to_owned(),
        pid: 1,
    };
    tell(app, source, Event::Connected(hello), START_MS);
    let line = Reply::Snapshot { seq: 0, snapshot };
    tell(app, source, Event::Line(Box::new(line)), START_MS);
}

fn tell(app: &mut App, source: usize, event: Event, now_ms: u64) {
    app.update(Message::Told(Told { source, event }), now_ms);
}

fn press(app: &mut App, code: KeyCode) {
    let key = KeyEvent::new(code, KeyModifiers::NONE);
    app.update(Message::Key(key), app.now_ms);
}

fn drawn(app: &App, size: (u16, u16)) -> String {
    lines(&frame(app, THEME, size).unwrap())
}

/// Compares both sizes with the recorded frames.
macro_rules! assert_frames {
    ($name:literal, $app:expr) => {{
        let app = $app;
        insta::assert_snapshot!(concat!($name, "_80x24"), drawn(&app, SMALL));
        insta::assert_snapshot!(concat!($name, "_200x60"), drawn(&app, LARGE));
    }};
}

#[test]
fn two_nodes_healthy() {
    let app = app(Some(sample::two_nodes()), Some(sample::director()));
    assert_frames!("two_nodes", app);
}

#[test]
fn one_dead_after_failover() {
    let app = app(Some(sample::after_failover()), Some(sample::director()));
    assert_frames!("failover", app);
}

#[test]
fn a_lost_source_says_so_and_its_data_look_stale() {
    let mut app = app(Some(sample::two_nodes()), Some(sample::director()));
    let later = START_MS + 3_000;
    let reason = "Connection refused".to_owned();
    tell(&mut app, 0, Event::Lost(reason), later);
    assert_frames!("lost", app);
}

#[test]
fn a_medium_on_which_nothing_leaves_is_bad_and_says_why() {
    let mut cluster = sample::two_nodes();
    cluster.links[0].not_sent = Some(NotSent {
        trouble: SendTrouble::NoBuffers,
        since_ms: START_MS - 4_000,
    });
    assert_frames!("not_sent", app(Some(cluster), Some(sample::director())));
}

#[test]
fn a_peer_that_was_never_heard_speaks_nothing_yet() {
    let mut cluster = sample::two_nodes();
    let peer = &mut cluster.nodes[1];
    (peer.status, peer.extended) = (NodeStatus::Init, false);
    (peer.heard_ms, peer.same_haresources) = (None, None);
    assert_frames!("never_heard", app(Some(cluster), Some(sample::director())));
}

/// Both nodes run what they should and every row is green, but neither hears the other.
#[test]
fn a_peer_whose_packets_are_refused_is_the_first_thing_to_see() {
    let mut cluster = sample::two_nodes();
    cluster.refused = vec![Refused {
        node: Some("lb2".to_owned()),
        from: Some("10.0.0.2".to_owned()),
        reason: RefusedReason::WrongKey,
        count: 81,
        last_ms: 1_200,
    }];
    cluster.nodes[1].heard_ms = None;
    let app = app(Some(cluster), Some(sample::director()));
    for width in [80, 100] {
        let frame = drawn(&app, (width, 24));
        let said = frame.split_whitespace().collect::<Vec<_>>().join(" ");
        let remedy = "(the file must be the same on every node)";
        assert!(said.contains(remedy), "at {width} columns: {frame}");
    }
    assert_frames!("refused", app);
}

#[test]
fn help_prints_the_table_of_keys() {
    let mut app = app(Some(sample::two_nodes()), Some(sample::director()));
    press(&mut app, KeyCode::Char('?'));
    assert_frames!("help", app);
}

#[test]
fn the_question_before_standby() {
    let mut app = app(Some(sample::two_nodes()), Some(sample::director()));
    press(&mut app, KeyCode::Char('s'));
    press(&mut app, KeyCode::Down);
    assert_frames!("standby", app);
}

#[test]
fn all_about_a_real_server() {
    let mut app = app(Some(sample::two_nodes()), Some(sample::director()));
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Enter);
    assert_frames!("detail", app);
}

#[test]
fn all_about_a_group_that_was_taken_over() {
    let mut app = app(Some(sample::after_failover()), Some(sample::director()));
    press(&mut app, KeyCode::BackTab);
    press(&mut app, KeyCode::Enter);
    assert_frames!("group", app);
}

#[test]
fn a_director_that_synchronises_connections_says_so() {
    let shown = |runs, problem: &str| {
        let director = DirectorSnapshot {
            sync: Some(ConnectionSync {
                end: SyncEnd::Master,
                interface: "eth1".to_owned(),
                sync_id: 7,
                runs,
                problem: problem.to_owned(),
            }),
            ..sample::director()
        };
        let app = app(Some(sample::two_nodes()), Some(director));
        lines(&frame(&app, THEME, LARGE).unwrap())
    };
    let fine = shown(true, "");
    assert!(fine.contains("ldird ldirectord  sync master"), "{fine}");
    let troubled = shown(false, "no such device");
    assert!(troubled.contains("no sync: no such device"), "{troubled}");
}

#[test]
fn without_ldird_the_cluster_has_the_room() {
    assert_frames!("no_ldird", app(Some(sample::two_nodes()), None));
}

#[test]
fn nobody_answers() {
    let mut app = app(None, None);
    let reason = "No such file or directory".to_owned();
    tell(&mut app, 0, Event::Lost(reason), START_MS);
    assert_frames!("nobody", app);
}

#[test]
fn many_reals_scroll() {
    let mut app = app(Some(sample::two_nodes()), Some(sample::many_reals(500)));
    for _ in 0..20 {
        press(&mut app, KeyCode::PageDown);
    }
    assert_frames!("many_reals", app);
}

#[test]
fn a_terminal_too_small_says_what_it_needs() {
    let app = app(Some(sample::two_nodes()), None);
    insta::assert_snapshot!(drawn(&app, (30, 5)));
}

#[test]
fn no_size_of_terminal_panics() {
    let mut app = app(Some(sample::two_nodes()), Some(sample::director()));
    press(&mut app, KeyCode::Char('?'));
    for width in (1..=220).step_by(7) {
        for height in (1..=70).step_by(3) {
            drawn(&app, (width, height));
        }
    }
}

#[test]
fn without_colour_nothing_but_the_colour_is_missing() {
    let app = app(Some(sample::after_failover()), Some(sample::director()));
    let plain = Theme {
        colour: false,
        unicode: true,
    };
    let buffer = frame(&app, plain, LARGE).unwrap();
    assert_eq!(lines(&buffer), drawn(&app, LARGE));
    let coloured = |cell: &ratatui::buffer::Cell| cell.fg != ratatui::style::Color::Reset;
    assert!(!buffer.content().iter().any(coloured));
}

#[test]
fn an_ascii_terminal_gets_ascii() {
    let app = app(Some(sample::after_failover()), Some(sample::director()));
    let ascii = Theme {
        colour: true,
        unicode: false,
    };
    for size in [SMALL, LARGE] {
        let text = lines(&frame(&app, ascii, size).unwrap());
        assert!(text.is_ascii(), "{text}");
    }
}

/// A probe's answer reaches the screen; escape sequences in it must not.
#[test]
fn control_characters_do_not_reach_the_terminal() {
    let mut director = sample::director();
    director.services[0].reals[0].message = "\u{1b}[2Jboo\r\n\u{7}".to_owned();
    let app = app(Some(sample::two_nodes()), Some(director));
    let text = drawn(&app, LARGE);
    assert!(text.contains("[2Jboo"), "{text}");
    assert!(!text.contains(['\u{1b}', '\r', '\u{7}']));
}

#[test]
fn ten_thousand_rows_draw_as_fast_as_few() {
    let time = |count| {
        let app = app(None, Some(sample::many_reals(count)));
        let start = Instant::now();
        for _ in 0..10 {
            drawn(&app, LARGE);
        }
        start.elapsed() / 10
    };
    time(50);
    let (few, many) = (time(50), time(10_000));
    // Counting rows is all that may grow; generous for a busy machine and a debug build.
    assert!(many < few + Duration::from_millis(20), "{few:?} {many:?}");
}

#[test]
fn the_picture_is_well_formed() {
    let app = app(Some(sample::two_nodes()), Some(sample::director()));
    let picture = svg::picture(&frame(&app, THEME, LARGE).unwrap());
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    assert!(picture.contains("10.0.0.100:80"));
    assert_eq!(
        picture.matches("<text").count(),
        picture.matches("</text>").count()
    );
}

/// A serial console says 0x0, a window can be dragged to anything.
#[test]
fn every_tiny_size_is_drawn_without_a_panic() {
    let full = || app(Some(sample::two_nodes()), Some(sample::director()));
    let (mut help, mut asking) = (full(), full());
    press(&mut help, KeyCode::Char('?'));
    press(&mut asking, KeyCode::Char('s'));
    for shown in [full(), help, asking, app(None, None)] {
        for width in (0..=64).chain([139, 140, 141]) {
            for height in (0..=20).chain([29, 30, 31]) {
                let frame = frame(&shown, THEME, (width, height)).unwrap();
                lines(&frame);
                svg::picture(&frame);
            }
        }
    }
}

#[test]
fn held_weights_slow_starts_and_drains_are_seen() {
    let mut director = sample::director();
    let web = &mut director.services[0];
    web.panic = Some(Panic {
        failing: 2,
        since_ms: START_MS,
        until_ms: START_MS + 60_000,
    });
    let stages = [
        Stage::SlowStart {
            weight: 30,
            full_ms: START_MS + 40_000,
        },
        Stage::Held,
        Stage::Rising { passes: 1, of: 3 },
    ];
    for (real, stage) in web.reals.iter_mut().zip(stages) {
        real.stage = Some(stage);
    }
    director.services[1].opinion = Some(SecondOpinion {
        real: "10.0.0.1:80".to_owned(),
        node: "lb2".to_owned(),
        up: vec!["10.0.0.1:80".to_owned()],
        since_ms: START_MS,
        until_ms: START_MS + 90_000,
    });
    let drained = &mut director.services[1].reals[0];
    drained.overrides = vec![Override {
        says: Says::Drain,
        by: "alice".to_owned(),
        why: "a new disk".to_owned(),
        since_ms: START_MS,
        until_ms: None,
    }];
    drained.draining = Some(Draining {
        at_first: 40,
        left: 12,
        empty_in_ms: Some(50_000),
    });
    let agent = |asks, percent| Agent {
        asks,
        percent,
        why: "updates".to_owned(),
        since_ms: START_MS,
        silent: None,
    };
    let reals = &mut director.services[1].reals;
    reals[1].agent = Some(agent(Asks::Drain, 100));
    reals[2].agent = Some(agent(Asks::Serve, 40));
    let frame = drawn(&app(None, Some(director)), LARGE);
    for text in [
        "agent: drain: updates",
        "agent: 40 % of the weight: updates; ",
        "PANIC: 2 fail, weights held, 60 s left",
        "SECOND OPINION: up for lb2, the last one held, 90 s left",
        "slow start at 30, all of it in 40 s",
        "weight held: connection refused",
        "passed 1/3",
        "drain, 12 of 40 left, none in about 50 s",
    ] {
        assert!(frame.contains(text), "{text}\n{frame}");
    }
}
