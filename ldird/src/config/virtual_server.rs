//! The grammar of `virtual` and `virtual6` values (specification 1.6).
//!
//! Only the beginning has to fit, so comments behind the address do no harm. A forgotten port is an
//! error here: the old daemon took the first digits of the address for a firewall mark.

use super::given::{At, Family, Faults};
use super::words::{rest, trimmed};
use ha_plumbing::{Span, Word};

/// What a `virtual` line names, before names are resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VirtualLine {
    pub(crate) family: Family,
    pub(crate) what: What,
    /// The value, for complaints.
    pub(crate) span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Address {
        host: At<String>,
        port: At<String>,
    },
    /// A firewall mark, not 0.
    Mark(u32),
}

const INVALID: &str = "invalid address for virtual server";

/// Reads the value; `None` after a complaint.
pub(crate) fn read(
    value: Word<'_>,
    family: Family,
    faults: &mut Faults<'_>,
) -> Option<VirtualLine> {
    let value = trimmed(value);
    let end = value.text.find(super::lines::blank);
    let word = value.part(0..end.unwrap_or(value.text.len()));
    let what = if word.text.starts_with('[') {
        bracketed(word, family, faults)
    } else if let Some(found) = host_and_port(word) {
        Some(found)
    } else {
        mark(word, value, faults)
    }?;
    let span = match &what {
        What::Address { host, port } => Span {
            end: port.span.end,
            ..host.span
        },
        What::Mark(_) => word.span,
    };
    tell_leftover(value, span, faults);
    Some(VirtualLine { family, what, span })
}

/// `HOST:PORT`; the port ends at the first character that no port has.
fn host_and_port(word: Word<'_>) -> Option<What> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    let colon = word.text.find(|c| !allowed(c)).filter(|&end| end > 0)?;
    let tail = word.text.get(colon..)?.strip_prefix(':')?;
    let length = port_length(tail);
    (length > 0).then(|| What::Address {
        host: at(word.part(0..colon)),
        port: at(word.part(colon + 1..colon + 1 + length)),
    })
}

/// `[ADDRESS]:PORT`, for `virtual6` only.
fn bracketed(word: Word<'_>, family: Family, faults: &mut Faults<'_>) -> Option<What> {
    if family == Family::V4 {
        let message = "cannot specify an IPv6 address here. please use \"virtual6\" instead.";
        faults.error(word.span, message);
        return None;
    }
    let literal = |c: char| c.is_ascii_hexdigit() || c == ':';
    let found = word.text.find(']').and_then(|end| {
        if !word.text.get(1..end)?.chars().all(literal) {
            return None;
        }
        let tail = word.text.get(end + 1..)?.strip_prefix(':')?;
        let length = port_length(tail);
        (length > 0).then(|| What::Address {
            host: at(word.part(1..end)),
            port: at(word.part(end + 2..end + 2 + length)),
        })
    });
    if found.is_none() {
        faults.error_with(word.span, INVALID, "e.g. virtual6=[2001:db8::1]:80");
    }
    found
}

/// Digits and nothing else: a firewall mark.
fn mark(word: Word<'_>, value: Word<'_>, faults: &mut Faults<'_>) -> Option<What> {
    let text = word.text.split('#').next().unwrap_or_default();
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
        if let Ok(number @ 1..) = text.parse() {
            return Some(What::Mark(number));
        }
        let hint = "a firewall mark is a number from 1 to 4294967295";
        faults.error_with(word.span, INVALID, hint);
        return None;
    }
    let hint = if text.starts_with(|c: char| c.is_ascii_digit()) {
        "the port is missing: ADDRESS:PORT; a firewall mark is a plain number"
    } else {
        "ADDRESS:PORT, or the number of a firewall mark"
    };
    faults.error_with(value.span, INVALID, hint);
    None
}

/// What stands behind the address is ignored, but not silently.
fn tell_leftover(value: Word<'_>, span: Span, faults: &mut Faults<'_>) {
    let left = rest(value, span.end - value.span.start);
    if !left.text.is_empty() && !left.text.starts_with('#') {
        faults.warning(left.span, format!("\"{}\" is ignored", left.text));
    }
}

fn port_length(text: &str) -> usize {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.find(|c| !allowed(c)).unwrap_or(text.len())
}

fn at(word: Word<'_>) -> At<String> {
    At {
        value: word.text.to_owned(),
        span: word.span,
    }
}
