//! Bounds of the attribute reader, and agreement of writer and reader.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn read(bytes: &[u8]) -> Vec<Result<(u16, Vec<u8>), DecodeError>> {
    Attributes::new("test", bytes)
        .map(|attribute| attribute.map(|attribute| (attribute.kind, attribute.value.to_vec())))
        .collect()
}

fn broken(left: usize) -> Result<(u16, Vec<u8>), DecodeError> {
    Err(DecodeError::Truncated { list: "test", left })
}

#[test]
fn a_list_is_read_in_order_with_padding_skipped_and_flags_masked() {
    let mut writer = Writer::default();
    writer.u8(1, 7);
    writer.name(2, "wlc");
    writer.nested(3, |inner| inner.u16_be(4, 80));
    assert_eq!(
        read(&writer.finish()),
        [
            Ok((1, vec![7])),
            Ok((2, b"wlc\0".to_vec())),
            Ok((
                3,
                [
                    &6_u16.to_ne_bytes()[..],
                    &4_u16.to_ne_bytes(),
                    &[0, 80, 0, 0]
                ]
                .concat()
            )),
        ]
    );
}

#[test]
fn every_impossible_length_ends_the_walk_with_one_fault() {
    let header = |length: u16| [length.to_ne_bytes(), 1_u16.to_ne_bytes()].concat();
    assert_eq!(read(&[]), []);
    assert_eq!(read(&[8]), [broken(1)], "half a header");
    assert_eq!(
        read(&header(0)),
        [broken(4)],
        "a length of zero would never advance"
    );
    assert_eq!(read(&header(3)), [broken(4)], "shorter than its header");
    assert_eq!(read(&header(5)), [broken(4)], "longer than the buffer");
    assert_eq!(
        read(&header(4)),
        [Ok((1, vec![]))],
        "an empty value is a value"
    );
    assert_eq!(
        read(&[&header(5)[..], &[9]].concat()),
        [Ok((1, vec![9]))],
        "the last padding may be absent"
    );
}

#[test]
fn numbers_are_read_from_unaligned_memory() {
    let mut writer = Writer::default();
    writer.bytes(1, &0x0102_0304_0506_0708_u64.to_ne_bytes());
    let list = writer.finish();
    for shift in 0..8 {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(&list);
        let attribute = Attributes::new("test", shifted.get(shift..).unwrap())
            .find(1, "x")
            .unwrap();
        assert_eq!(attribute.u64(), Ok(0x0102_0304_0506_0708));
    }
}

#[test]
fn a_wrong_size_names_list_attribute_and_both_sizes() {
    let attribute = Attribute {
        list: "service",
        kind: 8,
        value: &[1, 2, 3],
    };
    let fault = attribute.u32().unwrap_err();
    assert_eq!(
        fault.to_string(),
        "service: attribute 8 has 3 bytes, 4 expected"
    );
    assert!(attribute.u64().is_err() && attribute.u16().is_err() && attribute.u8().is_err());
}

#[test]
fn names_end_at_the_first_nul_and_must_be_text() {
    let name = |value| {
        Attribute {
            list: "service",
            kind: 6,
            value,
        }
        .name()
    };
    assert_eq!(name(b"rr\0junk"), Ok("rr".to_owned()));
    assert_eq!(name(b"rr"), Ok("rr".to_owned()));
    assert_eq!(name(b""), Ok(String::new()));
    assert_eq!(
        name(b"\xff\0"),
        Err(DecodeError::Name {
            list: "service",
            kind: 6
        })
    );
}

proptest! {
    #[test]
    fn reading_never_panics_and_never_invents_bytes(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let total: usize = read(&bytes).into_iter().flatten().map(|(_, value)| value.len() + 4).sum();
        prop_assert!(total <= bytes.len());
    }

    #[test]
    fn what_is_written_is_read(
        values in prop::collection::vec(
            (0_u16..0x4000, prop::collection::vec(any::<u8>(), 0..40)),
            0..10,
        )
    ) {
        let mut writer = Writer::default();
        for (kind, value) in &values {
            writer.bytes(*kind, value);
        }
        prop_assert_eq!(read(&writer.finish()), values.into_iter().map(Ok).collect::<Vec<_>>());
    }
}
