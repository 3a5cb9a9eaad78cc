//! Base64 as the classic framing uses it for binary values: the standard alphabet, padded.
//!
//! Decoding is strict: exactly the text that encoding gives, so that equal values have equal
//! digests (wire format 2.4).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends the text of `bytes`.
pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    for group in bytes.chunks(3) {
        let mut word = [0; 3];
        word[..group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes([0, word[0], word[1], word[2]]);
        // 1 byte gives 2 characters, 2 give 3, 3 give 4; the rest is padding.
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place)) & 63;
            out.push(if place <= group.len() {
                ALPHABET[sextet as usize]
            } else {
                b'='
            });
        }
    }
}

/// The bytes of a canonical text, else nothing.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let (groups, []) = text.as_chunks::<4>() else {
        return None;
    };
    let mut bytes = Vec::with_capacity(groups.len() * 3);
    for (index, group) in groups.iter().enumerate() {
        let characters = match group {
            [_, _, b'=', b'='] => 2,
            [_, _, _, b'='] => 3,
            _ => 4,
        };
        if characters < 4 && index + 1 != groups.len() {
            return None;
        }
        let mut bits = 0;
        for character in group.iter().take(characters) {
            bits = (bits << 6) | u32::from(sextet(*character)?);
        }
        bits <<= 6 * (4 - characters);
        let [_, word @ ..] = bits.to_be_bytes();
        let (kept, unused) = word.split_at(characters - 1);
        if unused.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(kept);
    }
    Some(bytes)
}

fn sextet(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
