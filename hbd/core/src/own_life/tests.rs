use super::*;

const KEEPALIVE: Duration = Duration::from_millis(100);

#[expect(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made otherwise; only differences to it are used"
)]
fn begun(deadtime: Duration) -> (OwnLife, Instant) {
    let now = Instant::now();
    let life = OwnLife {
        generation: 7,
        started: now,
        active: false,
        since: now,
        wakes: 0,
        keepalive: KEEPALIVE,
        deadtime,
    };
    (life, now)
}

#[test]
fn a_call_that_is_a_little_late_is_no_stall() {
    let moment = Duration::from_millis(1);
    // The longer of a keepalive and an eighth of deadtime is borne.
    for (deadtime, borne) in [(KEEPALIVE * 4, KEEPALIVE), (KEEPALIVE * 80, KEEPALIVE * 10)] {
        let (mut life, now) = begun(deadtime);
        assert_eq!(life.wake(None, now), None, "nothing was announced");
        assert_eq!(life.wake(Some(now + KEEPALIVE), now), None, "too early");
        assert_eq!(life.wake(Some(now), now + borne), None);
        assert_eq!(life.life().wakes, 0);
        let late = borne + moment;
        assert_eq!(life.wake(Some(now), now + late), Some(late));
        assert_eq!(life.life().wakes, 1);
    }
}

#[test]
fn every_stall_begins_another_life_of_the_same_generation() {
    let (mut life, now) = begun(KEEPALIVE * 4);
    let first = life.life();
    life.wake(Some(now), now + KEEPALIVE * 2);
    assert_ne!(life.life(), first);
    assert_eq!(life.life().generation, first.generation);
}

#[test]
fn a_node_is_up_until_it_is_active() {
    let (mut life, now) = begun(KEEPALIVE * 4);
    assert_eq!((life.word(), life.since()), ("up", now));
    let later = now + KEEPALIVE;
    life.become_active(later);
    assert_eq!((life.word(), life.since()), ("active", later));
    assert_eq!(life.started(), now);
}
