//! What a backslash makes of the next character, outside and inside of bracketed classes.

use super::super::PatternError;
use super::super::sets::{self, Set};
use super::groups::too_long;
use super::{Anchor, Flags, Node, Parser, invalid, literal};

/// A character, or a class of them.
pub(super) enum Escaped {
    /// By number; above 255 no byte is meant.
    Character(u32),
    Class(Set),
}

impl Parser<'_> {
    /// Behind the backslash, outside of a bracketed class.
    pub(super) fn escape(&mut self, flags: Flags) -> Result<Node, PatternError> {
        let byte = self.peek().ok_or_else(|| invalid("Trailing \\"))?;
        let node = match byte {
            b'A' | b'G' => Node::Anchor(Anchor::Start),
            b'z' => Node::Anchor(Anchor::End),
            b'Z' => Node::Anchor(Anchor::EndOrNewline),
            b'K' if self.looks > 0 => {
                return Err(invalid("\\K not permitted in lookahead/lookbehind"));
            }
            b'K' => Node::Empty,
            b'b' | b'B' => {
                if self.text.get(self.at + 1) == Some(&b'{') {
                    let what = format!("\\{}{{...}}", char::from(byte));
                    return Err(PatternError::Unsupported(what));
                }
                Node::Word {
                    negative: byte == b'B',
                    set: sets::words(flags.rules),
                }
            }
            b'R' => newline(),
            b'X' if self.behinds > 0 => return Err(too_long()),
            b'X' => Node::Atomic(Box::new(Node::Choice(vec![pair(), Node::One(Set::ALL)]))),
            b'1'..=b'9' => {
                if let Some(group) = self.reference() {
                    return self.back(group, flags);
                }
                return self.character(flags);
            }
            b'g' => {
                self.at += 1;
                return self.relative(flags);
            }
            b'k' => {
                self.at += 1;
                return self.by_name(flags);
            }
            _ => return self.character(flags),
        };
        self.at += 1;
        Ok(node)
    }

    fn character(&mut self, flags: Flags) -> Result<Node, PatternError> {
        Ok(match self.escaped(flags, false)? {
            Escaped::Class(set) => Node::One(set),
            Escaped::Character(code) => match u8::try_from(code) {
                Ok(byte) => literal(byte, flags),
                Err(_) => Node::One(Set::NONE),
            },
        })
    }

    /// Behind the backslash, what both sides of a bracket share.
    pub(super) fn escaped(&mut self, flags: Flags, inside: bool) -> Result<Escaped, PatternError> {
        let byte = self.next().ok_or_else(|| invalid("Trailing \\"))?;
        let class = |set: Set, negative: bool| Ok(Escaped::Class(set.negated_if(negative)));
        let code = match byte {
            b'd' | b'D' => return class(sets::digits(), byte == b'D'),
            b'w' | b'W' => return class(sets::words(flags.rules), byte == b'W'),
            b's' | b'S' => return class(sets::spaces(flags.rules), byte == b'S'),
            b'h' | b'H' => return class(sets::horizontal(), byte == b'H'),
            b'v' | b'V' => return class(sets::vertical(), byte == b'V'),
            b'p' | b'P' => {
                let set = self.property(flags)?;
                return class(set, byte == b'P');
            }
            b'N' => return self.not_newline(flags, inside),
            b'b' if inside => 8,
            b'a' => 7,
            b'e' => 27,
            b'f' => 12,
            b'n' => 10,
            b'r' => 13,
            b't' => 9,
            b'c' => self.control()?,
            b'x' => self.hexadecimal()?,
            b'o' => self.braced_octal()?,
            b'0' => self.octal(0, 2),
            b'1'..=b'7' => self.octal(u32::from(byte - b'0'), 2),
            b'C' if !inside => return Err(invalid("\\C no longer supported")),
            other => u32::from(other),
        };
        if code > 255 {
            self.unicode = true;
            if flags.folds {
                let what = "a character above 255 without regard to case";
                return Err(PatternError::Unsupported(what.to_owned()));
            }
        }
        Ok(Escaped::Character(code))
    }

    /// Digits behind the backslash if they are a reference: one always is, more are if there are
    /// so many groups, or if they cannot be octal.
    fn reference(&mut self) -> Option<usize> {
        let rest = self.rest();
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = str::from_utf8(rest.get(..length)?).ok()?;
        let group: usize = digits.parse().unwrap_or(usize::MAX);
        let octal = !digits.starts_with(['8', '9']);
        if group > 9 && octal && self.total.is_none_or(|total| group > total) {
            return None;
        }
        self.at += length;
        Some(group)
    }

    fn back(&self, group: usize, flags: Flags) -> Result<Node, PatternError> {
        if group == 0 || self.total.is_some_and(|total| group > total) {
            return Err(invalid("Reference to nonexistent group"));
        }
        let folds = flags.folds;
        Ok(Node::Back { group, folds })
    }

    /// `\g1`, `\g-1`, `\g{1}`, `\g{-1}`, `\g{name}`.
    fn relative(&mut self, flags: Flags) -> Result<Node, PatternError> {
        let fault = || invalid("Unterminated \\g... pattern");
        let word = if self.take(b"{") {
            self.until(b'}').ok_or_else(fault)?
        } else {
            let rest = self.rest();
            let sign = usize::from(rest.first() == Some(&b'-'));
            let digits = rest
                .iter()
                .skip(sign)
                .take_while(|byte| byte.is_ascii_digit());
            let length = sign + digits.count();
            self.at += length;
            rest.get(..length).unwrap_or_default()
        };
        let text = str::from_utf8(word).map_err(|_| fault())?.trim();
        if let Some(back) = text.strip_prefix('-') {
            let back: usize = back.parse().map_err(|_| fault())?;
            let group = (self.groups + 1).checked_sub(back);
            let group = group.filter(|group| back > 0 && *group > 0);
            let group =
                group.ok_or_else(|| invalid("Reference to nonexistent or unclosed group"))?;
            return self.back(group, flags);
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let group = text.parse().map_err(|_| fault())?;
            return self.back(group, flags);
        }
        if text.is_empty() {
            return Err(fault());
        }
        self.named(text.as_bytes(), flags)
    }

    /// `\k<name>`, `\k'name'`, `\k{name}`.
    fn by_name(&mut self, flags: Flags) -> Result<Node, PatternError> {
        let fault = || invalid("Sequence \\k... not terminated");
        let end = match self.next() {
            Some(b'<') => b'>',
            Some(b'\'') => b'\'',
            Some(b'{') => b'}',
            Some(_) | None => return Err(fault()),
        };
        let name = self.until(end).ok_or_else(fault)?;
        self.named(name.trim_ascii(), flags)
    }

    /// `\pL`, `\p{Lu}`, `\p{^Lu}`.
    fn property(&mut self, flags: Flags) -> Result<Set, PatternError> {
        self.unicode = true;
        let fault = || invalid("Empty \\p{}");
        let name = if self.take(b"{") {
            self.until(b'}').ok_or_else(fault)?
        } else {
            let rest = self.rest();
            self.at += 1;
            rest.get(..1).ok_or_else(fault)?
        };
        let name = str::from_utf8(name).map_err(|_| fault())?.trim();
        let (name, negative) = match name.strip_prefix('^') {
            Some(name) => (name.trim(), true),
            None => (name, false),
        };
        if name.is_empty() {
            return Err(fault());
        }
        let set = sets::property(name, flags.folds)?;
        Ok(set.negated_if(negative))
    }

    /// `\N`, or a character by number `\N{U+41}`.
    fn not_newline(&mut self, flags: Flags, inside: bool) -> Result<Escaped, PatternError> {
        if self.take(b"{U+") {
            self.unicode = true;
            let digits = self.until(b'}').unwrap_or_default();
            let code = number(digits, 16).ok_or_else(|| invalid("Invalid hexadecimal number"))?;
            if code > 255 && flags.folds {
                let what = "a character above 255 without regard to case";
                return Err(PatternError::Unsupported(what.to_owned()));
            }
            return Ok(Escaped::Character(code));
        }
        let brace = self.rest().strip_prefix(b"{");
        if brace.is_some_and(|inside| super::bounds(inside).is_none()) {
            return Err(PatternError::Unsupported("\\N{name}".to_owned()));
        }
        if inside {
            return Err(invalid(
                "\\N in a character class must be a named character",
            ));
        }
        Ok(Escaped::Class(Set::one(b'\n').negated()))
    }

    /// `\cA` is the control character of that letter.
    fn control(&mut self) -> Result<u32, PatternError> {
        match self.next() {
            Some(byte) if matches!(byte, b' '..=b'~') => {
                Ok(u32::from(byte.to_ascii_uppercase() ^ 0x40))
            }
            Some(_) => Err(invalid(
                "Character following \"\\c\" must be printable ASCII",
            )),
            None => Err(invalid("Missing control char name")),
        }
    }

    /// `\x`, `\x4`, `\x41`, `\x{41}`.
    fn hexadecimal(&mut self) -> Result<u32, PatternError> {
        if self.take(b"{") {
            let digits = self
                .until(b'}')
                .ok_or_else(|| invalid("Missing right brace on \\x{}"))?;
            return Ok(leading(digits, 16));
        }
        Ok(self.digits(0, 2, 16))
    }

    /// `\o{101}`.
    fn braced_octal(&mut self) -> Result<u32, PatternError> {
        if !self.take(b"{") {
            return Err(invalid("Missing braces on \\o{}"));
        }
        let digits = self
            .until(b'}')
            .ok_or_else(|| invalid("Missing right brace on \\o{}"))?;
        if digits.trim_ascii().is_empty() {
            return Err(invalid("Empty \\o{}"));
        }
        Ok(leading(digits, 8))
    }

    /// So many more octal digits.
    fn octal(&mut self, code: u32, more: usize) -> u32 {
        self.digits(code, more, 8)
    }

    fn digits(&mut self, mut code: u32, most: usize, radix: u32) -> u32 {
        for _ in 0..most {
            let digit = self
                .peek()
                .and_then(|byte| char::from(byte).to_digit(radix));
            let Some(digit) = digit else { break };
            code = code * radix + digit;
            self.at += 1;
        }
        code
    }
}

/// The number in front; what is no digit ends it.
fn leading(text: &[u8], radix: u32) -> u32 {
    let digits = text.trim_ascii().iter().filter(|byte| **byte != b'_');
    let digits = digits.map_while(|byte| char::from(*byte).to_digit(radix));
    digits.fold(0, |sum, digit| {
        sum.saturating_mul(radix).saturating_add(digit)
    })
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let good = digits.iter().all(|byte| char::from(*byte).is_digit(radix));
    let text = str::from_utf8(digits)
        .ok()
        .filter(|text| good && !text.is_empty())?;
    Some(u32::from_str_radix(text, radix).unwrap_or(u32::MAX))
}

/// Carriage return and line feed.
fn pair() -> Node {
    Node::Sequence(vec![Node::One(Set::one(b'\r')), Node::One(Set::one(b'\n'))])
}

/// `\R`: a pair is taken as one.
fn newline() -> Node {
    Node::Atomic(Box::new(Node::Choice(vec![
        pair(),
        Node::One(sets::vertical()),
    ])))
}
