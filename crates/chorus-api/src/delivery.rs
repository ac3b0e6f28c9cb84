//! Ended deliveries of a project ([`DeliveryResource`]): the history of its calls, failed ones included.

use chorus_core::attempt::{DeliveryEnd, DeliveryRow, FailureCause, Outcome, Requeue};
use chorus_core::failure::FailureClass;
use chorus_core::id::{AccountId, AttemptId, ModelSlug, ProviderId, TaskId, TaskKey};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::dollars;

/// Body of `GET /v1/projects/{id}/deliveries`: one page, in order of the ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryList {
    /// At most `limit` deliveries.
    pub deliveries: Vec<DeliveryResource>,
    /// Value of `after` for the deliveries that end after these; `null` before the first one.
    #[serde(default)]
    pub next: Option<String>,
    /// True if more deliveries had ended when the page was read.
    #[serde(default)]
    pub has_more: bool,
}

/// One ended delivery: at most one call of a provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryResource {
    /// Attempt of the delivery.
    pub attempt: AttemptId,
    /// Number of the delivery within its attempt, from 1.
    pub number: u64,
    /// Task of the attempt.
    pub task: TaskId,
    /// Short name of the task in the plan; absent for a task that is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<TaskKey>,
    /// Purpose of the task.
    pub kind: TaskKind,
    /// Account that was called.
    pub account: AccountId,
    /// Name of the account; absent for callers without the scope `accounts:read`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
    /// Provider that was called.
    pub provider: ProviderId,
    /// Model that was called.
    pub model: ModelSlug,
    /// Time of dispatch.
    pub dispatched_at_ms: Timestamp,
    /// Time at which a worker began; absent when none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_at_ms: Option<Timestamp>,
    /// Time of the end.
    pub ended_at_ms: Timestamp,
    /// `succeeded`, `asked`, `continued`, `failed`, `limited`, `retried`, `drained`, `lease_gone`,
    /// `unclaimed`, `worker_lost` or `cancelled`.
    pub end: String,
    /// True if a call failed or was lost.
    pub is_failure: bool,
    /// Class of the provider's failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
    /// Message of the provider, or the reason of the end; empty when there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Earliest time of the next delivery of the attempt; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at_ms: Option<Timestamp>,
    /// Cost of the call, in US dollars; the estimate for a lost one.
    pub cost_usd: f64,
    /// True if the provider did not report all tokens, so that the cost rests on an estimate from the texts.
    #[serde(default)]
    pub is_estimated: bool,
}

impl DeliveryResource {
    /// The resource of an ended row; none for a delivery that has not ended.
    pub fn new(
        row: &DeliveryRow,
        account_name: Option<String>,
        key: Option<TaskKey>,
    ) -> Option<Self> {
        let end = EndFacts::of(row.end.as_ref()?);
        Some(Self {
            attempt: row.attempt,
            number: u64::from(row.epoch.0) + 1,
            task: row.task,
            key,
            kind: row.kind,
            account: row.assignment.account,
            account_name,
            provider: row.assignment.provider.clone(),
            model: row.assignment.model.clone(),
            dispatched_at_ms: row.dispatched_at,
            claimed_at_ms: row.claimed_at,
            ended_at_ms: row.ended_at?,
            end: end.name.to_owned(),
            is_failure: end.is_failure,
            class: end.class,
            message: end.message,
            again_at_ms: end.again_at,
            cost_usd: dollars(row.cost),
            is_estimated: row.usage.is_some_and(|usage| usage.is_estimated),
        })
    }
}

/// Fields of a [`DeliveryResource`] that follow from a [`DeliveryEnd`].
struct EndFacts {
    name: &'static str,
    is_failure: bool,
    class: Option<FailureClass>,
    message: String,
    again_at: Option<Timestamp>,
}

impl EndFacts {
    fn named(name: &'static str, is_failure: bool) -> Self {
        Self {
            name,
            is_failure,
            class: None,
            message: String::new(),
            again_at: None,
        }
    }

    fn of(end: &DeliveryEnd) -> Self {
        match end {
            DeliveryEnd::Unclaimed => Self::named("unclaimed", true),
            DeliveryEnd::WorkerLost => Self::named("worker_lost", true),
            DeliveryEnd::Cancelled => Self::named("cancelled", false),
            DeliveryEnd::Finished { outcome } => Self::of_outcome(outcome),
        }
    }

    fn of_outcome(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Succeeded { .. } => Self::named("succeeded", false),
            Outcome::Asked { .. } => Self::named("asked", false),
            Outcome::Failed { cause } => Self {
                class: cause.failure_class(),
                message: cause_message(cause),
                ..Self::named("failed", true)
            },
            Outcome::Requeue {
                reason,
                not_before,
                message,
                ..
            } => {
                let (name, is_failure) = requeue_name(*reason);
                Self {
                    class: reason.failure_class(),
                    message: message.clone(),
                    again_at: Some(*not_before),
                    ..Self::named(name, is_failure)
                }
            }
        }
    }
}

/// Message of the provider where there is one, else the cause in words.
fn cause_message(cause: &FailureCause) -> String {
    match cause {
        FailureCause::Request { message } | FailureCause::Upstream { message, .. } => {
            message.clone()
        }
        other => other.to_string(),
    }
}

/// Name of a new delivery's reason, and true if a call failed.
const fn requeue_name(reason: Requeue) -> (&'static str, bool) {
    match reason {
        Requeue::Limited { .. } => ("limited", true),
        Requeue::Retry { .. } => ("retried", true),
        Requeue::Drained => ("drained", false),
        Requeue::LeaseGone => ("lease_gone", false),
        Requeue::Continue => ("continued", false),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The end of a delivery as the store writes it, and the facts that a client reads.
    fn check(end: serde_json::Value, name: &str, is_failure: bool, message: &str) -> EndFacts {
        let end: DeliveryEnd = serde_json::from_value(end).expect("an end of a delivery");
        let facts = EndFacts::of(&end);
        assert_eq!(
            (facts.name, facts.is_failure, facts.message.as_str()),
            (name, is_failure, message)
        );
        facts
    }

    #[test]
    fn a_failed_call_has_its_class_the_providers_message_and_the_next_time() {
        let requeue = |reason: serde_json::Value| {
            json!({ "type": "finished", "outcome": {
                "type": "requeue", "reason": reason, "not_before": 9_000, "order": null,
                "message": "openai answered 429: slow down",
            }})
        };
        let words = "openai answered 429: slow down";
        let limited = requeue(json!({ "why": "limited", "class": "rate_window" }));
        let facts = check(limited, "limited", true, words);
        assert_eq!(
            (facts.class, facts.again_at),
            (Some(FailureClass::RateWindow), Some(Timestamp(9_000)))
        );
        let retried = requeue(json!({ "why": "retry", "class": "overload" }));
        check(retried, "retried", true, words);
        let failed = json!({ "type": "finished", "outcome": {
            "type": "failed", "cause": { "why": "request", "message": "no such field" },
        }});
        assert_eq!(
            check(failed, "failed", true, "no such field").class,
            Some(FailureClass::Request)
        );
    }

    #[test]
    fn an_end_without_a_failed_call_is_no_failure_and_earlier_rows_have_no_message() {
        let earlier = json!({ "type": "finished", "outcome": {
            "type": "requeue", "reason": { "why": "drained" }, "not_before": 1, "order": null,
        }});
        check(earlier, "drained", false, "");
        check(json!({ "type": "lost_worker" }), "worker_lost", true, "");
        check(json!({ "type": "unclaimed" }), "unclaimed", true, "");
        check(json!({ "type": "cancelled" }), "cancelled", false, "");
    }
}
