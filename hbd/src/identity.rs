//! Who this node is across restarts: `hb_uuid` and `hb_generation` in the state directory
//! (Heartbeat specification 4.2 and 4.3).
//!
//! Owns those two files and nothing else. The old daemon reads and writes the same ones, so that
//! exchanging the daemons is a restart for the peer and not a stranger. A generation never falls:
//! peers drop a node that returns with a lower one as a replay.

use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// The file holding the 16 raw bytes of the node's identity.
const UUID_FILE: &str = "hb_uuid";
/// The file holding the generation of the last start.
const GENERATION_FILE: &str = "hb_generation";
/// The generation is right-aligned in so many columns, then a line feed.
const GENERATION_COLUMNS: usize = 15;
/// Longest generation file that is looked at; the format has 16 bytes.
const GENERATION_MAX_BYTES: u64 = 64;

/// What a start needs to know about this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub uuid: [u8; 16],
    pub generation: u64,
    /// For jitter: another one in each life.
    pub seed: u64,
    /// Something an operator should read, e.g. that the generation file was broken.
    pub warnings: Vec<String>,
}

/// Where the uuid comes from (`uuidfrom`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UuidFrom {
    File,
    Nodename,
}

/// Where the generation comes from (`hbgenmethod`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GenerationFrom {
    File,
    Time,
}

#[derive(Debug, Error)]
pub enum IdentityError {
    #[error("state directory {path}: cannot be created: {source}")]
    Directory { path: PathBuf, source: io::Error },
    #[error("{path}: cannot be read: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}: cannot be written: {source} (this node must remember who it is)")]
    Write { path: PathBuf, source: io::Error },
    #[error("the system has no random bytes: {0}")]
    Random(io::Error),
}

/// Reads both files and writes what this start must leave behind. Creates the directory.
pub fn load(
    state: &Path,
    node: &str,
    uuid_from: UuidFrom,
    generation_from: GenerationFrom,
) -> Result<Identity, IdentityError> {
    std::fs::create_dir_all(state).map_err(|source| IdentityError::Directory {
        path: state.to_owned(),
        source,
    })?;
    let mut warnings = Vec::new();
    let uuid = match uuid_from {
        UuidFrom::File => uuid_of_file(&state.join(UUID_FILE), &mut warnings)?,
        UuidFrom::Nodename => uuid_of_name(node),
    };
    let generation = match generation_from {
        GenerationFrom::File => next_generation(&state.join(GENERATION_FILE), &mut warnings)?,
        GenerationFrom::Time => unix_seconds(),
    };
    Ok(Identity {
        uuid,
        generation,
        seed: u64::from_le_bytes(random().map_err(IdentityError::Random)?),
        warnings,
    })
}

/// The stored uuid, or a new random one that is then stored. All zeroes are what a file system may
/// leave of a file after a crash.
fn uuid_of_file(path: &Path, warnings: &mut Vec<String>) -> Result<[u8; 16], IdentityError> {
    if let Some(bytes) = read_bounded(path, 16)? {
        match <[u8; 16]>::try_from(bytes.as_slice()) {
            Ok(uuid) if uuid != [0; 16] => return Ok(uuid),
            Ok(_) | Err(_) => warnings.push(format!(
                "{} holds no identity - making a new one",
                path.display()
            )),
        }
    }
    let uuid = random_uuid().map_err(IdentityError::Random)?;
    write_durably(path, &uuid)?;
    Ok(uuid)
}

/// A version 4 uuid (RFC 9562 5.4).
fn random_uuid() -> io::Result<[u8; 16]> {
    let mut uuid = random::<16>()?;
    uuid[6] = (uuid[6] & 0x0f) | 0x40;
    uuid[8] = (uuid[8] & 0x3f) | 0x80;
    Ok(uuid)
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// More than the last generation, stored before it is used. At least the seconds since 1970: a
/// machine that was set back to an older state, its files with it, would else fall behind what its
/// peers have seen.
fn next_generation(path: &Path, warnings: &mut Vec<String>) -> Result<u64, IdentityError> {
    let clock = unix_seconds().saturating_add(1);
    let generation = match read_bounded(path, GENERATION_MAX_BYTES)? {
        None => {
            warnings.push(format!("No Previous generation - starting at {clock}"));
            clock
        }
        Some(bytes) => parse_generation(&bytes).map_or_else(
            || {
                // The old daemon starts at 1 here, and its peers then refuse it as a replay.
                warnings.push(format!(
                    "BROKEN previous generation in {} - starting at {clock}",
                    path.display()
                ));
                clock
            },
            |last| last.saturating_add(1).max(clock),
        ),
    };
    write_durably(path, format_generation(generation).as_bytes())?;
    Ok(generation)
}

/// The file's number; `None` unless it is digits with blanks around and can still grow.
fn parse_generation(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse::<u64>().ok()?;
    (digits && number < u64::MAX).then_some(number)
}

fn format_generation(generation: u64) -> String {
    format!("{generation:>GENERATION_COLUMNS$}\n")
}

/// The file's first bytes, or `None` if there is no file.
fn read_bounded(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, IdentityError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IdentityError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Replaces the file's content so that either the old or the new one survives a power loss: a new
/// file, synced, renamed over the old one, and the directory synced.
fn write_durably(path: &Path, content: &[u8]) -> Result<(), IdentityError> {
    let temporary = path.with_extension("new");
    let write = || -> io::Result<()> {
        // What an interrupted start left behind, or a trap: never written through.
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::open(&temporary, flags, Mode::from_raw_mode(0o644))?;
        let mut file = File::from(file);
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        match path.parent() {
            Some(directory) => File::open(directory)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(|source| {
        let _ = std::fs::remove_file(&temporary);
        IdentityError::Write {
            path: path.to_owned(),
            source,
        }
    })
}

fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

/// `uuidfrom nodename`: 32 digits of the C library's generator, seeded with a hash of the name.
fn uuid_of_name(node: &str) -> [u8; 16] {
    let hash = node.bytes().fold(0_u32, |hash, byte| {
        // The old daemon adds signed characters.
        let byte = i32::from(byte.cast_signed()).cast_unsigned();
        hash.wrapping_mul(31).wrapping_add(byte)
    });
    let mut generator = CLibraryRandom::new(hash);
    let mut digit = || generator.next() % 16;
    std::array::from_fn(|_| {
        let byte = (digit() << 4) | digit();
        u8::try_from(byte).expect("two hex digits are a byte")
    })
}

/// glibc's `rand()` after `srand(seed)`: an additive feedback generator over 31 words.
struct CLibraryRandom {
    words: [u32; 31],
    at: usize,
}

impl CLibraryRandom {
    const LAG: usize = 3;
    /// Results that the library throws away after seeding.
    const DISCARDED: usize = 310;

    fn new(seed: u32) -> Self {
        const MODULUS: i64 = 2_147_483_647;
        let mut word = i64::from(seed.max(1).cast_signed());
        let words = std::array::from_fn(|index| {
            if index > 0 {
                // Remainders of negative numbers are lifted once, as the library does.
                word = 16_807 * word % MODULUS;
                if word < 0 {
                    word += MODULUS;
                }
            }
            u32::try_from(word & i64::from(u32::MAX)).expect("masked to 32 bits")
        });
        let at = Self::LAG;
        let mut generator = Self { words, at };
        for _ in 0..Self::DISCARDED {
            generator.next();
        }
        generator
    }

    fn next(&mut self) -> u32 {
        let count = self.words.len();
        let earlier = self.words[(self.at + count - Self::LAG) % count];
        let word = self.words[self.at].wrapping_add(earlier);
        self.words[self.at] = word;
        self.at = (self.at + 1) % count;
        word >> 1
    }
}

#[cfg(test)]
mod tests;
