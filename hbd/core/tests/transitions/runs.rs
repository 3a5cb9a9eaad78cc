//! The run machine of a group, one row per state and one column per event.

use ha_status::RunState;
use hbd_core::input::Activity;
use hbd_core::takeover::{Event, Request, Run, step};

type Cell = (Run, Option<Request>);

const EVENTS: [Event; 16] = [
    Event::Probed(Activity::Nothing),
    Event::Probed(Activity::Something),
    Event::Probed(Activity::Everything),
    Event::Probed(Activity::Unclear),
    Event::Started,
    Event::StartFailed,
    Event::StartFailedHeld,
    Event::Stopped,
    Event::StopFailed,
    Event::Lost,
    Event::Mended,
    Event::Start,
    Event::Stop,
    Event::Due,
    Event::Forgive,
    Event::Vouched,
];

/// The table in the order of `EVENTS`. Letters: p probing, l leftover, s stopped, a starting,
/// r running, e ending (stopping), c cleaning up (failing), f failed, k stuck, b broken;
/// `+` asks for a start, `-` for a stop.
const TABLE: [(Run, &str); 10] = [
    (Run::Probing, "s l l l p p p p p p p p p p p p"),
    (Run::Leftover, "l l l l l l l l l l l a+ e- l l l"),
    (Run::Stopped, "s s s s e- s k s k s s a+ s s s s"),
    (Run::Starting, "a a a a r f b a a a a a e- a a a"),
    (Run::Running, "r r r r r e- e- r r c- r r e- r r r"),
    (Run::Stopping, "e e e e e e e s k e e e e e e e"),
    (Run::Failing, "c c c c c c c f b c e c c c c c"),
    (Run::Failed, "f f f f c- f b f b f s f f s s f"),
    (Run::Stuck, "k k k k k k k s k k k k k e- k s"),
    (Run::Broken, "b b b b b b b f b b k b b c- b s"),
];

fn cell(word: &str) -> Cell {
    let mut letters = word.chars();
    let run = match letters.next() {
        Some('p') => Run::Probing,
        Some('l') => Run::Leftover,
        Some('s') => Run::Stopped,
        Some('a') => Run::Starting,
        Some('r') => Run::Running,
        Some('e') => Run::Stopping,
        Some('c') => Run::Failing,
        Some('f') => Run::Failed,
        Some('k') => Run::Stuck,
        Some('b') => Run::Broken,
        other => panic!("no state {other:?}"),
    };
    let request = match letters.next() {
        None => None,
        Some('+') => Some(Request::Start),
        Some('-') => Some(Request::Stop),
        other => panic!("no request {other:?}"),
    };
    (run, request)
}

#[test]
fn every_state_answers_every_event() {
    for (run, row) in TABLE {
        let cells: Vec<Cell> = row.split(' ').map(cell).collect();
        assert_eq!(cells.len(), EVENTS.len(), "{run:?}");
        for (event, expected) in EVENTS.into_iter().zip(cells) {
            assert_eq!(step(run, event), expected, "{run:?} x {event:?}");
        }
    }
}

#[test]
fn what_may_be_active_is_never_told_to_be_stopped() {
    for (run, _) in TABLE {
        let quiet = matches!(run.state(), RunState::Stopped | RunState::Failed);
        assert_eq!(quiet, run.idle(), "{run:?}");
        assert!(!(run.idle() && run.held()), "{run:?}");
    }
}
