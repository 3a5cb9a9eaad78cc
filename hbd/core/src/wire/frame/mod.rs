//! Packets: a message in one of two framings, with its digest.
//!
//! A packet is accepted in either framing, chosen by its first four bytes. The digest is checked
//! over the raw bytes *before* any field is interpreted: the old daemon did it the other way
//! round, and one unsigned datagram could end it (Heartbeat specification 11.2).

mod base64;
mod classic;
mod list;
mod netstring;
mod stream;

use super::{Keys, Message, WireError};

pub use stream::FrameReader;

/// The longest packet, in bytes: what one UDP datagram over IPv4 can carry. Also the bound for
/// serial lines and the FIFO.
pub const MAX_PACKET: usize = 65_507;

/// The most fields in a message, those of nested messages included.
pub const MAX_FIELDS: usize = 512;

/// How deep messages may be nested in messages.
pub const MAX_NESTING: usize = 16;

/// The longest packed list the old daemon takes in the netstring framing, in bytes.
pub const MAX_LIST: usize = 1023;

/// Reads a signed packet in either framing. The field `auth` is not part of the result.
pub fn decode(packet: &[u8], keys: &Keys) -> Result<Message, WireError> {
    match framing(packet)? {
        Framing::Classic => classic::decode(packet, Some(keys)),
        Framing::Netstring => netstring::decode(packet, keys),
    }
}

/// Reads a message without authentication, in either framing: the FIFO's form, where file
/// permissions decide who may speak. A field `auth` is dropped unread.
pub fn decode_unsigned(packet: &[u8]) -> Result<Message, WireError> {
    match framing(packet)? {
        Framing::Classic => classic::decode(packet, None),
        Framing::Netstring => netstring::decode_unsigned(packet),
    }
}

/// Writes a signed packet in the netstring framing, without inner `auth`: what we send over IP.
/// An old daemon takes the classic framing there as well, with a NUL at its end or without.
pub fn encode_netstring(message: &Message, keys: &Keys) -> Result<Vec<u8>, WireError> {
    bounded(netstring::encode(message, keys)?)
}

/// Writes a signed packet in the classic framing: without `nul` for serial lines, with a
/// trailing NUL for datagrams to daemons that know nothing else.
pub fn encode_classic(message: &Message, keys: &Keys, nul: bool) -> Result<Vec<u8>, WireError> {
    let mut packet = classic::encode(message, Some(keys))?;
    if nul {
        packet.push(0);
    }
    bounded(packet)
}

/// Writes a message in the classic framing without digest, as the FIFO takes it.
pub fn encode_unsigned(message: &Message) -> Result<Vec<u8>, WireError> {
    bounded(classic::encode(message, None)?)
}

enum Framing {
    Classic,
    Netstring,
}

fn framing(packet: &[u8]) -> Result<Framing, WireError> {
    if packet.len() > MAX_PACKET {
        Err(WireError::PacketTooLong(packet.len()))
    } else if packet.starts_with(classic::START) {
        Ok(Framing::Classic)
    } else if packet.starts_with(netstring::START) {
        Ok(Framing::Netstring)
    } else {
        Err(WireError::UnknownFraming)
    }
}

fn bounded(packet: Vec<u8>) -> Result<Vec<u8>, WireError> {
    if packet.len() > MAX_PACKET {
        return Err(WireError::PacketTooLong(packet.len()));
    }
    Ok(packet)
}

/// Counts fields down and levels up while a message is read or written.
struct Budget {
    fields: usize,
}

impl Budget {
    fn new() -> Self {
        Self { fields: MAX_FIELDS }
    }

    /// Takes one field.
    fn field(&mut self) -> Result<(), WireError> {
        self.fields = self.fields.checked_sub(1).ok_or(WireError::TooManyFields)?;
        Ok(())
    }

    /// Depth 0 is the outer message; a nested one may be at most [`MAX_NESTING`] levels deep.
    fn nested(depth: usize) -> Result<usize, WireError> {
        if depth >= MAX_NESTING {
            return Err(WireError::TooDeep);
        }
        Ok(depth + 1)
    }
}
