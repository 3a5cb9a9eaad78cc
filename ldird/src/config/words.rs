//! Words of a value: how they are cut, and what is told where they are not quite as they should be.

use super::given::{At, Faults};
use super::lines::blank;
use ha_plumbing::Word;

/// A word without the blanks at its end.
pub(crate) fn trimmed(word: Word<'_>) -> Word<'_> {
    let end = word.text.trim_end_matches(blank).len();
    word.part(0..end)
}

/// The first run of characters like these, and what stands around it.
pub(crate) fn first_run(
    word: Word<'_>,
    like: impl Fn(char) -> bool,
) -> Option<(Word<'_>, Word<'_>, Word<'_>)> {
    let start = word.text.find(&like)?;
    let tail = word.text.get(start..)?;
    let length = tail.find(|c| !like(c)).unwrap_or(tail.len());
    let end = start + length;
    Some((
        word.part(0..start),
        word.part(start..end),
        word.part(end..word.text.len()),
    ))
}

/// Perl's `\w`, as far as words of ldirectord.cf go.
pub(crate) fn word_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The rest of a word from this byte on, without leading blanks.
pub(crate) fn rest(word: Word<'_>, from: usize) -> Word<'_> {
    let text = word.text.get(from..).unwrap_or_default();
    let skipped = text.len() - text.trim_start_matches(blank).len();
    word.part(from + skipped..word.text.len())
}

/// The word up to the first blank, and what follows without leading blanks.
pub(crate) fn split_word(word: Word<'_>) -> (Word<'_>, Word<'_>) {
    let end = word.text.find(blank);
    let end = end.unwrap_or(word.text.len());
    (word.part(0..end), rest(word, end))
}

/// From the first quote, which must come first, to the last one.
pub(crate) fn between_quotes(word: Word<'_>) -> Option<Word<'_>> {
    let end = word.text.rfind('"')?;
    (word.text.starts_with('"') && end > 0).then(|| word.part(1..end))
}

pub(crate) fn text(word: Word<'_>) -> At<String> {
    let word = trimmed(word);
    At {
        value: word.text.to_owned(),
        span: word.span,
    }
}

pub(crate) fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Quotes that word processors and web pages put in the place of plain ones.
pub(crate) fn typographic(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}')
}

pub(crate) fn tell_typographic(word: Word<'_>, faults: &mut Faults<'_>) {
    if word.text.contains(typographic) {
        let message = "typographic quotes are a part of the value";
        faults.warning_with(word.span, message, "write plain double quotes");
    }
}

/// A value without the comment behind it, which the old daemon takes for a part of a global value.
pub(crate) fn without_comment<'a>(word: Word<'a>, faults: &mut Faults<'_>) -> Word<'a> {
    let comment = [" #", "\t#"]
        .iter()
        .filter_map(|start| word.text.find(start))
        .min();
    let Some(end) = comment else { return word };
    let message = "the comment behind the value is ignored";
    let hint = "the old daemon takes it for a part of the value";
    faults.warning_with(word.part(end..word.text.len()).span, message, hint);
    trimmed(word.part(0..end))
}

/// `yes` or `no`, perhaps with blanks or a comment behind it.
pub(crate) fn yes_or_no(word: Word<'_>, faults: &mut Faults<'_>) -> Option<bool> {
    let (first, more) = split_word(word);
    let value = match first.text {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    if !more.text.is_empty() && !more.text.starts_with('#') {
        return None;
    }
    if first.text.len() < word.text.len() {
        let what = if more.text.is_empty() {
            "blanks stand behind the value"
        } else {
            "a comment stands behind the value"
        };
        faults.tolerated(word.span, what);
    }
    Some(value)
}

/// The first run of digits, wherever it stands; anything but a unit around it is told.
pub(crate) fn first_digits(word: Word<'_>, faults: &mut Faults<'_>) -> Option<u32> {
    let (before, digits, after) = first_run(word, |c| c.is_ascii_digit())?;
    let number = digits.text.parse().unwrap_or(u32::MAX);
    let comment = rest(after, 0);
    let usual = matches!(trimmed(after).text, "" | "s") || comment.text.starts_with('#');
    if !before.text.is_empty() || !usual || digits.text.parse::<u32>().is_err() {
        let text = trimmed(word).text;
        faults.warning(word.span, format!("\"{text}\" is read as {number}"));
    }
    Some(number)
}

/// The first run of letters, digits and underscores; what stands around it is told unless it is
/// quotes.
pub(crate) fn first_word<'a>(word: Word<'a>, faults: &mut Faults<'_>) -> Option<Word<'a>> {
    let (before, found, after) = first_run(word, word_character)?;
    tell_around(word, [before, after], found, faults);
    Some(found)
}

pub(crate) fn tell_around(
    whole: Word<'_>,
    around: [Word<'_>; 2],
    read: Word<'_>,
    faults: &mut Faults<'_>,
) {
    let quotes = |c: char| c == '"' || blank(c);
    let [before, after] = around;
    if !before.text.chars().all(quotes) || !after.text.chars().all(quotes) {
        let message = format!("\"{}\" is read as {}", trimmed(whole).text, read.text);
        faults.warning(whole.span, message);
    }
}
