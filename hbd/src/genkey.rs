//! `hbd genkey`: an authkeys file with a key nobody can guess.

use crate::cli::exit;
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// As long as the hash: longer keys add nothing (RFC 2104 section 3).
const KEY_BYTES: usize = 32;

/// Prints to standard output; the exit code.
pub fn run() -> u8 {
    let mut key = [0; KEY_BYTES];
    if SystemRandom::new().fill(&mut key).is_err() {
        let _ = writeln!(io::stderr(), "hbd: the system has no random numbers");
        return exit::FAILED;
    }
    match io::stdout().write_all(authkeys(&key).as_bytes()) {
        Ok(()) => exit::OK,
        Err(error) => {
            let _ = writeln!(io::stderr(), "hbd: the key could not be written: {error}");
            exit::FAILED
        }
    }
}

fn authkeys(key: &[u8]) -> String {
    let mut text = String::from(
        "# The keys of the cluster: the same file on every node, readable to root only (chmod 600).\n\
         # sha256 is for clusters of hbd only; next to a Heartbeat 3.0.6 write sha1 in its place.\n\
         auth 1\n\
         1 sha256 ",
    );
    for byte in key {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
    text
}
