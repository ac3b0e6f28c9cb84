//! Limits of quota groups, demands on them, leases: the values that cross the `LimitState` port.
//!
//! Provider truth and its sources: a limit belongs to an organisation, workspace, project or subscription
//! times a group of models, never to a key; what is reserved before a call and what is charged after it
//! differs from provider to provider, so both are rules of the limit. The ledger that applies them lives in
//! `chorus-limits`; choice and order live in `chorus-pool`.

mod calendar;
mod resets;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::failure::{FailureClass, GroupReaction};
use crate::id::{CredentialId, GroupId, LeaseId};
use crate::llm::Usage;
use crate::money::MicroUsd;
use crate::time::{Millis, Timestamp};

pub use resets::QuotaResets;

/// What a provider really limits: all limits of one group are charged at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuotaGroup {
    /// Its name, shared by every credential that draws on it.
    pub id: GroupId,
    /// Its limits; none means nothing is known to be limited.
    pub limits: Vec<Limit>,
}

/// One dimension of a quota group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// What is counted.
    pub dimension: Dimension,
    /// How much of it in one window; slots for concurrency, micro-dollars for spend.
    pub amount: u64,
    /// Most that can be saved up; `amount` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// How it comes back.
    pub window: Window,
    /// What is set aside before the call.
    #[serde(default)]
    pub reserve: ReserveRule,
    /// Per cent of cache reads that count (0 at Anthropic, 100 at OpenAI and xAI).
    #[serde(default)]
    pub cache_read_percent: u8,
    /// How many times an output token counts when it is charged (5 at Bedrock, else 1).
    #[serde(default = "one")]
    pub output_weight: u8,
}

const fn one() -> u8 {
    1
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Calls.
    Requests,
    /// Prompt tokens.
    InputTokens,
    /// Produced tokens.
    OutputTokens,
    /// Both together.
    TotalTokens,
    /// Money, in micro-dollars.
    Spend,
    /// Calls in flight.
    Concurrency,
}

/// How a limit's amount comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Window {
    /// Continuously, `amount` in each `per_ms`.
    Bucket {
        /// The time in which the whole amount comes back.
        per_ms: u64,
    },
    /// What was used in the last `per_ms` counts.
    Sliding {
        /// Length of the window.
        per_ms: u64,
    },
    /// All at once at the start of a day, `offset_minutes` east of UTC.
    Day {
        /// Minutes east of UTC at which the provider's day begins.
        #[serde(default)]
        offset_minutes: i32,
    },
    /// All at once at 00:00 UTC on the first of the month.
    Month,
    /// When the call ends; for concurrency.
    Held,
}

/// What is set aside of a limit before a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReserveRule {
    /// What the call will likely use: charged at admission (input and output at p90).
    #[default]
    Estimate,
    /// Output at p50: charged while it is produced.
    AsProduced,
    /// Input plus the call's `max_tokens`.
    InputPlusMax,
    /// The greater of `max_tokens` and the estimate of the input.
    MaxOfBoth,
}

/// What a call will likely use on one credential; tokens as that provider counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CallEstimate {
    /// Prompt tokens, p90.
    pub input: u64,
    /// Produced tokens, p50.
    pub output_p50: u64,
    /// Produced tokens, p90.
    pub output_p90: u64,
    /// The call's `max_tokens`.
    pub max_tokens: u64,
    /// Money at p90.
    pub cost: MicroUsd,
}

impl Limit {
    /// The most that the limit can hold.
    pub fn capacity(&self) -> u64 {
        self.burst.unwrap_or(self.amount)
    }

    /// What is set aside before a call with this estimate.
    pub fn reserved_for(&self, estimate: &CallEstimate) -> u64 {
        let output = match self.reserve {
            ReserveRule::Estimate => estimate.output_p90,
            ReserveRule::AsProduced => estimate.output_p50,
            ReserveRule::InputPlusMax | ReserveRule::MaxOfBoth => estimate.max_tokens,
        };
        match self.dimension {
            Dimension::Requests | Dimension::Concurrency => 1,
            Dimension::InputTokens if self.reserve == ReserveRule::InputPlusMax => {
                estimate.input + estimate.max_tokens
            }
            Dimension::InputTokens => estimate.input,
            Dimension::OutputTokens => output,
            Dimension::TotalTokens if self.reserve == ReserveRule::MaxOfBoth => {
                estimate.input.max(estimate.max_tokens)
            }
            Dimension::TotalTokens => estimate.input + output,
            Dimension::Spend => u64::try_from(estimate.cost.0).unwrap_or(0),
        }
    }

    /// What a call with this usage and cost finally counts.
    pub fn charged_for(&self, usage: &Usage, cost: MicroUsd) -> u64 {
        let cached = u128::from(usage.cache_read) * u128::from(self.cache_read_percent) / 100;
        let input = usage
            .input
            .saturating_add(usage.cache_write)
            .saturating_add(u64::try_from(cached).unwrap_or(u64::MAX));
        let output = usage.output.saturating_mul(u64::from(self.output_weight));
        match self.dimension {
            Dimension::Requests | Dimension::Concurrency => 1,
            Dimension::InputTokens => input,
            Dimension::OutputTokens => output,
            Dimension::TotalTokens => input.saturating_add(output),
            Dimension::Spend => u64::try_from(cost.0).unwrap_or(0),
        }
    }
}

/// A wish to make one call on one of several credentials.
#[derive(Debug, Clone)]
pub struct Demand {
    /// The lease that is wanted; asking again with the same id gives the same answer.
    pub lease: LeaseId,
    /// A person waits for it, so tasks step aside.
    pub interactive: bool,
    /// Until when the call must have been sent.
    pub not_after: Timestamp,
    /// Where it could run.
    pub candidates: Vec<Candidate>,
}

/// One credential on which a call could run.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The credential.
    pub credential: CredentialId,
    /// Every group it draws on.
    pub groups: Vec<Arc<QuotaGroup>>,
    /// What the call will likely use there.
    pub estimate: CallEstimate,
    /// Lower is better; among equals the one with most headroom is taken.
    pub rank: u32,
    /// Parts per thousand of each limit that this call must leave free.
    pub floor_permille: u16,
}

/// The answer to a demand.
#[derive(Debug, Clone, PartialEq)]
pub enum Reserved {
    /// The amounts are set aside.
    Granted(Lease),
    /// No candidate has room now.
    Wait {
        /// When the first one will, if nothing else changes; none when only a freed slot helps.
        at: Option<Timestamp>,
    },
    /// No candidate ever will: the call is larger than every limit.
    Never(String),
}

/// Permission to make one call on one credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// Its id.
    pub id: LeaseId,
    /// The credential.
    pub credential: CredentialId,
    /// What was set aside.
    pub charges: Vec<Charge>,
    /// When it was granted, by the limiter's clock.
    pub granted_at: Timestamp,
    /// Until when it may be sent; then it expires and everything is given back.
    pub not_after: Timestamp,
}

/// An amount set aside on one limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Charge {
    /// The group.
    pub group: GroupId,
    /// The limit in the group.
    pub dimension: Dimension,
    /// How much.
    pub amount: u64,
}

/// The answer to `send`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The call may be made; the lease lives until the deadline.
    Sent,
    /// The lease is not there any more: no call may be made on it.
    Gone,
}

/// How a lease ends.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// No call was made; acts on reserved leases only and gives everything back.
    Unused,
    /// The call ran to its end. A later `Used` corrects the charge of an expired lease, never the slot.
    Used {
        /// What it used.
        usage: Usage,
        /// What it cost.
        cost: MicroUsd,
    },
    /// The call was cut off on our side: the provider may still be generating, so slot and charge stay for `grace`.
    Aborted {
        /// What is known to have been used.
        usage: Option<Usage>,
        /// How long the provider may go on (`abort_grace` of the catalogue).
        grace: Millis,
    },
    /// The provider refused the call.
    Refused {
        /// Whether the refused call counts as a request there.
        counts_request: bool,
    },
}

/// A lease that is put back after the limiter's state was lost.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldLease {
    /// The lease.
    pub lease: Lease,
    /// The groups it draws on, with their limits.
    pub groups: Vec<Arc<QuotaGroup>>,
    /// When the call is cut, once it was sent; none while it is only reserved.
    pub sent_until: Option<Timestamp>,
}

/// Signals of one reply or refusal about the limits of the groups that its lease draws on.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitSignals {
    /// Time at which the request of the reply was sent.
    pub sent_at: Timestamp,
    /// Class of the refusal; none for a reply.
    pub failure: Option<FailureClass>,
    /// Wait that the provider asked for.
    pub retry_after: Option<Millis>,
    /// Limits as the headers showed them.
    pub levels: Vec<ObservedLevel>,
}

impl LimitSignals {
    /// Returns true if there is nothing to learn.
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty() && self.failure.is_none()
    }

    /// Returns the reaction of every group that the lease draws on, by the failure table.
    pub fn reaction(&self) -> GroupReaction {
        self.failure
            .map_or(GroupReaction::Nothing, |class| class.rule().group)
    }
}

/// One limit as a reply's headers showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedLevel {
    /// The limit.
    pub dimension: Dimension,
    /// Its amount in one window.
    pub limit: Option<u64>,
    /// What was left after that request.
    pub remaining: Option<u64>,
    /// When it will be full again.
    pub full_at: Option<Timestamp>,
    /// The provider rounds `remaining` to multiples of this.
    pub rounded_to: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIMENSIONS: [Dimension; 6] = [
        Dimension::Requests,
        Dimension::InputTokens,
        Dimension::OutputTokens,
        Dimension::TotalTokens,
        Dimension::Spend,
        Dimension::Concurrency,
    ];

    fn limit(dimension: Dimension, reserve: ReserveRule) -> Limit {
        Limit {
            dimension,
            amount: 1_000,
            burst: None,
            window: Window::Held,
            reserve,
            cache_read_percent: 10,
            output_weight: 5,
        }
    }

    /// Checks the reservations of all six dimensions, in order, under one rule.
    fn check(reserve: ReserveRule, expected: [u64; 6]) {
        let estimate = CallEstimate {
            input: 100,
            output_p50: 20,
            output_p90: 30,
            max_tokens: 400,
            cost: MicroUsd(7),
        };
        let reserved =
            DIMENSIONS.map(|dimension| limit(dimension, reserve).reserved_for(&estimate));
        assert_eq!(reserved, expected, "{reserve:?}");
    }

    #[test]
    fn each_rule_reserves_its_own_amount() {
        check(ReserveRule::Estimate, [1, 100, 30, 130, 7, 1]);
        check(ReserveRule::AsProduced, [1, 100, 20, 120, 7, 1]);
        check(ReserveRule::InputPlusMax, [1, 500, 400, 500, 7, 1]);
        check(ReserveRule::MaxOfBoth, [1, 100, 400, 400, 7, 1]);
    }

    #[test]
    fn a_charge_weighs_cache_reads_and_output_as_the_provider_does() {
        let usage = Usage {
            input: 100,
            cache_read: 1_000,
            cache_write: 10,
            output: 20,
            reasoning: 5,
        };
        let charged = DIMENSIONS.map(|dimension| {
            limit(dimension, ReserveRule::Estimate).charged_for(&usage, MicroUsd(7))
        });
        assert_eq!(charged, [1, 210, 100, 310, 7, 1]);
        let refund =
            limit(Dimension::Spend, ReserveRule::Estimate).charged_for(&usage, MicroUsd(-1));
        assert_eq!(refund, 0, "a negative price charges nothing");
    }

    #[test]
    fn a_limit_without_a_burst_holds_one_window() {
        let mut limit = limit(Dimension::Requests, ReserveRule::Estimate);
        assert_eq!(limit.capacity(), 1_000);
        limit.burst = Some(5);
        assert_eq!(limit.capacity(), 5);
    }

    #[test]
    fn a_limit_in_a_table_needs_three_fields_and_takes_no_unknown_one() {
        let row = r#"{"dimension": "requests", "amount": 50, "window": {"kind": "bucket", "per_ms": 60000}}"#;
        let limit: Limit = serde_json::from_str(row).expect("three fields are enough");
        assert_eq!(
            (
                limit.reserve,
                limit.cache_read_percent,
                limit.output_weight,
                limit.burst
            ),
            (ReserveRule::Estimate, 0, 1, None)
        );
        for wrong in [
            row.replace("amount", "amounts"),
            row.replace("per_ms", "per_s"),
            row.replace("requests", "calls"),
            row.replace("\"amount\": 50", "\"amount\": 50, \"colour\": 1"),
        ] {
            assert!(serde_json::from_str::<Limit>(&wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_counts_of_a_provider_can_be_charged(counts in prop::array::uniform5(any::<u64>()), percent in any::<u8>(), weight in any::<u8>()) {
            let [input, cache_read, cache_write, output, reasoning] = counts;
            let usage = Usage { input, cache_read, cache_write, output, reasoning };
            for dimension in DIMENSIONS {
                let limit = Limit { cache_read_percent: percent, output_weight: weight, ..limit(dimension, ReserveRule::Estimate) };
                let charged = limit.charged_for(&usage, MicroUsd(i64::MAX));
                let least = match dimension {
                    Dimension::InputTokens => input.max(cache_write),
                    Dimension::OutputTokens if weight > 0 => output,
                    _ => 0,
                };
                prop_assert!(charged >= least);
            }
            prop_assert!(usage.total() >= usage.prompt() && usage.prompt() >= input);
            let twice = usage + usage;
            prop_assert!(twice.output >= output);
        }
    }
}
