//! Keys and digests (wire format 2.4, 2.5): who may speak in this cluster.
//!
//! Owns the key material, which is never printed. Signing uses the one signing key; a packet is
//! verified with the key its index names, so keys can be rotated with overlap; a method without a
//! key is accepted only where it is the one that signs, for anybody can use it. Digest texts are
//! compared in constant time, as strictly as they are written: full length, lower case.
//!
//! An old daemon verifies packets with the one key it signs with itself, whatever index they name
//! and its file lists: while keys are changed beside one it hears nobody who signs with another.

use std::fmt;
use std::io::Write as _;

use crc::{CRC_32_CKSUM, Crc};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use ring::hmac as keyed;
use thiserror::Error;

use super::WireError;

/// The highest key index an authkeys file can use.
pub const MAX_INDEX: u8 = 15;

/// The longest `<index> <digest>` text, in bytes: two digits, a blank, 64 bytes in hex.
pub(crate) const MAX_SIGNATURE: usize = 2 + 1 + 2 * MAX_DIGEST;

/// The longest digest, in bytes (SHA-512).
const MAX_DIGEST: usize = 64;

/// The old daemon's checksum is POSIX cksum without the length: polynomial 0x04C11DB7, not
/// reflected, initially 0, complemented at the end.
static CKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_CKSUM);

/// How packets are authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// A checksum: finds damage, proves nothing.
    Crc,
    /// HMAC-MD5.
    Md5,
    /// HMAC-SHA1, the strongest the old daemon has.
    Sha1,
    /// HMAC-SHA256, between new nodes only.
    Sha256,
    /// HMAC-SHA512, between new nodes only.
    Sha512,
}

impl Method {
    /// Does a digest of it prove that its maker has a secret?
    pub fn is_keyed(self) -> bool {
        match self {
            Self::Crc => false,
            Self::Md5 | Self::Sha1 | Self::Sha256 | Self::Sha512 => true,
        }
    }

    /// The word authkeys uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc => "crc",
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The method authkeys calls by this word (lower case).
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Crc, Self::Md5, Self::Sha1, Self::Sha256, Self::Sha512]
            .into_iter()
            .find(|method| method.name() == name)
    }
}

/// One key with its method. The secret cannot be read back.
#[derive(Clone)]
pub struct Key {
    method: Method,
    state: State,
}

/// The keyed state, prepared once.
#[derive(Clone)]
enum State {
    Unkeyed,
    Md5(Box<Hmac<Md5>>),
    Sha(keyed::Key),
}

impl Key {
    /// A key of any length (`crc` ignores it; longer than a hash block is hashed first).
    pub fn new(method: Method, secret: &[u8]) -> Self {
        let sha = |algorithm| State::Sha(keyed::Key::new(algorithm, secret));
        let state = match method {
            Method::Crc => State::Unkeyed,
            Method::Md5 => State::Md5(Box::new(
                Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"),
            )),
            Method::Sha1 => sha(keyed::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            Method::Sha256 => sha(keyed::HMAC_SHA256),
            Method::Sha512 => sha(keyed::HMAC_SHA512),
        };
        Self { method, state }
    }

    /// How this key authenticates.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Appends the digest text of `data`.
    fn write_digest(&self, data: &[u8], out: &mut Vec<u8>) {
        match &self.state {
            State::Unkeyed => {
                write!(out, "{:x}", CKSUM.checksum(data)).expect("writing to a Vec succeeds");
            }
            State::Md5(state) => {
                let digest = state.as_ref().clone().chain_update(data).finalize();
                write_hex(&digest.into_bytes(), out);
            }
            State::Sha(key) => write_hex(keyed::sign(key, data).as_ref(), out),
        }
    }

    /// Whether `text` is the digest of `data`, spelt exactly as we would spell it.
    fn verifies(&self, data: &[u8], text: &[u8]) -> bool {
        let mut buffer = [0; MAX_DIGEST];
        match &self.state {
            State::Unkeyed => {
                let mut expected = Vec::with_capacity(8);
                self.write_digest(data, &mut expected);
                expected == text
            }
            State::Md5(state) => read_hex(text, &mut buffer).is_some_and(|digest| {
                let state = state.as_ref().clone().chain_update(data);
                state.verify_slice(digest).is_ok()
            }),
            State::Sha(key) => read_hex(text, &mut buffer)
                .is_some_and(|digest| keyed::verify(key, data, digest).is_ok()),
        }
    }
}

/// Shows the method, never the secret.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// Why a set of keys is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeysError {
    /// Only 0 to 15 exist on the wire.
    #[error("key {0} is outside 0 to {MAX_INDEX}")]
    IndexOutOfRange(u8),
    /// The index to sign with has no entry.
    #[error("key {0}, chosen for signing, is not defined")]
    SigningKeyMissing(u8),
}

/// The cluster's keys: those we accept, and the one we sign with.
#[derive(Clone, Debug)]
pub struct Keys {
    signing: u8,
    /// By index, ascending; at most 16.
    entries: Vec<(u8, Key)>,
}

impl Keys {
    /// The index to sign with, and keys by index; a repeated index replaces the earlier one, as
    /// in authkeys.
    pub fn new(
        signing: u8,
        entries: impl IntoIterator<Item = (u8, Key)>,
    ) -> Result<Self, KeysError> {
        let mut keys = Self {
            signing,
            entries: Vec::new(),
        };
        for (index, key) in entries {
            if index > MAX_INDEX {
                return Err(KeysError::IndexOutOfRange(index));
            }
            match keys.entries.binary_search_by_key(&index, |(at, _)| *at) {
                Ok(place) => keys.entries[place] = (index, key),
                Err(place) => keys.entries.insert(place, (index, key)),
            }
        }
        match keys.key(signing) {
            Some(_) => Ok(keys),
            None => Err(KeysError::SigningKeyMissing(signing)),
        }
    }

    /// A single key, used for everything.
    ///
    /// # Panics
    /// When `index` is above [`MAX_INDEX`].
    pub fn single(index: u8, key: Key) -> Self {
        Self::new(index, [(index, key)]).expect("the index is 0 to 15")
    }

    /// The index we sign with.
    pub fn signing(&self) -> u8 {
        self.signing
    }

    /// The key of that index.
    pub fn key(&self, index: u8) -> Option<&Key> {
        let place = self.entries.binary_search_by_key(&index, |(at, _)| *at);
        self.entries.get(place.ok()?).map(|(_, key)| key)
    }

    /// All keys by ascending index.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &Key)> {
        self.entries.iter().map(|(index, key)| (*index, key))
    }

    /// Is a packet signed with the key of that index believed?
    pub fn accepts(&self, index: u8) -> bool {
        let key = self.key(index);
        key.is_some_and(|key| index == self.signing || key.method().is_keyed())
    }

    /// The text `<index> <digest>` that authenticates `data`.
    pub fn sign(&self, data: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(MAX_SIGNATURE);
        write!(text, "{} ", self.signing).expect("writing to a Vec succeeds");
        let key = self
            .key(self.signing)
            .expect("`new` demands the signing key");
        key.write_digest(data, &mut text);
        text
    }

    /// Checks a text `<index> <digest>` against `data`; returns the index of the key that did it.
    pub fn verify(&self, data: &[u8], signature: &[u8]) -> Result<u8, WireError> {
        let blank = signature
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or(WireError::MalformedDigest)?;
        let (index, digest) = signature.split_at(blank);
        let index = read_index(index).ok_or(WireError::MalformedDigest)?;
        let digest = digest.get(1..).unwrap_or_default();
        let key = self.key(index).ok_or(WireError::UnknownKey(index))?;
        if !self.accepts(index) {
            return Err(WireError::Unkeyed(index));
        }
        if key.verifies(data, digest) {
            Ok(index)
        } else {
            Err(WireError::DigestMismatch(index))
        }
    }
}

/// One or two digits without padding.
fn read_index(digits: &[u8]) -> Option<u8> {
    match digits {
        [digit @ b'0'..=b'9'] => Some(digit - b'0'),
        [tens @ b'1'..=b'9', ones @ b'0'..=b'9'] => Some((tens - b'0') * 10 + (ones - b'0')),
        _ => None,
    }
}

fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Lower-case hex into `buffer`; the part that was filled.
fn read_hex<'a>(text: &[u8], buffer: &'a mut [u8; MAX_DIGEST]) -> Option<&'a [u8]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    let filled = buffer.get_mut(..pairs.len())?;
    for (byte, [high, low]) in filled.iter_mut().zip(pairs) {
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(filled)
}

#[cfg(test)]
mod tests;
