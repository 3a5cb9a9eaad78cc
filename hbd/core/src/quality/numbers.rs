//! Which of the last numbers came: a window that slides with the newest one. Every message goes out
//! on every link, so a number that was passed over and does not come while the window covers it was
//! lost here, whether another link delivered it or not.

/// Numbers that the window covers, the newest included; one that is late by more counts as lost.
const WIDTH: u64 = 16;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Numbers {
    /// The highest number; 0 before the first.
    newest: u64,
    /// Bit n: whether `newest - n` came, or was none of ours to wait for.
    came: u16,
}

/// What a number tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Came {
    /// It had come before.
    pub(super) again: bool,
    /// So many others will not come any more.
    pub(super) lost: u64,
}

impl Numbers {
    pub(super) fn take(&mut self, seq: u64) -> Came {
        if self.newest == 0 {
            // Of those before nobody knows whether they were sent to us.
            (self.newest, self.came) = (seq, u16::MAX);
            return Came::default();
        }
        let Some(ahead) = seq.checked_sub(self.newest).filter(|ahead| *ahead > 0) else {
            return self.late(self.newest - seq);
        };
        self.newest = seq;
        let (gone, kept) = match u32::try_from(ahead) {
            Ok(step) if ahead < WIDTH => (self.came >> (WIDTH - ahead), self.came << step),
            Ok(_) | Err(_) => (self.came, 0),
        };
        self.came = kept | 1;
        let left = ahead.min(WIDTH);
        let beyond = ahead.saturating_sub(WIDTH);
        let lost = left.saturating_sub(u64::from(gone.count_ones())) + beyond;
        Came { again: false, lost }
    }

    /// One that is not the newest, or is it once more.
    fn late(&mut self, behind: u64) -> Came {
        // Long gone: it was counted as lost, or had come.
        let Some(bit) = 1_u16.checked_shl(u32::try_from(behind).unwrap_or(u32::MAX)) else {
            let (again, lost) = (true, 0);
            return Came { again, lost };
        };
        let again = self.came & bit != 0;
        self.came |= bit;
        Came { again, lost: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Duplicates, and what was lost for sure.
    fn take(numbers: &[u64]) -> (usize, u64) {
        let mut window = Numbers::default();
        let came: Vec<Came> = numbers.iter().map(|seq| window.take(*seq)).collect();
        let again = came.iter().filter(|came| came.again).count();
        (again, came.iter().map(|came| came.lost).sum())
    }

    #[test]
    fn numbers_in_order_lose_nothing_wherever_they_begin() {
        let numbers: Vec<u64> = (1000..1200).collect();
        assert_eq!(take(&numbers), (0, 0));
    }

    #[test]
    fn number_that_never_comes_is_lost_once_the_window_has_passed_it() {
        let missing: Vec<u64> = (1..17).filter(|seq| *seq != 5).collect();
        assert_eq!(take(&missing), (0, 0), "it may still come");
        let missing: Vec<u64> = (1..60).filter(|seq| *seq != 5).collect();
        assert_eq!(take(&missing), (0, 1));
    }

    #[test]
    fn late_and_swapped_numbers_are_not_lost() {
        assert_eq!(take(&[1, 3, 2, 5, 4, 6, 7, 8, 9, 30]), (0, 5));
        let pairs = (1..50).flat_map(|pair| [2 * pair + 1, 2 * pair]);
        let swapped: Vec<u64> = std::iter::once(1).chain(pairs).collect();
        assert_eq!(take(&swapped), (0, 0));
    }

    #[test]
    fn same_number_again_is_a_duplicate() {
        assert_eq!(take(&[7, 7, 8, 7, 8, 9]), (3, 0));
    }

    #[test]
    fn leap_loses_all_that_it_passes_over_when_the_window_has_moved_on() {
        let mut numbers = vec![1, 101];
        numbers.extend(102..140);
        assert_eq!(take(&numbers), (0, 99));
        assert_eq!(take(&[1, u64::MAX]).1, u64::MAX - 17);
    }
}
