//! The loop hears at once of what a handler has begun.

use super::{Bed, LIMIT};
use crate::config::{Configuration, Names};
use crate::driver::{Driver, Event};
use std::net::{Ipv4Addr, TcpListener};
use std::task::{Context, Waker};
use tokio::time::timeout;

/// Without that it would look only when something else rings, a second later.
#[tokio::test]
async fn whoever_begins_something_rings_the_bell() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let real = listener.local_addr().unwrap();
    let bed = Bed::new();
    bed.write(&format!(
        "virtual=10.0.0.1:80\n\tchecktype=connect\n\treal={real} masq\n"
    ));
    let parts = bed.parts(Names::new()).await;
    let mut driver = Driver::new(parts, |_: &Configuration| {});
    let context = Context::from_waker(Waker::noop());
    let life = async {
        driver.begin().await;
        // The first answer changes the table: the kernel is asked, and will answer.
        loop {
            let event = driver.next().await;
            let answer = matches!(event, Event::Probed(_));
            driver.bell.has_rung(&context);
            driver.handle(event);
            if answer {
                break;
            }
        }
        assert!(driver.bell.has_rung(&context));
        driver.handle(Event::Look);
        assert!(driver.bell.has_rung(&context), "a thread looks at the disk");
    };
    timeout(LIMIT, life).await.unwrap();
}
