//! Who this node is across restarts: `hb_uuid` and `hb_generation` in the state directory
//! (Heartbeat specification 4.2 and 4.3).
//!
//! Owns those two files, and `hbd_peers` beside them (`peers`, kept by `keeper`). The old daemon
//! reads and writes the same two, so that exchanging the daemons is a restart for the peer and not
//! a stranger. A generation never falls: peers drop a node that returns with a lower one as a replay.
//!
//! A disk that is full or cannot be written stops nobody: what could not be stored is tried again
//! while the daemon runs, and the clock keeps the generation growing meanwhile.

mod keeper;
mod peers;

use hbd_core::config::KnownPeer;
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
/// The generation is right-aligned in so many columns, then a line feed. On the wire an old daemon
/// takes all 64 bits of it.
const GENERATION_COLUMNS: usize = 15;
/// A generation that could not be stored is raised by up to so much, by the clock.
const UNSAVED_SPREAD: u64 = 100_000;
/// Longest generation file that is looked at; the format has 16 bytes.
const GENERATION_MAX_BYTES: u64 = 64;

/// What a start needs to know about this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub uuid: [u8; 16],
    pub generation: u64,
    /// For jitter: another one in each life.
    pub seed: u64,
    /// What earlier lives knew of the peers.
    pub known: Vec<KnownPeer>,
    /// What the disk did not take.
    pub unsaved: Vec<Unsaved>,
    /// Something an operator should read, e.g. that the generation file was broken.
    pub warnings: Vec<String>,
}

/// A file that could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsaved {
    path: PathBuf,
    content: Vec<u8>,
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
    #[error("{path}: cannot be read: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}: cannot be written: {source} (this node must remember who it is)")]
    Write { path: PathBuf, source: io::Error },
    #[error("the system has no random bytes: {0}")]
    Random(io::Error),
}

/// Reads the files and writes what this start must leave behind. Creates the directory.
pub fn load(
    state: &Path,
    node: &str,
    uuid_from: UuidFrom,
    generation_from: GenerationFrom,
) -> Result<Identity, IdentityError> {
    let mut store = Store::default();
    if let Err(error) = std::fs::create_dir_all(state) {
        let state = state.display();
        store.warn(format!(
            "state directory {state}: cannot be created: {error}"
        ));
    }
    let uuid = match uuid_from {
        UuidFrom::File => store.uuid(&state.join(UUID_FILE))?,
        UuidFrom::Nodename => uuid_of_name(node),
    };
    let generation = match generation_from {
        GenerationFrom::File => store.generation(&state.join(GENERATION_FILE)),
        GenerationFrom::Time => unix_seconds(),
    };
    let known = match peers::read(state) {
        Ok((known, warnings)) => {
            store.warnings.extend(warnings);
            known
        }
        Err(error) => {
            store.warn(error.to_string());
            Vec::new()
        }
    };
    Ok(Identity {
        uuid,
        generation,
        seed: u64::from_le_bytes(random().map_err(IdentityError::Random)?),
        known,
        unsaved: store.unsaved,
        warnings: store.warnings,
    })
}

/// Reads and writes, and remembers what went wrong.
#[derive(Default)]
struct Store {
    warnings: Vec<String>,
    unsaved: Vec<Unsaved>,
}

impl Store {
    fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Writes a file now, or later.
    fn write(&mut self, path: &Path, content: &[u8]) -> bool {
        let result = write_durably(path, content);
        if let Err(error) = &result {
            self.warn(format!("{error}; it is tried again while hbd runs"));
            self.unsaved.push(Unsaved {
                path: path.to_owned(),
                content: content.to_vec(),
            });
        }
        result.is_ok()
    }

    /// The stored uuid, or a new random one that is then stored. All zeroes are what a file system
    /// may leave of a file after a crash. What cannot be read may still be right: it is kept.
    fn uuid(&mut self, path: &Path) -> Result<[u8; 16], IdentityError> {
        let stored = read_bounded(path, 16);
        if let Ok(Some(bytes)) = &stored {
            match <[u8; 16]>::try_from(bytes.as_slice()) {
                Ok(uuid) if uuid != [0; 16] => return Ok(uuid),
                Ok(_) | Err(_) => self.warn(format!(
                    "{} holds no identity - making a new one",
                    path.display()
                )),
            }
        }
        let uuid = random_uuid().map_err(IdentityError::Random)?;
        match stored {
            Ok(_) => drop(self.write(path, &uuid)),
            Err(error) => self.warn(format!("{error}; this life has a new identity")),
        }
        Ok(uuid)
    }

    /// More than the last generation, stored before it is used. At least the seconds since 1970: a
    /// machine that was set back to an older state, its files with it, would else fall behind what
    /// its peers have seen.
    fn generation(&mut self, path: &Path) -> u64 {
        let clock = unix_seconds().saturating_add(1);
        let last = match read_bounded(path, GENERATION_MAX_BYTES) {
            Ok(None) => {
                self.warn(format!("No Previous generation - starting at {clock}"));
                0
            }
            Ok(Some(bytes)) => parse_generation(&bytes).unwrap_or_else(|| {
                // The old daemon starts at 1 here, and its peers then refuse it as a replay.
                self.warn(format!(
                    "BROKEN previous generation in {} - starting at {clock}",
                    path.display()
                ));
                0
            }),
            Err(error) => {
                self.warn(format!("{error} - starting at generation {clock}"));
                return clock;
            }
        };
        let generation = last.saturating_add(1).max(clock);
        if self.write(path, format_generation(generation).as_bytes()) || generation == clock {
            return generation;
        }
        // The clock is behind the file, and the file cannot grow: the next start must differ still.
        generation.saturating_add(clock % UNSAVED_SPREAD)
    }
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

pub use keeper::Keeper;

#[cfg(test)]
mod tests;
