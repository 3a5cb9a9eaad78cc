//! Receive patterns with Perl's meaning (specification 2.2): of bytes, as the old daemon matched the
//! bytes of a page with the bytes of its file.
//!
//! A pattern is parsed as Perl parses it ([`syntax`]), and written anew for the engine ([`emit`])
//! so that nothing is left to a second opinion: every character is a set of bytes, every anchor and
//! modifier spelt out. What Perl refuses is refused, and what we do not have is refused by name,
//! both when the configuration is read. Matching has a step limit: a runaway pattern is "no match".
//! What may take long is matched on a thread, so that nothing else waits for it.

mod emit;
mod sets;
mod syntax;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Steps of the back-tracking engine per match: four for each byte of the longest body, some 100
/// ms. Patterns without look-around and back-references need none.
const STEPS_MAX: usize = 4 * 1024 * 1024;
/// Longest pattern, bytes.
const PATTERN_MAX_BYTES: usize = 8192;
/// Size of the compiled program, bytes: bounds nested repetitions such as `((a{99}){99}){99}`.
const PROGRAM_MAX_BYTES: usize = 4 * 1024 * 1024;
/// The same for patterns that need steps, instructions.
const PROGRAM_MAX_STEPS: usize = 100_000;
/// A body of so many bytes is matched at once, in a millisecond or two, if no step is taken back.
const AT_ONCE_MAX_BYTES: usize = 16 * 1024;
/// Threads that match at the same time: more would not be faster, and the loop needs a processor.
const THREADS_MAX: usize = 2;
/// What the engine takes steps for, besides back-references. Word boundaries and the ends of lines
/// are written with these, too.
const STEPS_FOR: [&str; 4] = ["(?=", "(?!", "(?<", "(?>"];

static THREADS: Semaphore = Semaphore::const_new(THREADS_MAX);

/// A compiled receive pattern. Two are equal if their texts are.
#[derive(Clone)]
pub(crate) struct Pattern {
    text: Vec<u8>,
    regex: fancy_regex::Regex,
    early: bool,
    /// The engine may take back steps.
    steps: bool,
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
        let engine_text = emit::engine_text(&tree);
        let regex = fancy_regex::RegexBuilder::new(&engine_text)
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
            steps: takes_steps(&engine_text),
        })
    }

    /// Is the pattern found anywhere in the body? Never keeps the loop for longer than a moment.
    pub(crate) async fn is_in(self: &Arc<Self>, body: &[u8]) -> bool {
        if !self.steps && body.len() <= AT_ONCE_MAX_BYTES {
            return self.is_match(body);
        }
        // Only closing it fails, and nobody does.
        let _place = THREADS.acquire().await;
        let (pattern, body) = (Arc::clone(self), body.to_vec());
        // A match that panicked found nothing.
        spawn_blocking(move || pattern.is_match(&body))
            .await
            .unwrap_or(false)
    }

    /// The same here and now, for as long as it takes: for short texts, where the loop is not this
    /// thread's, and where it may not take long. A match that exceeds the step limit counts as none.
    pub(crate) fn is_match(&self, body: &[u8]) -> bool {
        self.regex.is_match(body).unwrap_or(false)
    }

    /// May it take as many steps as there are, however short the text?
    pub(crate) fn may_take_long(&self) -> bool {
        self.steps
    }

    /// Does a match stay one, whatever follows?
    pub(crate) fn is_early(&self) -> bool {
        self.early
    }
}

/// A digit behind a backslash is a back-reference: sets are written otherwise.
fn takes_steps(engine_text: &str) -> bool {
    let refers = |pair: &[u8]| pair[0] == b'\\' && pair[1].is_ascii_digit();
    STEPS_FOR.iter().any(|part| engine_text.contains(part))
        || engine_text.as_bytes().windows(2).any(refers)
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
