use super::{Call, Calls, Order};
use crate::table::ServiceKey;
use std::collections::BTreeMap;

const MARK: ServiceKey = ServiceKey::Fwmark { mark: 1, v6: false };
const OTHER: ServiceKey = ServiceKey::Fwmark { mark: 2, v6: false };

fn commands(rows: &[(ServiceKey, &str)]) -> BTreeMap<ServiceKey, String> {
    let rows = rows.iter();
    rows.map(|(key, text)| (*key, (*text).to_owned())).collect()
}

fn calls() -> Calls {
    let mut calls = Calls::default();
    calls.set(&commands(&[(MARK, "/x")]));
    calls
}

fn next(calls: &mut Calls) -> Option<Call> {
    let order = calls.due()?;
    assert_eq!((order.service, order.command.as_str()), (MARK, "/x"));
    Some(order.call)
}

/// D.8 without the flap of a start: start, stop, start, one each.
#[test]
fn only_a_change_is_called() {
    let mut calls = calls();
    assert_eq!(next(&mut calls), None, "nothing is known yet");
    for (served, expected) in [
        (false, Some(Call::Start)),
        (false, None),
        (true, Some(Call::Stop)),
        (true, None),
        (false, Some(Call::Start)),
    ] {
        calls.want(MARK, served);
        assert_eq!(next(&mut calls), expected);
        calls.done(MARK);
    }
    calls.want(OTHER, false);
    assert_eq!(next(&mut calls), None, "it has no command");
    assert!(calls.is_at_rest());
}

#[test]
fn one_call_at_a_time_and_the_newest_wish_counts() {
    let mut calls = calls();
    calls.want(MARK, false);
    assert_eq!(next(&mut calls), Some(Call::Start));
    for served in [true, false, true, false] {
        calls.want(MARK, served);
        assert_eq!(next(&mut calls), None, "one runs");
    }
    calls.done(MARK);
    assert_eq!(next(&mut calls), None, "it changed and changed back");
    calls.want(MARK, false);
    calls.want(MARK, true);
    assert_eq!(next(&mut calls), Some(Call::Stop));
    assert!(!calls.is_at_rest());
}

#[test]
fn a_reload_forgets_only_what_has_another_command() {
    let mut calls = calls();
    calls.want(MARK, false);
    assert_eq!(next(&mut calls), Some(Call::Start));
    calls.done(MARK);
    calls.set(&commands(&[(MARK, "/x"), (OTHER, "/y")]));
    calls.want(MARK, false);
    assert_eq!(next(&mut calls), None);
    calls.set(&commands(&[(MARK, "/z")]));
    calls.want(MARK, false);
    let order = Order {
        service: MARK,
        command: "/z".to_owned(),
        call: Call::Start,
    };
    assert_eq!(calls.due(), Some(order));
    calls.set(&commands(&[]));
    assert_eq!(calls.due(), None, "it runs, and is the last one");
    calls.done(MARK);
    calls.set(&commands(&[]));
    calls.want(MARK, true);
    assert_eq!(calls.due(), None);
}

#[test]
fn at_the_end_what_was_started_is_stopped_by_option() {
    let mut calls = calls();
    calls.want(MARK, false);
    assert_eq!(next(&mut calls), Some(Call::Start));
    calls.end(true);
    assert_eq!(next(&mut calls), None, "not before it is done");
    calls.want(MARK, false);
    calls.done(MARK);
    assert_eq!(next(&mut calls), Some(Call::Stop));
    calls.done(MARK);
    assert!(calls.is_at_rest());
    calls.begin();
    calls.want(MARK, true);
    assert_eq!(next(&mut calls), Some(Call::Stop), "another life");
    calls.done(MARK);
    for (served, stop) in [(false, false), (true, true)] {
        let mut calls = super::tests::calls();
        calls.want(MARK, served);
        assert!(next(&mut calls).is_some());
        calls.done(MARK);
        calls.end(stop);
        assert_eq!(next(&mut calls), None, "{served} {stop}");
    }
}
