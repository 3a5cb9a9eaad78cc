//! Bracketed classes: `[a-z\d_]`. They know no nesting and no operators.

use super::super::PatternError;
use super::super::sets::{self, Set};
use super::escapes::Escaped;
use super::{Flags, Parser, invalid};

impl Parser<'_> {
    /// Behind the opening bracket.
    pub(super) fn class(&mut self, flags: Flags) -> Result<Set, PatternError> {
        let negative = self.take(b"^");
        let mut set = Set::NONE;
        // The low end of a range whose high end comes next.
        let mut low: Option<u32> = None;
        let mut first = true;
        loop {
            while flags.spaced_more && matches!(self.peek(), Some(b' ' | b'\t')) {
                self.at += 1;
            }
            let element = match self.peek() {
                None => return Err(invalid("Unmatched [")),
                Some(b']') if !first => {
                    self.at += 1;
                    break;
                }
                Some(_) => self.element(flags)?,
            };
            first = false;
            match (element, low.take()) {
                // Neither `[a-\d]` nor `[\d-z]` is a range.
                (Escaped::Class(class), before) => {
                    set = set.and(class);
                    if let Some(low) = before {
                        set = with(set, low, low).and(Set::one(b'-'));
                    }
                    if self.begins_range(flags) {
                        set = set.and(Set::one(b'-'));
                    }
                }
                (Escaped::Character(high), Some(low)) if low > high => {
                    return Err(invalid("Invalid [] range"));
                }
                (Escaped::Character(high), Some(low)) => set = with(set, low, high),
                (Escaped::Character(code), None) if self.begins_range(flags) => low = Some(code),
                (Escaped::Character(code), None) => set = with(set, code, code),
            }
        }
        let set = if flags.folds {
            set.folded(flags.rules)
        } else {
            set
        };
        Ok(set.negated_if(negative))
    }

    fn element(&mut self, flags: Flags) -> Result<Escaped, PatternError> {
        if self.rest().starts_with(b"[")
            && let Some(class) = self.posix(flags)?
        {
            return Ok(Escaped::Class(class));
        }
        match self.next() {
            Some(b'\\') => self.escaped(flags, true),
            Some(byte) => Ok(Escaped::Character(u32::from(byte))),
            None => Err(invalid("Unmatched [")),
        }
    }

    /// A hyphen that does not end the class; it is skipped.
    fn begins_range(&mut self, flags: Flags) -> bool {
        let blank = |byte: &&u8| flags.spaced_more && matches!(byte, b' ' | b'\t');
        let rest = self.rest();
        let blanks = rest.iter().take_while(blank).count();
        if rest.get(blanks) != Some(&b'-') {
            return false;
        }
        let behind = rest.get(blanks + 1..).unwrap_or_default();
        let more = behind.iter().take_while(blank).count();
        let range = behind.get(more).is_some_and(|byte| *byte != b']');
        if range {
            self.at += blanks + 1;
        }
        range
    }

    /// `[:alpha:]`, `[:^alpha:]`; `None` if the bracket is an ordinary character.
    fn posix(&mut self, flags: Flags) -> Result<Option<Set>, PatternError> {
        let rest = self.rest();
        let Some(sign @ (b':' | b'.' | b'=')) = rest.get(1).copied() else {
            return Ok(None);
        };
        let inside = rest.get(2..).unwrap_or_default();
        let end = inside.windows(2).position(|two| two == [sign, b']']);
        let Some(name) = end.and_then(|end| inside.get(..end)) else {
            return Ok(None);
        };
        let word = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'^';
        if !name.iter().all(word) {
            return Ok(None);
        }
        if sign != b':' {
            return Err(invalid("POSIX syntax [. .] and [= =] is reserved"));
        }
        let (bare, negative) = match name.strip_prefix(b"^") {
            Some(bare) => (bare, true),
            None => (name, false),
        };
        let text = str::from_utf8(bare).unwrap_or_default();
        let set = sets::posix(text, flags.rules, flags.folds);
        let set = set.ok_or_else(|| invalid(&format!("POSIX class [:{text}:] unknown")))?;
        self.at += name.len() + 4;
        Ok(Some(set.negated_if(negative)))
    }
}

/// With the bytes of a range of characters.
fn with(set: Set, low: u32, high: u32) -> Set {
    match (u8::try_from(low), u8::try_from(high)) {
        (Ok(low), Ok(high)) => set.with(low..=high),
        (Ok(low), Err(_)) => set.with(low..=u8::MAX),
        (Err(_), _) => set,
    }
}
