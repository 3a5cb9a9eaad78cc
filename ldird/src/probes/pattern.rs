//! Receive patterns with Perl's meaning (specification 2.2), on an engine with look-around and
//! back-references.
//!
//! Patterns are compiled when the configuration is read. Where the engine spells a thing
//! differently or would silently mean another thing, the text is rewritten; what cannot be
//! rewritten is refused by name. Matching has a step limit: a runaway pattern is "no match".

use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::iter::Peekable;
use std::str::CharIndices;

/// Steps of the back-tracking engine per match: some 20 ms. Patterns without look-around and
/// back-references need none.
const STEPS_MAX: usize = 500_000;
/// Longest pattern, bytes.
const PATTERN_MAX_BYTES: usize = 8192;
/// Size of the compiled program, bytes: bounds nested repetitions such as `((a{99}){99}){99}`.
const PROGRAM_MAX_BYTES: usize = 4 * 1024 * 1024;

/// A compiled receive pattern. Two are equal if their texts are.
#[derive(Clone)]
pub(crate) struct Pattern {
    text: String,
    regex: fancy_regex::Regex,
}

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("{0} is not supported in patterns")]
    Unsupported(String),
    #[error("the pattern is longer than {PATTERN_MAX_BYTES} bytes")]
    Long,
    #[error("{0}")]
    Invalid(String),
}

impl Pattern {
    /// Compiles a pattern as Perl would read it, without modifiers.
    pub(crate) fn new(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_MAX_BYTES {
            return Err(PatternError::Long);
        }
        let regex = fancy_regex::RegexBuilder::new(&translate(text)?)
            .backtrack_limit(STEPS_MAX)
            .delegate_size_limit(PROGRAM_MAX_BYTES)
            .build()
            .map_err(|fault| PatternError::Invalid(one_line(&fault.to_string())))?;
        let text = text.to_owned();
        Ok(Self { text, regex })
    }

    /// Is the pattern found anywhere in the text? A match that exceeds the step limit counts as
    /// none.
    pub(crate) fn is_match(&self, body: &[u8]) -> bool {
        let text = String::from_utf8_lossy(body);
        self.regex.is_match(&*text).unwrap_or(false)
    }

    /// Does a match stay one, whatever follows?
    pub(crate) fn is_early(&self) -> bool {
        let looks_ahead = ["\\", "$", "(?", "++", "*+", "?+", "}+"];
        !looks_ahead.iter().any(|sign| self.text.contains(sign))
    }
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
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

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Rewrites Perl's spelling into the engine's.
fn translate(text: &str) -> Result<String, PatternError> {
    let mut translation = Translation {
        text,
        rest: text.char_indices().peekable(),
        out: String::with_capacity(text.len() + 16),
        class: Class::Outside,
        // With (?m) in force `$` has the same meaning in both.
        multi_line: has_multi_line(text),
    };
    translation.run()?;
    Ok(translation.out)
}

/// Does an inline modifier such as `(?m)` or `(?im:` stand in the pattern?
fn has_multi_line(text: &str) -> bool {
    text.split("(?").skip(1).any(|group| {
        let flags = group.chars().take_while(char::is_ascii_lowercase);
        flags.clone().any(|flag| flag == 'm')
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Outside,
    /// Inside `[...]`; `first` while a `]` would still be itself.
    Inside {
        first: bool,
    },
}

struct Translation<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
    out: String,
    class: Class,
    multi_line: bool,
}

impl Translation<'_> {
    fn run(&mut self) -> Result<(), PatternError> {
        while let Some((at, c)) = self.rest.next() {
            match (c, self.class) {
                ('\\', _) => self.escape()?,
                (c, Class::Inside { first }) => self.inside_class(at, c, first),
                ('[', Class::Outside) => self.open_class(),
                ('$', Class::Outside) if !self.multi_line => self.out.push_str(r"(?=\n?\z)"),
                ('{', Class::Outside) if !is_quantifier(self.after(at)) => self.out.push_str(r"\{"),
                ('{', Class::Outside) => self.quantifier(),
                ('}', Class::Outside) => self.out.push_str(r"\}"),
                ('(', Class::Outside) => {
                    refuse_group(self.after(at))?;
                    self.out.push('(');
                }
                (c, Class::Outside) => self.out.push(c),
            }
        }
        Ok(())
    }

    fn after(&self, at: usize) -> &str {
        self.text.get(at + 1..).unwrap_or_default()
    }

    fn quantifier(&mut self) {
        self.out.push('{');
        for (_, c) in self.rest.by_ref() {
            self.out.push(c);
            if c == '}' {
                return;
            }
        }
    }

    fn open_class(&mut self) {
        self.out.push('[');
        if self.rest.next_if(|&(_, c)| c == '^').is_some() {
            self.out.push('^');
        }
        self.class = Class::Inside { first: true };
    }

    /// Perl's classes know no nesting and no set operations; the engine's do.
    fn inside_class(&mut self, at: usize, c: char, first: bool) {
        let next = Class::Inside { first: false };
        match c {
            ']' if first => self.out.push_str(r"\]"),
            ']' => {
                self.out.push(']');
                self.class = Class::Outside;
                return;
            }
            '[' if self.after(at).starts_with(':') => self.posix_class(),
            '[' => self.out.push_str(r"\["),
            '&' => self.out.push_str(r"\&"),
            '~' => self.out.push_str(r"\~"),
            '-' if self.after(at).starts_with('-') => self.out.push_str(r"\-"),
            c => self.out.push(c),
        }
        self.class = next;
    }

    /// `[:alpha:]`, copied as it is.
    fn posix_class(&mut self) {
        self.out.push('[');
        let mut before = '[';
        for (_, c) in self.rest.by_ref() {
            self.out.push(c);
            if (before, c) == (':', ']') {
                return;
            }
            before = c;
        }
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        let Some((at, c)) = self.rest.next() else {
            return Err(PatternError::Invalid(
                "a backslash stands at the end".to_owned(),
            ));
        };
        let inside = matches!(self.class, Class::Inside { .. });
        if inside {
            self.class = Class::Inside { first: false };
        }
        match c {
            'h' if inside => self.out.push_str(r" \t"),
            'h' => self.out.push_str(r"[ \t]"),
            'H' if !inside => self.out.push_str(r"[^ \t]"),
            'v' if inside => self.out.push_str(r"\n\x0b\x0c\r"),
            'v' => self.out.push_str(r"[\n\x0b\x0c\r]"),
            'V' if !inside => self.out.push_str(r"[^\n\x0b\x0c\r]"),
            'N' if !inside => self.out.push_str(r"[^\n]"),
            'R' if !inside => self.out.push_str(r"(?:\r\n|[\n\x0b\x0c\r])"),
            'Z' if !inside => self.out.push_str(r"(?=\n?\z)"),
            'e' => self.out.push_str(r"\x1b"),
            'b' if inside => self.out.push_str(r"\x08"),
            'Q' => self.quote(),
            'E' => {}
            'c' => self.control()?,
            '0' => self.octal(at),
            '1'..='7' if self.is_octal(at) => self.octal(at),
            'l' | 'u' | 'L' | 'U' | 'F' | 'C' | 'X' | 'o' | 'H' | 'V' | 'N' | 'R' => {
                return Err(PatternError::Unsupported(format!("\\{c}")));
            }
            // Anything else that is no letter or digit stands for itself, as in Perl.
            c if c.is_ascii_alphanumeric() || c.is_ascii_punctuation() => {
                self.out.push('\\');
                self.out.push(c);
            }
            c => self.out.push(c),
        }
        Ok(())
    }

    /// `\Q...\E`: everything between is literal.
    fn quote(&mut self) {
        while let Some((at, c)) = self.rest.next() {
            if c == '\\' && self.after(at).starts_with('E') {
                self.rest.next();
                return;
            }
            if c.is_ascii_punctuation() {
                self.out.push('\\');
            }
            self.out.push(c);
        }
    }

    /// `\cA` is the control character of that letter.
    fn control(&mut self) -> Result<(), PatternError> {
        match self.rest.next() {
            Some((_, c)) if c.is_ascii() => {
                let code = u32::from(c.to_ascii_uppercase()) ^ 0x40;
                self.hexadecimal(code);
                Ok(())
            }
            _ => Err(PatternError::Unsupported("\\c".to_owned())),
        }
    }

    /// Three octal digits are a character; fewer are a back-reference.
    fn is_octal(&self, at: usize) -> bool {
        let digits = self.text.get(at..at + 3);
        let octal = |text: &str| text.chars().all(|c| ('0'..='7').contains(&c));
        digits.is_some_and(octal)
            || (digits.is_some() && matches!(self.class, Class::Inside { .. }))
    }

    fn octal(&mut self, at: usize) {
        let first = self.text.get(at..).and_then(|text| text.chars().next());
        let mut code = first.and_then(|c| c.to_digit(8)).unwrap_or_default();
        for _ in 0..2 {
            let Some((_, c)) = self.rest.next_if(|&(_, c)| ('0'..='7').contains(&c)) else {
                break;
            };
            code = code * 8 + c.to_digit(8).unwrap_or_default();
        }
        self.hexadecimal(code);
    }

    fn hexadecimal(&mut self, code: u32) {
        write!(self.out, "\\x{{{code:x}}}").expect("writing to a String succeeds");
    }
}

/// Does `3}`, `3,}` or `3,5}` follow? Otherwise Perl takes the brace for itself.
fn is_quantifier(text: &str) -> bool {
    let Some((inner, _)) = text.split_once('}') else {
        return false;
    };
    let (low, high) = inner.split_once(',').unwrap_or((inner, ""));
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

/// Groups that the engine does not know, or knows with another meaning.
fn refuse_group(after: &str) -> Result<(), PatternError> {
    let known = [
        ("?|", "a branch reset (?|...)"),
        ("?{", "code (?{...})"),
        ("??{", "code (??{...})"),
        ("?(", "a condition (?(...)...)"),
        ("?R", "a recursion (?R)"),
        ("?&", "a recursion (?&name)"),
        ("?P>", "a recursion (?P>name)"),
        ("?+", "a recursion (?+1)"),
        ("*", "a verb (*...)"),
    ];
    let numbered = after
        .strip_prefix('?')
        .map(|rest| rest.trim_start_matches('-'))
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let found = known.iter().find(|(prefix, _)| after.starts_with(prefix));
    match found {
        Some((_, what)) => Err(PatternError::Unsupported((*what).to_owned())),
        None if numbered => Err(PatternError::Unsupported("a recursion (?1)".to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
