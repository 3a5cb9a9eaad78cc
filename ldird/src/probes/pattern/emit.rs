//! A parsed pattern as text for the engine: sets, groups, repetitions and anchors in the few
//! spellings that mean the same to both, without modifiers.

use super::sets::Set;
use super::syntax::{Anchor, Greed, Node};
use std::fmt::Write as _;

/// Matches nothing.
const NEVER: &str = "[^\\x00-\\xff]";

pub(super) fn engine_text(tree: &Node) -> String {
    let mut text = String::new();
    emit(tree, true, &mut text);
    text
}

/// `last`: nothing of the pattern comes behind, so that what only looks ahead may take as well,
/// which keeps the engine on its fast path.
fn emit(node: &Node, last: bool, out: &mut String) {
    match node {
        Node::Empty => {}
        Node::One(set) => set_text(*set, out),
        Node::Anchor(anchor) => out.push_str(anchor_text(*anchor, last)),
        Node::Word { negative, set } => word_text(*negative, *set, out),
        Node::Back {
            group,
            folds: false,
        } => push(out, format_args!("(?:\\{group})")),
        Node::Back { group, folds: true } => push(out, format_args!("(?i:\\{group})")),
        Node::Group(inner) => enclosed("(", inner, last, out),
        Node::Atomic(inner) => enclosed("(?>", inner, last, out),
        Node::Look {
            behind: true,
            negative,
            inner,
        } if inner.takes_nothing() => {
            // The engine misses that nothing stands everywhere.
            out.push_str(if *negative {
                "(?:[^\\x00-\\xff]"
            } else {
                "(?:(?<="
            });
            emit(inner, false, out);
            out.push_str(if *negative { ")" } else { ")|)" });
        }
        Node::Look {
            behind,
            negative,
            inner,
        } => {
            let open = match (behind, negative) {
                (false, false) => "(?=",
                (false, true) => "(?!",
                (true, false) => "(?<=",
                (true, true) => "(?<!",
            };
            enclosed(open, inner, false, out);
        }
        Node::Repeat {
            inner,
            low,
            high,
            greed,
        } => repeat(inner, *low, *high, *greed, out),
        Node::Sequence(all) => {
            for (at, node) in all.iter().enumerate() {
                emit(node, last && at + 1 == all.len(), out);
            }
        }
        Node::Choice(all) => {
            out.push_str("(?:");
            for (at, node) in all.iter().enumerate() {
                if at > 0 {
                    out.push('|');
                }
                emit(node, last, out);
            }
            out.push(')');
        }
    }
}

fn enclosed(open: &str, inner: &Node, last: bool, out: &mut String) {
    out.push_str(open);
    emit(inner, last, out);
    out.push(')');
}

fn repeat(inner: &Node, low: u32, high: Option<u32>, greed: Greed, out: &mut String) {
    if high.is_some_and(|high| high < low) {
        // As in Perl: no match. The groups inside keep their numbers.
        push(out, format_args!("(?:{NEVER}"));
        emit(inner, false, out);
        out.push(')');
        return;
    }
    if high == Some(0) {
        push(out, format_args!("(?:{NEVER}"));
        emit(inner, false, out);
        out.push_str("|)");
        return;
    }
    if inner.is_bare_assertion() {
        // Once is as good as often, and the engine repeats no assertion.
        match (low, greed) {
            (0, Greed::Lazy) => enclosed("(?:|", inner, false, out),
            (0, Greed::Greedy | Greed::Possessive) => {
                out.push_str("(?:");
                emit(inner, false, out);
                out.push_str("|)");
            }
            (_, Greed::Lazy | Greed::Greedy | Greed::Possessive) => {
                enclosed("(?:", inner, false, out);
            }
        }
        return;
    }
    if greed == Greed::Possessive {
        out.push_str("(?>");
    }
    enclosed("(?:", inner, false, out);
    match (low, high) {
        (0, None) => out.push('*'),
        (1, None) => out.push('+'),
        (0, Some(1)) => out.push('?'),
        (low, None) => push(out, format_args!("{{{low},}}")),
        (low, Some(high)) => push(out, format_args!("{{{low},{high}}}")),
    }
    match greed {
        Greed::Greedy => {}
        Greed::Lazy => out.push('?'),
        Greed::Possessive => out.push(')'),
    }
}

fn anchor_text(anchor: Anchor, last: bool) -> &'static str {
    match anchor {
        Anchor::Start => "\\A",
        // Not behind a newline that ends everything.
        Anchor::StartOfLine => "(?:\\A|(?<=\\n)(?!\\z))",
        Anchor::End => "\\z",
        Anchor::EndOrNewline if last => "(?:\\n?\\z)",
        Anchor::EndOrNewline => "(?=\\n?\\z)",
        Anchor::EndOfLine if last => "(?:\\n|\\z)",
        Anchor::EndOfLine => "(?=\\n|\\z)",
    }
}

fn word_text(negative: bool, set: Set, out: &mut String) {
    if set == super::sets::words(super::sets::Rules::Ascii) {
        out.push_str(if negative { "\\B" } else { "\\b" });
        return;
    }
    let mut word = String::new();
    set_text(set, &mut word);
    let (same, other) = if negative { ("?=", "?!") } else { ("?!", "?=") };
    push(
        out,
        format_args!("(?:(?<={word})({same}{word})|(?<!{word})({other}{word}))"),
    );
}

fn set_text(set: Set, out: &mut String) {
    let ranges = set.ranges();
    match &ranges[..] {
        [] => out.push_str(NEVER),
        [(byte, end)] if byte == end => byte_text(*byte, out),
        ranges => {
            out.push('[');
            for (start, end) in ranges {
                byte_text(*start, out);
                if end > start {
                    out.push('-');
                    byte_text(*end, out);
                }
            }
            out.push(']');
        }
    }
}

fn byte_text(byte: u8, out: &mut String) {
    if byte.is_ascii_alphanumeric() {
        out.push(char::from(byte));
    } else {
        push(out, format_args!("\\x{byte:02x}"));
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String succeeds");
}
