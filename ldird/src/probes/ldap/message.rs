//! The messages of a bind and a search as bytes (RFC 4511, BER as section 5.1 restricts it). Nothing
//! nested is followed further than it is needed, so no bytes can make this deep or large.

use std::ops::Range;

/// The longest message, bytes.
const MESSAGE_MAX_BYTES: usize = 256 * 1024;

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const BOOLEAN: u8 = 0x01;
const SEQUENCE: u8 = 0x30;
const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const UNBIND_REQUEST: u8 = 0x42;
const SEARCH_REQUEST: u8 = 0x63;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const EXTENDED_RESPONSE: u8 = 0x78;
/// `simple [0]` of a bind's authentication.
const SIMPLE: u8 = 0x80;
/// `present [7]` of a filter.
const PRESENT: u8 = 0x87;

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Result code and diagnostic text of a bind.
    Bound(u32, String),
    /// The name of an entry that was found.
    Entry(Vec<u8>),
    /// The same as of a bind, of a search, or of a notice that the server hangs up.
    Done(u32, String),
    /// A referral, or anything else that no check needs.
    Other,
}

/// A simple bind of version 3; anonymous with an empty name and password.
pub(super) fn bind(id: u8, login: &[u8], passwd: &[u8]) -> Vec<u8> {
    let fields = [
        value(INTEGER, &[3]),
        value(OCTETS, login),
        value(SIMPLE, passwd),
    ];
    message(id, &value(BIND_REQUEST, &fields.concat()))
}

/// The entry itself, if it has an object class, as every one does. Of its attributes none is asked for
/// (RFC 4511 section 4.5.1.8), since none is looked at.
pub(super) fn search(id: u8, base: &[u8]) -> Vec<u8> {
    const BASE_OBJECT: u8 = 0;
    const DEREFERENCE_BASE: u8 = 2;
    let fields = [
        value(OCTETS, base),
        value(ENUMERATED, &[BASE_OBJECT]),
        value(ENUMERATED, &[DEREFERENCE_BASE]),
        value(INTEGER, &[0]),
        value(INTEGER, &[0]),
        value(BOOLEAN, &[0]),
        value(PRESENT, b"objectClass"),
        value(SEQUENCE, &value(OCTETS, b"1.1")),
    ];
    message(id, &value(SEARCH_REQUEST, &fields.concat()))
}

pub(super) fn unbind(id: u8) -> Vec<u8> {
    message(id, &value(UNBIND_REQUEST, b""))
}

/// A message that is there whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// Bytes of it.
    pub(super) length: usize,
    /// The request that it answers.
    pub(super) id: u32,
    pub(super) reply: Reply,
}

/// Where the content of a value begins and ends.
enum Extent {
    Known(Range<usize>),
    Partial,
    /// A length that LDAP does not allow.
    Wrong,
}

/// The first message; `None` while it is not there whole.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Message>, &'static str> {
    const NOT: &str = "this is not LDAP";
    if bytes.first().is_some_and(|tag| *tag != SEQUENCE) {
        return Err(NOT);
    }
    let range = match extent(bytes) {
        Extent::Known(range) => range,
        Extent::Partial => return Ok(None),
        Extent::Wrong => return Err(NOT),
    };
    let length = range.end;
    if length > MESSAGE_MAX_BYTES {
        return Err("a message that is too long");
    }
    let Some(content) = bytes.get(range) else {
        return Ok(None);
    };
    let (id, reply) = parse(content).ok_or(NOT)?;
    Ok(Some(Message { length, id, reply }))
}

fn parse(content: &[u8]) -> Option<(u32, Reply)> {
    let (id, rest) = expect(INTEGER, content)?;
    let (tag, operation, _) = split(rest)?;
    let reply = match tag {
        BIND_RESPONSE => {
            let (code, text) = result(operation)?;
            Reply::Bound(code, text)
        }
        SEARCH_ENTRY => Reply::Entry(expect(OCTETS, operation)?.0.to_vec()),
        SEARCH_DONE | EXTENDED_RESPONSE => {
            let (code, text) = result(operation)?;
            Reply::Done(code, text)
        }
        _ => Reply::Other,
    };
    Some((number(id)?, reply))
}

/// Code, matched name, diagnostic text; what follows does not matter.
fn result(operation: &[u8]) -> Option<(u32, String)> {
    let (code, rest) = expect(ENUMERATED, operation)?;
    let (_, rest) = expect(OCTETS, rest)?;
    let (text, _) = expect(OCTETS, rest)?;
    Some((number(code)?, String::from_utf8_lossy(text).into_owned()))
}

fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = split(bytes)?;
    (found == tag).then_some((content, rest))
}

/// Tag and content of the first value, and what follows it.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let tag = *bytes.first()?;
    let Extent::Known(range) = extent(bytes) else {
        return None;
    };
    let rest = bytes.get(range.end..)?;
    Some((tag, bytes.get(range)?, rest))
}

fn extent(bytes: &[u8]) -> Extent {
    /// Tag and first byte of the length.
    const HEAD: usize = 2;
    /// Bytes of a long length.
    const LONG_MAX: usize = 8;
    let Some(first) = bytes.get(1) else {
        return Extent::Partial;
    };
    let long = usize::from(first & 0x7f);
    let (start, length) = match long {
        _ if first & 0x80 == 0 => (HEAD, long),
        1..=LONG_MAX => {
            let Some(digits) = bytes.get(HEAD..HEAD + long) else {
                return Extent::Partial;
            };
            let add = |sum, byte: &u8| (sum << 8) | usize::from(*byte);
            (HEAD + long, digits.iter().fold(0, add))
        }
        _ => return Extent::Wrong,
    };
    start
        .checked_add(length)
        .map_or(Extent::Wrong, |end| Extent::Known(start..end))
}

fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |sum, byte| (sum << 8) | u32::from(*byte)),
    )
}

fn message(id: u8, operation: &[u8]) -> Vec<u8> {
    let fields = [value(INTEGER, &[id]), operation.to_vec()];
    value(SEQUENCE, &fields.concat())
}

fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let digits = content.len().to_be_bytes();
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let digits = digits.get(zeros..).unwrap_or_default();
    if content.len() > 0x7f {
        bytes.push(0x80 | digits.len() as u8);
        bytes.extend(digits);
    } else {
        bytes.push(content.len() as u8);
    }
    bytes.extend(content);
    bytes
}

#[cfg(test)]
pub(super) mod tests;
