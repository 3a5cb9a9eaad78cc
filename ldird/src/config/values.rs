//! Values with a grammar of their own, one function each; `real` and `fallback` have a file.

use super::given::{At, CheckType, Faults, Given, Method, Service};
use super::words::{
    between_quotes, first_digits, first_run, first_word, rest, split_word, tell_around,
    tell_typographic, text, trimmed, without_comment, word_character, yes_or_no,
};
use ha_plumbing::Word;
use ldird_core::alerts::Phase;
use ldird_core::table::{Tunnel, TunnelChecksum};
use std::collections::BTreeSet;
use std::path::Path;

pub(super) fn supervised(given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>) {
    let span = trimmed(value).span;
    match yes_or_no(value, faults) {
        Some(value) => given.supervised = Some(At { value, span }),
        None => faults.error(span, "supervised must be 'yes' or 'no'"),
    }
}

/// Addresses, with or without double quotes around all of them. Blanks behind the closing quote make
/// it a part of the address, as they did for the old daemon.
pub(super) fn emailalert(given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>) {
    let word = without_comment(trimmed(value), faults);
    let around = |inner: &Word<'_>| inner.text.len() + 2 == word.text.len();
    let inner = between_quotes(word).filter(|inner| around(inner) && !inner.text.contains('"'));
    let whole = inner.is_none_or(|_| trimmed(value).text.len() == value.text.len());
    let addresses = inner.map_or(word.text, |inner| inner.text);
    if addresses.is_empty() {
        if whole {
            return faults.error_with(
                word.span,
                "no email address specified",
                "emailalert=ADDRESS[, ADDRESS]...",
            );
        }
        faults.tolerated(word.span, "there is no address between the quotes");
    }
    given.emailalert = Some(At {
        value: addresses.to_owned(),
        span: word.span,
    });
}

/// The old daemon opens it at once, at each line that names one; here it only has to be possible.
pub(super) fn monitorfile(given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>) {
    let word = trimmed(value);
    tell_typographic(word, faults);
    let file = between_quotes(word).map_or(word.text, |inner| inner.text);
    if file.is_empty() {
        return faults.error_with(word.span, "invalid monitorfile", "monitorfile=FILE");
    }
    let directory = Path::new(file)
        .parent()
        .filter(|path| !path.as_os_str().is_empty());
    if let Some(Err(error)) = directory.map(std::fs::metadata) {
        let message = format!("unable to open monitorfile {file}: {error}");
        return faults.error(word.span, message);
    }
    given.monitorfile = Some(At {
        value: file.to_owned(),
        span: word.span,
    });
}

/// States of the daemon in which mail is sent.
const STATES: [(&str, &[Phase]); 6] = [
    (
        "all",
        &[
            Phase::Starting,
            Phase::Running,
            Phase::Stopping,
            Phase::Reloading,
        ],
    ),
    ("none", &[]),
    ("starting", &[Phase::Starting]),
    ("running", &[Phase::Running]),
    ("stopping", &[Phase::Stopping]),
    ("reloading", &[Phase::Reloading]),
];

pub(super) fn execute(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let word = without_comment(trimmed(word), faults);
    if !word.text.is_empty() {
        given.executes.push(text(word));
    }
}

pub(super) fn alert_status(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let mut phases = BTreeSet::new();
    if trimmed(word).text.len() < word.text.len() {
        faults.tolerated(word.span, "blanks stand behind the value");
    }
    let pieces: Vec<Word<'_>> = trimmed(word)
        .split(",")
        .map(|piece| trimmed(rest(piece, 0)))
        .collect();
    let alone = pieces.len() == 1;
    // What follows the last comma may be nothing.
    let end = pieces.iter().rposition(|piece| !piece.text.is_empty());
    for piece in pieces.iter().take(end.map_or(0, |end| end + 1)) {
        let name = piece.text;
        if let Some((_, named)) = STATES.iter().find(|(known, _)| *known == name) {
            phases.extend(named.iter().copied());
        } else {
            let known = STATES.map(|(known, _)| known);
            faults.error_with(
                piece.span,
                format!("invalid email alert status at: \"{name}\""),
                format!("one of {}", known.join(", ")),
            );
        }
    }
    given.emailalertstatus = Some(At {
        value: phases,
        span: word.span,
    });
    if !alone && pieces.iter().any(|piece| piece.text == "none") {
        let other = |piece: &&Word<'_>| !matches!(piece.text, "none" | "");
        let Some(other) = pieces.iter().find(other) else {
            return;
        };
        let name = other.text;
        let message = format!("invalid email alert status: \"{name}\" specified with \"none\"");
        faults.error(word.span, message);
    }
}

pub(super) fn smtp(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let word = trimmed(word);
    let name = between_quotes(word).unwrap_or(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    if name.text.starts_with(|c| plain(c) || c == '[') {
        if !word.text.starts_with(plain) {
            faults.tolerated(word.span, format!("smtp is read as {}", name.text));
        }
        given.smtp = Some(text(name));
    } else {
        faults.error_with(
            word.span,
            "invalid SMTP server address",
            "smtp=mail.example.org",
        );
    }
}

pub(super) fn checktype(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let span = trimmed(word).span;
    let value = checktype_of(trimmed(word), faults);
    match value {
        Some(value) => given.checktype = Some(At { value, span }),
        None => faults.error(
            span,
            "checktype must be \"connect\", \"negotiate\", \"on\", \"off\", \"ping\", \
             \"external\", \"external-perl\" or a positive number",
        ),
    }
}

/// The old daemon takes the first digits anywhere for a combined check. A word that is half a
/// number (`external2`) is none: nobody meant it.
fn checktype_of(word: Word<'_>, faults: &mut Faults<'_>) -> Option<CheckType> {
    let name = |c: char| word_character(c) || c == '-';
    if let Some((before, digits, after)) = first_run(word, |c| c.is_ascii_digit()) {
        let blank = super::lines::blank;
        let glued = before.text.rsplit(blank).next().unwrap_or_default();
        if glued.contains(word_character) || after.text.starts_with(word_character) {
            return None;
        }
        tell_around(word, [before, after], digits, faults);
        return digits.text.parse().ok().map(CheckType::Combined);
    }
    let (before, found, after) = first_run(word, name)?;
    let value = CheckType::named(found.text)?;
    tell_around(word, [before, after], found, faults);
    Some(value)
}

pub(super) fn checkport(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let word = trimmed(word);
    let span = word.span;
    match first_digits(word, faults) {
        Some(value @ 1..=65535) => given.checkport = Some(At { value, span }),
        Some(_) => faults.error(span, "checkport must be in range 1..65536"),
        None => faults.error_with(span, "invalid port", "checkport=PORT, 1 to 65535"),
    }
}

/// Longest name of a scheduler, bytes (IP_VS_SCHEDNAME_MAXLEN without its NUL).
const SCHEDULER_MAX_BYTES: usize = 15;

/// What Linux has, up to 6.12; `dh` and its like may be missing from a kernel all the same.
const SCHEDULERS: &[&str] = &[
    "rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "twos",
];

pub(super) fn scheduler(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let word = trimmed(word);
    let name = |c: char| word_character(c) || c == '-';
    let found =
        first_run(word, name).filter(|(_, found, _)| found.text.len() <= SCHEDULER_MAX_BYTES);
    let letters =
        found.filter(|(_, found, _)| found.text.contains(|c: char| c.is_ascii_alphabetic()));
    let Some((before, found, after)) = letters else {
        let message = "invalid scheduler, should be only lowercase letters (a-z)";
        return faults.error_with(word.span, message, "e.g. rr, wrr, lc, wlc, sh or mh");
    };
    tell_around(word, [before, after], found, faults);
    let (value, span) = (found.text.to_ascii_lowercase(), found.span);
    // The old daemon ends the name at the first character that is no lowercase letter.
    let old = first_run(found, |c| c.is_ascii_lowercase()).map(|(_, letters, _)| letters.text);
    let known = |name: &str| SCHEDULERS.contains(&name);
    let value = match old.filter(|old| known(old) && !known(&value)) {
        Some(old) => old.to_owned(),
        None => value,
    };
    if value != found.text {
        let message = format!("scheduler \"{}\" is read as {value}", found.text);
        faults.warning_with(span, message, "the old daemon wants lowercase letters");
    }
    if !known(&value) {
        let message = format!("no scheduler of Linux is called \"{value}\"");
        let hint =
            format!("the kernel refuses the virtual service unless it has a module ip_vs_{value}");
        faults.warning_with(span, message, hint);
    }
    given.scheduler = Some(At { value, span });
}

pub(super) fn schedflags(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let (flags, _) = split_word(word);
    if flags.text.is_empty() {
        faults.error_with(word.span, "invalid sched-flags", "e.g. schedflags=sh-port");
    } else {
        given.schedflags = Some(text(flags));
    }
}

/// A persistence engine is a module of the kernel, as a scheduler is.
pub(super) fn pe(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let (name, _) = split_word(word);
    let proper = |c: char| word_character(c) || c == '-';
    let fits = (1..=SCHEDULER_MAX_BYTES).contains(&name.text.len());
    if !fits || !name.text.chars().all(proper) {
        return faults.error_with(word.span, "invalid persistence engine", "pe=sip");
    }
    if name.text != "sip" {
        let message = format!("no persistence engine of Linux is called \"{}\"", name.text);
        let hint = "the kernel refuses the virtual service unless it has that module";
        faults.warning_with(name.span, message, hint);
    }
    given.pe = Some(text(name));
}

/// How packets to `ipip` real servers are wrapped.
pub(super) fn tunnel(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let word = trimmed(word);
    let words: Vec<&str> = word.text.split_whitespace().collect();
    let value = match words.as_slice() {
        ["ipip"] => Some(Tunnel::Ipip),
        ["gue", port, sum @ ..] => {
            let port = port.parse().ok().filter(|&port| port != 0);
            let pair = port.zip(checksum(sum));
            pair.map(|(port, checksum)| Tunnel::Gue { port, checksum })
        }
        // The remote kind exists for GUE only.
        ["gre", sum @ ..] => checksum(sum)
            .filter(|&sum| sum != TunnelChecksum::Remote)
            .map(|checksum| Tunnel::Gre { checksum }),
        _ => None,
    };
    let span = word.span;
    match value {
        Some(value) => given.tunnel = Some(At { value, span }),
        None => faults.error_with(
            span,
            "invalid tunnel",
            "tunnel=ipip, tunnel=gue PORT [csum|remcsum] or tunnel=gre [csum]",
        ),
    }
}

fn checksum(words: &[&str]) -> Option<TunnelChecksum> {
    match words {
        [] => Some(TunnelChecksum::None),
        ["csum"] => Some(TunnelChecksum::Full),
        ["remcsum"] => Some(TunnelChecksum::Remote),
        _ => None,
    }
}

pub(super) fn service(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let span = trimmed(word).span;
    let found = first_word(word, faults).and_then(|name| Service::named(name.text));
    if let Some(value) = found {
        given.service = Some(At { value, span });
    } else {
        faults.error(span, format!("service must be {}", Service::names()));
    }
}

pub(super) fn httpmethod(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let span = trimmed(word).span;
    let name = first_word(word, faults).map(|name| name.text.to_ascii_uppercase());
    let value = match name.as_deref() {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        _ => return faults.error(span, "httpmethod must be GET or HEAD"),
    };
    given.httpmethod = Some(At { value, span });
}

pub(super) fn protocol(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let name = first_word(word, faults).unwrap_or(trimmed(word));
    if name.text == "sctp" {
        faults.tolerated(name.span, "protocol=sctp is new");
    }
    given.protocol = Some(text(name));
}

pub(super) fn netmask(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let mask = trimmed(word);
    if mask.text.len() < word.text.len() {
        faults.tolerated(word.span, "blanks stand behind the value");
    }
    given.netmask = Some(text(mask));
}

/// Between optional quotes, up to the next quote; may be empty.
pub(super) fn virtualhost(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let word = trimmed(word);
    tell_typographic(word, faults);
    let start = usize::from(word.text.starts_with('"'));
    let inner = word.text.get(start..).unwrap_or_default();
    let end = start + inner.find('"').unwrap_or(inner.len());
    given.virtualhost = Some(text(word.part(start..end)));
}
