//! What only ldird offers: directives that the old daemon refuses as unknown, so that no file means
//! two things. Their values, and what they come to for a virtual service.

use super::given::{At, Faults, Given};
use super::words::trimmed;
use ha_plumbing::Word;
use ldird_core::config::{Check, RealServer};
use ldird_core::options::{Options, Panic, SecondOpinion};
use std::time::Duration;

/// Less is no check but a flood, and shorter than the pauses of any scheduler.
const MILLISECONDS_MIN: u32 = 50;
/// Above this seconds say it better.
const MILLISECONDS_MAX: u32 = 60_000;
/// How long weights are held where the file does not say.
const PANIC_SECONDS: u32 = 300;
/// The same for the last one, while another director finds a real server up: long enough for somebody to
/// come and look, for it is most probably right.
const OPINION_SECONDS: u32 = 900;

pub(super) fn checkintervalms(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    given.checkintervalms = milliseconds("checkintervalms", word, faults);
}

pub(super) fn checktimeoutms(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    given.checktimeoutms = milliseconds("checktimeoutms", word, faults);
}

pub(super) fn negotiatetimeoutms(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    given.negotiatetimeoutms = milliseconds("negotiatetimeoutms", word, faults);
}

fn milliseconds(name: &str, word: Word<'_>, faults: &mut Faults<'_>) -> Option<At<u32>> {
    let span = trimmed(word).span;
    let range = MILLISECONDS_MIN..=MILLISECONDS_MAX;
    let number = number(word, "ms").filter(|number| range.contains(number));
    if number.is_none() {
        let message = format!("invalid {name}");
        let hint = format!("milliseconds, {MILLISECONDS_MIN} to {MILLISECONDS_MAX}");
        faults.error_with(span, message, hint);
    }
    number.map(|value| At { value, span })
}

pub(super) fn panicthreshold(given: &mut Given, word: Word<'_>, faults: &mut Faults<'_>) {
    let span = trimmed(word).span;
    match number(word, "%") {
        // More than all of them never fail.
        Some(value @ 1..=99) => given.panicthreshold = Some(At { value, span }),
        Some(_) | None => faults.error_with(
            span,
            "invalid panicthreshold",
            "panicthreshold=PERCENT of a virtual service's real servers, 1 to 99",
        ),
    }
}

/// The number alone, or with its unit.
fn number(word: Word<'_>, unit: &str) -> Option<u32> {
    let text = trimmed(word).text;
    let digits = text.strip_suffix(unit).unwrap_or(text).trim_end();
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

/// What `200ms` is where seconds are meant: 200 of them, as for the old daemon, which is told. `None`
/// for any other word, or another directive.
pub(super) fn mistaken_milliseconds(
    name: &str,
    word: Word<'_>,
    faults: &mut Faults<'_>,
) -> Option<u32> {
    if !matches!(name, "checkinterval" | "checktimeout" | "negotiatetimeout") {
        return None;
    }
    let word = trimmed(word);
    let digits = word.text.strip_suffix("ms")?;
    let number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = digits.parse().ok().filter(|_| number)?;
    let text = word.text;
    let message = format!("{name}={text} is {number} seconds, as for the old daemon");
    let hint = format!("{name}ms={number} is milliseconds");
    faults.warning_with(word.span, message, hint);
    Some(number)
}

/// What one scope says of a time, in seconds or milliseconds.
pub(super) fn time(seconds: Option<&At<u32>>, milliseconds: Option<&At<u32>>) -> Option<Duration> {
    match (seconds, milliseconds) {
        (_, Some(at)) => Some(Duration::from_millis(at.value.into())),
        (Some(at), None) => Some(Duration::from_secs(at.value.into())),
        (None, None) => None,
    }
}

/// Of a time that one scope gives twice the milliseconds count.
pub(super) fn tell_twice(given: &Given, faults: &mut Faults<'_>) {
    let pairs = [
        (
            "checkinterval",
            &given.checkinterval,
            &given.checkintervalms,
        ),
        ("checktimeout", &given.checktimeout, &given.checktimeoutms),
        (
            "negotiatetimeout",
            &given.negotiatetimeout,
            &given.negotiatetimeoutms,
        ),
    ];
    for (name, seconds, milliseconds) in pairs {
        if let (Some(at), Some(_)) = (seconds, milliseconds) {
            let message = format!("{name} has no effect beside {name}ms");
            faults.warning(at.span, message);
        }
    }
}

/// What a section, or the globals, ask for.
pub(super) fn options(
    given: &Given,
    global: &Given,
    reals: &[RealServer],
    faults: &mut Faults<'_>,
) -> Options {
    let seconds = |at: &At<u32>| Duration::from_secs(at.value.into());
    let rise = given.risecount.as_ref().or(global.risecount.as_ref());
    let enforce = given.enforce.as_ref().or(global.enforce.as_ref());
    let slow = given.slowstart.as_ref().or(global.slowstart.as_ref());
    let slow = slow.filter(|at| at.value > 0);
    let threshold = given.panicthreshold.as_ref();
    let threshold = threshold.or(global.panicthreshold.as_ref());
    let longest = given.panictime.as_ref().or(global.panictime.as_ref());
    // Said once for the section that asks for it; a global line may be meant for others.
    if let Some(at) = given.slowstart.as_ref().filter(|at| at.value > 0)
        && reals.iter().all(|real| real.weight <= 1)
    {
        let message = "slowstart has no effect: no real server has a weight above 1";
        let hint =
            "there is no weight between 0 and 1: give them 100, e.g. real=10.0.0.1:80 gate 100";
        faults.warning_with(at.span, message, hint);
    }
    let checked = |real: &&RealServer| matches!(real.check, Check::Probe(_));
    if let Some(at) = &given.panicthreshold
        && reals.iter().filter(checked).count() < 2
    {
        let message = "panicthreshold has no effect: it takes two checked real servers at least";
        faults.warning(at.span, message);
    }
    if let (Some(at), None) = (&given.panictime, threshold) {
        faults.warning(at.span, "panictime has no effect without panicthreshold");
    }
    let opinion = second_opinion(given, global, reals, faults);
    Options {
        opinion,
        risecount: rise.map_or(1, |at| at.value),
        enforce: enforce.is_some_and(|at| at.value),
        slowstart: slow.map(seconds),
        panic: threshold.map(|at| Panic {
            percent: at.value,
            longest: longest.map_or(Duration::from_secs(PANIC_SECONDS.into()), seconds),
        }),
    }
}

/// Are others asked before the last real server leaves, and how long do they count?
fn second_opinion(
    given: &Given,
    global: &Given,
    reals: &[RealServer],
    faults: &mut Faults<'_>,
) -> Option<SecondOpinion> {
    let asks = given.secondopinion.as_ref();
    let asks = asks.or(global.secondopinion.as_ref());
    let asks = asks.is_some_and(|at| at.value);
    let checked = |real: &RealServer| matches!(real.check, Check::Probe(_));
    if let Some(at) = given.secondopinion.as_ref().filter(|at| at.value)
        && !reals.iter().any(checked)
    {
        let message = "secondopinion has no effect: no real server is checked";
        faults.warning(at.span, message);
    }
    if let (Some(at), false) = (&given.secondopiniontime, asks) {
        let message = "secondopiniontime has no effect without secondopinion=yes";
        faults.warning(at.span, message);
    }
    let longest = given.secondopiniontime.as_ref();
    let longest = longest.or(global.secondopiniontime.as_ref());
    let longest = longest.map_or(OPINION_SECONDS, |at| at.value);
    asks.then(|| SecondOpinion {
        longest: Duration::from_secs(longest.into()),
    })
}
