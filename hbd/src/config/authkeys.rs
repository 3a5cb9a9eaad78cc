//! authkeys: the keys that packets are signed with and checked against (Heartbeat specification
//! 1.6).
//!
//! Refuses a file that others can read or change, because who has the key is the cluster. Differs
//! from the old daemon in that the `auth` line may stand anywhere.

use super::files::unreadable;
use super::value;
use ha_plumbing::{Diagnostic, Diagnostics, Source, Span, Word};
use hbd_core::wire::auth::KeysError;
use hbd_core::wire::{Key, Keys, Method};
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// Highest key number on the wire.
const MAX_INDEX: i64 = 15;

/// A key shorter than this can be guessed by trying, bytes.
const SHORT_KEY: usize = 8;

/// Keys that are printed in public: of the sample in this repository, which is refused, and of
/// Heartbeat's own sample, with which clusters run.
const OUR_SAMPLE: &[u8] = b"the-key-of-the-lab-is-public";
const OLD_SAMPLES: [&[u8]; 2] = [b"HI!", b"Hello!"];

/// Permission bits: read by group and others; written by group and others.
const READABLE: u32 = 0o044;
const WRITABLE: u32 = 0o022;

/// Reads the file; `None` if there is no usable set of keys.
pub fn load(path: &Path, found: &mut Diagnostics) -> Option<Keys> {
    let (source, metadata) = match open(path) {
        Ok(opened) => opened,
        Err(error) => {
            let mut fault = unreadable(path, &error);
            fault.message = format!("Cannot open keyfile [{}]. Stop. ({error})", path.display());
            found.push(match error.kind() {
                io::ErrorKind::NotFound => fault.hint("`hbd genkey` writes one with a new key"),
                _ => fault,
            });
            return None;
        }
    };
    let usable = guarded(path, &metadata, found);
    let keys = parse(&source, found);
    keys.filter(|_| usable)
}

fn open(path: &Path) -> io::Result<(Source, Metadata)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    Ok((Source::from_reader(path, file)?, metadata))
}

/// May only its owner read and write it, and is that root or us?
fn guarded(path: &Path, metadata: &Metadata, found: &mut Diagnostics) -> bool {
    let mode = metadata.permissions().mode() & 0o7777;
    let mut fine = true;
    let mut refuse = |message: String, hint: String| {
        fine = false;
        let fault = Diagnostic::error(message).hint(hint);
        found.push(fault.in_file(path));
    };
    let shown = path.display();
    let remedy = format!("its mode is {mode:03o}: chmod 600 {shown}");
    if mode & READABLE != 0 {
        let message = format!("Bad permissions on keyfile [{shown}], 600 recommended.");
        refuse(message, remedy);
    } else if mode & WRITABLE != 0 {
        let message = format!("keyfile [{shown}] can be changed by others than its owner");
        refuse(message, remedy);
    }
    let owner = metadata.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        let message = format!("keyfile [{shown}] belongs to user {owner}");
        refuse(message, format!("chown root {shown}"));
    }
    fine
}

/// Reads a text. Faults go to `found`.
pub fn parse(source: &Source, found: &mut Diagnostics) -> Option<Keys> {
    let before = found.error_count();
    let shown = without_secrets(source);
    let mut reader = Reader {
        source,
        shown: &shown,
        found,
        signing: None,
        keys: BTreeMap::new(),
    };
    for line in source.lines() {
        let words: Vec<Word<'_>> = line.words().collect();
        match words.first() {
            Some(first) if first.text.starts_with('#') => {}
            // Any word with that letter, as ever.
            Some(first) if first.text.starts_with('a') => reader.auth(*first, &words),
            Some(first) => reader.key(*first, &words),
            None => {}
        }
    }
    let keys = reader.finish();
    keys.filter(|_| found.error_count() == before)
}

/// The same text for diagnostics, with asterisks for every word that may be a key.
fn without_secrets(source: &Source) -> Source {
    let mut text = String::with_capacity(source.text().len());
    for line in source.lines() {
        let mut at = 0;
        for (position, word) in line.words().enumerate() {
            text.push_str(line.text.get(at..word.span.start).unwrap_or_default());
            if is_harmless(position, word.text) {
                text.push_str(word.text);
            } else {
                // What looks like a comment shows that it does, for often it is the fault.
                let shown = usize::from(word.text.starts_with('#'));
                text.push_str(word.text.get(..shown).unwrap_or_default());
                text.push_str(&"*".repeat(word.text.len() - shown));
            }
            at = word.span.end;
        }
        text.push('\n');
    }
    Source::from_bytes(source.path(), text.as_bytes())
}

/// Is the word, at this place of its line, certainly no key?
fn is_harmless(position: usize, word: &str) -> bool {
    let method = || Method::from_name(word).is_some();
    match position {
        0 => word == "auth" || index(word).is_some() || method(),
        1 => index(word).is_some() || method(),
        _ => false,
    }
}

struct Reader<'a> {
    source: &'a Source,
    shown: &'a Source,
    found: &'a mut Diagnostics,
    signing: Option<(u8, Span)>,
    /// With the place of the method.
    keys: BTreeMap<u8, (Key, Span)>,
}

impl Reader<'_> {
    /// `auth N`, or `authN`.
    fn auth(&mut self, first: Word<'_>, words: &[Word<'_>]) {
        let joined = first
            .text
            .strip_prefix("auth")
            .filter(|rest| !rest.is_empty());
        let (number, rest) = match (joined, words) {
            (Some(_), [_, rest @ ..]) => (Some(first.part("auth".len()..first.text.len())), rest),
            (None, [_, number, rest @ ..]) if first.text == "auth" => (Some(*number), rest),
            _ => (None, words),
        };
        let index = number.and_then(|number| self.signing_index(number));
        let Some((index, number)) = index.zip(number) else {
            let message = "this line is not `auth` and a key number from 0 to 15";
            self.error(first.span, message);
            return;
        };
        if let Some((_, earlier)) = self.signing {
            let message = format!("this line replaces the auth line {}", earlier.line);
            self.warning(first.span, message);
        }
        self.superfluous(rest);
        self.signing = Some((index, number.span));
    }

    /// The number that begins the word, as ever; a person would write nothing behind it.
    fn signing_index(&mut self, word: Word<'_>) -> Option<u8> {
        let digits = word.text.find(|c: char| !c.is_ascii_digit());
        let Some(end) = digits.filter(|end| *end > 0) else {
            return index(word.text);
        };
        let index = index(word.text.get(..end)?)?;
        self.warning(word.span, format!("the auth number is read as {index}"));
        Some(index)
    }

    /// `N method [key]`
    fn key(&mut self, first: Word<'_>, words: &[Word<'_>]) {
        let Some(index) = index(first.text) else {
            let message = "this line begins with neither `auth` nor a key number from 0 to 15";
            self.error(first.span, message);
            return;
        };
        let Some(method) = words.get(1) else {
            self.error(first.span, format!("key {index} has no method"));
            return;
        };
        let rest = words.get(2..).unwrap_or_default();
        if let Some(key) = self.method(index, *method, rest)
            && self.keys.insert(index, (key, method.span)).is_some()
        {
            self.warning(
                first.span,
                format!("this line replaces the earlier key {index}"),
            );
        }
    }

    fn method(&mut self, index: u8, method: Word<'_>, rest: &[Word<'_>]) -> Option<Key> {
        let Some(kind) = Method::from_name(method.text) else {
            let fault = Diagnostic::error(format!("Invalid authtype [{}]", method.text))
                .hint("methods are sha1, md5 and crc, and between hbd nodes sha256 and sha512");
            self.push(fault, method.span);
            return None;
        };
        match (kind, rest) {
            (Method::Crc, []) => Some(Key::new(kind, &[])),
            (Method::Crc, [extra, ..]) => {
                let fault = Diagnostic::error(format!("key {index}: crc takes no key"));
                let comment = extra.text.starts_with('#');
                self.push(
                    fault.hint(if comment {
                        "a comment needs a line of its own here"
                    } else {
                        "leave out what follows it"
                    }),
                    extra.span,
                );
                None
            }
            (_, []) => {
                self.error(
                    method.span,
                    format!("key {index}: {} needs a key", method.text),
                );
                None
            }
            (_, [secret, rest @ ..]) => {
                self.superfluous(rest);
                let bytes = self.source.bytes_of(secret.text);
                self.strength(index, &bytes, secret.span);
                Some(Key::new(kind, &bytes))
            }
        }
    }

    /// Could somebody else have the key?
    fn strength(&mut self, index: u8, secret: &[u8], span: Span) {
        let hint = "`hbd genkey` makes a key that cannot be guessed";
        let fault = if secret == OUR_SAMPLE {
            Diagnostic::error(format!(
                "key {index} is the published one of the sample file: whoever reads that can \
                 take over the cluster"
            ))
        } else if OLD_SAMPLES.contains(&secret) {
            Diagnostic::warning(format!(
                "key {index} is short, and printed in Heartbeat's sample file: everybody knows it"
            ))
            .ownership()
        } else if secret.starts_with(b"#") {
            Diagnostic::warning(format!(
                "key {index} begins with `#`: what looks like a comment is the key"
            ))
            .ownership()
        } else if secret.len() < SHORT_KEY {
            Diagnostic::warning(format!("key {index} is short"))
        } else {
            return;
        };
        self.push(fault.hint(hint), span);
    }

    /// Keys without a secret are believed only where one of them signs.
    fn unkeyed(&mut self, keys: &Keys) {
        for (index, key) in keys.iter().filter(|(_, key)| !key.method().is_keyed()) {
            let Some((_, place)) = self.keys.get(&index) else {
                continue;
            };
            let (name, signing, span) = (key.method().name(), keys.signing(), *place);
            let fault = if keys.accepts(index) {
                Diagnostic::warning(format!(
                    "key {index}: {name} is no authentication; whoever reaches the network can \
                     take over the cluster"
                ))
                .hint("use sha1, or sha256 between hbd nodes")
                .ownership()
            } else {
                Diagnostic::warning(format!(
                    "key {index}: packets signed with {name} are refused while key {signing} \
                     signs: anybody could make them"
                ))
                .hint("Heartbeat accepts them, which opens the cluster: remove the line")
            };
            self.push(fault, span);
        }
    }

    /// The old daemon wants to know the signing key's number before it reads the key.
    fn order(&mut self, signing: u8, place: Span) {
        let key = self.keys.get(&signing).map(|(_, span)| span.line);
        if let Some(line) = key.filter(|line| *line < place.line) {
            let fault = Diagnostic::warning(format!(
                "the auth line comes after key {signing} of line {line}"
            ));
            let hint = "Heartbeat refuses that: put the auth line first";
            self.push(fault.hint(hint), place);
        }
    }

    fn finish(mut self) -> Option<Keys> {
        let path = self.source.path();
        let Some((signing, place)) = self.signing else {
            let fault = Diagnostic::error("Missing auth directive in keyfile")
                .hint("a line such as `auth 1` says which key to sign with");
            self.found.push(fault.in_file(path));
            return None;
        };
        let keys = self.keys.iter();
        match Keys::new(signing, keys.map(|(index, (key, _))| (*index, key.clone()))) {
            Ok(keys) => {
                self.unkeyed(&keys);
                self.order(signing, place);
                Some(keys)
            }
            Err(KeysError::SigningKeyMissing(index) | KeysError::IndexOutOfRange(index)) => {
                let message = format!("Auth Key [{index}] not found in keyfile");
                self.found.error(self.shown, place, message);
                None
            }
        }
    }

    /// Nothing after a `#`, and a warning otherwise.
    fn superfluous(&mut self, rest: &[Word<'_>]) {
        if let Some(first) = rest.first().filter(|word| !word.text.starts_with('#')) {
            let message = "what follows here is ignored: a key is one word";
            self.warning(first.span, message);
        }
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.push(Diagnostic::error(message), span);
    }

    fn warning(&mut self, span: Span, message: impl Into<String>) {
        self.push(Diagnostic::warning(message), span);
    }

    fn push(&mut self, fault: Diagnostic, span: Span) {
        self.found.push(fault.at(self.shown, span));
    }
}

/// 0 to 15.
fn index(text: &str) -> Option<u8> {
    let integer = value::integer(text);
    let fits = integer.exact && (0..=MAX_INDEX).contains(&integer.value);
    fits.then(|| u8::try_from(integer.value).ok())?
}

#[cfg(test)]
mod tests;
