//! Datagrams that hbd must survive: noise, and genuine packets spoiled in every way that a cable, a
//! broken sender or an enemy without the key can spoil them. A seed means the same for ever.

use crate::suite::random::Random;

/// It ends Heartbeat 3.0.6.
const KILLER: &[u8] = b"###\n5:hello,%%%\n";
/// The three first bytes by which the framings are told apart, and the line end.
const STARTS: [&[u8]; 2] = [b"###\n", b">>>\n"];
const NOISE_BYTES: usize = 2000;
/// Nearly the longest that UDP carries.
const HUGE_BYTES: usize = 65_000;
const LENGTHS: [&[u8]; 8] = [
    b"0",
    b"-1",
    b"65536",
    b"4294967295",
    b"4294967296",
    b"18446744073709551616",
    b"00000000000000000000000000000000000001",
    b"1e9",
];

/// A datagram to send.
#[derive(Debug)]
pub(in crate::suite) struct Datagram {
    pub(in crate::suite) bytes: Vec<u8>,
    /// A genuine packet, sent once more as it was: it passes the digest, and must be known as old.
    pub(in crate::suite) is_replay: bool,
}

/// The next datagram; `genuine` are captured packets, at least one.
pub(in crate::suite) fn draw(random: &mut Random, genuine: &[Vec<u8>]) -> Datagram {
    let mut bytes = pick(random, genuine).clone();
    let kind = random.below(100);
    match kind {
        0..5 => {}
        5..25 => flip_bits(random, &mut bytes),
        25..40 => bytes.truncate(random.below(bytes.len().saturating_sub(2).max(1))),
        40..55 => spoil_length(random, &mut bytes),
        55..65 => spoil_digest(random, &mut bytes),
        65..75 => {
            let other = pick(random, genuine);
            splice(random, &mut bytes, other);
        }
        75..85 => {
            let length = random.below(NOISE_BYTES);
            bytes = random.bytes(length);
        }
        85..95 => {
            let length = random.below(NOISE_BYTES);
            let start = STARTS[random.below(STARTS.len())];
            bytes = [start, &random.bytes(length)].concat();
        }
        95..97 => bytes = KILLER.to_vec(),
        97 => bytes = random.bytes(HUGE_BYTES),
        98 => bytes = [&bytes, &*random.bytes(HUGE_BYTES / 2)].concat(),
        _ => bytes.clear(),
    }
    Datagram {
        bytes,
        is_replay: kind < 5,
    }
}

/// The packet that names the promise.
pub(super) fn killer() -> Datagram {
    Datagram {
        bytes: KILLER.to_vec(),
        is_replay: false,
    }
}

fn pick<'a>(random: &mut Random, genuine: &'a [Vec<u8>]) -> &'a Vec<u8> {
    &genuine[random.below(genuine.len())]
}

fn flip_bits(random: &mut Random, bytes: &mut [u8]) {
    for _ in 0..=random.below(8) {
        let at = random.below(bytes.len());
        bytes[at] ^= 1 << random.below(8);
    }
}

/// Replaces the digits before some colon, where netstrings have their lengths.
fn spoil_length(random: &mut Random, bytes: &mut Vec<u8>) {
    let colons: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b':').collect();
    if colons.is_empty() {
        return bytes.clear();
    }
    let colon = colons[random.below(colons.len())];
    let digits = bytes[..colon]
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit());
    let start = colon - digits.count();
    let length = LENGTHS[random.below(LENGTHS.len())];
    bytes.splice(start..colon, length.iter().copied());
}

/// The digest is the last run of hexadecimal digits.
fn spoil_digest(random: &mut Random, bytes: &mut [u8]) {
    let Some(last) = bytes.iter().rposition(u8::is_ascii_hexdigit) else {
        return;
    };
    let at = last - random.below(8);
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
}

/// The head of one packet and the tail of another.
fn splice(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    bytes.truncate(1 + random.below(bytes.len() - 1));
    let tail = random.below(other.len() - 1);
    bytes.extend_from_slice(&other[tail..]);
}
