//! A list of status codes as a file has it: `200,204,300-399`.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Codes of HTTP.
const CODES: RangeInclusive<u16> = 100..=599;
/// Entries of one list.
const ENTRIES_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Statuses(Arc<[RangeInclusive<u16>]>);

impl Statuses {
    /// `None` for what is no such list.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let entries = text.split(',').map(|entry| {
            let (first, last) = entry.split_once('-').unwrap_or((entry, entry));
            let (first, last) = (code(first)?, code(last)?);
            (first <= last).then_some(first..=last)
        });
        let list: Option<Vec<_>> = entries.take(ENTRIES_MAX + 1).collect();
        list.filter(|list| list.len() <= ENTRIES_MAX)
            .map(|list| Self(list.into()))
    }

    pub(super) fn contain(&self, code: u16) -> bool {
        self.0.iter().any(|range| range.contains(&code))
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, range) in self.0.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            write!(f, "{comma}{}", range.start())?;
            if range.start() < range.end() {
                write!(f, "-{}", range.end())?;
            }
        }
        Ok(())
    }
}

fn code(text: &str) -> Option<u16> {
    let text = text.trim();
    let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let code = text.parse().ok().filter(|_| digits)?;
    CODES.contains(&code).then_some(code)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Statuses;

    #[test]
    fn a_list_has_codes_and_ranges() {
        let list = Statuses::read("200, 204,300-399").unwrap();
        for (code, listed) in [(200, true), (201, false), (204, true), (299, false)] {
            assert_eq!(list.contain(code), listed, "{code}");
        }
        assert!(list.contain(300) && list.contain(399) && !list.contain(400));
        assert_eq!(list.to_string(), "200,204,300-399");
        for wrong in [
            "", "200,", "2xx", "20", "2000", "300-200", "99", "600", "+20", "200-", "200;204",
        ] {
            assert_eq!(Statuses::read(wrong), None, "{wrong}");
        }
        assert_eq!(Statuses::read(&["200"; 65].join(",")), None);
    }
}
