//! Reloads, seen from the loop: a file that is being read, or was refused, is no reload yet.

use super::{Bed, LIMIT, on, web};
use crate::config::{Configuration, Names};
use crate::driver::reload::Wish;
use crate::driver::{Driver, Event};
use crate::ledger::Ledger;
use ha_status::DirectorPhase;
use ldird_core::input::Left;
use std::collections::BTreeSet;
use tokio::time::timeout;

#[tokio::test]
async fn a_refused_reload_is_no_phase() {
    let bed = Bed::new();
    bed.write(&on(1));
    let parts = bed.parts(Names::new()).await;
    let mut driver = Driver::new(parts, |_: &Configuration| {});
    let life = async {
        driver.begin().await;
        while driver.ready.is_some() {
            let event = driver.next().await;
            driver.handle(event);
        }
        bed.write("nosuch=1\n");
        driver.reload(Wish::default());
        assert_eq!(
            driver.snapshot().phase,
            DirectorPhase::Running,
            "it is read"
        );
        loop {
            let event = driver.next().await;
            let read = matches!(event, Event::Loaded(_));
            driver.handle(event);
            assert_eq!(driver.snapshot().phase, DirectorPhase::Running);
            if read {
                break;
            }
        }
    };
    timeout(LIMIT, life).await.unwrap();
    driver.view.control.close().await;
}

/// A director that ends before its table is in order leaves to the next what it was left.
#[tokio::test]
async fn what_an_earlier_life_set_outlives_a_reload_before_the_first_table() {
    let bed = Bed::new();
    bed.write(&on(1));
    let mut made = Left::from(BTreeSet::from([web(2)]));
    made.said.engines.insert(web(2));
    let (ledger, _) = Ledger::open(&bed.instance(), &made);
    ledger.settle().await;
    let parts = bed.parts(Names::new()).await;
    let mut driver = Driver::new(parts, |_: &Configuration| {});
    // The kernel's table has been asked for, and its answer waits.
    driver.drain();
    driver.reload(Wish::default());
    let loaded = timeout(LIMIT, driver.reloads.loaded()).await.unwrap();
    driver.loaded(loaded);
    driver.ledger.settle().await;
    driver.view.control.close().await;
    let (_, left) = Ledger::open(&bed.instance(), &Left::default());
    assert!(left.services.contains(&web(2)));
    assert_eq!(left.said.engines, made.said.engines);
}
