//! Sets of bytes, and the names that Perl has for some: classes, POSIX classes, properties.
//!
//! A byte is the character of its number (Latin-1). By Perl's default rules letters beyond ASCII
//! are no letters; by its Unicode rules, which a property switches on, they are.

use super::PatternError;

/// Which characters beyond ASCII count as letters, spaces and so on (perlre, /d /u /a).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// None of a byte string. Also /a, which differs only beyond Latin-1.
    Ascii,
    Unicode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Set([u64; 4]);

impl Set {
    pub(super) const NONE: Self = Self([0; 4]);
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    pub(super) fn one(byte: u8) -> Self {
        Self::NONE.with(byte..=byte)
    }

    pub(super) fn of(bytes: &[u8]) -> Self {
        bytes
            .iter()
            .fold(Self::NONE, |set, byte| set.with(*byte..=*byte))
    }

    pub(super) fn with(mut self, range: std::ops::RangeInclusive<u8>) -> Self {
        for byte in range {
            if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
                *word |= 1 << (byte & 63);
            }
        }
        self
    }

    pub(super) fn has(self, byte: u8) -> bool {
        let word = self.0.get(usize::from(byte >> 6));
        word.is_some_and(|word| word & (1 << (byte & 63)) != 0)
    }

    pub(super) fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    pub(super) fn without(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    pub(super) fn negated(self) -> Self {
        Self::ALL.without(self)
    }

    pub(super) fn negated_if(self, negative: bool) -> Self {
        if negative { self.negated() } else { self }
    }

    fn zip(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(other.0) {
            *word = combine(*word, other);
        }
        Self(words)
    }

    /// With the other case of each letter.
    pub(super) fn folded(self, rules: Rules) -> Self {
        let mut set = self;
        for byte in 0..=u8::MAX {
            if self.has(byte) {
                set = set.with(byte..=byte);
                if let Some(other) = other_case(byte, rules) {
                    set = set.with(other..=other);
                }
            }
        }
        set
    }

    /// Its pieces in order.
    pub(super) fn ranges(self) -> Vec<(u8, u8)> {
        let mut ranges: Vec<(u8, u8)> = Vec::new();
        for byte in (0..=u8::MAX).filter(|byte| self.has(*byte)) {
            match ranges.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(byte) => *last = byte,
                Some(_) | None => ranges.push((byte, byte)),
            }
        }
        ranges
    }
}

fn other_case(byte: u8, rules: Rules) -> Option<u8> {
    let letter = byte.is_ascii_alphabetic();
    let latin = rules == Rules::Unicode
        && matches!(byte, 0xc0..=0xde | 0xe0..=0xfe)
        && !matches!(byte, 0xd7 | 0xf7);
    (letter || latin).then_some(byte ^ 0x20)
}

pub(super) fn digits() -> Set {
    Set::NONE.with(b'0'..=b'9')
}

/// `\h`, by all rules.
pub(super) fn horizontal() -> Set {
    Set::of(b"\t \xa0")
}

/// `\v`, by all rules.
pub(super) fn vertical() -> Set {
    Set::of(b"\n\x0b\x0c\r\x85")
}

pub(super) fn spaces(rules: Rules) -> Set {
    let ascii = Set::of(b"\t\n\x0b\x0c\r ");
    beyond(ascii, rules, Set::of(b"\x85\xa0"))
}

pub(super) fn words(rules: Rules) -> Set {
    letters(rules).and(digits()).and(Set::one(b'_'))
}

fn letters(rules: Rules) -> Set {
    lower(rules).and(upper(rules))
}

fn lower(rules: Rules) -> Set {
    let latin = Set::of(b"\xaa\xb5\xba").with(0xdf..=0xf6).with(0xf8..=0xff);
    beyond(Set::NONE.with(b'a'..=b'z'), rules, latin)
}

fn upper(rules: Rules) -> Set {
    let latin = Set::NONE.with(0xc0..=0xd6).with(0xd8..=0xde);
    beyond(Set::NONE.with(b'A'..=b'Z'), rules, latin)
}

fn beyond(ascii: Set, rules: Rules, latin: Set) -> Set {
    match rules {
        Rules::Ascii => ascii,
        Rules::Unicode => ascii.and(latin),
    }
}

/// A POSIX class by its name; `folds` when case plays no part.
pub(super) fn posix(name: &str, rules: Rules, folds: bool) -> Option<Set> {
    let controls = Set::NONE.with(0..=0x1f).with(0x7f..=0x7f);
    let controls = beyond(controls, rules, Set::NONE.with(0x80..=0x9f));
    let graphs = Set::NONE.with(b'!'..=b'~');
    let graphs = beyond(graphs, rules, Set::NONE.with(0xa1..=0xff));
    let punctuation = Set::NONE
        .with(b'!'..=b'~')
        .without(words(Rules::Ascii))
        .and(Set::one(b'_'));
    let blanks = beyond(Set::of(b"\t "), rules, Set::one(0xa0));
    Some(match name {
        "lower" | "upper" if folds => letters(rules),
        "lower" => lower(rules),
        "upper" => upper(rules),
        "alpha" => letters(rules),
        "alnum" => letters(rules).and(digits()),
        "digit" => digits(),
        "xdigit" => digits().with(b'a'..=b'f').with(b'A'..=b'F'),
        "word" => words(rules),
        "space" => spaces(rules),
        "blank" => blanks,
        "cntrl" => controls,
        "graph" => graphs,
        "print" => graphs.and(blanks.without(Set::one(b'\t'))),
        "punct" => beyond(punctuation, rules, Set::of(b"\xa1\xa7\xab\xb6\xb7\xbb\xbf")),
        "ascii" => Set::NONE.with(0..=0x7f),
        _ => return None,
    })
}

/// The Latin-1 characters with a property, by Perl's name for it.
pub(super) fn property(name: &str, folds: bool) -> Result<Set, PatternError> {
    let unknown = || PatternError::Unsupported(format!("\\p{{{name}}}"));
    let loose: String = name
        .chars()
        .filter(|c| !matches!(c, ' ' | '_' | '-' | '\t'))
        .collect::<String>()
        .to_ascii_lowercase();
    let bare = loose.strip_prefix("is").unwrap_or(&loose);
    let (bare, rules) = match (bare.strip_prefix("xposix"), bare.strip_prefix("posix")) {
        (Some(rest), _) => (rest, Rules::Unicode),
        (None, Some(rest)) => (rest, Rules::Ascii),
        (None, None) => (bare, Rules::Unicode),
    };
    let posix_punctuation = loose.contains("posix");
    let set = match bare {
        "any" | "all" | "unicode" | "assigned" => Set::ALL,
        // The category; only the POSIX kind has the symbols.
        "punct" if !posix_punctuation => category("P").ok_or_else(unknown)?,
        "uppercase" | "lowercase" => posix(&bare[..5], rules, folds).ok_or_else(unknown)?,
        "alphabetic" => posix("alpha", rules, folds).ok_or_else(unknown)?,
        "whitespace" | "spaceperl" => spaces(Rules::Unicode),
        "hexdigit" | "ahex" | "asciihexdigit" => {
            posix("xdigit", rules, folds).ok_or_else(unknown)?
        }
        "lu" | "ll" | "lt" | "uppercaseletter" | "lowercaseletter" | "titlecaseletter" if folds => {
            category("LC").ok_or_else(unknown)?
        }
        "l&" | "lc" | "casedletter" => category("LC").ok_or_else(unknown)?,
        _ => match posix(bare, rules, folds) {
            Some(set) => set,
            None => category(name.trim()).ok_or_else(unknown)?,
        },
    };
    Ok(set)
}

/// From the engine's tables: a general category or a script.
fn category(name: &str) -> Option<Set> {
    let known = |c: char| c.is_ascii_alphanumeric() || "_= :-".contains(c);
    if !name.chars().all(known) || name == "LC" {
        let upper = category_of("Lu").filter(|_| name == "LC")?;
        return Some(upper.and(category_of("Ll")?));
    }
    category_of(name)
}

fn category_of(name: &str) -> Option<Set> {
    let regex = fancy_regex::Regex::new(&format!("\\A\\p{{{name}}}\\z")).ok()?;
    let mut set = Set::NONE;
    for byte in 0..=u8::MAX {
        let text = char::from(byte).to_string();
        if regex.is_match(text.as_str()).ok()? {
            set = set.with(byte..=byte);
        }
    }
    Some(set)
}
