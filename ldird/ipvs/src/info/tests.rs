//! Version, table size and time-outs.

#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn the_version_is_three_bytes_of_a_number() {
    let mut writer = Writer::default();
    writer.u32(1, 0x01_02_01);
    writer.u32(2, 4096);
    let info = Info::decode(&writer.finish()).unwrap();
    assert_eq!(
        (info.version.to_string(), info.connection_table_size),
        ("1.2.1".to_owned(), 4096)
    );
    assert_eq!(
        Info::decode(&[]),
        Err(DecodeError::Missing {
            list: "info",
            what: "VERSION"
        })
    );
}

#[test]
fn timeouts_of_zero_are_not_sent_and_absent_ones_read_as_zero() {
    let timeouts = Timeouts {
        tcp: 900,
        tcp_fin: 0,
        udp: 300,
    };
    let mut writer = Writer::default();
    timeouts.encode(&mut writer);
    let bytes = writer.finish();
    assert_eq!(bytes.len(), 16, "two attributes of eight bytes");
    assert_eq!(Timeouts::decode(&bytes), Ok(timeouts));
    assert_eq!(timeouts.to_string(), "Timeout (tcp tcpfin udp): 900 0 300");
}
