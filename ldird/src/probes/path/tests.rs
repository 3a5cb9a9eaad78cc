#![allow(clippy::unwrap_used)]

use super::super::means::TAPS_MAX;
use super::{Path, Walked, Wrap};
use crate::probes::{Dialler, Means};
use ldird_core::input::Finding;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// A place that does not come free is our own want; where one is free, this very machine is not asked.
#[tokio::test]
async fn who_gets_no_place_says_nothing_of_the_server() {
    let means = Means::new(Dialler::default());
    let path = |virtual_server: &str, real: IpAddr| {
        let virtual_server = virtual_server.parse().unwrap();
        Path::new(
            virtual_server,
            real,
            Wrap::Direct,
            Duration::from_millis(10),
        )
    };
    let v6 = path("[2001:db8::64]:80", Ipv6Addr::LOCALHOST.into()).unwrap();
    assert_eq!(v6.walk(&means).await, Walked::Through);
    assert_eq!(path("[2001:db8::64]:80", Ipv4Addr::LOCALHOST.into()), None);
    let path = path("10.0.0.100:80", Ipv4Addr::LOCALHOST.into()).unwrap();
    assert_eq!(path.walk(&means).await, Walked::Through);
    let all = u32::try_from(TAPS_MAX).unwrap();
    let _taken = means.taps.acquire_many(all).await.unwrap();
    match path.walk(&means).await {
        Walked::Not(answer) => assert_eq!(answer.finding, Finding::CouldNotAsk, "{answer:?}"),
        Walked::Through => panic!("it was not asked"),
    }
}
