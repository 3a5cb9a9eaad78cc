//! The value syntaxes of ha.cf (Heartbeat specification 1.3).

use std::time::Duration;

/// Longest time accepted. Far beyond use, and clock arithmetic with it cannot overflow.
pub const MAX_TIME: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Digits before the point that are looked at; more is longer than [`MAX_TIME`] anyway.
const MAX_DIGITS: usize = 18;

/// Microseconds and their kin are counted in billionths of a second.
const NANOS: u128 = 1_000_000_000;
const NANOS_PER_MS: u128 = 1_000_000;

/// What a time looks like, for hints.
pub const TIME_HINT: &str = "write seconds without a unit, or a number directly followed by ms or \
                             us: 2, .5, 500ms";

/// `2`, `.5`, `1.5`, `500ms`, `499us`, `1msec`: rounded to the nearest millisecond.
pub fn time(text: &str) -> Option<Duration> {
    let numeric = |c: char| c.is_ascii_digit() || c == '.';
    let end = text.find(|c| !numeric(c)).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let unit = unit.as_bytes();
    let nanos_per_unit = if unit.is_empty() {
        NANOS
    } else if unit.get(..2)?.eq_ignore_ascii_case(b"ms") {
        NANOS_PER_MS
    } else if unit.get(..2)?.eq_ignore_ascii_case(b"us") {
        1_000
    } else {
        return None;
    };
    let nanos = decimal(number, nanos_per_unit)?;
    let ms = nanos.checked_add(NANOS_PER_MS / 2)? / NANOS_PER_MS;
    let time = Duration::from_millis(u64::try_from(ms).ok()?);
    (time <= MAX_TIME).then_some(time)
}

/// `number` × `scale`; digits too small to matter are ignored.
fn decimal(number: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let no_digits = whole.is_empty() && fraction.is_empty();
    if no_digits || fraction.contains('.') || whole.len() > MAX_DIGITS {
        return None;
    }
    let whole: u128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let fraction = fraction.get(..MAX_DIGITS).unwrap_or(fraction);
    let power = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part: u128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    whole
        .checked_mul(scale)?
        .checked_add(part.checked_mul(scale)? / power)
}

/// `true on yes y 1` and `false off no n 0`, in any case.
pub fn boolean(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["true", "on", "yes", "y", "1"]) {
        Some(true)
    } else if is(&["false", "off", "no", "n", "0"]) {
        Some(false)
    } else {
        None
    }
}

/// A number as C's `atoi` reads it: leading digits, anything else is 0. `exact` says whether a
/// person would agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integer {
    /// Saturated.
    pub value: i64,
    pub exact: bool,
}

pub fn integer(text: &str) -> Integer {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    let leading = digits.get(..end).unwrap_or_default();
    let magnitude = leading.bytes().fold(0i64, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    Integer {
        value: if negative { -magnitude } else { magnitude },
        exact: end == digits.len() && !leading.is_empty(),
    }
}

#[cfg(test)]
mod tests;
