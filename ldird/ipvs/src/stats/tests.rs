//! Both spellings of counters.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::attributes::{Attributes, Writer};

fn nested(fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.nested(10, fill);
    writer.finish()
}

fn attribute(bytes: &[u8]) -> Attribute<'_> {
    Attributes::new("test", bytes).find(10, "STATS").unwrap()
}

#[test]
fn the_short_spelling_has_wide_byte_counts_only() {
    let bytes = nested(|inner| {
        for kind in [1, 2, 3, 6, 7, 8, 9, 10] {
            inner.u32(kind, u32::MAX);
        }
        inner.bytes(4, &(1_u64 << 40).to_ne_bytes());
        inner.bytes(5, &2_u64.to_ne_bytes());
    });
    let stats = decode_32(attribute(&bytes)).unwrap();
    assert_eq!(
        (stats.connections, stats.in_bytes, stats.out_bytes),
        (u32::MAX.into(), 1 << 40, 2)
    );
    assert_eq!(stats.out_byte_rate, u32::MAX.into());
    assert!(
        decode_64(attribute(&bytes)).is_err(),
        "the long spelling has no short numbers"
    );
}

#[test]
fn the_long_spelling_is_wide_throughout_and_skips_padding() {
    let bytes = nested(|inner| {
        inner.bytes(11, &[]);
        for kind in 1..=10_u16 {
            inner.bytes(kind, &(u64::from(kind) << 33).to_ne_bytes());
        }
        inner.u8(12, 0);
    });
    let stats = decode_64(attribute(&bytes)).unwrap();
    assert_eq!(
        (stats.connections, stats.out_byte_rate),
        (1 << 33, 10 << 33)
    );
    assert_eq!(
        (stats.in_packet_rate, stats.in_byte_rate),
        (7 << 33, 9 << 33)
    );
}
