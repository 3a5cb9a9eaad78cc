#![expect(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made otherwise; only differences to it are used"
)]
#![allow(clippy::unwrap_used)]

mod delivery;

use super::*;

const DELAY: Duration = Duration::from_millis(250);
const GENERATION: u64 = 0x6611_2233;
/// Numbers ending in this digit are acknowledged.
const RESIDUE: u64 = 7;

/// A status of the usual generation from a live node.
fn status(seq: u64) -> Arrival {
    Arrival {
        generation: GENERATION,
        seq,
        is_status: true,
        proven: true,
        sender: Sender::Known,
    }
}

fn other(seq: u64) -> Arrival {
    Arrival {
        is_status: false,
        ..status(seq)
    }
}

fn from_dead(arrival: Arrival) -> Arrival {
    Arrival {
        sender: Sender::Dead,
        ..arrival
    }
}

fn anew(arrival: Arrival) -> Arrival {
    Arrival {
        sender: Sender::Anew,
        ..arrival
    }
}

fn unproven(arrival: Arrival) -> Arrival {
    Arrival {
        proven: false,
        ..arrival
    }
}

fn of_generation(generation: u64, arrival: Arrival) -> Arrival {
    Arrival {
        generation,
        ..arrival
    }
}

fn accept(order: Order) -> Verdict {
    Verdict::Accept(Accepted {
        rejoin: None,
        order,
        ack: None,
        outdated_status: false,
    })
}

fn rejoin(rejoin: Rejoin) -> Verdict {
    Verdict::Accept(Accepted {
        rejoin: Some(rejoin),
        order: Order::Next,
        ack: None,
        outdated_status: false,
    })
}

fn acked(seq: u64, order: Order) -> Verdict {
    Verdict::Accept(Accepted {
        rejoin: None,
        order,
        ack: Some(seq),
        outdated_status: false,
    })
}

fn outdated(order: Order) -> Verdict {
    Verdict::Accept(Accepted {
        rejoin: None,
        order,
        ack: None,
        outdated_status: true,
    })
}

/// A receiver that has taken one status with this number.
fn joined(seq: u64) -> Receiver {
    let mut receiver = Receiver::new(RESIDUE + 10, DELAY);
    let verdict = receiver.receive(status(seq), 0, Instant::now());
    assert!(matches!(verdict, Verdict::Accept(_)));
    receiver
}

fn run(mut receiver: Receiver, steps: &[(Arrival, Verdict)]) -> Receiver {
    let now = Instant::now();
    for (step, (arrival, expected)) in steps.iter().enumerate() {
        let got = receiver.receive(*arrival, 0, now);
        assert_eq!(got, *expected, "step {step}: {arrival:?}");
    }
    receiver
}

#[test]
fn packets_in_sequence_are_accepted_and_repeats_are_not() {
    let receiver = run(
        Receiver::new(RESIDUE, DELAY),
        &[
            (status(1), rejoin(Rejoin::First)),
            (status(2), accept(Order::Next)),
            (status(2), Verdict::Duplicate),
            (status(1), Verdict::Old),
            (other(3), accept(Order::Next)),
            (other(0), Verdict::Old),
        ],
    );
    assert_eq!(receiver.last_seq(), Some(3));
    assert_eq!(receiver.generation(), GENERATION);
    assert_eq!(receiver.deadline(), None);
}

#[test]
fn nothing_counts_before_the_first_status() {
    let premature = |got| Verdict::Premature { got, current: 0 };
    run(
        Receiver::new(RESIDUE, DELAY),
        &[
            (other(40), premature(GENERATION)),
            (of_generation(0, status(41)), premature(0)),
            (status(50), rejoin(Rejoin::First)),
            (other(50), Verdict::Duplicate),
        ],
    );
}

/// Recorded packets need no key: only what names this life of ours is surely said to it.
#[test]
fn another_life_is_heard_once_it_is_proven() {
    let newer = |arrival| of_generation(GENERATION + 1, arrival);
    let restart = Rejoin::Restart {
        previous: GENERATION,
    };
    run(
        Receiver::new(RESIDUE, DELAY),
        &[
            (unproven(status(7)), Verdict::Unproven),
            (unproven(newer(status(9))), Verdict::Unproven),
            (status(8), rejoin(Rejoin::First)),
            // What was proven once needs no further proof.
            (unproven(status(9)), accept(Order::Next)),
            (unproven(newer(status(1))), Verdict::Unproven),
            (unproven(status(10)), accept(Order::Next)),
            (newer(status(2)), rejoin(restart)),
        ],
    );
}

#[test]
fn generations_that_an_earlier_life_of_ours_has_heard_bind_this_one() {
    let receiver = || Receiver::new(RESIDUE, DELAY).knowing(GENERATION);
    let older = |arrival| of_generation(GENERATION - 1, arrival);
    let replay = Verdict::Replay {
        got: GENERATION - 1,
        current: GENERATION,
    };
    run(
        receiver(),
        &[
            (older(status(7)), replay),
            (older(other(8)), replay),
            (older(from_dead(status(9))), replay),
            (status(3), rejoin(Rejoin::First)),
        ],
    );
}

#[test]
fn a_new_identity_may_begin_with_a_lower_generation() {
    let older = |arrival| of_generation(7, arrival);
    let replay = |got, current| Verdict::Replay { got, current };
    let restart = Rejoin::Restart {
        previous: GENERATION,
    };
    let receiver = run(
        joined(900),
        &[
            (older(status(1)), replay(7, GENERATION)),
            (unproven(anew(older(status(1)))), Verdict::Unproven),
            (anew(older(other(1))), replay(7, GENERATION)),
            (anew(older(status(2))), rejoin(restart)),
            (older(other(3)), accept(Order::Next)),
            (of_generation(6, status(3)), replay(6, 7)),
        ],
    );
    assert_eq!(receiver.generation(), 7);
}

#[test]
fn a_gap_closes_packet_by_packet() {
    let receiver = run(
        joined(1),
        &[
            (other(5), accept(Order::Gap { first: 2, last: 4 })),
            (other(3), accept(Order::Recovered { missing: 2 })),
            (other(3), Verdict::Old),
            (other(5), Verdict::Duplicate),
            (other(6), accept(Order::Next)),
            (other(2), accept(Order::Recovered { missing: 1 })),
            (other(4), accept(Order::Recovered { missing: 0 })),
        ],
    );
    assert_eq!(receiver.deadline(), None);
}

#[test]
fn a_recovered_status_must_not_undo_a_newer_one() {
    run(
        joined(1),
        &[
            (other(4), accept(Order::Gap { first: 2, last: 3 })),
            (status(2), accept(Order::Recovered { missing: 1 })),
            (status(6), accept(Order::Gap { first: 5, last: 5 })),
            (status(5), outdated(Order::Recovered { missing: 1 })),
            (other(3), accept(Order::Recovered { missing: 0 })),
        ],
    );
}

#[test]
fn gaps_beyond_a_limit_are_given_up() {
    let receiver = run(
        joined(1),
        &[
            (
                other(252),
                accept(Order::Gap {
                    first: 2,
                    last: 251,
                }),
            ),
            (
                other(504),
                accept(Order::LostMany {
                    first: 253,
                    last: 503,
                }),
            ),
            (other(505), accept(Order::Next)),
            (other(2), Verdict::Old),
        ],
    );
    assert_eq!(receiver.missing(), 0);

    let full = run(
        joined(1),
        &[
            (
                other(252),
                accept(Order::Gap {
                    first: 2,
                    last: 251,
                }),
            ),
            (
                other(503),
                accept(Order::Gap {
                    first: 253,
                    last: 502,
                }),
            ),
            (
                other(505),
                accept(Order::LostMany {
                    first: 504,
                    last: 504,
                }),
            ),
        ],
    );
    assert_eq!(full.missing(), 0);
    let one_too_many = Order::LostMany {
        first: 2,
        last: 252,
    };
    run(joined(1), &[(other(253), accept(one_too_many))]);
    let far = Order::LostMany {
        first: 2,
        last: u64::MAX - 1,
    };
    let step = (other(u64::MAX), accept(far));
    run(joined(1), &[step, (other(u64::MAX), Verdict::Duplicate)]);
}

#[test]
fn only_a_status_moves_the_generation() {
    let newer = GENERATION + 1;
    let replay = Verdict::Replay {
        got: GENERATION,
        current: newer,
    };
    let premature = Verdict::Premature {
        got: newer,
        current: GENERATION,
    };
    let restart = Rejoin::Restart {
        previous: GENERATION,
    };
    let receiver = run(
        joined(900),
        &[
            (of_generation(newer, other(901)), premature),
            (
                other(905),
                accept(Order::Gap {
                    first: 901,
                    last: 904,
                }),
            ),
            (of_generation(newer, status(2)), rejoin(restart)),
            (status(906), replay),
            (other(901), replay),
            (of_generation(newer, status(1)), Verdict::Old),
            (of_generation(newer, other(3)), accept(Order::Next)),
        ],
    );
    assert_eq!((receiver.generation(), receiver.missing()), (newer, 0));
}

#[test]
fn only_a_newer_status_brings_a_dead_node_back() {
    let mut receiver = run(
        joined(900),
        &[
            (other(901), accept(Order::Next)),
            (
                other(905),
                accept(Order::Gap {
                    first: 902,
                    last: 904,
                }),
            ),
        ],
    );
    receiver.forget_missing();
    assert_eq!((receiver.missing(), receiver.deadline()), (0, None));
    let receiver = run(
        receiver,
        &[
            (from_dead(status(899)), Verdict::Stale),
            (from_dead(status(900)), Verdict::Stale),
            // Nothing sent before its death can come back: 11.2.
            (from_dead(other(850)), Verdict::Old),
            (from_dead(other(902)), Verdict::Old),
            (from_dead(other(905)), Verdict::Duplicate),
            (from_dead(status(1500)), rejoin(Rejoin::Healed)),
            (other(1501), accept(Order::Next)),
            (other(1499), Verdict::Old),
        ],
    );
    assert_eq!(receiver.last_seq(), Some(1501));
}

#[test]
fn a_status_from_before_the_silence_heals_too() {
    let mut receiver = run(
        joined(900),
        &[(
            other(905),
            accept(Order::Gap {
                first: 901,
                last: 904,
            }),
        )],
    );
    receiver.forget_missing();
    run(
        receiver,
        &[
            (from_dead(status(903)), rejoin(Rejoin::Healed)),
            (status(903), Verdict::Old),
            (other(906), accept(Order::Next)),
        ],
    );
}

#[test]
fn every_tenth_number_is_acknowledged() {
    let steps = (2..=40).map(|seq| {
        let verdict = if seq % 10 == RESIDUE {
            acked(seq, Order::Next)
        } else {
            accept(Order::Next)
        };
        (other(seq), verdict)
    });
    run(joined(1), &steps.collect::<Vec<_>>());
}

#[test]
fn nothing_is_acknowledged_over_a_gap() {
    run(
        joined(5),
        &[
            (other(7), accept(Order::Gap { first: 6, last: 6 })),
            (other(8), accept(Order::Next)),
            (other(17), accept(Order::Gap { first: 9, last: 16 })),
            (other(6), accept(Order::Recovered { missing: 8 })),
        ],
    );
    run(
        joined(5),
        &[
            (other(7), accept(Order::Gap { first: 6, last: 6 })),
            (other(8), accept(Order::Next)),
            (other(6), acked(7, Order::Recovered { missing: 0 })),
            (other(9), accept(Order::Next)),
        ],
    );
}

#[test]
fn numbers_before_the_first_are_not_acknowledged() {
    run(joined(18), &[(other(19), accept(Order::Next))]);
    let verdict = Receiver::new(RESIDUE, DELAY).receive(status(17), 0, Instant::now());
    let first = Accepted {
        rejoin: Some(Rejoin::First),
        order: Order::Next,
        ack: Some(17),
        outdated_status: false,
    };
    assert_eq!(verdict, Verdict::Accept(first));
}

/// A receiver with the numbers 2 to `last` missing, and the moment they were found to be.
fn gap_to(last: u64, random: u64, max_delay: Duration) -> (Receiver, Instant) {
    let now = Instant::now();
    let mut receiver = Receiver::new(RESIDUE, max_delay);
    receiver.receive(status(1), 0, now);
    receiver.receive(other(last + 1), random, now);
    (receiver, now)
}

#[test]
fn first_request_waits_a_random_while() {
    // (max_rexmit_delay, random, wait), in milliseconds.
    let table = [
        (250, 0, 50),
        (250, 200, 250),
        (250, 201, 50),
        (100, 50, 100),
        (100, 51, 50),
        (99, 99, 99),
        (99, 100, 0),
        (0, u64::MAX, 0),
    ];
    for (max_delay, random, wait) in table {
        let (mut receiver, start) = gap_to(2, random, Duration::from_millis(max_delay));
        let due = start + Duration::from_millis(wait);
        assert_eq!(receiver.deadline(), Some(due), "{max_delay} {random}");
        if wait > 0 {
            let before = start + Duration::from_millis(wait - 1);
            assert_eq!(receiver.requests(before), []);
        }
        assert_eq!(receiver.requests(due), [Request { first: 2, last: 2 }]);
    }
}

#[test]
fn requests_are_repeated_until_the_number_arrives_or_is_given_up() {
    let (mut receiver, start) = gap_to(4, 0, DELAY);
    let first = start + MIN_REQUEST_DELAY;
    assert_eq!(receiver.requests(first), [Request { first: 2, last: 4 }]);
    assert_eq!(receiver.requests(first), []);
    assert_eq!(receiver.deadline(), Some(first + DELAY));

    assert!(receiver.give_up(3));
    assert!(!receiver.give_up(3));
    assert!(!receiver.give_up(5));
    let again = [Request { first: 2, last: 2 }, Request { first: 4, last: 4 }];
    assert_eq!(receiver.requests(first + DELAY), again);

    receiver.receive(other(2), 0, first + DELAY);
    receiver.receive(other(4), 0, first + DELAY);
    assert_eq!(receiver.deadline(), None);
    assert_eq!(receiver.requests(first + DELAY * 2), []);
}

#[test]
fn long_gaps_are_asked_for_in_parts() {
    let (mut receiver, start) = gap_to(121, 0, DELAY);
    let parts = [
        Request { first: 2, last: 51 },
        Request {
            first: 52,
            last: 101,
        },
        Request {
            first: 102,
            last: 121,
        },
    ];
    assert_eq!(receiver.requests(start + DELAY), parts);
}
