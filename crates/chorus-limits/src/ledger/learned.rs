//! Rate of a limit learned from refusals ([`LearnedRate`]), where no header reports it: lowered at once,
//! raised while no refusal comes.
//!
//! The rate falls to 70 % at most once in four seconds, and by 4 % a second while headers show less than
//! was counted. After ten quiet seconds it comes back fast up to nine tenths of the rate at
//! which the last refusal came, slowly around that rate, and fast again beyond it.

use chorus_core::time::{Millis, Timestamp};

/// Time after a cut in which no other cut is made.
const CUT: Millis = Millis(4_000);
/// Time after a cut or an ease in which nothing is raised.
const HOLD: Millis = Millis(10_000);
/// Time between two eases.
const EASED: Millis = Millis(1_000);
/// Lowest learned rate, in thousandths.
const LOWEST: u64 = 50;
/// Seconds after which the whole rate has come back at the latest.
const MOST_STEPS: u64 = 900;

/// Learned rate in thousandths of the reported or configured amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LearnedRate {
    permille: u64,
    /// Rate at which the last refusal came.
    bound: u64,
    cut_at: Timestamp,
    raised_at: Timestamp,
}

impl LearnedRate {
    /// Returns the rate after a refusal; none when the last cut is too recent for another.
    pub(crate) fn cut(current: Option<Self>, now: Timestamp) -> Option<Self> {
        if current.is_some_and(|rate| now.since(rate.cut_at) < CUT) {
            return None;
        }
        let bound = current.map_or(1000, |rate| rate.permille);
        Some(Self {
            permille: (bound * 7 / 10).max(LOWEST),
            bound,
            cut_at: now,
            raised_at: now + HOLD,
        })
    }

    /// Returns the share of the amount that is in force.
    pub(crate) const fn scaled(self, amount: u64) -> u64 {
        let whole = amount / 1000 * self.permille;
        let rest = amount % 1000 * self.permille / 1000;
        if whole + rest == 0 { 1 } else { whole + rest }
    }

    /// Raises the rate by the whole seconds that passed; returns true once the whole amount is back.
    pub(crate) fn raise(&mut self, now: Timestamp) -> bool {
        let steps = now.since(self.raised_at).0 / 1_000;
        self.raised_at = self.raised_at + Millis(steps * 1_000);
        for _ in 0..steps.min(MOST_STEPS) {
            self.permille += self.step();
            if self.permille >= 1000 {
                return true;
            }
        }
        steps > MOST_STEPS
    }

    /// Lowers the rate a little after a header that shows less than was counted, and waits before it is raised
    /// again.
    pub(crate) fn ease(&mut self, now: Timestamp) {
        if now + HOLD >= self.raised_at + EASED {
            self.bound = self.permille;
            self.permille = (self.permille * 96 / 100).max(LOWEST);
            self.raised_at = now + HOLD;
        }
    }

    /// Returns the raise of one second.
    fn step(&self) -> u64 {
        if self.permille * 10 < self.bound * 9 {
            (self.bound / 100).max(1)
        } else if self.permille * 10 < self.bound * 11 {
            2
        } else {
            (self.permille / 50).max(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_cut_once_in_four_seconds_and_comes_back_slowly_near_its_bound() {
        let at = |seconds: i64| Timestamp(seconds * 1_000);
        let first = LearnedRate::cut(None, at(0)).expect("a first cut");
        assert_eq!(first.scaled(50_000), 35_000);
        assert_eq!(LearnedRate::cut(Some(first), at(3)), None);
        let mut second = LearnedRate::cut(Some(first), at(10)).expect("a second cut");
        assert_eq!((second.scaled(50_000), second.scaled(1)), (24_500, 1));
        assert!(
            !second.raise(at(20)),
            "nothing comes back in the first ten seconds"
        );
        assert_eq!(second.scaled(1_000), 490);
        second.raise(at(40));
        assert_eq!(second.scaled(1_000), 630, "fast up to nine tenths of 700");
        second.raise(at(60));
        assert_eq!(second.scaled(1_000), 670, "slowly around 700");
        let mut third = second;
        third.raise(at(120));
        assert!(third.scaled(1_000) > 780, "fast beyond it");
        assert!(third.raise(at(2_000)));
    }
}
