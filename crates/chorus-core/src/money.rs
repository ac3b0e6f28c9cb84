//! Money in millionths of a US dollar, so that sums are exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// Millionths of a US dollar; negative only as a difference.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MicroUsd(pub i64);

impl MicroUsd {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Whole dollars.
    pub const fn from_dollars(dollars: i64) -> Self {
        Self(dollars * 1_000_000)
    }

    /// The price of `tokens` at `price` for a million tokens, rounded up.
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
            write!(f, "{sign}$0.{micros:06}")
        }
    }
}

/// ProjectThe budget of one project and what has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProjectMoney {
    /// Most that may be spent.
    pub budget: MicroUsd,
    /// Paid for, waste included.
    pub spent: MicroUsd,
    /// Set aside for deliveries under way.
    pub reserved: MicroUsd,
    /// The part of `spent` that bought nothing.
    pub wasted: MicroUsd,
}
