//! `hbd genkey`: an authkeys file with a key nobody can guess, readable to its owner from its first
//! moment on, and never in place of another one.

use crate::cli::{Common, Genkey, exit};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// As long as the hash: longer keys add nothing (RFC 2104 section 3).
const KEY_BYTES: usize = 32;

/// Who may do what with the file.
const MODE: u32 = 0o600;

/// Writes the file; the exit code.
pub fn run(common: &Common, options: &Genkey) -> u8 {
    let mut key = [0; KEY_BYTES];
    if SystemRandom::new().fill(&mut key).is_err() {
        return failed("the system has no random numbers");
    }
    let text = authkeys(&key, options.method.name());
    if options.print {
        return match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => exit::OK,
            Err(error) => failed(&format!("the key could not be written: {error}")),
        };
    }
    let path = options.file.clone();
    let path = path.unwrap_or_else(|| common.etc.join("authkeys"));
    let shown = path.display();
    match write(&path, &text) {
        Ok(()) => {
            let said = writeln!(
                io::stdout(),
                "{shown} holds a new key. Copy it to every other node, with its mode: \
                 scp -p {shown} OTHER:{shown}"
            );
            // A reader that went away has the file all the same.
            drop(said);
            exit::OK
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => failed(&format!(
            "{shown} is there already and stays as it is: a running cluster may depend on it"
        )),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            failed(&format!("{shown}: {error}"));
            exit::PERMISSION
        }
        Err(error) => failed(&format!("{shown}: {error}")),
    }
}

fn failed(why: &str) -> u8 {
    let _ = writeln!(io::stderr(), "hbd: {why}");
    exit::FAILED
}

/// Makes the file; nothing is left of one that could not be written to its end.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(MODE).open(path)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    if written.is_err() {
        fs::remove_file(path)?;
    }
    written
}

fn authkeys(key: &[u8], method: &str) -> String {
    let mut text = format!(
        "# The keys of the cluster: the same file on every node, readable to root only (chmod 600).\n\
         # sha256 and sha512 are for clusters of hbd only; a Heartbeat 3.0.6 understands sha1.\n\
         auth 1\n\
         1 {method} "
    );
    for byte in key {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
    text
}
