//! Netlink attributes: the type-length-value lists that every IPVS message is made of.
//!
//! Owns the byte layout (native order, four-byte alignment, nesting) and its bounds. Reading never
//! trusts a length and never needs an aligned buffer: numbers are copied out. It knows no meaning of
//! any attribute; the modules of the things themselves do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::identity::Family;

#[cfg(test)]
mod tests;

/// Bytes of an attribute's header: u16 length (header included), u16 type.
const HEADER_BYTES: usize = 4;
/// Attributes start at multiples of this (NLA_ALIGNTO).
const ALIGNMENT: usize = 4;
/// What is left of a received type without NLA_F_NESTED and NLA_F_NET_BYTEORDER.
const TYPE_MASK: u16 = 0x3fff;
/// The kernel's union nf_inet_addr: both families travel in 16 bytes, IPv4 in the first four.
const ADDRESS_BYTES: usize = 16;

/// Why bytes from the kernel were not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The list ends inside an attribute, or an attribute claims less than its own header.
    #[error("{list}: the attribute list breaks off with {left} bytes left")]
    Truncated {
        /// Which list, in words.
        list: &'static str,
        /// How many bytes remained.
        left: usize,
    },
    /// A value has another size than its type.
    #[error("{list}: attribute {kind} has {got} bytes, {expected} expected")]
    Size {
        /// Which list, in words.
        list: &'static str,
        /// The attribute's number in that list.
        kind: u16,
        /// The size its type has.
        expected: usize,
        /// The size received.
        got: usize,
    },
    /// A value outside the known ones.
    #[error("{list}: attribute {kind} has the unknown value {value}")]
    Value {
        /// Which list, in words.
        list: &'static str,
        /// The attribute's number in that list.
        kind: u16,
        /// The value.
        value: u32,
    },
    /// A name that is not UTF-8.
    #[error("{list}: attribute {kind} is not a readable name")]
    Name {
        /// Which list, in words.
        list: &'static str,
        /// The attribute's number in that list.
        kind: u16,
    },
    /// An attribute is missing without which the rest makes no sense.
    #[error("{list}: no attribute {what}")]
    Missing {
        /// Which list, in words.
        list: &'static str,
        /// The absent attribute, in words.
        what: &'static str,
    },
}

/// One received attribute; the type is stripped of its flag bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    pub(crate) list: &'static str,
    pub(crate) kind: u16,
    pub(crate) value: &'a [u8],
}

impl<'a> Attribute<'a> {
    pub(crate) fn u8(&self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_ne_bytes)
    }

    pub(crate) fn u16(&self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_ne_bytes)
    }

    /// A port: network byte order, without the flag that would say so.
    pub(crate) fn u16_be(&self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_ne_bytes)
    }

    pub(crate) fn u64(&self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_ne_bytes)
    }

    /// The value as exactly `N` bytes.
    pub(crate) fn array<const N: usize>(&self) -> Result<[u8; N], DecodeError> {
        self.value.try_into().map_err(|_| DecodeError::Size {
            list: self.list,
            kind: self.kind,
            expected: N,
            got: self.value.len(),
        })
    }

    /// Text up to the first NUL, or to the end where there is none.
    pub(crate) fn name(&self) -> Result<String, DecodeError> {
        let text = self
            .value
            .split(|&byte| byte == 0)
            .next()
            .unwrap_or_default();
        match std::str::from_utf8(text) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(DecodeError::Name {
                list: self.list,
                kind: self.kind,
            }),
        }
    }

    /// The value as 16 bytes that hold an address of the given family.
    pub(crate) fn address(&self, family: Family) -> Result<IpAddr, DecodeError> {
        let bytes: [u8; ADDRESS_BYTES] = self.array()?;
        let [a, b, c, d, ..] = bytes;
        Ok(match family {
            Family::V4 => Ipv4Addr::new(a, b, c, d).into(),
            Family::V6 => Ipv6Addr::from(bytes).into(),
        })
    }

    /// The attributes inside, named `list` in errors.
    pub(crate) fn nested(&self, list: &'static str) -> Attributes<'a> {
        Attributes::new(list, self.value)
    }

    /// The complaint about a value outside the known ones.
    pub(crate) fn unknown(&self, value: u32) -> DecodeError {
        DecodeError::Value {
            list: self.list,
            kind: self.kind,
            value,
        }
    }
}

/// Walks a list of attributes; after the first fault it ends.
#[derive(Debug, Clone)]
pub(crate) struct Attributes<'a> {
    list: &'static str,
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    pub(crate) fn new(list: &'static str, bytes: &'a [u8]) -> Self {
        Self { list, rest: bytes }
    }

    /// The first attribute of this type; `what` names it in the error when there is none.
    pub(crate) fn find(
        mut self,
        kind: u16,
        what: &'static str,
    ) -> Result<Attribute<'a>, DecodeError> {
        let list = self.list;
        self.find_map(|attribute| match attribute {
            Ok(attribute) if attribute.kind == kind => Some(Ok(attribute)),
            Ok(_) => None,
            Err(fault) => Some(Err(fault)),
        })
        .unwrap_or(Err(DecodeError::Missing { list, what }))
    }

    fn split_first(&self) -> Option<(Attribute<'a>, &'a [u8])> {
        let (header, _) = self.rest.split_first_chunk::<HEADER_BYTES>()?;
        let [length_low, length_high, kind_low, kind_high] = *header;
        let length = usize::from(u16::from_ne_bytes([length_low, length_high]));
        let kind = u16::from_ne_bytes([kind_low, kind_high]) & TYPE_MASK;
        let value = self.rest.get(HEADER_BYTES..length)?;
        // The padding of the very last attribute may be absent.
        let next = self
            .rest
            .get(length.next_multiple_of(ALIGNMENT)..)
            .unwrap_or_default();
        Some((
            Attribute {
                list: self.list,
                kind,
                value,
            },
            next,
        ))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        if let Some((attribute, next)) = self.split_first() {
            self.rest = next;
            return Some(Ok(attribute));
        }
        let left = self.rest.len();
        self.rest = &[];
        Some(Err(DecodeError::Truncated {
            list: self.list,
            left,
        }))
    }
}

/// Builds a list of attributes. Everything written here is a number, an address or a name that was
/// checked to be short, so a list stays far below the u16 that counts its bytes.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn u8(&mut self, kind: u16, value: u8) {
        self.bytes(kind, &[value]);
    }

    pub(crate) fn u16(&mut self, kind: u16, value: u16) {
        self.bytes(kind, &value.to_ne_bytes());
    }

    pub(crate) fn u16_be(&mut self, kind: u16, value: u16) {
        self.bytes(kind, &value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_ne_bytes());
    }

    /// A name with its terminating NUL.
    pub(crate) fn name(&mut self, kind: u16, name: &str) {
        self.attribute(kind, |bytes| {
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(0);
        });
    }

    /// An address in the 16 bytes that both families use.
    pub(crate) fn address(&mut self, kind: u16, address: IpAddr) {
        let mut value = [0; ADDRESS_BYTES];
        match address {
            IpAddr::V4(v4) => {
                for (to, from) in value.iter_mut().zip(v4.octets()) {
                    *to = from;
                }
            }
            IpAddr::V6(v6) => value = v6.octets(),
        }
        self.bytes(kind, &value);
    }

    pub(crate) fn bytes(&mut self, kind: u16, value: &[u8]) {
        self.attribute(kind, |bytes| bytes.extend_from_slice(value));
    }

    /// An attribute that holds what `fill` writes.
    pub(crate) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        fill(&mut inner);
        self.bytes(kind | NLA_F_NESTED, &inner.bytes);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn attribute(&mut self, kind: u16, fill: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        fill(&mut self.bytes);
        let length =
            u16::try_from(self.bytes.len() - start).expect("names are checked to be short");
        for (to, from) in self.bytes.iter_mut().skip(start).zip(length.to_ne_bytes()) {
            *to = from;
        }
        self.bytes
            .resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
    }
}

/// Marks an attribute that holds attributes. The kernel does not insist on it for IPVS.
const NLA_F_NESTED: u16 = 0x8000;
