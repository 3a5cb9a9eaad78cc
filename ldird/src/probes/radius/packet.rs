//! An Access-Request with PAP, and its answers, as bytes (RFC 2865), each signed by a
//! Message-Authenticator (RFC 3579 section 3.2), which servers want since forged replies are cheap.

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use std::net::IpAddr;

const ACCESS_REQUEST: u8 = 1;
const USER_NAME: u8 = 1;
const USER_PASSWORD: u8 = 2;
const NAS_IP_ADDRESS: u8 = 4;
const MESSAGE_AUTHENTICATOR: u8 = 80;
const NAS_IPV6_ADDRESS: u8 = 95;

/// Code, identifier, length, authenticator.
const HEADER_BYTES: usize = 20;
const PACKET_MAX_BYTES: usize = 4096;
/// Type and length stand before a value, and the length is one byte.
const VALUE_MAX_BYTES: usize = 253;
/// RFC 2865 section 5.2.
const PASSWORD_MAX_BYTES: usize = 128;
const BLOCK: usize = 16;

pub(super) type Authenticator = [u8; BLOCK];

/// Who asks to be let in, and what proves that it is us who ask.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Account {
    pub(super) login: Vec<u8>,
    pub(super) passwd: Vec<u8>,
    pub(super) secret: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Accept,
    Reject,
    Challenge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// No reply to this request.
    Foreign,
    /// A reply that anybody could have written.
    Unsigned,
    Reply(Code),
}

/// `None` if the login or the password is too long.
pub(super) fn request(
    id: u8,
    authenticator: &Authenticator,
    here: IpAddr,
    account: &Account,
) -> Option<Vec<u8>> {
    if account.login.len() > VALUE_MAX_BYTES || account.passwd.len() > PASSWORD_MAX_BYTES {
        return None;
    }
    let mut attributes = Vec::new();
    // First, as servers advise: then nothing unsigned stands before it.
    attribute(&mut attributes, MESSAGE_AUTHENTICATOR, &[0; BLOCK]);
    attribute(&mut attributes, USER_NAME, &account.login);
    let hidden = hidden(&account.passwd, &account.secret, authenticator);
    attribute(&mut attributes, USER_PASSWORD, &hidden);
    match here {
        IpAddr::V4(address) => attribute(&mut attributes, NAS_IP_ADDRESS, &address.octets()),
        IpAddr::V6(address) => attribute(&mut attributes, NAS_IPV6_ADDRESS, &address.octets()),
    }
    let mut packet = vec![ACCESS_REQUEST, id];
    let length = (HEADER_BYTES + attributes.len()) as u16;
    packet.extend(length.to_be_bytes());
    packet.extend(authenticator);
    packet.extend(attributes);
    let signature = signature(&account.secret, &packet);
    let place = packet.iter_mut().skip(HEADER_BYTES + 2).take(BLOCK);
    place.zip(signature).for_each(|(to, from)| *to = from);
    Some(packet)
}

pub(super) fn read(bytes: &[u8], id: u8, asked: &Authenticator, secret: &[u8]) -> Reading {
    let Some((code, packet)) = frame(bytes, id) else {
        return Reading::Foreign;
    };
    let (head, attributes) = packet.split_at(HEADER_BYTES);
    let (start, authenticator) = head.split_at(HEADER_BYTES - BLOCK);
    let expected = Md5::new()
        .chain_update(start)
        .chain_update(asked)
        .chain_update(attributes)
        .chain_update(secret)
        .finalize();
    if expected.as_slice() != authenticator {
        return Reading::Unsigned;
    }
    if signed(start, asked, attributes, secret) {
        Reading::Reply(code)
    } else {
        Reading::Unsigned
    }
}

/// A reply to this request, without padding behind it.
fn frame(bytes: &[u8], id: u8) -> Option<(Code, &[u8])> {
    let code = match bytes.first()? {
        2 => Code::Accept,
        3 => Code::Reject,
        11 => Code::Challenge,
        _ => return None,
    };
    let length = u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]).into();
    let fits = bytes.get(1) == Some(&id) && (HEADER_BYTES..=PACKET_MAX_BYTES).contains(&length);
    let packet = bytes.get(..length).filter(|_| fits)?;
    Some((code, packet))
}

/// Is the signature right, where there is one?
fn signed(start: &[u8], asked: &Authenticator, attributes: &[u8], secret: &[u8]) -> bool {
    let mut signatures = Vec::new();
    let mut unsigned = [start, asked, attributes].concat();
    let mut at = HEADER_BYTES;
    while let Some(rest) = unsigned.get(at..).filter(|rest| !rest.is_empty()) {
        let (Some(&kind), Some(&length)) = (rest.first(), rest.get(1)) else {
            return false;
        };
        let Some(value) = rest.get(2..usize::from(length)) else {
            return false;
        };
        if kind == MESSAGE_AUTHENTICATOR {
            signatures.push((at + 2, value.to_vec()));
        }
        at += usize::from(length);
    }
    for (at, value) in &signatures {
        let place = unsigned.iter_mut().skip(*at).take(value.len());
        place.for_each(|byte| *byte = 0);
    }
    let expected = signature(secret, &unsigned);
    signatures.iter().all(|(_, value)| *value == expected)
}

fn signature(secret: &[u8], packet: &[u8]) -> [u8; BLOCK] {
    let mut mac = Hmac::<Md5>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(packet);
    mac.finalize().into_bytes().into()
}

/// The password with its length rounded up, each block hidden by a digest of the one before (RFC 2865
/// section 5.2).
fn hidden(password: &[u8], secret: &[u8], authenticator: &Authenticator) -> Vec<u8> {
    let mut padded = password.to_vec();
    padded.resize(password.len().max(1).next_multiple_of(BLOCK), 0);
    let mut hidden: Vec<u8> = Vec::new();
    let mut before: Authenticator = *authenticator;
    for block in padded.chunks(BLOCK) {
        let key = Md5::new()
            .chain_update(secret)
            .chain_update(before)
            .finalize();
        for (to, (byte, key)) in before.iter_mut().zip(block.iter().zip(key)) {
            *to = byte ^ key;
        }
        hidden.extend(before);
    }
    hidden
}

fn attribute(to: &mut Vec<u8>, kind: u8, value: &[u8]) {
    to.push(kind);
    to.push((value.len() + 2) as u8);
    to.extend(value);
}

#[cfg(test)]
mod tests;
