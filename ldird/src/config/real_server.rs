//! The grammar of `real`, `real6`, `fallback` and `fallback6` values (specification 1.8 and 1.9).
//!
//! Only cuts and checks the text; names and ports become addresses in `resolve`. Anchored on the
//! left: the old daemon skipped leading garbage and checked servers that nobody meant.

use super::given::{At, FallbackLine, Family, Faults, Given, RealLine};
use super::lines::blank;
use super::words::{between_quotes, first_run, rest, split_word, trimmed, word_character};
use crate::orders::WEIGHT_MAX;
use ha_plumbing::Word;
use ldird_core::table::Forwarding;

const WRONG_FORMAT: &str = "invalid address for real server (wrong format)";
const WRONG_METHOD: &str = "forward method must be gate, masq or ipip";
/// The kernel's weights are signed and 32 bits wide.
/// What older tools can show and set.
const WEIGHT_USUAL: u32 = 65535;

/// Reads a `real` value and adds it to the section.
pub(crate) fn real(given: &mut Given, value: Word<'_>, faults: &mut Faults<'_>, family: Family) {
    let (address, tail) = split_address(value);
    let Some(place) = address_and_port(address, family, faults) else {
        return;
    };
    if tail.text.is_empty() {
        let blanks = trimmed(value).text.len() < value.text.len();
        let message = if blanks { WRONG_METHOD } else { WRONG_FORMAT };
        let hint = "the forwarding method is missing: gate, masq or ipip";
        return faults.error_with(trimmed(value).span, message, hint);
    }
    let Some((before, method, options)) = first_run(tail, word_character) else {
        return faults.error(trimmed(tail).span, WRONG_METHOD);
    };
    let Some(forwarding) = forwarding(method.text) else {
        return faults.error(method.span, WRONG_METHOD);
    };
    if !before.text.is_empty() {
        faults.warning(before.span, format!("\"{}\" is ignored", before.text));
    }
    let (host, last, port) = place;
    let mut line = RealLine {
        family,
        host,
        last,
        port,
        forwarding,
        weight: 1,
        dialogue: None,
        lower: 0,
        upper: 0,
        span: trimmed(value).span,
    };
    if line.read_options(trimmed(options), faults).is_some() {
        line.order_thresholds(faults);
        if let Some((request, _)) = &line.dialogue
            && request.value.starts_with('/')
        {
            let message = "this real server is checked with its own request";
            let hint = "the old daemon forgets what stands behind a request that begins with a /";
            faults.warning_with(request.span, message, hint);
        }
        given.reals.push(line);
    }
}

/// Is it `ADDRESS ipip …`?
pub(crate) fn is_tunnelled(value: Word<'_>) -> bool {
    let (_, tail) = split_address(value);
    first_run(tail, word_character).is_some_and(|(_, method, _)| method.text == "ipip")
}

impl RealLine {
    /// `[WEIGHT] ["REQUEST", "RECEIVE"] [l:N] [u:N]`, thresholds in any order. `None` after a
    /// complaint. Words before a part that is known are dropped, as the old daemon did (`-w 3`);
    /// none may stand at the end.
    fn read_options(&mut self, options: Word<'_>, faults: &mut Faults<'_>) -> Option<()> {
        let (glued, mut left) = split_word(options);
        let mut dropped: Vec<Word<'_>> = Vec::new();
        dropped.extend((!glued.text.is_empty()).then_some(glued));
        let mut weighed = false;
        while !left.text.is_empty() {
            let (word, after) = split_word(left);
            let digits = word.text.find(|c: char| !c.is_ascii_digit());
            let digits = word.part(0..digits.unwrap_or(word.text.len()));
            let step = if !digits.text.is_empty() && !weighed {
                self.weight = weight(digits, faults);
                weighed = true;
                let glued = word.part(digits.text.len()..word.text.len());
                if !glued.text.is_empty() {
                    dropped.push(glued);
                    left = after;
                    continue;
                }
                Some(after)
            } else if word.text.starts_with('"') {
                self.read_dialogue(left, faults)
            } else {
                self.read_threshold(left)
            };
            let Some(next) = step else {
                dropped.push(word);
                left = after;
                continue;
            };
            if !weighed && word.text.starts_with('"') {
                tell_number(left, faults);
            }
            for one in dropped.drain(..) {
                faults.warning(one.span, format!("\"{}\" is ignored", one.text));
            }
            left = next;
        }
        let Some(first) = dropped.first() else {
            return Some(());
        };
        let from = first.span.start - options.span.start;
        let around = options.part(from..options.text.len());
        let message = format!("Invalid real server line, around \"{}\"", around.text);
        let hint = "after the method: [WEIGHT] [\"REQUEST\", \"RECEIVE\"] [l:N] [u:N]";
        faults.error_with(around.span, message, hint);
        None
    }

    /// The kernel refuses a destination whose lower threshold is above the upper one, even where
    /// that is 0 for none. Without its own lower threshold a server takes clients again at three
    /// quarters of the upper one.
    fn order_thresholds(&mut self, faults: &mut Faults<'_>) {
        if self.lower > self.upper {
            let message = format!(
                "the lower threshold is above the upper one (l:{} u:{})",
                self.lower, self.upper
            );
            let hint = "the kernel refuses that; l: is ignored";
            faults.warning_with(self.span, message, hint);
            self.lower = 0;
        }
    }

    /// `l:N` or `u:N`; gives back what follows.
    fn read_threshold<'a>(&mut self, left: Word<'a>) -> Option<Word<'a>> {
        let (word, next) = split_word(left);
        self.set_threshold(word.text)?;
        Some(next)
    }

    fn set_threshold(&mut self, text: &str) -> Option<()> {
        let (which, number) = text.split_once(':')?;
        let number = number.parse().ok()?;
        match which {
            "l" => self.lower = number,
            "u" => self.upper = number,
            _ => return None,
        }
        Some(())
    }

    /// Two quoted strings with a comma, a blank or both between them.
    fn read_dialogue<'a>(&mut self, left: Word<'a>, faults: &mut Faults<'_>) -> Option<Word<'a>> {
        let (request, after) = quoted(left)?;
        let separator = rest(after, 0);
        let comma = usize::from(separator.text.starts_with(','));
        let second = rest(separator, comma);
        if comma == 0 && second.span.start == after.span.start {
            return None;
        }
        let (receive, next) = last_quoted(second)?;
        if comma > 0 && separator.span.start > after.span.start {
            faults.tolerated(left.span, "a blank stands before the comma");
        }
        // The manual's notation suggests quoted thresholds, and people write them.
        let mut both = self.clone();
        if both.set_threshold(request.text).is_some() && both.set_threshold(receive.text).is_some()
        {
            *self = both;
        } else {
            self.dialogue = Some((at(request), at(receive)));
        }
        Some(rest(next, 0))
    }
}

/// Without a weight the old daemon takes the first number behind a blank, in a string, too.
fn tell_number(dialogue: Word<'_>, faults: &mut Faults<'_>) {
    let mut words = dialogue.text.split(blank).skip(1);
    if words.any(|word| word.starts_with(|c: char| c.is_ascii_digit())) {
        faults.tolerated(
            dialogue.span,
            "a number in a string and no weight before it",
        );
    }
}

/// Ends at what the kernel takes.
fn weight(digits: Word<'_>, faults: &mut Faults<'_>) -> u32 {
    let weight = digits.text.parse().unwrap_or(u32::MAX).min(WEIGHT_MAX);
    if weight == WEIGHT_MAX {
        let message = format!("weight {} is read as {weight}", digits.text);
        faults.warning_with(digits.span, message, "the kernel knows no greater one");
    } else if weight > WEIGHT_USUAL {
        let message = format!("weight {weight} is above {WEIGHT_USUAL}");
        let hint = "older kernels and tools do not know such weights";
        faults.warning_with(digits.span, message, hint);
    }
    weight
}

/// Reads a `fallback` value; the last one of a scope counts.
pub(crate) fn fallback(
    given: &mut Given,
    value: Word<'_>,
    faults: &mut Faults<'_>,
    family: Family,
) {
    let (server, tail) = split_word(trimmed(value));
    let (method, left) = split_word(tail);
    let comment = |word: Word<'_>| word.text.starts_with('#');
    let left = if comment(method) { method } else { left };
    if comment(left) {
        faults.tolerated(left.span, "the comment behind the fallback is ignored");
    } else if !left.text.is_empty() {
        faults.tolerated(left.span, format!("\"{}\" is ignored", left.text));
    }
    let method = if comment(method) { "" } else { method.text };
    let forwarding = match method {
        "" => Some(Forwarding::Gate),
        method => forwarding(method),
    };
    let Some(forwarding) = forwarding else {
        return faults.error(trimmed(value).span, WRONG_METHOD);
    };
    let Some((host, port)) = fallback_address(server, family, faults) else {
        let version = if family == Family::V4 { 4 } else { 6 };
        let message = format!(
            "invalid IPv{version} address or could not resolve for fallback server: {}",
            server.text
        );
        return faults.error(trimmed(value).span, message);
    };
    let place = match family {
        Family::V4 => &mut given.fallback,
        Family::V6 => &mut given.fallback6,
    };
    let replaced = place.replace(FallbackLine {
        host: at(host),
        port: port.map(at),
        forwarding,
        span: trimmed(value).span,
    });
    given.replaced.extend(replaced.map(|line| (family, line)));
}

fn fallback_address<'a>(
    server: Word<'a>,
    family: Family,
    faults: &mut Faults<'_>,
) -> Option<(Word<'a>, Option<Word<'a>>)> {
    if server.text.is_empty() {
        return None;
    }
    if server.text.starts_with('[') {
        let (host, after) = endpoint(server, family)?;
        return Some((host, port_after(after)?));
    }
    let Some(colon) = server.text.rfind(':') else {
        return Some((server, None));
    };
    let host = server.part(0..colon);
    let port = server.part(colon + 1..server.text.len());
    let address = |word: Word<'_>| word.text.parse::<std::net::Ipv6Addr>().is_ok();
    match family {
        Family::V4 => {
            (!host.text.contains(':') && !host.text.is_empty()).then_some((host, Some(port)))
        }
        Family::V6 if address(host) && is_port(port.text) => {
            let message = format!(
                "\"{}\" is read as [{}]:{}",
                server.text, host.text, port.text
            );
            faults.warning_with(server.span, message, "put the address into brackets");
            Some((host, Some(port)))
        }
        Family::V6 if address(server) => {
            faults.tolerated(server.span, "an IPv6 address stands without brackets");
            Some((server, None))
        }
        Family::V6 => (!host.text.contains(':')).then_some((host, Some(port))),
    }
}

fn forwarding(word: &str) -> Option<Forwarding> {
    match word {
        "gate" => Some(Forwarding::Gate),
        "masq" => Some(Forwarding::Masq),
        "ipip" => Some(Forwarding::Ipip),
        _ => None,
    }
}

/// The address, with blanks around `->` tolerated, and what follows.
fn split_address(value: Word<'_>) -> (Word<'_>, Word<'_>) {
    let (mut address, mut tail) = split_word(value);
    while !tail.text.is_empty() && (address.text.ends_with("->") || tail.text.starts_with("->")) {
        let (more, next) = split_word(tail);
        address = value.part(0..more.span.end - value.span.start);
        tail = next;
    }
    (address, tail)
}

type Place = (At<String>, Option<At<String>>, Option<At<String>>);

/// `ADDRESS[->ADDRESS][:PORT]`; `None` after a complaint.
fn address_and_port(address: Word<'_>, family: Family, faults: &mut Faults<'_>) -> Option<Place> {
    let parts: Vec<Word<'_>> = address
        .split("->")
        .map(|part| trimmed(rest(part, 0)))
        .collect();
    let read = match parts.as_slice() {
        [only] => endpoint(*only, family).map(|(host, after)| (host, None, after)),
        [first, last] => match (endpoint(*first, family), endpoint(*last, family)) {
            (Some((first, nothing)), Some((last, after))) if nothing.text.is_empty() => {
                Some((first, Some(last), after))
            }
            _ => None,
        },
        _ => None,
    };
    if address.text.contains([' ', '\t']) {
        faults.tolerated(address.span, "blanks stand around ->");
    }
    let found = read.and_then(|(host, last, after)| {
        let port = port_after(after)?;
        Some((at(host), last.map(at), port.map(at)))
    });
    if found.is_none() {
        let hint = if address.text.contains("::") && family == Family::V4 {
            "one colon stands between address and port; real6 is for IPv6"
        } else if address.text.contains('_') {
            "host names consist of letters, digits, dots and hyphens"
        } else {
            "e.g. real=10.0.0.1:80 gate"
        };
        faults.error_with(address.span, WRONG_FORMAT, hint);
    }
    found
}

/// A host at the word's beginning, without brackets, and what follows it.
fn endpoint(word: Word<'_>, family: Family) -> Option<(Word<'_>, Word<'_>)> {
    let after = |end: usize| word.part(end..word.text.len());
    if word.text.starts_with('[') && family == Family::V6 {
        let end = word.text.find(']')?;
        return Some((word.part(1..end), after(end + 1)));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let end = word.text.find(|c| !allowed(c)).unwrap_or(word.text.len());
    (end > 0).then(|| (word.part(0..end), after(end)))
}

/// Nothing, or a colon and a port: anything else is `None`.
#[expect(clippy::option_option, reason = "a wrong port is not an absent one")]
fn port_after(word: Word<'_>) -> Option<Option<Word<'_>>> {
    if word.text.is_empty() {
        return Some(None);
    }
    let port = word.text.strip_prefix(':')?;
    is_port(port).then(|| Some(word.part(1..word.text.len())))
}

/// The shape of a port or a service name.
pub(crate) fn is_port(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.chars().all(allowed)
}

/// The text between a quote at the beginning and the next one, and what follows.
fn quoted(word: Word<'_>) -> Option<(Word<'_>, Word<'_>)> {
    let inner = word.text.strip_prefix('"')?;
    let end = inner.find('"')? + 2;
    let text = between_quotes(word.part(0..end))?;
    Some((text, word.part(end..word.text.len())))
}

/// The same where nothing but options may follow: a quote in the middle of a word ends nothing, as to the
/// old daemon, for which the last one of the line did.
fn last_quoted(word: Word<'_>) -> Option<(Word<'_>, Word<'_>)> {
    let ends = |(_, next): &(Word<'_>, Word<'_>)| {
        next.text.is_empty() || next.text.starts_with(|c| blank(c) || c == ',')
    };
    if let Some(found) = quoted(word).filter(ends) {
        return Some(found);
    }
    let end = word.text.rfind('"').filter(|&end| end > 0)? + 1;
    let text = between_quotes(word.part(0..end))?;
    Some((text, word.part(end..word.text.len()))).filter(ends)
}

fn at(word: Word<'_>) -> At<String> {
    At {
        value: word.text.trim_matches(blank).to_owned(),
        span: word.span,
    }
}
