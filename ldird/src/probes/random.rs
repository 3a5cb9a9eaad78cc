//! Bytes that nobody can guess: what a reply must repeat so that it is one.

use ring::rand::{SecureRandom as _, SystemRandom};

pub(super) fn bytes<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    // Linux has had `getrandom` since 3.17, and it blocks rather than fails.
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the kernel has randomness");
    bytes
}

/// As hexadecimal text.
pub(super) fn hex<const LENGTH: usize>() -> String {
    use std::fmt::Write as _;
    let bytes: [u8; LENGTH] = bytes();
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
