//! The classic framing (wire format 2.2): one line per field, control bytes in place of the line
//! feeds inside values, base64 for binaries, the digest in a field `auth`.
//!
//! The digest covers the raw lines except `auth` and blank ones. It is checked before a line is
//! interpreted, and lines that we would not have written the same way are refused afterwards.

use std::borrow::Cow;

use super::list::{read_list, write_list};
use super::{Budget, MAX_NESTING, base64};
use crate::wire::message::AUTH;
use crate::wire::{Keys, Message, Value, WireError};

pub(super) const START: &[u8] = b">>>\n";
const END: &[u8] = b"<<<\n";
const AUTH_LINE: &[u8] = b"auth=";

/// Stands for a line feed inside a string.
const LINE_FEED: u8 = 19;

/// Stands for a line feed inside a nested message, by the depth of the message that holds it.
const SEPARATORS: [u8; MAX_NESTING] = [
    20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 15, 16, 17, 18,
];

/// Reads a packet, verified with `keys` if there are any.
pub(super) fn decode(packet: &[u8], keys: Option<&Keys>) -> Result<Message, WireError> {
    let body = body(packet.strip_suffix(b"\0").unwrap_or(packet))?;
    if let Some(keys) = keys {
        let (covered, signature) = split_signature(body)?;
        keys.verify(&covered, signature)?;
    }
    read_lines(body, 0, &mut Budget::new())
}

pub(super) fn encode(message: &Message, keys: Option<&Keys>) -> Result<Vec<u8>, WireError> {
    let mut packet = Vec::with_capacity(512);
    packet.extend_from_slice(START);
    write_lines(message, 0, &mut Budget::new(), &mut packet)?;
    if let Some(keys) = keys {
        let signature = keys.sign(packet.get(START.len()..).unwrap_or_default());
        packet.extend_from_slice(AUTH_LINE);
        packet.extend_from_slice(&signature);
        packet.push(b'\n');
    }
    packet.extend_from_slice(END);
    Ok(packet)
}

/// The lines between `>>>\n` and `<<<\n`, each with its line feed.
fn body(bytes: &[u8]) -> Result<&[u8], WireError> {
    let body = bytes
        .strip_prefix(START)
        .and_then(|rest| rest.strip_suffix(END))
        .ok_or(WireError::Unterminated)?;
    if body.last().is_some_and(|byte| *byte != b'\n') {
        return Err(WireError::Unterminated);
    }
    Ok(body)
}

fn lines(body: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    body.split_inclusive(|byte| *byte == b'\n')
}

/// The bytes the digest covers, and the text `<index> <digest>`.
fn split_signature(body: &[u8]) -> Result<(Cow<'_, [u8]>, &[u8]), WireError> {
    let mut found = lines(body).filter_map(|line| line.strip_prefix(AUTH_LINE));
    let signature = found.next().ok_or(WireError::Unsigned)?;
    if found.next().is_some() {
        return Err(WireError::MalformedDigest);
    }
    let is_blank = |line: &[u8]| line == b"\n";
    let covered = match lines(body).next_back() {
        // The normal case needs no copy: `auth` comes last and nothing is blank.
        Some(last) if last.starts_with(AUTH_LINE) && !lines(body).any(is_blank) => {
            Cow::Borrowed(body.strip_suffix(last).unwrap_or(body))
        }
        _ => Cow::Owned(
            lines(body)
                .filter(|line| !is_blank(line) && !line.starts_with(AUTH_LINE))
                .flatten()
                .copied()
                .collect(),
        ),
    };
    let signature = signature.strip_suffix(b"\n").unwrap_or(signature);
    Ok((covered, signature))
}

fn read_lines(body: &[u8], depth: usize, budget: &mut Budget) -> Result<Message, WireError> {
    let mut message = Message::with_usual_capacity();
    for line in lines(body) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if line.is_empty() || (depth == 0 && line.starts_with(AUTH_LINE)) {
            continue;
        }
        budget.field()?;
        let (kind, field) = read_kind(line)?;
        let equals = field
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or(WireError::BadField)?;
        let (name, value) = field.split_at(equals);
        if depth == 0 && name == AUTH.as_bytes() {
            return Err(WireError::BadType);
        }
        let value = value.get(1..).unwrap_or_default();
        message.push_received(name, read_value(kind, value, depth, budget)?)?;
    }
    Ok(message)
}

/// The type in front of a line (0 when there is none), and the rest. A type 0 is never written.
fn read_kind(line: &[u8]) -> Result<(u8, &[u8]), WireError> {
    match line {
        [b'(', kind @ b'1'..=b'5', b')', field @ ..] => Ok((kind - b'0', field)),
        [b'(', ..] => Err(WireError::BadType),
        _ => Ok((0, line)),
    }
}

fn read_value(
    kind: u8,
    value: &[u8],
    depth: usize,
    budget: &mut Budget,
) -> Result<Value, WireError> {
    if value.contains(&0) {
        return Err(WireError::BadValue);
    }
    match kind {
        0 => Ok(Value::Text(replaced(value, LINE_FEED, b'\n'))),
        1 => base64::decode(value)
            .map(Value::Binary)
            .ok_or(WireError::BadValue),
        2 => {
            let inner = Budget::nested(depth)?;
            let separator = *SEPARATORS.get(depth).ok_or(WireError::TooDeep)?;
            let text = replaced(value, separator, b'\n');
            read_lines(body(&text)?, inner, budget).map(Value::Struct)
        }
        3 => read_list(value).map(Value::List),
        _ => Ok(Value::Opaque {
            kind,
            bytes: value.to_vec(),
        }),
    }
}

fn write_lines(
    message: &Message,
    depth: usize,
    budget: &mut Budget,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    for (name, value) in message.fields() {
        if depth == 0 && name == AUTH {
            continue;
        }
        budget.field()?;
        write_name(value, name, out)?;
        write_value(value, depth, budget, out)?;
        out.push(b'\n');
    }
    Ok(())
}

fn write_name(value: &Value, name: &str, out: &mut Vec<u8>) -> Result<(), WireError> {
    let kind: &[u8] = match value {
        Value::Text(_) => b"",
        Value::Binary(_) => b"(1)",
        Value::Struct(_) => b"(2)",
        Value::List(_) => b"(3)",
        Value::Opaque { kind: 4, .. } => b"(4)",
        Value::Opaque { kind: 5, .. } => b"(5)",
        Value::Opaque { .. } => return Err(WireError::BadType),
    };
    out.extend_from_slice(kind);
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    Ok(())
}

fn write_value(
    value: &Value,
    depth: usize,
    budget: &mut Budget,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    match value {
        Value::Text(bytes) => {
            refuse(bytes, &[LINE_FEED, 0])?;
            out.extend(bytes.iter().map(|byte| match byte {
                b'\n' => LINE_FEED,
                other => *other,
            }));
        }
        Value::Binary(bytes) => base64::encode(bytes, out),
        Value::Struct(inner) => {
            let level = Budget::nested(depth)?;
            let separator = *SEPARATORS.get(depth).ok_or(WireError::TooDeep)?;
            let mut text = START.to_vec();
            write_lines(inner, level, budget, &mut text)?;
            text.extend_from_slice(END);
            refuse(&text, &[separator])?;
            out.extend(replaced(&text, b'\n', separator));
        }
        Value::List(elements) => {
            let start = out.len();
            write_list(elements, out);
            refuse(out.get(start..).unwrap_or_default(), b"\n\0")?;
        }
        Value::Opaque { bytes, .. } => {
            refuse(bytes, b"\n\0")?;
            out.extend_from_slice(bytes);
        }
    }
    Ok(())
}

/// Fails when `bytes` holds a byte that has another meaning on this wire.
fn refuse(bytes: &[u8], reserved: &[u8]) -> Result<(), WireError> {
    if bytes.iter().any(|byte| reserved.contains(byte)) {
        return Err(WireError::NotTransportable);
    }
    Ok(())
}

fn replaced(bytes: &[u8], from: u8, to: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for byte in &mut bytes {
        if *byte == from {
            *byte = to;
        }
    }
    bytes
}
