//! Who has the last word, one row for each combination.
#![expect(
    clippy::disallowed_methods,
    reason = "a test picks the moment that it starts from"
)]

use super::{Order, Overrides, Say, Slot, drained_in, weight};
use crate::table::{DestinationKey, Protocol, ServiceKey};
use ha_status::{Override, Says};
use std::time::{Duration, Instant};

const FIVE: Says = Says::Weight {
    weight: 5,
    regardless: false,
};
const VOUCHED: Says = Says::Weight {
    weight: 5,
    regardless: true,
};

#[test]
fn maintenance_comes_before_override_before_health_before_configuration() {
    let drain = Some(Says::Drain);
    let (five, vouched) = (Some(FIVE), Some(VOUCHED));
    // Maintenance, the operator's word, healthy; the weight where quiescent=no and where =yes.
    let rows = [
        (false, None, true, Some(3), Some(3)),
        (false, None, false, None, Some(0)),
        (false, drain, true, Some(0), Some(0)),
        (false, drain, false, Some(0), Some(0)),
        (false, five, true, Some(5), Some(5)),
        (false, five, false, None, Some(0)),
        (false, vouched, true, Some(5), Some(5)),
        (false, vouched, false, Some(5), Some(5)),
        (true, None, true, None, Some(0)),
        (true, None, false, None, Some(0)),
        (true, drain, true, None, Some(0)),
        (true, drain, false, None, Some(0)),
        (true, five, true, None, Some(0)),
        (true, five, false, None, Some(0)),
        (true, vouched, true, None, Some(0)),
        (true, vouched, false, None, Some(0)),
    ];
    for (maintenance, operator, healthy, deleted, quiesced) in rows {
        for (quiescent, wanted) in [(false, deleted), (true, quiesced)] {
            let say = Say {
                off: false,
                maintenance,
                operator,
                healthy,
                quiescent,
                configured: 3,
            };
            assert_eq!(weight(say), wanted, "{say:?}");
            assert_eq!(weight(Say { off: true, ..say }), None, "{say:?}");
        }
    }
}

#[test]
fn a_drain_is_estimated_from_the_pace_so_far() {
    let passed = Duration::from_secs(30);
    assert_eq!(drained_in(100, 40, passed), Some(Duration::from_secs(20)));
    assert_eq!(drained_in(100, 0, passed), Some(Duration::ZERO));
    assert_eq!(drained_in(100, 100, passed), None, "nothing has ended");
    assert_eq!(drained_in(10, 12, passed), None, "it even has more");
    assert_eq!(drained_in(0, 0, passed), None);
}

#[test]
fn an_order_ends_at_its_time_and_not_before() {
    let now = Instant::now();
    let place = |last: u8| {
        let address = ([10, 0, 0, 100], 80).into();
        let protocol = Protocol::Tcp;
        let real = DestinationKey {
            address: [10, 0, 0, last].into(),
            port: 80,
        };
        (ServiceKey::Address { protocol, address }, real)
    };
    let order = |says, seconds: Option<u64>| Order {
        shown: Override {
            says,
            by: String::new(),
            why: String::new(),
            since_ms: 0,
            until_ms: None,
        },
        until: seconds.map(|seconds| now + Duration::from_secs(seconds)),
    };
    let mut all = Overrides::default();
    assert_eq!(all.deadline(), None);
    all.set(place(1), Slot::Weight, Some(order(Says::Drain, Some(60))));
    all.set(
        place(1),
        Slot::Maintenance,
        Some(order(Says::Maintenance, Some(30))),
    );
    all.set(place(2), Slot::Weight, Some(order(FIVE, None)));
    assert_eq!(all.deadline(), Some(now + Duration::from_secs(30)));
    assert_eq!(all.ended(now + Duration::from_millis(29_999)), []);
    let ended = all.ended(now + Duration::from_secs(30));
    assert_eq!(ended, [(place(1), Says::Maintenance)]);
    all.set(place(1), Slot::Maintenance, None);
    assert!(!all.get(&place(1)).maintenance());
    assert_eq!(all.get(&place(1)).says(), Some(Says::Drain));
    all.set(place(1), Slot::Weight, None);
    assert_eq!(all.deadline(), None, "the other has no end");
}
