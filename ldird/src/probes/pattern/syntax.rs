//! Perl's grammar of patterns (perlre, perlrecharclass; Perl 5.36), as it reads one from a variable:
//! `\Q`, `\U` and the like are letters there.
//!
//! Two passes: the first counts groups, which decides what `\10` is, and sees whether a property
//! makes the whole pattern follow Unicode rules.

mod classes;
mod escapes;
mod groups;

use super::PatternError;
use super::sets::{Rules, Set};

/// How deep groups may nest.
const DEPTH_MAX: u32 = 60;
/// Perl's REG_INFTY, less one.
const REPEAT_MAX: u32 = 65_534;
/// Longest look-behind that Perl compiles, bytes.
const BEHIND_MAX: u32 = 255;

/// A pattern's parts, with every modifier applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Empty,
    /// One byte of these.
    One(Set),
    Anchor(Anchor),
    /// A boundary of words made of these bytes.
    Word {
        negative: bool,
        set: Set,
    },
    /// A capturing group; they are numbered in the order in which they open.
    Group(Box<Node>),
    Atomic(Box<Node>),
    Look {
        behind: bool,
        negative: bool,
        inner: Box<Node>,
    },
    Repeat {
        inner: Box<Node>,
        low: u32,
        high: Option<u32>,
        greed: Greed,
    },
    Back {
        group: usize,
        folds: bool,
    },
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    StartOfLine,
    End,
    /// At the end or before a newline at the end.
    EndOrNewline,
    EndOfLine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greed {
    Greedy,
    Lazy,
    Possessive,
}

impl Node {
    /// Does a match stay one, whatever follows the text? Not with anything that looks ahead, or
    /// that takes as much as there is and gives nothing back.
    pub(super) fn is_early(&self) -> bool {
        match self {
            Self::Empty | Self::One(_) | Self::Back { .. } => true,
            Self::Anchor(anchor) => *anchor == Anchor::Start,
            Self::Word { .. } | Self::Atomic(_) => false,
            Self::Look { behind, inner, .. } => *behind && inner.is_early(),
            Self::Group(inner) => inner.is_early(),
            Self::Repeat { inner, greed, .. } => *greed != Greed::Possessive && inner.is_early(),
            Self::Sequence(all) | Self::Choice(all) => all.iter().all(Self::is_early),
        }
    }

    /// An assertion as such, perhaps repeated: it takes nothing, so once is as good as often.
    pub(super) fn is_bare_assertion(&self) -> bool {
        match self {
            Self::Anchor(_) | Self::Word { .. } | Self::Look { .. } | Self::Empty => true,
            Self::Repeat { inner, .. } => inner.is_bare_assertion(),
            Self::One(_)
            | Self::Group(_)
            | Self::Atomic(_)
            | Self::Back { .. }
            | Self::Sequence(_)
            | Self::Choice(_) => false,
        }
    }

    /// Does it match the empty text, whatever is around?
    pub(super) fn takes_nothing(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::One(_)
            | Self::Anchor(_)
            | Self::Word { .. }
            | Self::Look { .. }
            | Self::Back { .. } => false,
            Self::Group(inner) | Self::Atomic(inner) => inner.takes_nothing(),
            Self::Repeat {
                inner, low, high, ..
            } => {
                let possible = high.is_none_or(|high| high >= *low);
                possible && (*low == 0 || inner.takes_nothing())
            }
            Self::Sequence(all) => all.iter().all(Self::takes_nothing),
            Self::Choice(all) => all.iter().any(Self::takes_nothing),
        }
    }

    /// The longest text that it takes, bytes; `None` without bound.
    fn width(&self) -> Option<u32> {
        match self {
            Self::Empty | Self::Anchor(_) | Self::Word { .. } | Self::Look { .. } => Some(0),
            Self::One(_) => Some(1),
            Self::Back { .. } => None,
            Self::Group(inner) | Self::Atomic(inner) => inner.width(),
            Self::Repeat { inner, high, .. } => {
                let (inner, high) = (inner.width()?, *high);
                if inner == 0 {
                    return Some(0);
                }
                Some(inner.saturating_mul(high?))
            }
            Self::Sequence(all) => all
                .iter()
                .try_fold(0_u32, |sum, node| Some(sum.saturating_add(node.width()?))),
            Self::Choice(all) => all
                .iter()
                .try_fold(0, |most, node| Some(node.width()?.max(most))),
        }
    }
}

/// Modifiers in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Flags {
    folds: bool,
    lines: bool,
    dot_all: bool,
    spaced: bool,
    /// Blanks in bracketed classes, too.
    spaced_more: bool,
    no_groups: bool,
    rules: Rules,
}

impl Flags {
    fn new(rules: Rules) -> Self {
        Self {
            folds: false,
            lines: false,
            dot_all: false,
            spaced: false,
            spaced_more: false,
            no_groups: false,
            rules,
        }
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    depth: u32,
    /// Groups opened so far.
    groups: usize,
    /// In the whole pattern; `None` in the first pass.
    total: Option<usize>,
    names: Vec<(Vec<u8>, usize)>,
    /// Inside so many look-arounds, and so many of them that look behind.
    looks: u32,
    behinds: u32,
    /// A property was seen.
    unicode: bool,
    /// The rules of a pattern without a modifier for them.
    rules: Rules,
}

pub(super) fn parse(text: &[u8]) -> Result<Node, PatternError> {
    let mut first = Parser::new(text, None, Rules::Ascii, Vec::new());
    first.whole()?;
    let rules = if first.unicode {
        Rules::Unicode
    } else {
        Rules::Ascii
    };
    let mut second = Parser::new(text, Some(first.groups), rules, first.names);
    second.whole()
}

fn invalid(message: &str) -> PatternError {
    PatternError::Invalid(message.to_owned())
}

impl<'a> Parser<'a> {
    fn new(
        text: &'a [u8],
        total: Option<usize>,
        rules: Rules,
        names: Vec<(Vec<u8>, usize)>,
    ) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            groups: 0,
            total,
            names,
            looks: 0,
            behinds: 0,
            unicode: false,
            rules,
        }
    }

    fn whole(&mut self) -> Result<Node, PatternError> {
        let node = self.choice(Flags::new(self.rules))?;
        match self.peek() {
            None => Ok(node),
            Some(_) => Err(invalid("Unmatched )")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, prefix: &[u8]) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.at += prefix.len();
        }
        found
    }

    /// Up to this byte, which is skipped.
    fn until(&mut self, end: u8) -> Option<&'a [u8]> {
        let rest = self.rest();
        let length = rest.iter().position(|byte| *byte == end)?;
        self.at += length + 1;
        rest.get(..length)
    }

    /// Alternatives up to a closing parenthesis, which stays, or the end. A modifier in between
    /// counts for all that follows.
    fn choice(&mut self, mut flags: Flags) -> Result<Node, PatternError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(PatternError::Large);
        }
        let mut all = vec![self.sequence(&mut flags)?];
        while self.take(b"|") {
            all.push(self.sequence(&mut flags)?);
        }
        self.depth -= 1;
        Ok(match all.len() {
            1 => all.pop().unwrap_or(Node::Empty),
            _ => Node::Choice(all),
        })
    }

    fn sequence(&mut self, flags: &mut Flags) -> Result<Node, PatternError> {
        let mut all = Vec::new();
        loop {
            self.skip(*flags)?;
            match self.peek() {
                None | Some(b'|' | b')') => break,
                Some(_) => {
                    if let Some(atom) = self.atom(flags)? {
                        all.push(self.quantified(atom, *flags)?);
                    }
                }
            }
        }
        Ok(match all.len() {
            0 => Node::Empty,
            1 => all.pop().unwrap_or(Node::Empty),
            _ => Node::Sequence(all),
        })
    }

    /// Comments, and blanks where they mean nothing.
    fn skip(&mut self, flags: Flags) -> Result<(), PatternError> {
        loop {
            if self.take(b"(?#") {
                self.until(b')')
                    .ok_or_else(|| invalid("Sequence (?#... not terminated"))?;
            } else if flags.spaced && matches!(self.peek(), Some(b'\t'..=b'\r' | b' ' | 0x85)) {
                self.at += 1;
            } else if flags.spaced && self.take(b"#") {
                if self.until(b'\n').is_none() {
                    self.at = self.text.len();
                }
            } else {
                return Ok(());
            }
        }
    }

    /// `None` for what only sets modifiers.
    fn atom(&mut self, flags: &mut Flags) -> Result<Option<Node>, PatternError> {
        let Some(byte) = self.next() else {
            return Ok(None);
        };
        Ok(Some(match byte {
            b'^' if flags.lines => Node::Anchor(Anchor::StartOfLine),
            b'^' => Node::Anchor(Anchor::Start),
            b'$' if flags.lines => Node::Anchor(Anchor::EndOfLine),
            b'$' => Node::Anchor(Anchor::EndOrNewline),
            b'.' if flags.dot_all => Node::One(Set::ALL),
            b'.' => Node::One(Set::one(b'\n').negated()),
            b'[' => Node::One(self.class(*flags)?),
            b'(' => return self.group(flags),
            b'\\' => self.escape(*flags)?,
            b'*' | b'+' | b'?' => return Err(invalid("Quantifier follows nothing")),
            b'{' if self.behind_letter_escape() => {
                return Err(invalid("Unescaped left brace in regex is illegal here"));
            }
            byte => literal(byte, *flags),
        }))
    }

    /// Is the character before this one a letter behind a backslash? Perl looks no closer.
    fn behind_letter_escape(&self) -> bool {
        let before = self.text.get(..self.at - 1).unwrap_or_default();
        matches!(before, [.., b'\\', letter] if letter.is_ascii_alphabetic())
    }

    fn quantified(&mut self, atom: Node, flags: Flags) -> Result<Node, PatternError> {
        self.skip(flags)?;
        let behind = self.text.get(..self.at).unwrap_or_default();
        let keeps = behind.ends_with(b"\\K");
        let Some((low, high)) = self.quantifier()? else {
            return Ok(atom);
        };
        if atom == Node::Empty && keeps {
            // Perl forbids some of them.
            return Err(PatternError::Unsupported("a repeated \\K".to_owned()));
        }
        self.skip(flags)?;
        let greed = if self.take(b"?") {
            Greed::Lazy
        } else if self.take(b"+") {
            Greed::Possessive
        } else {
            Greed::Greedy
        };
        if greed == Greed::Possessive && (self.behinds > 0 || atom.is_bare_assertion()) {
            // Perl gets both wrong.
            let what = "a possessive repetition in a look-behind or of an assertion";
            return Err(PatternError::Unsupported(what.to_owned()));
        }
        self.skip(flags)?;
        if self.quantifier()?.is_some() {
            return Err(invalid("Nested quantifiers"));
        }
        if atom == Node::Empty && high.is_none_or(|high| low <= high) {
            return Ok(Node::Empty);
        }
        Ok(Node::Repeat {
            inner: Box::new(atom),
            low,
            high,
            greed,
        })
    }

    fn quantifier(&mut self) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        let found = match self.peek() {
            Some(b'*') => (0, None, 1),
            Some(b'+') => (1, None, 1),
            Some(b'?') => (0, Some(1), 1),
            Some(b'{') => {
                let inside = self.text.get(self.at + 1..).unwrap_or_default();
                let Some((low, high, length)) = bounds(inside) else {
                    return Ok(None);
                };
                (low, high, length + 1)
            }
            Some(_) | None => return Ok(None),
        };
        let (low, high, length) = found;
        if low > REPEAT_MAX || high.is_some_and(|high| high > REPEAT_MAX) {
            return Err(invalid("Quantifier in {,} bigger than 65534"));
        }
        self.at += length;
        Ok(Some((low, high)))
    }
}

fn literal(byte: u8, flags: Flags) -> Node {
    let set = Set::one(byte);
    Node::One(if flags.folds {
        set.folded(flags.rules)
    } else {
        set
    })
}

/// What stands behind a brace if it makes a quantifier: `3}`, `3,}`, `,5}` or `3,5}`, with blanks
/// around the numbers. Lowest, highest, and how many bytes that is.
fn bounds(text: &[u8]) -> Option<(u32, Option<u32>, usize)> {
    let length = text.iter().position(|byte| *byte == b'}')?;
    let inside = text.get(..length)?;
    let number = |piece: &[u8]| -> Option<Option<u32>> {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let start = piece.iter().take_while(|byte| blank(byte)).count();
        let end = piece.iter().rev().take_while(|byte| blank(byte)).count();
        let digits = piece.get(start..piece.len().max(start + end) - end)?;
        if digits.is_empty() {
            return Some(None);
        }
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let text = str::from_utf8(digits).ok()?;
        Some(Some(text.parse().unwrap_or(u32::MAX)))
    };
    let comma = inside.iter().position(|byte| *byte == b',');
    let (low, high) = match comma {
        None => {
            let exact = number(inside)??;
            (exact, Some(exact))
        }
        Some(comma) => {
            let low = number(inside.get(..comma)?)?;
            let high = number(inside.get(comma + 1..)?)?;
            if low.is_none() && high.is_none() {
                return None;
            }
            (low.unwrap_or(0), high)
        }
    };
    Some((low, high, length + 1))
}
