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
    /// True if a part of the counts is our own estimate: the provider reported none, or zero for a
    /// text that came.
    #[serde(
        default,
        rename = "estimated",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub is_estimated: bool,
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
            is_estimated: self.is_estimated || other.is_estimated,
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
            is_estimated: false,
        };
        assert_eq!((one.prompt(), one.total()), (17, 25));
        let two = one + one;
        assert_eq!((two.prompt(), two.total(), two.reasoning), (34, 50, 12));
        assert_eq!(one + Usage::default(), one);
    }

    #[test]
    fn a_sum_with_an_estimate_is_one_and_rows_without_the_mark_are_read() {
        let estimated = Usage {
            is_estimated: true,
            ..Usage::default()
        };
        assert!((Usage::default() + estimated).is_estimated);
        let stored = r#"{"input":1,"cache_read":0,"cache_write":0,"output":2,"reasoning":0}"#;
        let usage: Usage = serde_json::from_str(stored).expect("an earlier row");
        assert!(!usage.is_estimated);
        let text = serde_json::to_string(&usage).expect("JSON");
        assert_eq!(text, stored, "readers of an earlier release still read it");
    }
}
