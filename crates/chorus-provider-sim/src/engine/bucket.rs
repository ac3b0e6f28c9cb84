//! Token bucket in whole numbers: no rounding, so "never more than the bucket" can be tested
//! exactly.

/// Level of one limit at one moment.
///
/// The level is kept in units of `amount * window`: `amount` units refill each millisecond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    amount: u64,
    window_ms: u64,
    level: i128,
    at_ms: u64,
    lowest: i128,
}

impl Bucket {
    /// Creates a full bucket of `amount` that refills in `window_ms`.
    pub fn full(amount: u64, window_ms: u64, now_ms: u64) -> Self {
        let window_ms = window_ms.max(1);
        let level = i128::from(amount) * i128::from(window_ms);
        Self {
            amount,
            window_ms,
            level,
            at_ms: now_ms,
            lowest: level,
        }
    }

    /// Capacity of the bucket.
    pub const fn amount(&self) -> u64 {
        self.amount
    }

    /// Refills up to a later moment; an earlier one changes nothing.
    pub fn refill(&mut self, now_ms: u64) {
        self.drain(now_ms, 0);
    }

    /// Refills up to a later moment while `amount` was taken evenly since the last one.
    pub fn drain(&mut self, now_ms: u64, amount: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        let full = self.units(self.amount);
        self.level = full
            .min(self.level + i128::from(passed) * i128::from(self.amount) - self.units(amount));
        self.lowest = self.lowest.min(self.level);
        self.at_ms = self.at_ms.max(now_ms);
    }

    /// Returns true if `amount` can be taken now.
    pub fn has(&self, amount: u64) -> bool {
        self.level >= self.units(amount)
    }

    /// Takes `amount`; the level may become negative.
    pub fn take(&mut self, amount: u64) {
        self.level -= self.units(amount);
        self.lowest = self.lowest.min(self.level);
    }

    /// Whole units left, at least 0.
    pub fn remaining(&self) -> u64 {
        u64::try_from(self.level.max(0) / i128::from(self.window_ms)).unwrap_or(0)
    }

    /// Maximum amount in use at one moment; above the limit after a debt.
    pub fn peak_used(&self) -> u64 {
        let used = self.units(self.amount) - self.lowest;
        u64::try_from((used + i128::from(self.window_ms) - 1) / i128::from(self.window_ms))
            .unwrap_or(0)
    }

    /// Milliseconds until `amount` can be taken; `None` if it never fits.
    pub fn wait_ms(&self, amount: u64) -> Option<u64> {
        if amount > self.amount {
            return None;
        }
        let missing = self.units(amount) - self.level;
        if missing <= 0 {
            return Some(0);
        }
        let rate = i128::from(self.amount.max(1));
        u64::try_from((missing + rate - 1) / rate).ok()
    }

    /// Milliseconds until the bucket is full.
    pub fn full_in_ms(&self) -> u64 {
        self.wait_ms(self.amount).unwrap_or(0)
    }

    fn units(&self, amount: u64) -> i128 {
        i128::from(amount) * i128::from(self.window_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_admitted_in_any_span_is_at_most_the_bucket_and_its_refill(
            amount in 1_u64..200,
            window in 1_u64..5_000,
            steps in proptest::collection::vec((0_u64..400, 1_u64..60), 1..80),
        ) {
            let mut bucket = Bucket::full(amount, window, 0);
            let mut now = 0;
            let mut admitted: Vec<(u64, u64)> = Vec::new();
            for (passed, want) in steps {
                now += passed;
                bucket.refill(now);
                if bucket.has(want) {
                    bucket.take(want);
                    admitted.push((now, want));
                }
            }
            for (first, (start, _)) in admitted.iter().enumerate() {
                let mut sum = 0;
                for (end, taken) in &admitted[first..] {
                    sum += taken;
                    let most = u128::from(amount) * u128::from(window) + u128::from(amount) * u128::from(end - start);
                    prop_assert!(u128::from(sum) * u128::from(window) <= most);
                }
            }
            prop_assert!(bucket.peak_used() <= amount);
        }

        #[test]
        fn the_wait_that_it_names_is_enough_and_one_less_is_not(amount in 1_u64..500, window in 1_u64..90_000, taken in 1_u64..900, want in 1_u64..500) {
            let want = want.min(amount);
            let mut bucket = Bucket::full(amount, window, 10);
            bucket.take(taken);
            let wait = bucket.wait_ms(want).expect("the limit is at least what is wanted");
            if wait > 0 {
                let mut early = bucket.clone();
                early.refill(10 + wait - 1);
                prop_assert!(!early.has(want));
            }
            bucket.refill(10 + wait);
            prop_assert!(bucket.has(want));
        }
    }
}
