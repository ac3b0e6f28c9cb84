//! Replies that are wrong on purpose: applies an injected [`Fault`] to a good reply, or returns its
//! refusal.

use serde_json::{Value, json};

use super::fault::Fault;
use super::provider::Provider;
use super::quota::{Counted, Exceeded};
use super::tokens;
use super::wire::{FinishReason, Refusal};
use crate::model::Reply;

/// Applies a fault to a reply and returns the finish reason.
pub(super) fn spoil(reply: &mut Reply, fault: Fault, after_percent: u8) -> FinishReason {
    match fault {
        Fault::Empty => {
            reply.reasoning.clear();
            reply.text.clear();
        }
        Fault::Refusal => {
            reply.reasoning.clear();
            "I can't help with this request.".clone_into(&mut reply.text);
            return FinishReason::Refusal;
        }
        Fault::Length => return halve(reply, after_percent, FinishReason::Length),
        Fault::UnknownFinish => return halve(reply, after_percent, FinishReason::Unknown),
        Fault::ForeignLength => return halve(reply, after_percent, FinishReason::ForeignLength),
        Fault::OnlyThoughts => reply.reasoning = std::mem::take(&mut reply.text),
        Fault::Prose => {
            "Certainly. The work falls into a few large steps, and the first of them deserves the most care.".clone_into(&mut reply.text);
        }
        Fault::Cyclic | Fault::Dangling | Fault::Flood => spoil_plan(reply, fault),
        _ => {}
    }
    FinishReason::Stop
}

/// Keeps the beginning of a reply, and returns the reason under which it ends.
fn halve(reply: &mut Reply, after_percent: u8, finish: FinishReason) -> FinishReason {
    let keep = tokens::count(&reply.text) * u64::from(after_percent.min(100)) / 100;
    reply.text.truncate(tokens::first(&reply.text, keep).len());
    finish
}

/// Breaks a plan as the fault demands; a reply that is no plan is unchanged.
fn spoil_plan(reply: &mut Reply, fault: Fault) {
    let Ok(mut plan) = serde_json::from_str::<Value>(&reply.text) else {
        return;
    };
    let Some(tasks) = plan["tasks"].as_array_mut() else {
        return;
    };
    let ids: Vec<Value> = tasks.iter().map(|task| task["id"].clone()).collect();
    match fault {
        Fault::Cyclic => {
            let shifted = ids.iter().cycle().skip(1);
            for (task, parent) in tasks.iter_mut().zip(shifted) {
                task["depends_on"] = json!([parent]);
            }
        }
        Fault::Dangling => {
            for task in tasks.iter_mut() {
                task["depends_on"] = json!(["nowhere"]);
            }
        }
        _ => {
            let Some(pattern) = tasks.first().cloned() else {
                return;
            };
            tasks.extend((ids.len()..500).map(|index| {
                let mut task = pattern.clone();
                task["id"] = format!("x{index}").into();
                task
            }));
        }
    }
    reply.text = plan.to_string();
}

/// Refusal that a fault stands for, if any.
pub(super) fn refusal(fault: Fault, streamed: bool, provider: &Provider) -> Option<Refusal> {
    let limited = limited(provider.real_ms(2_000));
    match fault {
        Fault::Overloaded => Some(Refusal::Overloaded),
        Fault::Die => (!streamed).then_some(Refusal::Overloaded),
        Fault::ServerError => Some(Refusal::Failed),
        Fault::DeadKey => Some(Refusal::DeadKey),
        Fault::Unpaid => Some(Refusal::Unpaid),
        Fault::Capped => Some(Refusal::Capped),
        Fault::Forbidden => Some(Refusal::Forbidden),
        Fault::NotFound => Some(Refusal::UnknownModel),
        Fault::ErrorEvent => (!streamed).then_some(Refusal::Unpaid),
        // All but the first, and the next ones, are rewritten by `disguise`.
        Fault::RateLimit | Fault::RateLimitUntold | Fault::WaitInBody | Fault::WaitInText => {
            Some(Refusal::Rate(limited))
        }
        Fault::Page
        | Fault::PageForbidden
        | Fault::PageFailed
        | Fault::Redirect
        | Fault::Enveloped
        | Fault::EmptyError => Some(Refusal::Failed),
        _ => None,
    }
}

/// The limit of an injected refusal, with its wait in milliseconds.
const fn limited(wait_ms: u64) -> Exceeded {
    Exceeded {
        counted: Counted::Requests,
        limit: 1,
        used: 1,
        requested: 1,
        wait_ms: Some(wait_ms),
    }
}

/// Truncates a reply to its maximum tokens; returns true if it was truncated.
pub(super) fn shorten(reply: &mut Reply, most: u64) -> bool {
    let (thinking, answer) = (tokens::count(&reply.reasoning), tokens::count(&reply.text));
    if thinking + answer <= most {
        return false;
    }
    reply
        .reasoning
        .truncate(tokens::first(&reply.reasoning, most).len());
    reply
        .text
        .truncate(tokens::first(&reply.text, most.saturating_sub(thinking)).len());
    true
}
