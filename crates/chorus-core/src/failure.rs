//! Kinds of upstream failure and the one table of reactions to them.
//!
//! [`FailureClass`] names what a failed provider call means; `chorus-upstream` derives it from the
//! provider's error rows. [`TABLE`] holds one [`FailureRule`] a class and each column of it is one
//! reaction: of the lease, the attempt, the credential, the limits ledger, the account's health,
//! the breaker and the client. Code that reacts to a failure reads its column and never matches
//! on the class; `cargo xtask tidy` checks that every column has a reader.
//!
//! Deliberately absent: classification, and the state that the reactions change.

use serde::{Deserialize, Serialize};

use crate::time::{Millis, Timestamp};

/// Meaning of a failed provider call (`reference/limits.md` 1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The window of a rate limit is used up.
    RateWindow,
    /// Load grew faster than the provider accepts.
    Ramp,
    /// Too many calls are in flight on the account.
    Concurrency,
    /// The provider has no capacity; the account is not to blame.
    Overload,
    /// The quota of a day is used up.
    QuotaDay,
    /// Money or credit ran out, or a spend limit is reached.
    Spend,
    /// The credential is not accepted.
    Auth,
    /// The credential may not use this model.
    Forbidden,
    /// The request itself is wrong.
    Request,
    /// A failure that may pass: 5xx, timeouts, broken connections, unknown errors.
    Transient,
    /// The stream broke after the provider had accepted the call.
    MidStream,
}

/// Reactions to one class of failure; a row of [`TABLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureRule {
    /// Key of the row.
    pub class: FailureClass,
    /// End of the call's lease when no part of a reply was received.
    pub lease_end: LeaseEnd,
    /// Next state of the attempt.
    pub requeue: RequeueReaction,
    /// Next state of the credential.
    pub credential: CredentialReaction,
    /// Change of every quota group that the lease drew on.
    pub group: GroupReaction,
    /// Effect on the rank of the account among admissible ones.
    pub account_health: HealthReaction,
    /// Effect on the breaker of the provider's route to the model.
    pub breaker: BreakerReaction,
    /// True if the call may move to another account of the same owner at the same provider
    /// without a recorded `same_owner_spill`.
    pub may_move_to_sibling: bool,
    /// Bound of the first delay before the next try; doubles with each counted retry.
    pub base_delay: Millis,
    /// Text for the client when the failure is final.
    pub client_text: ClientText,
    /// HTTP status of the reply to a caller after a final failure.
    pub http_status: u16,
}

/// End of the lease of a failed call of which nothing was received.
///
/// Two facts come before the table: a call that was never sent charges nothing, and a call that
/// broke without a status keeps its slot for the provider's `abort_grace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseEnd {
    /// `End::Refused`; it counts as a request where the provider's row sets `refused_counts`.
    Refused,
    /// `End::Used` with the prompt as its usage: the provider had accepted the call.
    Used,
}

/// Next state of an attempt after a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequeueReaction {
    /// Queued again; no counter grows.
    NotCounted,
    /// Queued again as a retry; the attempt fails after `max_retries` of them.
    CountedAsRetry,
    /// Queued again for another model; the attempt fails where none is left.
    OtherModel,
}

/// Next state of the credential that a failed call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialReaction {
    /// Stays as it is.
    Unchanged,
    /// Parked until the next day of its quota groups begins.
    ParkedUntilDay,
    /// Parked until it is tried again: the end of a rolling spend window, else after a doubling pause.
    ParkedUntilMoney,
    /// Refused until an operator acts.
    Refused,
}

/// Change of a quota group in the limits ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupReaction {
    /// None beyond the levels that the reply's headers show.
    Nothing,
    /// Empties the exhausted limits and closes the group until `retry-after`.
    CloseBucket,
    /// Halves the cap on calls in flight and closes the group until `retry-after`.
    HalveRamp,
    /// Lowers the cap on calls in flight below the present count.
    LowerConcurrency,
    /// Closes the group until the next day of its own quota begins.
    CloseUntilDay,
    /// Closes the group until money returns.
    CloseUntilMoney,
}

/// Effect of a failure on the health of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthReaction {
    /// None: the failure does not speak about the account.
    Neutral,
    /// Counts against the account: lowers its rank for a while, and some in a row rest it.
    CountsAgainst,
    /// Counts against the account and this model only: it rests at once, other models go on.
    CountsAgainstModel,
    /// Rests the account after some in a row without a reply, whatever wait the provider named.
    CountsAsLimit,
}

/// Effect of a failure on the breaker of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerReaction {
    /// Neither good nor bad: a probe that ends so gives its slot back.
    Ignored,
    /// Counts towards opening the breaker.
    CountsAgainst,
}

/// Stable code and sentence for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientText {
    /// Stable code, `upstream_…`.
    pub code: &'static str,
    /// Sentence with `{message}` in the place of the provider's own text.
    pub template: &'static str,
}

impl ClientText {
    /// Returns the sentence with the provider's own text filled in.
    pub fn render(&self, message: &str) -> String {
        self.template.replace("{message}", message)
    }
}

/// Longest wait between two tries, whether a provider asked for it or doubling led to it.
///
/// The account rests for the whole time that was asked, through the limits ledger or its parked
/// credential. The attempt is kept back for this long at most, because other accounts may serve it.
pub const LONGEST_WAIT: Millis = Millis::from_secs(30);

/// Upper bound of `chance` in [`retry_at`].
pub const CHANCE: u64 = 1_000_000;

const SECOND: Millis = Millis::from_secs(1);

/// The reactions, one row a class, in the order of [`FailureClass`].
pub const TABLE: [FailureRule; 11] = [
    FailureRule {
        class: FailureClass::RateWindow,
        account_health: HealthReaction::CountsAsLimit,
        group: GroupReaction::CloseBucket,
        client_text: ClientText {
            code: "upstream_rate_limited",
            template: "a rate limit of the account is reached: {message}",
        },
        ..LIMIT
    },
    FailureRule {
        class: FailureClass::Ramp,
        account_health: HealthReaction::CountsAsLimit,
        group: GroupReaction::HalveRamp,
        client_text: ClientText {
            code: "upstream_ramp_limited",
            template: "the load of the account grew too fast: {message}",
        },
        ..LIMIT
    },
    FailureRule {
        class: FailureClass::Concurrency,
        account_health: HealthReaction::CountsAsLimit,
        group: GroupReaction::LowerConcurrency,
        // A slot becomes free with any call that ends, sooner than a window.
        base_delay: Millis(500),
        client_text: ClientText {
            code: "upstream_concurrency_limited",
            template: "the account has too many calls in flight: {message}",
        },
        ..LIMIT
    },
    FailureRule {
        class: FailureClass::Overload,
        client_text: ClientText {
            code: "upstream_overloaded",
            template: "the provider is overloaded: {message}",
        },
        http_status: 503,
        ..PASSING
    },
    FailureRule {
        class: FailureClass::QuotaDay,
        credential: CredentialReaction::ParkedUntilDay,
        group: GroupReaction::CloseUntilDay,
        client_text: ClientText {
            code: "upstream_daily_quota_used",
            template: "the daily quota of the account is used up: {message}",
        },
        ..LIMIT
    },
    FailureRule {
        class: FailureClass::Spend,
        credential: CredentialReaction::ParkedUntilMoney,
        group: GroupReaction::CloseUntilMoney,
        // 402 comes from one account's wallet; its siblings may still have money.
        account_health: HealthReaction::CountsAgainst,
        client_text: ClientText {
            code: "upstream_out_of_money",
            template: "the account has no money left: {message}",
        },
        http_status: 402,
        ..LIMIT
    },
    FailureRule {
        class: FailureClass::Auth,
        // Not the attempt's fault, and the credential cannot be chosen again.
        requeue: RequeueReaction::NotCounted,
        credential: CredentialReaction::Refused,
        breaker: BreakerReaction::Ignored,
        client_text: ClientText {
            code: "upstream_credential_refused",
            template: "the provider does not accept the credential: {message}",
        },
        ..PASSING
    },
    FailureRule {
        class: FailureClass::Forbidden,
        // Counted: where no other account serves the model, the attempt fails in the end.
        account_health: HealthReaction::CountsAgainstModel,
        breaker: BreakerReaction::Ignored,
        client_text: ClientText {
            code: "upstream_model_forbidden",
            template: "the account may not use the model: {message}",
        },
        ..PASSING
    },
    FailureRule {
        class: FailureClass::Request,
        // What one model refuses, a prompt too long for instance, another one may take.
        requeue: RequeueReaction::OtherModel,
        account_health: HealthReaction::Neutral,
        breaker: BreakerReaction::Ignored,
        base_delay: Millis::ZERO,
        client_text: ClientText {
            code: "upstream_request_refused",
            template: "the provider says that the request is wrong: {message}",
        },
        http_status: 400,
        ..PASSING
    },
    FailureRule {
        class: FailureClass::Transient,
        client_text: ClientText {
            code: "upstream_failed",
            template: "calls kept failing: {message}",
        },
        ..PASSING
    },
    FailureRule {
        class: FailureClass::MidStream,
        lease_end: LeaseEnd::Used,
        client_text: ClientText {
            code: "upstream_stream_broken",
            template: "replies kept breaking off: {message}",
        },
        ..PASSING
    },
];

/// Common columns of limits: they are kept, not dodged, and say nothing about health.
const LIMIT: FailureRule = FailureRule {
    class: FailureClass::RateWindow,
    lease_end: LeaseEnd::Refused,
    requeue: RequeueReaction::NotCounted,
    credential: CredentialReaction::Unchanged,
    group: GroupReaction::Nothing,
    account_health: HealthReaction::Neutral,
    breaker: BreakerReaction::Ignored,
    may_move_to_sibling: false,
    base_delay: SECOND,
    client_text: ClientText {
        code: "",
        template: "",
    },
    http_status: 429,
};

/// Common columns of failures that another account, or another try, may not have.
const PASSING: FailureRule = FailureRule {
    class: FailureClass::Transient,
    requeue: RequeueReaction::CountedAsRetry,
    account_health: HealthReaction::CountsAgainst,
    breaker: BreakerReaction::CountsAgainst,
    may_move_to_sibling: true,
    http_status: 502,
    ..LIMIT
};

impl FailureClass {
    /// Returns the row of this class in [`TABLE`].
    pub const fn rule(self) -> &'static FailureRule {
        &TABLE[self as usize]
    }

    /// Returns the name used in stored rows, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateWindow => "rate_window",
            Self::Ramp => "ramp",
            Self::Concurrency => "concurrency",
            Self::Overload => "overload",
            Self::QuotaDay => "quota_day",
            Self::Spend => "spend",
            Self::Auth => "auth",
            Self::Forbidden => "forbidden",
            Self::Request => "request",
            Self::Transient => "transient",
            Self::MidStream => "mid_stream",
        }
    }
}

impl FailureRule {
    /// Returns true if the class is a limit of a quota group, as the limits ledger sees it.
    pub fn is_limit(&self) -> bool {
        self.group != GroupReaction::Nothing
    }
}

impl GroupReaction {
    /// Returns the name that the shared ledger's script reads.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::CloseBucket => "close_bucket",
            Self::HalveRamp => "halve_ramp",
            Self::LowerConcurrency => "lower_concurrency",
            Self::CloseUntilDay => "close_until_day",
            Self::CloseUntilMoney => "close_until_money",
        }
    }
}

/// Returns the time before which a failed call is not tried again.
///
/// `retries` counts the tries of this attempt that failed before; `retry_after` is the wait that
/// the provider asked for, honoured up to [`LONGEST_WAIT`]; `chance` lies in `0..=`[`CHANCE`].
/// Full jitter over the doubled `base_delay` is added, so that calls refused together do not
/// return together.
pub fn retry_at(
    rule: &FailureRule,
    retries: u32,
    retry_after: Option<Millis>,
    now: Timestamp,
    chance: u64,
) -> Timestamp {
    let counted = match rule.requeue {
        RequeueReaction::CountedAsRetry => retries.min(16),
        RequeueReaction::NotCounted | RequeueReaction::OtherModel => 0,
    };
    let doubled = rule.base_delay.0.saturating_mul(1 << counted);
    let jitter = doubled.min(LONGEST_WAIT.0) * chance.min(CHANCE) / CHANCE;
    let asked = retry_after.unwrap_or(Millis::ZERO).min(LONGEST_WAIT);
    now + asked + Millis(jitter)
}

const _: () = {
    let mut row = 0;
    while row < TABLE.len() {
        assert!(
            TABLE[row].class as usize == row,
            "a row stands at the place of its class"
        );
        row += 1;
    }
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn limits_are_kept_and_never_blamed_on_routes_or_attempts() {
        for rule in TABLE.iter().filter(|rule| rule.is_limit()) {
            assert!(!rule.may_move_to_sibling, "{:?}", rule.class);
            assert_eq!(rule.breaker, BreakerReaction::Ignored, "{:?}", rule.class);
            assert_eq!(
                rule.requeue,
                RequeueReaction::NotCounted,
                "{:?}",
                rule.class
            );
        }
    }

    #[test]
    fn failures_that_speak_about_one_account_may_move_to_a_sibling() {
        use FailureClass::{Auth, Forbidden, MidStream, Overload, Transient};
        for class in [Auth, Forbidden, Overload, Transient, MidStream] {
            let rule = class.rule();
            assert!(rule.may_move_to_sibling && !rule.is_limit(), "{class:?}");
        }
    }

    #[test]
    fn a_credential_that_stays_in_use_is_met_again_only_with_a_counted_retry_or_a_limit() {
        for rule in &TABLE {
            let may_return = rule.credential == CredentialReaction::Unchanged && !rule.is_limit();
            let is_bounded = rule.requeue != RequeueReaction::NotCounted;
            assert!(!may_return || is_bounded, "{:?} has no end", rule.class);
        }
    }

    #[test]
    fn names_and_codes_are_stable_and_different() {
        let codes: BTreeSet<_> = TABLE.iter().map(|rule| rule.client_text.code).collect();
        assert_eq!(codes.len(), TABLE.len());
        for rule in &TABLE {
            let stored = serde_json::to_value(rule.class).expect("a unit variant");
            assert_eq!(stored, rule.class.as_str());
            assert!((400..600).contains(&rule.http_status), "{:?}", rule.class);
        }
        let text = FailureClass::Overload.rule().client_text;
        assert_eq!(text.render("busy"), "the provider is overloaded: busy");
    }

    #[test]
    fn waits_double_up_to_their_cap_and_honour_what_was_asked() {
        let rule = FailureClass::Transient.rule();
        let waits = |retries, asked| retry_at(rule, retries, asked, Timestamp(0), CHANCE).0;
        assert_eq!(
            [0, 1, 4, 5, u32::MAX].map(|retries| waits(retries, None)),
            [1_000, 2_000, 16_000, 30_000, 30_000]
        );
        assert_eq!(waits(0, Some(Millis(5_000))), 6_000);
        assert_eq!(waits(0, Some(Millis(9_000_000))), 31_000);
    }

    #[test]
    fn no_call_returns_before_the_provider_asked_and_delays_stay_bounded() {
        for rule in &TABLE {
            for (retries, chance) in [(0, 0), (3, 500_000), (40, CHANCE)] {
                let asked = retry_at(rule, retries, Some(Millis(7_000)), Timestamp(0), chance);
                assert!((7_000..=37_000).contains(&asked.0), "{:?}", rule.class);
                let free = retry_at(rule, retries, None, Timestamp(0), chance);
                assert!((0..=LONGEST_WAIT.0 as i64).contains(&free.0));
            }
        }
    }
}
