//! The netstring framing (wire format 2.3): every field by length, values raw, a signed trailer.
//!
//! The trailer is found from the end and covers all bytes before it, so nothing needs to be
//! parsed to verify them. A field `auth` inside (the old daemon's default) is covered, not used.

use std::io::Write as _;

use super::list::{read_element, read_list, write_element, write_list};
use super::{Budget, MAX_LIST};
use crate::wire::auth::MAX_SIGNATURE;
use crate::wire::message::AUTH;
use crate::wire::{Keys, Message, Value, WireError};

pub(super) const START: &[u8] = b"###\n";
const END: &[u8] = b"%%%\n";

/// The longest trailer, in bytes: `<len>:<index> <digest>,`.
const MAX_TRAILER: usize = 3 + 1 + MAX_SIGNATURE + 1;

pub(super) fn decode(packet: &[u8], keys: &Keys) -> Result<Message, WireError> {
    let (covered, signature) = split_trailer(packet)?;
    keys.verify(covered, signature)?;
    message(covered, 0, &mut Budget::new())
}

/// Reads a message that has no trailer; one that is there is not looked at.
pub(super) fn decode_unsigned(packet: &[u8]) -> Result<Message, WireError> {
    let covered = match split_trailer(packet) {
        Ok((covered, _)) => covered,
        Err(_) => packet,
    };
    message(covered, 0, &mut Budget::new())
}

pub(super) fn encode(message: &Message, keys: &Keys) -> Result<Vec<u8>, WireError> {
    let mut packet = Vec::with_capacity(512);
    write_message(message, 0, &mut Budget::new(), &mut packet)?;
    let signature = keys.sign(&packet);
    write_element(&signature, &mut packet);
    Ok(packet)
}

/// The bytes a trailer covers, and its text `<index> <digest>`.
fn split_trailer(packet: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    if packet.ends_with(END) {
        return Err(WireError::Unsigned);
    }
    // The trailer holds no line feed, so the last one ends the covered bytes.
    let window = packet.len().saturating_sub(MAX_TRAILER + 1);
    let line_feed = packet
        .iter()
        .skip(window)
        .rposition(|byte| *byte == b'\n')
        .ok_or(WireError::Unterminated)?;
    let (covered, trailer) = packet.split_at(window + line_feed + 1);
    if !covered.ends_with(END) {
        return Err(WireError::Unterminated);
    }
    let mut rest = trailer;
    let signature = read_element(&mut rest).ok_or(WireError::Unterminated)?;
    if !rest.is_empty() {
        return Err(WireError::Unterminated);
    }
    Ok((covered, signature))
}

/// Reads `###\n ... %%%\n`, which must fill `bytes` exactly.
fn message(bytes: &[u8], depth: usize, budget: &mut Budget) -> Result<Message, WireError> {
    let mut rest = bytes
        .strip_prefix(START)
        .and_then(|rest| rest.strip_suffix(END))
        .ok_or(WireError::Unterminated)?;
    let mut message = Message::with_usual_capacity();
    while !rest.is_empty() {
        budget.field()?;
        let element = read_element(&mut rest).ok_or(WireError::BadField)?;
        let [b'(', kind, b')', field @ ..] = element else {
            return Err(WireError::BadField);
        };
        let equals = field
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or(WireError::BadField)?;
        let (name, value) = field.split_at(equals);
        let value = value.get(1..).unwrap_or_default();
        if depth == 0 && name == AUTH.as_bytes() {
            continue;
        }
        message.push_received(name, read_value(*kind, value, depth, budget)?)?;
    }
    Ok(message)
}

fn read_value(
    kind: u8,
    value: &[u8],
    depth: usize,
    budget: &mut Budget,
) -> Result<Value, WireError> {
    match kind {
        b'0' if value.contains(&0) => Err(WireError::BadValue),
        b'0' => Ok(Value::Text(value.to_vec())),
        b'1' => Ok(Value::Binary(value.to_vec())),
        b'2' => message(value, Budget::nested(depth)?, budget).map(Value::Struct),
        b'3' => read_list(value).map(Value::List),
        b'4' | b'5' => Ok(Value::Opaque {
            kind: kind - b'0',
            bytes: value.to_vec(),
        }),
        _ => Err(WireError::BadType),
    }
}

fn write_message(
    message: &Message,
    depth: usize,
    budget: &mut Budget,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    out.extend_from_slice(START);
    for (name, value) in message.fields() {
        if depth == 0 && name == AUTH {
            continue;
        }
        budget.field()?;
        match value {
            Value::Text(bytes) if bytes.contains(&0) => return Err(WireError::BadValue),
            Value::Text(bytes) => write_field(0, name, bytes, out),
            Value::Binary(bytes) => write_field(1, name, bytes, out),
            Value::Struct(inner) => {
                let mut nested = Vec::new();
                write_message(inner, Budget::nested(depth)?, budget, &mut nested)?;
                write_field(2, name, &nested, out);
            }
            Value::List(elements) => {
                let mut packed = Vec::new();
                write_list(elements, &mut packed);
                if packed.len() > MAX_LIST {
                    return Err(WireError::ListTooLong(packed.len()));
                }
                write_field(3, name, &packed, out);
            }
            Value::Opaque { kind, bytes } => match kind {
                4 | 5 => write_field(*kind, name, bytes, out),
                _ => return Err(WireError::BadType),
            },
        }
    }
    out.extend_from_slice(END);
    Ok(())
}

fn write_field(kind: u8, name: &str, value: &[u8], out: &mut Vec<u8>) {
    let length = "(0)=".len() + name.len() + value.len();
    write!(out, "{length}:({kind}){name}=").expect("writing to a Vec succeeds");
    out.extend_from_slice(value);
    out.push(b',');
}
