//! Characters that look like others: what editors, word processors and web pages put into files.

use ha_plumbing::Diagnostic;

/// A hint about the first character of the text that is not what it looks like.
pub(super) fn character(text: &str) -> Option<String> {
    text.chars().find_map(|c| {
        let name = match c {
            '\u{feff}' => "a byte order mark",
            '\u{a0}' | '\u{2007}' | '\u{202f}' => "a no-break space",
            '\u{200b}'..='\u{200f}' | '\u{2060}' => "an invisible character",
            '\u{2010}'..='\u{2015}' | '\u{2212}' => "a typographic dash",
            c if is_typographic(c) => "a typographic quotation mark",
            _ => return None,
        };
        let number = u32::from(c);
        Some(format!(
            "it holds {name} (U+{number:04X}), as from a web page or word processor"
        ))
    })
}

/// A warning if the word stands in quotes, which mean nothing in these files.
pub(super) fn quoted(text: &str) -> Option<Diagnostic> {
    let plain = |c: char| matches!(c, '"' | '\'');
    let at_an_end = text.starts_with(plain) || text.ends_with(plain);
    if !at_an_end && !text.contains(is_typographic) {
        return None;
    }
    let message = format!("the quotation marks are part of the value {text}");
    Some(Diagnostic::warning(message).hint("this file knows no quoting: leave them out"))
}

fn is_typographic(c: char) -> bool {
    matches!(
        c,
        '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{2039}' | '\u{203a}'
    )
}
