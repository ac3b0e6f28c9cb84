//! Accounts of a run: their limits as the operator typed them in, by size and by the provider's way of charging.

use std::collections::BTreeMap;

use chorus_core::limit::{Dimension, Limit, ReserveRule, Window, Zone};

/// Way in which all providers of a run charge a call (`reference/limits.md` 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Charging {
    /// Requests, prompt and produced tokens, all when the call arrives.
    Admission,
    /// Anthropic: requests and prompt when the call arrives, produced tokens as they are produced.
    Anthropic,
    /// OpenAI: requests, and the greater of `max_tokens` and the prompt, when the call arrives.
    Openai,
    /// Mistral: requests, and prompt and produced tokens at the end, in sliding minutes.
    Mistral,
    /// Bedrock: prompt and `max_tokens` when the call arrives, prompt and five times the output at the end.
    Bedrock,
    /// Gemini: requests and prompt tokens a minute, requests a day.
    Gemini,
    /// DeepSeek: calls in flight only.
    Deepseek,
}

impl Charging {
    /// The ways of the bars, in their order.
    pub(crate) const ALL: [Self; 3] = [Self::Admission, Self::Anthropic, Self::Openai];
    /// The other ways.
    pub(crate) const OTHERS: [Self; 4] =
        [Self::Mistral, Self::Bedrock, Self::Gemini, Self::Deepseek];

    /// Name in cells and tables.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Admission => "admission",
            Self::Anthropic => "anthropic",
            Self::Openai => "openai",
            Self::Mistral => "mistral",
            Self::Bedrock => "bedrock",
            Self::Gemini => "gemini",
            Self::Deepseek => "deepseek",
        }
    }
}

/// Sizes of the accounts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spread {
    /// Half small, a third of four times that, a sixth of ten times: the twelve accounts of 4.6, or as many.
    Unequal,
    /// All of the middle size.
    Equal,
    /// As unequal ones, with small accounts of half the size: one to twenty.
    Wide,
}

impl Spread {
    /// Name in cells and tables.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unequal => "unequal",
            Self::Equal => "1:1",
            Self::Wide => "1:20",
        }
    }
}

/// Amounts of one account: per minute, but for slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Amounts {
    pub(crate) requests: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) slots: u64,
}

const fn amounts(requests: u64, input: u64, output: u64, slots: u64) -> Amounts {
    Amounts {
        requests,
        input,
        output,
        slots,
    }
}

/// Requests a day as a multiple of those a minute.
pub(crate) const DAILY: u64 = 20;

const TINY: Amounts = amounts(25, 25_000, 5_000, 4);
const SMALL: Amounts = amounts(50, 50_000, 10_000, 8);
const MIDDLE: Amounts = amounts(200, 200_000, 40_000, 16);
const LARGE: Amounts = amounts(500, 500_000, 100_000, 32);

/// [`Amounts`] of `count` accounts.
pub(crate) fn fleet(count: usize, spread: Spread) -> Vec<Amounts> {
    let (small, large) = match spread {
        Spread::Equal => return vec![MIDDLE; count],
        Spread::Unequal => (SMALL, LARGE),
        Spread::Wide => (TINY, LARGE),
    };
    let (of_small, of_large) = match count {
        0 | 1 => (0, 0),
        _ => (count / 2, count.div_ceil(6).min(count / 4)),
    };
    let middle = count - of_small - of_large;
    let parts = [(small, of_small), (MIDDLE, middle), (large, of_large)];
    parts
        .into_iter()
        .flat_map(|(kind, number)| std::iter::repeat_n(kind, number))
        .collect()
}

/// Equal accounts of a fleet, counted.
pub(crate) fn kinds(fleet: &[Amounts]) -> BTreeMap<Amounts, u64> {
    let mut kinds = BTreeMap::new();
    for amounts in fleet {
        *kinds.entry(*amounts).or_insert(0) += 1;
    }
    kinds
}

impl Amounts {
    /// Limits of the account's group, as an operator types them in.
    pub(crate) fn limits(self, charging: Charging) -> Vec<Limit> {
        let slots = Limit {
            window: Window::Held,
            ..per_minute(Dimension::Concurrency, self.slots, ReserveRule::Estimate)
        };
        let requests = per_minute(Dimension::Requests, self.requests, ReserveRule::Estimate);
        let input = per_minute(Dimension::InputTokens, self.input, ReserveRule::Estimate);
        let output = |reserve| per_minute(Dimension::OutputTokens, self.output, reserve);
        let total = |amount, reserve| per_minute(Dimension::TotalTokens, amount, reserve);
        match charging {
            Charging::Admission => vec![requests, input, output(ReserveRule::Estimate), slots],
            Charging::Anthropic => vec![requests, input, output(ReserveRule::AsProduced), slots],
            Charging::Openai => {
                let total = total(self.input + self.output, ReserveRule::MaxOfBoth);
                vec![requests, total, slots]
            }
            Charging::Mistral => {
                let window = Window::Sliding { per_ms: 60_000 };
                let total = total(self.input + self.output, ReserveRule::Estimate);
                vec![
                    Limit { window, ..requests },
                    Limit { window, ..total },
                    slots,
                ]
            }
            Charging::Bedrock => {
                let total = Limit {
                    output_weight: 5,
                    ..total(self.input + 5 * self.output, ReserveRule::InputPlusMax)
                };
                vec![total, slots]
            }
            Charging::Gemini => {
                let amount = self.requests * DAILY;
                let day = Limit {
                    window: Window::Day { zone: Zone::UTC },
                    ..per_minute(Dimension::Requests, amount, ReserveRule::Estimate)
                };
                vec![requests, input, day, slots]
            }
            Charging::Deepseek => vec![slots],
        }
    }
}

/// Limit that comes back continuously, the whole amount in a minute.
const fn per_minute(dimension: Dimension, amount: u64, reserve: ReserveRule) -> Limit {
    Limit {
        dimension,
        amount,
        burst: None,
        window: Window::Bucket { per_ms: 60_000 },
        reserve,
        cache_read_percent: 0,
        output_weight: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_accounts_are_those_of_the_study_and_others_are_alike() {
        let twelve = kinds(&fleet(12, Spread::Unequal));
        assert_eq!(
            twelve,
            BTreeMap::from([(SMALL, 6), (MIDDLE, 4), (LARGE, 2)])
        );
        assert_eq!(fleet(1, Spread::Unequal), [MIDDLE]);
        for count in [1, 4, 12, 64, 1_000] {
            for spread in [Spread::Unequal, Spread::Equal, Spread::Wide] {
                assert_eq!(fleet(count, spread).len(), count);
            }
        }
    }
}
