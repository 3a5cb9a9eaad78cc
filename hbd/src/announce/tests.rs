use super::arp::Form;
use super::{arp, ndp};
use std::net::{Ipv4Addr, Ipv6Addr};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xab];

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn arp_frames_have_the_bytes_of_the_standard() {
    let ip = Ipv4Addr::new(10, 0, 0, 1);
    let ethernet = "ffffffffffff0200000000ab0806";
    let request = "00010800060400010200000000ab0a0000010000000000000a000001";
    let reply = "00010800060400020200000000ab0a000001ffffffffffff0a000001";
    assert_eq!(
        hex(&arp::frame(Form::Request, MAC, ip)),
        format!("{ethernet}{request}")
    );
    assert_eq!(
        hex(&arp::frame(Form::Reply, MAC, ip)),
        format!("{ethernet}{reply}")
    );
}

#[test]
fn advertisement_has_the_bytes_of_the_standard() {
    let ip = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let expected = "880000002000000020010db800000000000000000000000102010200000000ab";
    assert_eq!(hex(&ndp::packet(MAC, ip)), expected);
}
