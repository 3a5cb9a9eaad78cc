//! Every directive of ha.cf: name, argument, default, meaning, and whether this release honours it.
//!
//! Written once; the parser, the checker and `hbd check --list` read it here.

mod table;

pub use table::DIRECTIVES;

use super::directive::{Directive, Support};

/// The row of that name. Names are case sensitive.
pub fn find(name: &str) -> Option<&'static Directive> {
    DIRECTIVES.iter().find(|directive| directive.name == name)
}

/// The known name most like this one, if one is alike enough.
pub fn similar(name: &str) -> Option<&'static str> {
    let longest = DIRECTIVES
        .iter()
        .map(|directive| directive.name.len())
        .max()?;
    if name.len() > 2 * longest {
        return None;
    }
    let wanted = name.to_ascii_lowercase();
    let allowed = ((wanted.chars().count() + 1) / 3).clamp(1, 3);
    DIRECTIVES
        .iter()
        .filter(|directive| !matches!(directive.support, Support::OldName(_)))
        .map(|directive| (distance(&wanted, directive.name), directive.name))
        .min()
        .filter(|(distance, _)| *distance <= allowed)
        .map(|(_, name)| name)
}

/// How many letters must be added, removed or replaced (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = *cell;
            left = replaced.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
