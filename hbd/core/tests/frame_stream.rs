//! Promises of the reader of serial lines: every frame is found however the bytes were split and
//! whatever noise stands before, between and inside; damage costs the damaged frame alone.

#![allow(clippy::unwrap_used)]

use hbd_core::wire::frame::MAX_PACKET;
use hbd_core::wire::{FrameReader, Key, Keys, Message, Method, WireError, encode_classic};
use proptest::collection::vec;
use proptest::prelude::*;

/// V1 of the Heartbeat specification 2.9 as the old daemon writes it to a serial line.
const V1: &[u8] =
    b">>>\nt=status\nst=active\ndt=7530\nprotocol=1\nsrc=alice\n(1)srcuuid=ABEiM0RVZneImaq7zN3\
u/w==\nseq=1f\nhg=66112233\nts=66112a40\nld=0.00 0.01 0.05 1/123 4567\nttl=3\nauth=1 2b9\
9a79751e7d7edd4e7b7df4d9e221d2c716b18\n<<<\n";

fn keys() -> Keys {
    Keys::single(1, Key::new(Method::Sha1, b"hb-test-key-1"))
}

fn message(number: u64) -> Message {
    let mut message = Message::new("status").with("info", "ends in >>>");
    message.set_hex("seq", number);
    message
}

fn frame(number: u64) -> Vec<u8> {
    encode_classic(&message(number), &keys(), false).unwrap()
}

/// The numbers of the messages in what was read.
fn numbers(found: &[Result<Message, WireError>]) -> Vec<u64> {
    let read = found.iter().filter_map(|found| found.as_ref().ok());
    read.map(|message| message.hex("seq").unwrap()).collect()
}

fn read(bytes: &[u8]) -> Vec<Result<Message, WireError>> {
    FrameReader::new().feed(bytes, &keys())
}

/// Fed in pieces of these lengths, over and over.
fn read_split(bytes: &[u8], lengths: &[usize]) -> Vec<Result<Message, WireError>> {
    let (mut reader, mut rest, mut found) = (FrameReader::new(), bytes, Vec::new());
    for length in lengths.iter().cycle() {
        let (piece, after) = rest.split_at((*length).min(rest.len()));
        found.extend(reader.feed(piece, &keys()));
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    found
}

#[test]
fn frames_of_the_old_daemon_are_found_at_every_split() {
    let stream = [V1, V1].concat();
    for at in 0..stream.len() {
        let mut reader = FrameReader::new();
        let (before, after) = stream.split_at(at);
        let mut found = reader.feed(before, &keys());
        found.extend(reader.feed(after, &keys()));
        assert_eq!(numbers(&found), [0x1f, 0x1f], "split at {at}");
        assert_eq!(found.len(), 2);
    }
    let bytes: Vec<usize> = vec![1];
    assert_eq!(numbers(&read_split(&stream, &bytes)), [0x1f, 0x1f]);
}

#[test]
fn frame_that_was_cut_off_costs_itself_alone() {
    let whole = frame(2);
    for length in 0..whole.len() {
        let cut = frame(1).get(..length).unwrap().to_vec();
        // Glued to the next one, after a line end, and with noise between.
        for noise in [&b""[..], b"\n", b"\0", b"\xff\x00noise", b"x\ny"] {
            let stream = [&cut, noise, &whole, &frame(3)].concat();
            let found = numbers(&read(&stream));
            assert!(found.ends_with(&[2, 3]), "cut at {length}: {found:?}");
        }
    }
}

#[test]
fn damaged_byte_costs_at_most_the_frames_it_touches() {
    let (first, second) = (frame(1), frame(2));
    for at in 0..first.len() {
        for damage in [0x01, 0x80, 0xff] {
            let mut stream = [&first[..], &second, &frame(3)].concat();
            stream[at] ^= damage;
            let found = read(&stream);
            assert_eq!(numbers(&found), [2, 3], "byte {at}");
        }
    }
}

#[test]
fn forged_and_foreign_frames_are_refused_before_they_are_read() {
    let other = Keys::single(1, Key::new(Method::Sha1, b"another"));
    let foreign = encode_classic(&message(7), &other, false).unwrap();
    assert_eq!(read(&foreign), [Err(WireError::DigestMismatch(1))]);
    assert_eq!(
        read(b">>>\nt=status\n<<<\n"),
        [Err(WireError::Unsigned)],
        "digests come first"
    );
    assert_eq!(read(b">>>\n(9\n<<<\n"), [Err(WireError::Unsigned)]);
}

#[test]
fn longest_frame_is_read_and_a_longer_one_is_given_up() {
    let room = MAX_PACKET - encode_classic(&message(1), &keys(), false).unwrap().len();
    let filled = |length: usize| {
        let value = vec![b'x'; length - "fill=\n".len()];
        encode_classic(&message(1).with("fill", value), &keys(), false)
    };
    let longest = filled(room).unwrap();
    assert_eq!(longest.len(), MAX_PACKET);
    let stream = [&longest[..], &frame(2)].concat();
    assert_eq!(numbers(&read(&stream)), [1, 2]);
    assert_eq!(numbers(&read_split(&stream, &[100])), [1, 2]);

    let endless = [&b">>>\n"[..], &vec![b'x'; 3 * MAX_PACKET], b"\n", &frame(2)].concat();
    for lengths in [&[endless.len()][..], &[1000]] {
        let found = read_split(&endless, lengths);
        assert!(matches!(found[0], Err(WireError::PacketTooLong(_))));
        assert_eq!(numbers(&found), [2]);
    }
}

#[test]
fn lines_that_look_like_beginnings_do_not_hide_the_true_one() {
    let lines = b"noise>>>\nmore>>>\n".repeat(1000);
    let stream = [&lines[..], &frame(2)].concat();
    assert_eq!(numbers(&read(&stream)), [2]);
    let value = Message::new("status").with("seq", "9").with("a", ">>>");
    let value = value.with("b", "b>>>").with("c", "<<<").with("d", ">>>>>>");
    let stream = encode_classic(&value, &keys(), false).unwrap();
    assert_eq!(numbers(&read(&stream)), [9]);
}

/// What a bad cable adds: any bytes, and pieces of frames.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..60),
        vec(Just(0), 0..5),
        (1..V1.len()).prop_map(|length| V1[..length].to_vec()),
        (1..V1.len()).prop_map(|skip| V1[skip..].to_vec()),
        Just(b"\n>>>\n>>>\n".to_vec()),
        Just(b"<<<\n<<<".to_vec()),
    ]
}

proptest! {
    #[test]
    fn every_whole_frame_survives_noise_around_it(
        parts in vec(noise(), 1..12),
        lengths in vec(1_usize..90, 1..8),
    ) {
        let mut stream = Vec::new();
        for (number, noise) in (1..).zip(&parts) {
            stream.extend(noise);
            stream.extend(frame(number));
        }
        let found = read_split(&stream, &lengths);
        let mut numbers = numbers(&found);
        numbers.retain(|number| *number != 0x1f);
        let expected: Vec<u64> = (1..=parts.len() as u64).collect();
        prop_assert_eq!(numbers, expected);
    }

    #[test]
    fn splits_never_matter(
        parts in vec(prop_oneof![noise(), Just(V1.to_vec())], 1..12),
        lengths in vec(1_usize..90, 1..8),
    ) {
        let stream = parts.concat();
        prop_assert_eq!(read_split(&stream, &lengths), read(&stream));
    }

    #[test]
    fn noise_alone_says_nothing(bytes in vec(any::<u8>(), 0..4000)) {
        prop_assert!(read(&bytes).iter().all(Result::is_err));
    }
}
