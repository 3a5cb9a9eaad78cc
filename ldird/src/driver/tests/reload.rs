//! Reloads, seen from the loop: a file that is being read, or was refused, is no reload yet.

use super::{Bed, LIMIT, on};
use crate::config::{Configuration, Names};
use crate::driver::reload::Wish;
use crate::driver::{Driver, Event};
use ha_status::DirectorPhase;
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
