//! Receive patterns with Perl's meaning (specification 2.2): of bytes, as the old daemon matched the
//! bytes of a page with the bytes of its file.
//!
//! A pattern is parsed as Perl parses it ([`syntax`]), and written anew for the engine ([`emit`])
//! so that nothing is left to a second opinion: every character is a set of bytes, every anchor and
//! modifier spelt out. What Perl refuses is refused, and what we do not have is refused by name,
//! both when the configuration is read. Matching has a step limit: a runaway pattern is "no match".

mod emit;
mod sets;
mod syntax;

use std::fmt;
use std::hash::{Hash, Hasher};

/// Steps of the back-tracking engine per match: four for each byte of the longest body, some 100
/// ms. Patterns without look-around and back-references need none.
const STEPS_MAX: usize = 4 * 1024 * 1024;
/// Longest pattern, bytes.
const PATTERN_MAX_BYTES: usize = 8192;
/// Size of the compiled program, bytes: bounds nested repetitions such as `((a{99}){99}){99}`.
const PROGRAM_MAX_BYTES: usize = 4 * 1024 * 1024;
/// The same for patterns that need steps, instructions.
const PROGRAM_MAX_STEPS: usize = 100_000;

/// A compiled receive pattern. Two are equal if their texts are.
#[derive(Clone)]
pub(crate) struct Pattern {
    text: Vec<u8>,
    regex: fancy_regex::Regex,
    early: bool,
}

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("{0} is not supported in patterns")]
    Unsupported(String),
    #[error("the pattern is longer than {PATTERN_MAX_BYTES} bytes")]
    Long,
    #[error("the pattern is too large or too deep")]
    Large,
    /// Perl refuses it, too.
    #[error("{0}")]
    Invalid(String),
}

impl Pattern {
    /// Compiles a pattern as Perl would read it from a variable, without modifiers.
    pub(crate) fn new(text: &[u8]) -> Result<Self, PatternError> {
        if text.len() > PATTERN_MAX_BYTES {
            return Err(PatternError::Long);
        }
        let tree = syntax::parse(text)?;
        let regex = fancy_regex::RegexBuilder::new(&emit::engine_text(&tree))
            .bytes_mode(fancy_regex::BytesMode::Ascii)
            .backtrack_limit(STEPS_MAX)
            .delegate_size_limit(PROGRAM_MAX_BYTES)
            .max_prog_size(PROGRAM_MAX_STEPS)
            .build()
            .map_err(|_| PatternError::Large)?;
        Ok(Self {
            text: text.to_vec(),
            regex,
            early: tree.is_early(),
        })
    }

    /// Is the pattern found anywhere in the body? A match that exceeds the step limit counts as
    /// none.
    pub(crate) fn is_match(&self, body: &[u8]) -> bool {
        self.regex.is_match(body).unwrap_or(false)
    }

    /// Does a match stay one, whatever follows?
    pub(crate) fn is_early(&self) -> bool {
        self.early
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(&self.text);
        f.debug_tuple("Pattern").field(&text).finish()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

#[cfg(test)]
mod perl;
#[cfg(test)]
mod tests;
