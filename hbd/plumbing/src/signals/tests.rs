#![allow(clippy::unwrap_used)]

use super::*;
use rustix::process::{Signal as Number, getpid, kill_process};
use std::time::Duration;

#[tokio::test(flavor = "current_thread")]
async fn every_signal_arrives_as_its_value() {
    let mut signals = Signals::new().unwrap();
    let table = [
        (Number::TERM, Signal::Terminate),
        (Number::INT, Signal::Interrupt),
        (Number::HUP, Signal::Hangup),
        (Number::USR1, Signal::User1),
        (Number::USR2, Signal::User2),
    ];
    for (number, expected) in table {
        kill_process(getpid(), number).unwrap();
        let next = tokio::time::timeout(Duration::from_secs(10), signals.next()).await;
        assert_eq!(next.unwrap(), expected);
    }
}
