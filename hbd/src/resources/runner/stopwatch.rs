//! How long the parts of a start take, for whoever asks where the time went.

use hbd_core::input::{ScriptSteps, Steps};
use std::time::Duration;
use tokio::time::Instant;

/// What a part of a group is started by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Addresses, by hbd itself.
    Address,
    /// A resident director.
    Table,
    Script,
}

/// The parts of one start. As many as the group has resources, at most.
#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    parts: Vec<Part>,
    /// Resident directors have been told that a start is to come, and have agreed.
    pub(super) prepared: bool,
}

#[derive(Debug)]
struct Part {
    by: By,
    word: String,
    begun: Instant,
    ended: Instant,
}

impl Part {
    fn took(&self) -> Duration {
        self.ended.saturating_duration_since(self.begun)
    }
}

impl Stopwatch {
    /// One part has been started, from and until then.
    pub(super) fn note(&mut self, by: By, word: &str, begun: Instant, ended: Instant) {
        let word = word.to_owned();
        self.parts.push(Part {
            by,
            word,
            begun,
            ended,
        });
    }

    /// What there was, and everything from zero.
    pub(super) fn read(&mut self) -> Steps {
        let Self { parts, prepared } = std::mem::take(self);
        let of = |by: By| parts.iter().filter(move |part| part.by == by);
        let slowest = of(By::Script).max_by_key(|part| part.took());
        Steps {
            address: busy(of(By::Address)),
            table: busy(of(By::Table)),
            prepared,
            scripts: slowest
                .zip(busy(of(By::Script)))
                .map(|(part, total)| ScriptSteps {
                    total,
                    slowest: part.word.clone(),
                    longest: part.took(),
                }),
        }
    }
}

/// For how long at least one of them was under way; `None` without any.
fn busy<'a>(parts: impl Iterator<Item = &'a Part>) -> Option<Duration> {
    let mut spans: Vec<(Instant, Instant)> = parts.map(|part| (part.begun, part.ended)).collect();
    spans.sort();
    let mut until = spans.first()?.0;
    let mut total = Duration::ZERO;
    for (begun, ended) in spans {
        total += ended.saturating_duration_since(begun.max(until));
        until = until.max(ended);
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// What was started by these means, from and until so many milliseconds.
    fn watched(parts: &[(By, &str, u64, u64)]) -> Stopwatch {
        let zero = Instant::now();
        let mut watch = Stopwatch::default();
        for (by, word, begun, ended) in parts {
            watch.note(*by, word, zero + ms(*begun), zero + ms(*ended));
        }
        watch
    }

    #[test]
    fn what_is_done_at_once_counts_once_and_the_slowest_script_is_named() {
        let mut watch = watched(&[
            (By::Address, "IPaddr::10.0.0.1", 0, 3),
            (By::Table, "ldirectord::a.cf", 0, 3),
            (By::Table, "ldirectord::b.cf", 0, 7),
            (By::Script, "one", 7, 27),
            (By::Script, "MailTo::root", 27, 137),
        ]);
        watch.prepared = true;
        let steps = watch.read();
        assert_eq!((steps.address, steps.table), (Some(ms(3)), Some(ms(7))));
        assert!(steps.prepared);
        let scripts = steps.scripts.unwrap();
        assert_eq!((scripts.total, scripts.longest), (ms(130), ms(110)));
        assert_eq!(scripts.slowest, "MailTo::root");
        assert_eq!(watch.read(), Steps::default(), "the next start is new");
    }

    #[test]
    fn pauses_between_parts_of_a_kind_do_not_count() {
        let mut watch = watched(&[
            (By::Address, "IPaddr::10.0.0.2", 100, 105),
            (By::Address, "IPaddr::10.0.0.1", 0, 5),
        ]);
        assert_eq!(watch.read().address, Some(ms(10)));
    }
}
