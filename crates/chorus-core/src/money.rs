//! Money in millionths of a US dollar, so that sums are exact.
//!
//! Neighbour: prices of models are rows of the [`catalog`](crate::catalog).

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// Amount in millionths of a US dollar; negative only as a difference.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MicroUsd(pub i64);

impl MicroUsd {
    /// Zero dollars.
    pub const ZERO: Self = Self(0);

    /// Converts whole dollars.
    pub const fn from_dollars(dollars: i64) -> Self {
        Self(dollars * 1_000_000)
    }

    /// Returns the price of `tokens` at `price` for a million tokens, rounded up.
    pub fn for_tokens(tokens: u64, price: Self) -> Self {
        let total = i128::from(tokens) * i128::from(price.0);
        Self(i64::try_from((total + 999_999) / 1_000_000).unwrap_or(i64::MAX))
    }
}

impl Add for MicroUsd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for MicroUsd {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for MicroUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        if micros >= 1_000_000 || micros == 0 {
            write!(
                f,
                "{sign}${}.{:02}",
                micros / 1_000_000,
                micros % 1_000_000 / 10_000
            )
        } else {
            let digits = format!("{micros:06}");
            let exact = digits.trim_end_matches('0');
            write!(f, "{sign}$0.{exact:0<2}")
        }
    }
}

/// Budget of one project and the amounts taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProjectMoney {
    /// Maximum that may be spent.
    pub budget: MicroUsd,
    /// Amount spent, waste included.
    pub spent: MicroUsd,
    /// Amount reserved for deliveries under way.
    pub reserved: MicroUsd,
    /// Part of [`spent`](Self::spent) that paid for calls without a result.
    pub wasted: MicroUsd,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_rounded_up_to_a_millionth() {
        let price = MicroUsd::from_dollars(3);
        let prices = [0, 1, 333_333, 1_000_000].map(|tokens| MicroUsd::for_tokens(tokens, price));
        assert_eq!(
            prices,
            [
                MicroUsd(0),
                MicroUsd(3),
                MicroUsd(999_999),
                MicroUsd(3_000_000)
            ]
        );
        assert_eq!(MicroUsd::for_tokens(1, MicroUsd(1)), MicroUsd(1));
        assert_eq!(
            MicroUsd::for_tokens(u64::MAX, MicroUsd(i64::MAX)),
            MicroUsd(i64::MAX)
        );
    }

    #[test]
    fn sums_stop_at_the_bounds() {
        let most = MicroUsd(i64::MAX);
        assert_eq!([most, MicroUsd(1)].into_iter().sum::<MicroUsd>(), most);
        assert_eq!(MicroUsd(i64::MIN) - MicroUsd(1), MicroUsd(i64::MIN));
    }

    #[test]
    fn an_amount_below_one_dollar_shows_all_its_digits() {
        let shown = [0, 1, 999_999, 1_234_567, -50_000, -2_500_000];
        let shown = shown.map(|micros| MicroUsd(micros).to_string());
        assert_eq!(
            shown,
            [
                "$0.00",
                "$0.000001",
                "$0.999999",
                "$1.23",
                "-$0.05",
                "-$2.50"
            ]
        );
    }
}
