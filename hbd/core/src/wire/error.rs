//! Why a packet could not be read or written: one variant per reason, and a coarser class that
//! counters and the dashboard use.

use thiserror::Error;

/// Why bytes were refused, or why a message cannot be put into a framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// Neither `>>>\n` nor `###\n` at the start.
    #[error("neither framing begins with these bytes")]
    UnknownFraming,
    /// The terminator is missing, or something follows it.
    #[error("packet is cut short or followed by other bytes")]
    Unterminated,
    /// No digest where authentication is demanded.
    #[error("packet carries no digest")]
    Unsigned,
    /// The digest text has not the form `<index> <digest>`, or there are two.
    #[error("authentication field is malformed")]
    MalformedDigest,
    /// The packet names a key that is not defined here.
    #[error("packet is signed with key {0}, which is not defined here")]
    UnknownKey(u8),
    /// The packet names a key without a secret, and another key signs here.
    #[error("packet is signed with key {0}, which proves nothing: anybody can sign with it")]
    Unkeyed(u8),
    /// The digest does not belong to these bytes.
    #[error("digest does not match (key {0})")]
    DigestMismatch(u8),
    /// Longer than a datagram can be (bytes).
    #[error("packet of {0} bytes is longer than a datagram")]
    PacketTooLong(usize),
    /// More fields than `MAX_FIELDS`.
    #[error("too many fields")]
    TooManyFields,
    /// Structures inside structures deeper than `MAX_NESTING`.
    #[error("structures are nested too deeply")]
    TooDeep,
    /// A name longer than `MAX_NAME` (bytes).
    #[error("field name of {0} bytes is too long")]
    NameTooLong(usize),
    /// A packed list longer than the netstring framing allows (bytes).
    #[error("list of {0} bytes is too long for the netstring framing")]
    ListTooLong(usize),
    /// A name that is empty, not UTF-8, or contains a forbidden byte.
    #[error("field name is not valid")]
    BadName,
    /// A line without `=`, or an element whose length does not fit.
    #[error("field is malformed")]
    BadField,
    /// A type code that does not exist.
    #[error("field has an unknown type")]
    BadType,
    /// A string containing NUL, or base64 that is not canonical.
    #[error("field value is not valid for its type")]
    BadValue,
    /// A value holding bytes the classic framing cannot carry.
    #[error("value cannot be carried by the classic framing")]
    NotTransportable,
}

/// The class of a refusal, for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    /// Not a packet of ours, or damaged on the way.
    BadFrame,
    /// Not signed, or not by somebody who has the key.
    BadDigest,
    /// Signed with a key that is not defined here, or that is not accepted.
    UnknownKey,
    /// A limit was exceeded.
    TooLong,
    /// The frame holds, its content does not.
    Malformed,
}

impl WireError {
    /// The class to count this under.
    pub fn reason(&self) -> Reject {
        match self {
            Self::UnknownFraming | Self::Unterminated => Reject::BadFrame,
            Self::Unsigned | Self::MalformedDigest | Self::DigestMismatch(_) => Reject::BadDigest,
            Self::UnknownKey(_) | Self::Unkeyed(_) => Reject::UnknownKey,
            Self::PacketTooLong(_)
            | Self::TooManyFields
            | Self::TooDeep
            | Self::NameTooLong(_)
            | Self::ListTooLong(_) => Reject::TooLong,
            Self::BadName
            | Self::BadField
            | Self::BadType
            | Self::BadValue
            | Self::NotTransportable => Reject::Malformed,
        }
    }
}
