//! A message: an ordered list of named, typed fields (wire format 2.1).
//!
//! Owns the rules for names and the typed look-ups; a look-up sees the *first* field of a name.
//! Knows nothing of framings and digests: the field `auth` belongs to the frame and never
//! appears in a decoded message.

use std::borrow::Cow;
use std::fmt;

use super::WireError;

/// The longest field name, in bytes.
pub const MAX_NAME: usize = 255;

/// The name of the field that carries the digest in the classic framing.
pub(crate) const AUTH: &str = "auth";

/// A field's value, by wire type.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// Type 0: bytes without NUL, normally UTF-8.
    Text(Vec<u8>),
    /// Type 1: any bytes; UUIDs are 16 of them.
    Binary(Vec<u8>),
    /// Type 2: a nested message.
    Struct(Message),
    /// Type 3: a list of strings.
    List(Vec<Vec<u8>>),
    /// Types 4 and 5 (compression): the encoded bytes as they stood in the frame, never
    /// interpreted and meaningful in that framing only.
    Opaque {
        /// The type code, 4 or 5.
        kind: u8,
        /// The encoded value.
        bytes: Vec<u8>,
    },
}

/// One field of a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Field {
    name: Cow<'static, str>,
    value: Value,
}

/// An ordered list of fields.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Message {
    fields: Vec<Field>,
}

/// Most messages have 8 to 13 fields: one allocation then.
const USUAL_FIELDS: usize = 13;

impl Message {
    /// A message of the given kind: its first field is `t`. Use `Message::default()` where `t`
    /// must not come first (`repnodes`).
    pub fn new(kind: &str) -> Self {
        let mut message = Self {
            fields: Vec::with_capacity(USUAL_FIELDS),
        };
        message.push_text("t", kind);
        message
    }

    /// The kind: the field `t`, or the empty string when there is none.
    pub fn kind(&self) -> &str {
        self.text("t").unwrap_or_default()
    }

    /// Text of the first field of that name, if it is a string and UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(name)?).ok()
    }

    /// Bytes of the first field of that name, if it is a string.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        match self.value(name)? {
            Value::Text(bytes) => Some(bytes),
            Value::Binary(_) | Value::Struct(_) | Value::List(_) | Value::Opaque { .. } => None,
        }
    }

    /// Bytes of the first field of that name, if it is binary.
    pub fn binary(&self, name: &str) -> Option<&[u8]> {
        match self.value(name)? {
            Value::Binary(bytes) => Some(bytes),
            Value::Text(_) | Value::Struct(_) | Value::List(_) | Value::Opaque { .. } => None,
        }
    }

    /// The number a string field spells in hex: digits only, at most 64 bits.
    pub fn hex(&self, name: &str) -> Option<u64> {
        number(self.bytes(name)?, 16)
    }

    /// The number a string field spells in decimal: digits only, at most 64 bits.
    pub fn decimal(&self, name: &str) -> Option<u64> {
        number(self.bytes(name)?, 10)
    }

    /// The first value of that name.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| &field.value)
    }

    /// All fields in order, repeated names included.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.fields
            .iter()
            .map(|field| (field.name.as_ref(), &field.value))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field at all.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Adds a string at the end, for building a message in one expression.
    ///
    /// # Panics
    /// As [`Message::push`].
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) -> Self {
        self.push_text(name, value);
        self
    }

    /// Appends a string. A value containing NUL is refused when the message is encoded.
    ///
    /// # Panics
    /// As [`Message::push`].
    pub fn push_text(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) {
        self.push(name, Value::Text(value.into()));
    }

    /// Appends a binary field.
    ///
    /// # Panics
    /// As [`Message::push`].
    pub fn push_binary(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) {
        self.push(name, Value::Binary(value.into()));
    }

    /// Appends a field of any type.
    ///
    /// # Panics
    /// When the name is not a legal one ([`valid_name`]): names come from our own source.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        let name = name.into();
        assert!(valid_name(&name).is_ok(), "illegal field name {name:?}");
        self.fields.push(Field { name, value });
    }

    /// Replaces the first field of that name where it stands, or appends it.
    ///
    /// # Panics
    /// As [`Message::push`].
    pub fn set_text(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) {
        self.set(name, Value::Text(value.into()));
    }

    /// As [`Message::set_text`], with a number in the wire's hex: lower case, no padding.
    ///
    /// # Panics
    /// As [`Message::push`].
    pub fn set_hex(&mut self, name: impl Into<Cow<'static, str>>, number: u64) {
        self.set(name, Value::Text(format!("{number:x}").into_bytes()));
    }

    /// As [`Message::set_text`], with a decimal number.
    ///
    /// # Panics
    /// As [`Message::push`].
    pub fn set_decimal(&mut self, name: impl Into<Cow<'static, str>>, number: u64) {
        self.set(name, Value::Text(number.to_string().into_bytes()));
    }

    /// Removes every field of that name.
    pub fn remove(&mut self, name: &str) {
        self.fields.retain(|field| field.name != name);
    }

    fn set(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        let name = name.into();
        match self.fields.iter_mut().find(|field| field.name == name) {
            Some(field) => field.value = value,
            None => self.push(name, value),
        }
    }

    /// An empty message to decode into.
    pub(crate) fn with_usual_capacity() -> Self {
        Self {
            fields: Vec::with_capacity(USUAL_FIELDS),
        }
    }

    /// Appends a field whose name came from a wire.
    pub(crate) fn push_received(&mut self, name: &[u8], value: Value) -> Result<(), WireError> {
        if name.len() > MAX_NAME {
            return Err(WireError::NameTooLong(name.len()));
        }
        let name = std::str::from_utf8(name).map_err(|_| WireError::BadName)?;
        let name = if let Some(known) = well_known(name) {
            Cow::Borrowed(known)
        } else {
            valid_name(name)?;
            Cow::Owned(name.to_owned())
        };
        self.fields.push(Field { name, value });
        Ok(())
    }
}

/// Whether a name can stand on the wire: 1 to [`MAX_NAME`] bytes, no `=`, line feed or NUL, and
/// no `(` in front, which the classic framing would take for a type.
pub fn valid_name(name: &str) -> Result<(), WireError> {
    if name.len() > MAX_NAME {
        return Err(WireError::NameTooLong(name.len()));
    }
    let forbidden = |byte: &u8| matches!(byte, b'=' | b'\n' | 0);
    if name.is_empty() || name.starts_with('(') || name.as_bytes().iter().any(forbidden) {
        return Err(WireError::BadName);
    }
    Ok(())
}

/// The names ordinary traffic uses (5.2, 5.3, appendix B), so that decoding need not copy them.
fn well_known(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 29] = [
        "t",
        "st",
        "dt",
        "protocol",
        "src",
        "srcuuid",
        "seq",
        "hg",
        "ts",
        "ld",
        "ttl",
        "dest",
        "destuuid",
        "ackseq",
        "info",
        "rsc_hold",
        "rtype",
        "isstable",
        "firstseq",
        "lastseq",
        "nodelist",
        "delnodelist",
        "node",
        "result",
        "ipaddr",
        "weown",
        "ok",
        "ifname",
        "from_id",
    ];
    NAMES.into_iter().find(|known| *known == name)
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = char::from(*byte).to_digit(radix)?;
        sum.checked_mul(u64::from(radix))?
            .checked_add(u64::from(digit))
    })
}

/// One line an operator can read: `{t=status st=up srcuuid=<16 bytes>}`.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (name, value)) in self.fields().enumerate() {
            let blank = if index == 0 { "" } else { " " };
            write!(f, "{blank}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(bytes) => write!(f, "{}", bytes.escape_ascii()),
            Self::Binary(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::Struct(message) => write!(f, "{message:?}"),
            Self::List(elements) => {
                let words = elements.iter().map(|e| e.escape_ascii().to_string());
                f.debug_list().entries(words).finish()
            }
            Self::Opaque { kind, bytes } => write!(f, "<type {kind}, {} bytes>", bytes.len()),
        }
    }
}

#[cfg(test)]
mod tests;
