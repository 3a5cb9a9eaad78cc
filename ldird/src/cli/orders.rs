//! The words of `drain`, `undrain`, `weight` and `maintenance`, what an operator says of real servers.

use ha_status::{Action, Word};
use std::time::Duration;

/// The verbs; the words behind them are read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Drain,
    Undrain,
    Weight,
    Maintenance,
}

use crate::orders::{FOR_MAX_S, WEIGHT_MAX};

impl Verb {
    pub(crate) fn read(word: &str) -> Option<Self> {
        match word {
            "drain" => Some(Self::Drain),
            "undrain" => Some(Self::Undrain),
            "weight" => Some(Self::Weight),
            "maintenance" => Some(Self::Maintenance),
            _ => None,
        }
    }

    fn usage(self) -> &'static str {
        match self {
            Self::Drain => "drain VIRTUAL REAL [--for TIME] [--reason TEXT] [--force]",
            Self::Undrain => "undrain VIRTUAL REAL",
            Self::Weight => "weight VIRTUAL REAL N [--for TIME] [--reason TEXT] [--force]",
            Self::Maintenance => {
                "maintenance VIRTUAL REAL on|off [--for TIME] [--reason TEXT] [--force]"
            }
        }
    }
}

/// What is to be told to the director, or what is wrong.
pub(crate) fn read(verb: Verb, words: &[String], force: bool) -> Result<Action, String> {
    let usage = || format!("ldird [CONFIG] {}", verb.usage());
    let mut operands: Vec<&str> = Vec::new();
    let (mut for_s, mut why, mut force) = (None, String::new(), force);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--force" => force = true,
            "--for" => {
                let given = words.next().ok_or_else(usage)?;
                let time = time(given).ok_or_else(|| {
                    format!("--for {given}: a time is 90s, 10m, 2h or 1d, a year at most")
                })?;
                for_s = Some(time.as_secs());
            }
            "--reason" => why.clone_from(words.next().ok_or_else(usage)?),
            option if option.starts_with("--") => {
                return Err(format!("{option}: no such option; {}", usage()));
            }
            operand => operands.push(operand),
        }
    }
    let (service, real, word) = match (verb, operands.as_slice()) {
        (Verb::Drain, [service, real]) => (service, real, Word::Drain),
        (Verb::Undrain, [service, real]) => (service, real, Word::Undrain),
        (Verb::Weight, [service, real, number]) => {
            let weight = number.parse().ok().filter(|weight| *weight <= WEIGHT_MAX);
            let weight = weight
                .ok_or_else(|| format!("{number}: a weight is a number from 0 to {WEIGHT_MAX}"))?;
            (service, real, Word::Weight { weight })
        }
        (Verb::Maintenance, [service, real, "on"]) => {
            (service, real, Word::Maintenance { on: true })
        }
        (Verb::Maintenance, [service, real, "off"]) => {
            (service, real, Word::Maintenance { on: false })
        }
        (Verb::Drain | Verb::Undrain | Verb::Weight | Verb::Maintenance, _) => {
            return Err(usage());
        }
    };
    Ok(Action::Overrule {
        service: (*service).to_owned(),
        real: (*real).to_owned(),
        word,
        for_s,
        why,
        force,
    })
}

/// `90`, `90s`, `10m`, `2h`, `1d`.
pub(super) fn time(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text.get(digits.len()..)?;
    let number: u64 = digits.parse().ok().filter(|number| *number > 0)?;
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let all = number
        .checked_mul(seconds)
        .filter(|all| *all <= FOR_MAX_S)?;
    Some(Duration::from_secs(all))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("10m", 600),
            ("2h", 7200),
            ("1d", 86_400),
        ] {
            assert_eq!(time(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "0",
            "m",
            "10x",
            "-5m",
            "1.5h",
            "99999999999999999999d",
            "400d",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn options_stand_anywhere_and_the_rest_is_who_and_what() {
        let said = words("--for 10m 10.0.0.100:80 10.0.0.1 --reason disk --force");
        let action = read(Verb::Drain, &said, false).unwrap();
        let wanted = Action::Overrule {
            service: "10.0.0.100:80".to_owned(),
            real: "10.0.0.1".to_owned(),
            word: Word::Drain,
            for_s: Some(600),
            why: "disk".to_owned(),
            force: true,
        };
        assert_eq!(action, wanted);
        for (verb, text) in [
            (Verb::Drain, "one"),
            (Verb::Drain, "one two three"),
            (Verb::Drain, "one two --for"),
            (Verb::Drain, "one two --for ever"),
            (Verb::Drain, "one two --forse"),
            (Verb::Weight, "one two"),
            (Verb::Weight, "one two -1"),
            (Verb::Weight, "one two 2147483648"),
            (Verb::Maintenance, "one two maybe"),
        ] {
            assert!(read(verb, &words(text), false).is_err(), "{verb:?} {text}");
        }
    }
}
