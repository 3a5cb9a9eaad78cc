#![allow(clippy::unwrap_used)]

use super::tables::{Reading, reading};
use super::*;
use futures_util::stream;
use rtnetlink::packet_core::{DoneMessage, NLM_F_DUMP_INTR, NetlinkMessage};

const VIP: &str = "10.77.0.100";

fn placement() -> Placement {
    Placement {
        ip: VIP.parse().unwrap(),
        prefix: 24,
        link: 2,
        device: "eth0".to_owned(),
        label: None,
        broadcast: None,
    }
}

fn held(kernel: &Kernel) -> usize {
    kernel.held().len()
}

#[tokio::test]
async fn what_was_held_is_released_again_until_it_is_known_to_be_deleted() {
    let kernel = Kernel::connect().unwrap();
    kernel.hold(placement());
    for device in [Some("eth0"), None, Some("eth0")] {
        assert_eq!(kernel.release(placement().ip, device), [placement()]);
        assert_eq!(held(&kernel), 0, "the guard must not put it back");
    }
    assert_eq!(kernel.release(placement().ip, Some("eth1")), []);
    kernel.forget(&[placement()]);
    assert_eq!(kernel.release(placement().ip, None), []);
}

#[tokio::test]
async fn what_is_held_anew_is_not_leaving_any_more() {
    let kernel = Kernel::connect().unwrap();
    kernel.hold(placement());
    kernel.release(placement().ip, None);
    kernel.hold(placement());
    assert!(kernel.leaving().is_empty());
    assert_eq!(held(&kernel), 1);
}

#[tokio::test]
async fn a_table_that_changed_while_it_was_read_is_not_taken_for_whole() {
    let note = || RouteNetlinkMessage::NewAddress(AddressMessage::default());
    for (on_row, on_end, expected) in [
        (false, false, Reading::Whole(vec![1])),
        (true, false, Reading::Disturbed),
        // All the rows that were left have gone: only the end can say so.
        (false, true, Reading::Disturbed),
    ] {
        let flag = |on: bool| if on { NLM_F_DUMP_INTR } else { 0 };
        let mut row = NetlinkMessage::from(note());
        row.header.flags |= flag(on_row);
        let mut end = row.clone();
        end.header.flags = flag(on_end);
        end.payload = NetlinkPayload::Done(DoneMessage::default());
        let read = reading(stream::iter([row, end]), |_| Some(1)).await;
        assert_eq!(read.unwrap(), expected);
    }
}
