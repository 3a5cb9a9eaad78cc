//! Parentheses: groups that capture or not, look around, carry modifiers, or that we do not have.

use super::super::PatternError;
use super::super::sets::Rules;
use super::{BEHIND_MAX, Flags, Node, Parser, invalid};

/// Groups that the engine does not know, or knows with another meaning.
const MISSING: &[(&[u8], &str)] = &[
    (b"?|", "a branch reset (?|...)"),
    (b"?{", "code (?{...})"),
    (b"??{", "code (??{...})"),
    (b"?p{", "code (?p{...})"),
    (b"?*{", "code (*{...})"),
    (b"?(", "a condition (?(...)...)"),
    (b"?R", "a recursion (?R)"),
    (b"?&", "a recursion (?&name)"),
    (b"?P>", "a recursion (?P>name)"),
    (b"?+", "a recursion (?+1)"),
    (b"?[", "an extended class (?[...])"),
    (b"*", "a verb (*...)"),
];

impl Parser<'_> {
    /// Behind the parenthesis; `None` for what only sets modifiers.
    pub(super) fn group(&mut self, flags: &mut Flags) -> Result<Option<Node>, PatternError> {
        self.refuse()?;
        if self.take(b"?:") {
            return self.closed(*flags).map(Some);
        }
        if self.take(b"?>") {
            if self.behinds > 0 {
                // Perl gets its width wrong.
                let what = "an atomic group in a look-behind".to_owned();
                return Err(PatternError::Unsupported(what));
            }
            let inner = self.closed(*flags)?;
            return Ok(Some(Node::Atomic(Box::new(inner))));
        }
        for (sign, behind, negative) in [
            (&b"?="[..], false, false),
            (b"?!", false, true),
            (b"?<=", true, false),
            (b"?<!", true, true),
        ] {
            if self.take(sign) {
                return self.look(behind, negative, *flags).map(Some);
            }
        }
        if self.take(b"?P=") {
            let name = self.until(b')').ok_or_else(unterminated)?;
            return self.named(name, *flags).map(Some);
        }
        for (sign, end) in [(&b"?<"[..], b'>'), (b"?'", b'\''), (b"?P<", b'>')] {
            if self.take(sign) {
                return self.named_group(end, *flags).map(Some);
            }
        }
        if self.take(b"?") {
            return self.modifiers(flags);
        }
        if flags.no_groups {
            return self.closed(*flags).map(Some);
        }
        self.groups += 1;
        let inner = self.closed(*flags)?;
        Ok(Some(Node::Group(Box::new(inner))))
    }

    fn refuse(&self) -> Result<(), PatternError> {
        let rest = self.rest();
        let missing = MISSING.iter().find(|(sign, _)| rest.starts_with(sign));
        if let Some((_, what)) = missing {
            return Err(PatternError::Unsupported((*what).to_owned()));
        }
        let number = rest
            .strip_prefix(b"?-")
            .or_else(|| rest.strip_prefix(b"?"))
            .and_then(|rest| rest.first());
        if number.is_some_and(u8::is_ascii_digit) {
            return Err(PatternError::Unsupported("a recursion (?1)".to_owned()));
        }
        Ok(())
    }

    /// What stands up to the closing parenthesis.
    fn closed(&mut self, flags: Flags) -> Result<Node, PatternError> {
        let inner = self.choice(flags)?;
        if self.take(b")") {
            return Ok(inner);
        }
        Err(invalid("Unmatched ("))
    }

    fn look(&mut self, behind: bool, negative: bool, flags: Flags) -> Result<Node, PatternError> {
        self.looks += 1;
        self.behinds += u32::from(behind);
        let inner = self.closed(flags)?;
        self.looks -= 1;
        self.behinds -= u32::from(behind);
        if behind && inner.width().is_none_or(|width| width > BEHIND_MAX) {
            return Err(too_long());
        }
        Ok(Node::Look {
            behind,
            negative,
            inner: Box::new(inner),
        })
    }

    fn named_group(&mut self, end: u8, flags: Flags) -> Result<Node, PatternError> {
        let name = self.until(end).ok_or_else(unterminated)?;
        check_name(name)?;
        self.groups += 1;
        if self.total.is_none() {
            if self.names.iter().any(|(known, _)| known == name) {
                let what = "a second group of the same name".to_owned();
                return Err(PatternError::Unsupported(what));
            }
            self.names.push((name.to_vec(), self.groups));
        }
        let inner = self.closed(flags)?;
        Ok(Node::Group(Box::new(inner)))
    }

    /// A reference by name.
    pub(super) fn named(&self, name: &[u8], flags: Flags) -> Result<Node, PatternError> {
        check_name(name)?;
        let known = self.names.iter().find(|(known, _)| known == name);
        let group = match (known, self.total) {
            (Some((_, group)), _) => *group,
            (None, None) => 0,
            (None, Some(_)) => return Err(invalid("Reference to nonexistent named group")),
        };
        let folds = flags.folds;
        Ok(Node::Back { group, folds })
    }

    /// `i-s)` for what follows, or `i-s:...)` for a group.
    fn modifiers(&mut self, flags: &mut Flags) -> Result<Option<Node>, PatternError> {
        let mut new = *flags;
        if self.take(b"^") {
            new = Flags::new(self.rules);
        }
        let mut on = true;
        loop {
            match self.next().ok_or_else(unterminated)? {
                b')' => {
                    *flags = new;
                    return Ok(None);
                }
                b':' => return self.closed(new).map(Some),
                b'-' if on => on = false,
                b'i' => new.folds = on,
                b'm' => new.lines = on,
                b's' => new.dot_all = on,
                b'n' => new.no_groups = on,
                b'x' => {
                    new.spaced_more = on && self.take(b"x");
                    new.spaced = on;
                    if !on {
                        self.take(b"x");
                    }
                }
                // They play no part for a single match.
                b'p' | b'g' | b'c' | b'o' => {}
                b'u' if on => new.rules = Rules::Unicode,
                b'a' if on => {
                    self.take(b"a");
                    new.rules = Rules::Ascii;
                }
                b'd' if on => new.rules = self.rules,
                b'l' if on => {
                    return Err(PatternError::Unsupported("the modifier (?l)".to_owned()));
                }
                _ => return Err(invalid("Sequence (?...) not recognized")),
            }
        }
    }
}

pub(super) fn too_long() -> PatternError {
    invalid("Lookbehind longer than 255 not implemented")
}

fn unterminated() -> PatternError {
    invalid("Sequence (?... not terminated")
}

fn check_name(name: &[u8]) -> Result<(), PatternError> {
    let first = name
        .first()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if first && name.iter().all(word) {
        return Ok(());
    }
    Err(invalid(
        "Group name must start with a non-digit word character",
    ))
}
