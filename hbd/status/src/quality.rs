//! How well a node is heard, over one link or over all of them: what hbd has measured since it
//! started, a day of it at most. Everything here is *volatile*.

use serde::{Deserialize, Serialize};

/// One way of hearing one node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quality {
    pub minute: Span,
    pub hour: Span,
    pub day: Span,
    /// The silences of the day that were no outages, by length, the shortest first.
    pub silences: Vec<Silences>,
    /// How far beats are off their rhythm, smoothed, microseconds; `None` before the second beat
    /// and for ping nodes.
    pub jitter_us: Option<u64>,
    /// From a message to its acknowledgement, or to the answer of a ping node, smoothed,
    /// microseconds. Known of nodes and ping nodes, never of one link of several.
    pub round_trip_us: Option<u64>,
}

/// What happened in some time. A silence is the time between two packets that were heard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// All silences together, outages not: the time that was watched.
    pub watched_ms: u64,
    /// Packets that came, each number once.
    pub heard: u64,
    /// Packets that did not, although others of higher number did.
    pub lost: u64,
    /// Packets that came again over the same link.
    pub duplicates: u64,
    /// Half of the silences were no longer than this.
    pub median_ms: u64,
    /// 99 of 100 silences were no longer than this.
    pub p99_ms: u64,
    /// The longest silence that was no outage; exact, where the shares are bounds.
    pub longest_ms: u64,
    /// Silences of four deadtimes and more, after which the same life of the node was heard again.
    pub outages: u64,
    pub longest_outage_ms: u64,
}

/// Silences of nearly the same length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silences {
    /// The first length beyond them.
    pub below_ms: u64,
    pub count: u64,
}

impl Span {
    /// `0 %`, `<0.01 %`, `0.20 %`, `12 %` of the packets were lost.
    pub fn lost_share(&self) -> String {
        match self.lost_ppm() {
            0 if self.lost == 0 => "0 %".to_owned(),
            0..100 => "<0.01 %".to_owned(),
            ppm @ 100..100_000 => format!("{}.{:02} %", ppm / 10_000, ppm % 10_000 / 100),
            ppm => format!("{} %", ppm / 10_000),
        }
    }

    /// Lost packets in a million, of those that were sent; 0 if there were none.
    pub fn lost_ppm(&self) -> u64 {
        let sent = self.heard.saturating_add(self.lost);
        let lost = u128::from(self.lost) * 1_000_000 / u128::from(sent.max(1));
        u64::try_from(lost).unwrap_or(u64::MAX)
    }
}

impl Quality {
    /// How often in the last day this deadtime would have been over although the node was alive:
    /// exact if it is never, else at most so often. Outages are counted.
    pub fn false_deaths(&self, deadtime_ms: u64) -> u64 {
        if self.day.longest_ms < deadtime_ms {
            return self.day.outages;
        }
        let long = |silences: &&Silences| silences.below_ms > deadtime_ms;
        let counts = self.silences.iter().filter(long);
        let sum = counts.fold(0_u64, |sum, silences| sum.saturating_add(silences.count));
        // The longest one is known, and may be longer than any bucket says.
        sum.max(1).saturating_add(self.day.outages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quality(silences: &[(u64, u64)], longest_ms: u64, outages: u64) -> Quality {
        Quality {
            day: Span {
                longest_ms,
                outages,
                ..Span::default()
            },
            silences: silences
                .iter()
                .map(|(below_ms, count)| Silences {
                    below_ms: *below_ms,
                    count: *count,
                })
                .collect(),
            ..Quality::default()
        }
    }

    #[test]
    fn deadtime_beyond_the_longest_silence_kills_nobody() {
        let quality = quality(&[(112, 9000), (224, 7)], 212, 0);
        assert_eq!(quality.false_deaths(213), 0);
        assert_eq!(quality.false_deaths(212), 7, "at most");
        assert_eq!(quality.false_deaths(50), 9007);
    }

    #[test]
    fn outages_count_for_every_deadtime() {
        let quality = quality(&[(112, 9000)], 100, 2);
        assert_eq!(quality.false_deaths(1000), 2);
        assert_eq!(quality.false_deaths(50), 9002);
    }

    #[test]
    fn silence_beyond_all_buckets_is_seen() {
        assert_eq!(
            quality(&[(131_072, 1)], 200_000, 0).false_deaths(150_000),
            1
        );
    }

    #[test]
    fn share_of_lost_packets_is_that_of_those_sent() {
        let span = |heard, lost| Span {
            heard,
            lost,
            ..Span::default()
        };
        assert_eq!(span(0, 0).lost_ppm(), 0);
        assert_eq!(span(99, 1).lost_ppm(), 10_000);
        assert_eq!(span(0, 5).lost_ppm(), 1_000_000);
        for (heard, lost, share) in [
            (10, 0, "0 %"),
            (10_000_000, 1, "<0.01 %"),
            (499, 1, "0.20 %"),
            (3, 1, "25 %"),
        ] {
            assert_eq!(span(heard, lost).lost_share(), share);
        }
    }
}
