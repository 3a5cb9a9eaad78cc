#![allow(clippy::unwrap_used)]

use super::{Table, packets_in};

const LISTING: &str = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.10.0.100:21 wlc persistent 600
  -> 10.10.0.11:21                Route   1      0          0
TCP  10.10.0.100:80 wlc
  -> 10.10.0.11:80                Route   1      0          4
  -> 10.10.0.12:80                Masq    0      1          0
";

#[test]
fn a_listing_is_read() {
    let table = Table::parse(LISTING).unwrap();
    assert_eq!(
        table.describe(),
        "tcp:10.10.0.100:21 wlc: 10.10.0.11:21=1, \
         tcp:10.10.0.100:80 wlc: 10.10.0.11:80=1 10.10.0.12:80=0"
    );
    let web = table.0.get("tcp:10.10.0.100:80").unwrap();
    assert_eq!(
        web.destinations.get("10.10.0.12:80").unwrap().forwarding,
        "masq"
    );
    assert_eq!(table.weight("tcp:10.10.0.100:80", "10.10.0.13:80"), None);
}

#[test]
fn a_destination_without_a_service_is_refused() {
    assert!(Table::parse("  -> 10.10.0.11:21   Route   1   0   0\n").is_err());
}

#[test]
fn packets_are_found_in_the_statistics() {
    let text = "\
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  10.10.0.100:80                     20      120        0     7240        0
  -> 10.10.0.11:80                      20      120        0     7240        0
";
    assert_eq!(packets_in(text, "10.10.0.100:80").unwrap(), 120);
    assert!(packets_in(text, "10.10.0.100:21").is_err());
}
