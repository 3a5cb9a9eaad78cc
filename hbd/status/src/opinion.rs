//! Second opinions: what directors find of virtual services by their own checks, as it travels from one
//! director to another one (`secondopinion` of ldird). A service is named by a number that stands for
//! its address and its real servers, so that nobody answers who has other ones.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// So many services are asked about in one question: with their answers they fit into one datagram,
/// and into half a second of a serial line.
pub const QUESTION_MAX: usize = 48;

/// Of so many real servers of a service an answer says which are up, of further ones only whether one
/// is.
pub const NAMED_MAX: usize = 64;

/// What one node's directors find of one service. As text `-`, or a hexadecimal number with a `+` behind
/// it for `more`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Found {
    /// Nobody there has it, or only with other real servers.
    Unknown,
    Checked {
        /// A bit for each of the first [`NAMED_MAX`] real servers, in the order of their addresses, the
        /// lowest for the first: its last check is fresh and passed.
        up: u64,
        /// The same holds for one of the others.
        more: bool,
    },
}

/// What the directors of a node say, a finding for each service in the order of the question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    pub node: String,
    pub found: Vec<Found>,
}

/// No finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a finding")]
pub struct NoFinding;

impl Found {
    /// Is one of its real servers up?
    pub fn finds_one(self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Checked { up, more } => up != 0 || more,
        }
    }

    /// What two directors of one node find together.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, found) | (found, Self::Unknown) => found,
            (
                Self::Checked { up, more },
                Self::Checked {
                    up: also,
                    more: others,
                },
            ) => Self::Checked {
                up: up | also,
                more: more || others,
            },
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("-"),
            Self::Checked { up, more: false } => write!(f, "{up:x}"),
            Self::Checked { up, more: true } => write!(f, "{up:x}+"),
        }
    }
}

impl FromStr for Found {
    type Err = NoFinding;

    fn from_str(text: &str) -> Result<Self, NoFinding> {
        if text == "-" {
            return Ok(Self::Unknown);
        }
        let digits = text.strip_suffix('+');
        let (digits, more) = (digits.unwrap_or(text), digits.is_some());
        // Digits only: `from_str_radix` would take a sign.
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let up = u64::from_str_radix(digits, 16).ok().filter(|_| plain);
        let up = up.ok_or(NoFinding)?;
        Ok(Self::Checked { up, more })
    }
}

impl From<Found> for String {
    fn from(found: Found) -> Self {
        found.to_string()
    }
}

impl TryFrom<String> for Found {
    type Error = NoFinding;

    fn try_from(text: String) -> Result<Self, NoFinding> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::Found;

    fn checked(up: u64, more: bool) -> Found {
        Found::Checked { up, more }
    }

    #[test]
    fn a_finding_is_read_as_it_is_written_and_nothing_else_is() {
        let all = [
            Found::Unknown,
            checked(0, false),
            checked(0, true),
            checked(0x2a, false),
            checked(u64::MAX, true),
        ];
        for found in all {
            assert_eq!(found.to_string().parse(), Ok(found));
        }
        for text in ["", "+", "-1", "+1", "x", "1++", "1 ", "10000000000000000"] {
            assert!(text.parse::<Found>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn directors_of_one_node_speak_with_one_voice() {
        assert_eq!(Found::Unknown.or(checked(1, false)), checked(1, false));
        assert_eq!(checked(1, false).or(checked(4, true)), checked(5, true));
        assert!(!Found::Unknown.finds_one() && !checked(0, false).finds_one());
        assert!(checked(0, true).finds_one() && checked(8, false).finds_one());
    }
}
