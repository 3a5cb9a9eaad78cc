//! How many silences were how long: buckets that grow with the length, four to each doubling, so
//! that a bound is never off by more than a quarter. Whole milliseconds from 0 to two minutes; what
//! is longer is in the last one.

/// Buckets: up to 2^17 ms.
pub(super) const BUCKETS: usize = 64;

/// Bits that tell the buckets of one doubling apart.
const FINE_BITS: u32 = 2;
const FINE: u64 = 1 << FINE_BITS;

#[derive(Debug, Clone)]
pub(super) struct Histogram([u32; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Histogram {
    pub(super) fn add(&mut self, ms: u64) {
        if let Some(count) = self.0.get_mut(bucket(ms)) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }

    /// The first length beyond each bucket, milliseconds, and how many silences it has; only those
    /// that have any.
    pub(super) fn filled(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.0.iter().enumerate().filter(|(_, count)| **count > 0);
        counts.map(|(bucket, count)| (end(bucket), u64::from(*count)))
    }

    /// A length that this share of all silences, in thousandths, does not exceed.
    pub(super) fn within(&self, thousandths: u64) -> u64 {
        let total: u64 = self.filled().map(|(_, count)| count).sum();
        let wanted = total.saturating_mul(thousandths).div_ceil(1000);
        let mut passed = 0;
        let mut found = self.filled().filter(|(_, count)| {
            passed += count;
            passed >= wanted
        });
        found.next().map_or(0, |(end, _)| end.saturating_sub(1))
    }
}

/// In which bucket a length is.
fn bucket(ms: u64) -> usize {
    if ms < FINE {
        return usize::try_from(ms).unwrap_or(0);
    }
    let doubling = ms.ilog2();
    let fine = (ms >> (doubling - FINE_BITS)) % FINE;
    let place = u64::from(doubling - FINE_BITS + 1) * FINE + fine;
    usize::try_from(place).map_or(BUCKETS - 1, |place| place.min(BUCKETS - 1))
}

/// The first length beyond a bucket.
fn end(bucket: usize) -> u64 {
    let bucket = u64::try_from(bucket).unwrap_or(u64::MAX);
    if bucket < FINE {
        return bucket + 1;
    }
    (FINE + bucket % FINE + 1) << (bucket / FINE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_in_a_bucket_that_ends_beyond_it_by_a_quarter_at_most() {
        for ms in 0..131_072_u64 {
            let end = end(bucket(ms));
            assert!(ms < end && end <= ms + 1 + ms / 4, "{ms}: {end}");
        }
        assert_eq!(bucket(131_071), BUCKETS - 1);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn buckets_follow_each_other_without_gap() {
        for ms in 1..131_072_u64 {
            let step = bucket(ms) - bucket(ms - 1);
            assert!(step <= 1, "{ms}");
            assert_eq!(step == 1, end(bucket(ms - 1)) == ms, "{ms}");
        }
    }

    #[test]
    fn share_of_the_silences_is_within_the_bound_that_is_told_for_it() {
        let mut histogram = Histogram::default();
        for ms in 0..1000 {
            histogram.add(ms);
        }
        assert!((499..624).contains(&histogram.within(500)));
        assert!((989..1250).contains(&histogram.within(990)));
        assert_eq!(Histogram::default().within(500), 0);
    }
}
