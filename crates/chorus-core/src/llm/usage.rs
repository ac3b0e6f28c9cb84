//! Token counts of a call, as the provider reported them;
//! [`Price::cost`](crate::catalog::Price::cost) turns them into money.

use std::ops::Add;

use serde::{Deserialize, Serialize};

/// Tokens of one call. The classes do not overlap unless a field says so. Sums stop at the largest
/// number: a provider may send any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Prompt tokens that were neither read from nor written to a cache.
    pub input: u64,
    /// Prompt tokens read from a cache.
    #[serde(default)]
    pub cache_read: u64,
    /// Prompt tokens written to a cache.
    #[serde(default)]
    pub cache_write: u64,
    /// Produced tokens, thinking included.
    pub output: u64,
    /// Thinking tokens, a part of `output`.
    #[serde(default)]
    pub reasoning: u64,
}

impl Usage {
    /// Returns the number of all prompt tokens.
    pub const fn prompt(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_write)
    }

    /// Returns the number of all tokens, prompt and produced.
    pub const fn total(&self) -> u64 {
        self.prompt().saturating_add(self.output)
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinking_is_counted_once_as_part_of_the_output() {
        let one = Usage {
            input: 10,
            cache_read: 5,
            cache_write: 2,
            output: 8,
            reasoning: 6,
        };
        assert_eq!((one.prompt(), one.total()), (17, 25));
        let two = one + one;
        assert_eq!((two.prompt(), two.total(), two.reasoning), (34, 50, 12));
        assert_eq!(one + Usage::default(), one);
    }
}
