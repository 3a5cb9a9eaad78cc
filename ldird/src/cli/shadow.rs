//! The words behind `shadow`.

use super::orders::time;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const SHADOW: &str = "shadow";
const USAGE: &str = "ldird [CONFIG] shadow [--for TIME] [--report FILE]";

/// How long it watches, and where its report is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Watch {
    pub(crate) limit: Option<Duration>,
    pub(crate) report: Option<PathBuf>,
}

/// What is wanted, or what is wrong.
pub(crate) fn read(words: &[String]) -> Result<Watch, String> {
    let mut watch = Watch::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| USAGE.to_owned());
        match word.as_str() {
            "--for" => {
                let given = value()?;
                let limit = time(given).ok_or_else(|| {
                    format!("--for {given}: a time is 90s, 10m, 2h or 7d, a year at most")
                })?;
                watch.limit = Some(limit);
            }
            "--report" => watch.report = Some(value()?.into()),
            other => return Err(format!("{other}: no such option; {USAGE}")),
        }
    }
    Ok(watch)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_watch_has_an_end_and_a_report_if_somebody_says_so() {
        assert_eq!(read(&[]), Ok(Watch::default()));
        let wanted = Watch {
            limit: Some(Duration::from_secs(7 * 86_400)),
            report: Some("/tmp/r".into()),
        };
        assert_eq!(read(&words("--report /tmp/r --for 7d")), Ok(wanted));
        for wrong in ["--for", "--for ever", "--report", "--once", "7d"] {
            assert!(read(&words(wrong)).is_err(), "{wrong}");
        }
    }
}
