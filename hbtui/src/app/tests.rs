//! What keys, lines and losses do to the app.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    sample::{self, START_MS},
    source::{Event, Told},
};
use crossterm::event::{KeyCode, KeyModifiers};
use ha_status::{Change, Reply, SCHEMA_VERSION};

fn hello() -> Hello {
    Hello {
        version: SCHEMA_VERSION,
        program: "hbd".to_owned(),
        release: "0.1.0".to_owned(),
        name: "lb1".to_owned(),
        pid: 1,
    }
}

/// Both sources live.
fn app(read_only: bool) -> App {
    let ldird = PathBuf::from("/run/ldird.web.cf.sock");
    let mut app = App::new("/run/hbd.sock".into(), vec![ldird], read_only, START_MS);
    let cluster = Snapshot::Cluster(sample::two_nodes());
    let director = Snapshot::Director(sample::director());
    for (source, snapshot) in [cluster, director].into_iter().enumerate() {
        tell(&mut app, source, Event::Connected(hello()));
        let line = Reply::Snapshot { seq: 5, snapshot };
        tell(&mut app, source, Event::Line(Box::new(line)));
    }
    app
}

fn tell(app: &mut App, source: usize, event: Event) -> Option<Effect> {
    app.update(Message::Told(Told { source, event }), START_MS)
}

fn press(app: &mut App, code: KeyCode) -> Option<Effect> {
    let key = KeyEvent::new(code, KeyModifiers::NONE);
    app.update(Message::Key(key), START_MS)
}

fn letter(app: &mut App, letter: char) -> Option<Effect> {
    press(app, KeyCode::Char(letter))
}

fn new_owner(seq: u64) -> Event {
    let mut group = sample::two_nodes().groups.remove(0);
    group.owner = Some("lb2".to_owned());
    let changes = vec![Change::Group { group }];
    Event::Line(Box::new(Reply::Change { seq, changes }))
}

fn owner(app: &App) -> Option<&str> {
    app.cluster().unwrap().1.groups[0].owner.as_deref()
}

#[test]
fn a_change_is_seen_at_once() {
    let mut app = app(false);
    assert_eq!(tell(&mut app, 0, new_owner(6)), None);
    assert_eq!(owner(&app), Some("lb2"));
}

#[test]
fn a_missed_line_starts_the_source_anew_and_takes_no_leftovers() {
    let mut app = app(false);
    assert_eq!(tell(&mut app, 0, new_owner(8)), Some(Effect::Reconnect(0)));
    assert!(!app.sources[0].is_live());
    assert_eq!(tell(&mut app, 0, new_owner(6)), None);
    assert_eq!(owner(&app), Some("lb1"));
    tell(&mut app, 0, Event::Connected(hello()));
    assert!(app.sources[0].is_live());
}

#[test]
fn a_lost_source_keeps_its_picture_and_is_told_once() {
    let mut app = app(false);
    let lost = || Event::Lost("the connection ended".to_owned());
    tell(&mut app, 0, lost());
    tell(&mut app, 0, lost());
    assert_eq!(owner(&app), Some("lb1"));
    assert_eq!(app.own_notices.len(), 1);
    tell(&mut app, 0, Event::Connected(hello()));
    let last = app.own_notices.back().unwrap();
    assert_eq!(last.text, "hbd: connected");
}

#[test]
fn standby_asks_first_and_then_acts() {
    let mut app = app(false);
    assert_eq!(letter(&mut app, 's'), None);
    assert!(matches!(app.popup, Some(Popup::Confirm { .. })));
    letter(&mut app, 'j');
    let effect = press(&mut app, KeyCode::Enter);
    let action = Action::Standby {
        set: HoldSet::Local,
    };
    let path = "/run/hbd.sock".into();
    assert_eq!(effect, Some(Effect::Act { path, action }));
    assert_eq!(app.popup, None);
    let text = "lb2 is dead".to_owned();
    app.update(Message::Acted(Err(Undone::Refused(text))), START_MS);
    assert_eq!(app.message.as_ref().unwrap().text, "not done: lb2 is dead");
}

#[test]
fn nobody_is_told_that_nothing_was_done_where_that_is_not_known() {
    let mut app = app(false);
    let text = "no answer within 30 s".to_owned();
    app.update(Message::Acted(Err(Undone::Unanswered(text))), START_MS);
    let told = &app.message.as_ref().unwrap().text;
    assert_eq!(
        told,
        "no answer within 30 s: whether it is done is not known"
    );
}

#[test]
fn the_choice_goes_round_both_ways() {
    let mut app = app(false);
    letter(&mut app, 't');
    letter(&mut app, 'k');
    let effect = press(&mut app, KeyCode::Enter);
    let action = Action::Takeover {
        force: false,
        set: HoldSet::Foreign,
    };
    assert!(matches!(effect, Some(Effect::Act { action: asked, .. }) if asked == action));
}

#[test]
fn escape_does_nothing_to_the_cluster() {
    let mut app = app(false);
    letter(&mut app, 's');
    assert_eq!(press(&mut app, KeyCode::Esc), None);
    assert_eq!(app.popup, None);
    assert_eq!(press(&mut app, KeyCode::Enter), None);
}

#[test]
fn read_only_never_asks() {
    let mut app = app(true);
    for verb in ['s', 't'] {
        letter(&mut app, verb);
        assert_eq!(app.popup, None);
        assert!(app.message.as_ref().unwrap().text.starts_with("read-only"));
    }
}

#[test]
fn without_hbd_standby_says_why_not() {
    let mut app = app(false);
    tell(&mut app, 0, Event::Lost("gone".to_owned()));
    letter(&mut app, 's');
    assert_eq!(app.popup, None);
    let said = &app.message.as_ref().unwrap().text;
    assert_eq!(said, "standby: hbd is not answering");
}

#[test]
fn tab_goes_round_and_back_again() {
    let mut app = app(false);
    let first = app.panel;
    for _ in Panel::ALL {
        press(&mut app, KeyCode::Tab);
    }
    assert_eq!(app.panel, first);
    press(&mut app, KeyCode::Tab);
    press(&mut app, KeyCode::BackTab);
    assert_eq!(app.panel, first);
}

#[test]
fn enter_folds_a_service_and_unfolds_it() {
    let mut app = app(false);
    app.panel = Panel::Virtuals;
    let all = app.total(Panel::Virtuals);
    press(&mut app, KeyCode::Enter);
    // Three real servers and a fallback.
    assert_eq!(app.total(Panel::Virtuals), all - 4);
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.total(Panel::Virtuals), all);
}

#[test]
fn every_other_row_opens_a_window() {
    let mut app = app(false);
    for panel in [Panel::Nodes, Panel::Links, Panel::Groups, Panel::Events] {
        app.panel = panel;
        for _ in 0..app.total(panel) {
            press(&mut app, KeyCode::Enter);
            assert!(matches!(app.popup, Some(Popup::Detail { .. })), "{panel:?}");
            press(&mut app, KeyCode::Enter);
            assert_eq!(app.popup, None);
            letter(&mut app, 'j');
        }
    }
}

#[test]
fn selection_stays_within_the_rows() {
    let mut app = app(false);
    for panel in Panel::ALL {
        app.panel = panel;
        let total = app.total(panel);
        letter(&mut app, 'g');
        letter(&mut app, 'k');
        assert_eq!(app.selected(panel, total), 0);
        letter(&mut app, 'G');
        letter(&mut app, 'j');
        assert_eq!(app.selected(panel, total), total - 1);
    }
    assert_eq!(app.selected(Panel::Virtuals, 0), 0);
}

#[test]
fn events_follow_the_newest_until_moved_away() {
    let mut app = app(false);
    app.panel = Panel::Events;
    assert_eq!(app.selected(Panel::Events, 10), 9);
    letter(&mut app, 'k');
    let held = app.selected(Panel::Events, 10);
    assert_eq!(app.selected(Panel::Events, 20), held);
    letter(&mut app, 'G');
    assert_eq!(app.selected(Panel::Events, 20), 19);
}

#[test]
fn events_of_everybody_stand_in_the_order_of_time() {
    let app = app(false);
    let times: Vec<u64> = app
        .event_rows()
        .iter()
        .map(|row| row.notice.at_ms)
        .collect();
    assert_eq!(times.len(), app.total(Panel::Events));
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn a_new_socket_is_opened_once() {
    let mut app = app(false);
    let path = PathBuf::from("/run/ldird.new.sock");
    let opened = app.update(Message::Found(path.clone()), START_MS);
    assert_eq!(opened, Some(Effect::Open(2)));
    assert_eq!(app.sources[2].label(), "ldird new");
    assert_eq!(app.update(Message::Found(path), START_MS), None);
}

#[test]
fn q_closes_a_window_before_it_quits() {
    let mut app = app(false);
    letter(&mut app, '?');
    assert_eq!(letter(&mut app, 'q'), None);
    assert_eq!(letter(&mut app, 'q'), Some(Effect::Quit));
}
