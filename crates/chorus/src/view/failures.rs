//! Calls that fail: the first one of a kind is shown at once, further ones together at growing distances.

use std::collections::BTreeMap;

use chorus_api::DeliveryResource;
use chorus_core::time::{Millis, Timestamp};

use crate::human_time;

/// Distance between the first two lines about one kind of failure.
const FIRST: Millis = Millis::from_secs(5);

/// Maximum distance between two lines about one kind of failure.
const LAST: Millis = Millis::from_secs(300);

/// Characters of the provider's message that are shown.
const WORDS: usize = 200;

/// Failed calls by kind.
#[derive(Default)]
pub(super) struct Failures(BTreeMap<Kind, Series>);

/// Failures of one kind: same account, model and class.
type Kind = (String, String, String);

/// Failures of one kind, one after another.
struct Series {
    since: Timestamp,
    last: Timestamp,
    count: u64,
    shown: u64,
    due: Timestamp,
    distance: Millis,
    /// Text of the newest failure.
    text: String,
}

impl Failures {
    /// Takes a failed call; returns the line about it, if it is the first one of its kind for a while.
    pub(super) fn add(&mut self, delivery: &DeliveryResource, now: Timestamp) -> Option<String> {
        let account = account(delivery);
        let class = delivery.class.map(|class| format!("{class:?}"));
        let class = class.unwrap_or_else(|| delivery.end.clone());
        let kind = (account, delivery.model.to_string(), class);
        let text = text(delivery, now);
        if let Some(series) = self.0.get_mut(&kind)
            && now.since(series.last) <= Millis(series.distance.0 * 2)
        {
            series.count += 1;
            series.last = now;
            series.text = text;
            return None;
        }
        let line = text.clone();
        let series = Series {
            since: now,
            last: now,
            count: 1,
            shown: 1,
            due: now + FIRST,
            distance: FIRST,
            text,
        };
        self.0.insert(kind, series);
        Some(line)
    }

    /// Lines about kinds that went on failing and are due to be shown again.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<String> {
        let due = self.0.values_mut().filter_map(|series| series.line(now));
        due.collect()
    }
}

impl Series {
    fn line(&mut self, now: Timestamp) -> Option<String> {
        if self.count == self.shown || now < self.due {
            return None;
        }
        self.shown = self.count;
        self.distance = Millis((self.distance.0 * 2).min(LAST.0));
        self.due = now + self.distance;
        let since = human_time::length(now.since(self.since));
        Some(format!("{} times in {since}: {}", self.count, self.text))
    }
}

/// Account of a delivery by name, else by id.
fn account(delivery: &DeliveryResource) -> String {
    let name = delivery.account_name.clone();
    name.unwrap_or_else(|| delivery.account.to_string())
}

/// Sentence about one failed call, and the time of the next one.
fn text(delivery: &DeliveryResource, now: Timestamp) -> String {
    let again = match delivery.again_at_ms {
        Some(at) if at > now => format!("; again in {}", human_time::length(at.since(now))),
        Some(_) => "; again as soon as an account is free".to_owned(),
        None => String::new(),
    };
    format!("{}{again}", failure_text(delivery))
}

/// Sentence about one failed call: task, account, model and message.
pub(crate) fn failure_text(delivery: &DeliveryResource) -> String {
    let task = delivery
        .key
        .as_ref()
        .map_or_else(|| delivery.kind.as_str().to_owned(), ToString::to_string);
    format!(
        "call of {task} failed on {}, {}: {}",
        account(delivery),
        delivery.model,
        words(delivery)
    )
}

/// Message of the provider, else the end in words.
fn words(delivery: &DeliveryResource) -> String {
    let end = match delivery.end.as_str() {
        "worker_lost" => "its worker was lost",
        "unclaimed" => "no worker took it",
        other => other,
    };
    match (&delivery.class, delivery.message.as_str()) {
        (_, message) if !message.is_empty() => beginning(message),
        (Some(class), _) => format!("{class:?}"),
        (None, _) => end.to_owned(),
    }
}

/// The message, or whole words of its beginning.
fn beginning(message: &str) -> String {
    let Some((end, _)) = message.char_indices().nth(WORDS) else {
        return message.to_owned();
    };
    let cut = &message[..end];
    let words = cut.rfind(' ').map_or(cut, |space| &cut[..space]);
    format!("{words} …")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn delivery(account: &str) -> DeliveryResource {
        serde_json::from_value(json!({
            "attempt": "att_00000000000000000000000000000001", "number": 1,
            "task": "tsk_00000000000000000000000000000001", "key": "t1", "kind": "work",
            "account": "acc_00000000000000000000000000000001", "account_name": account,
            "provider": "openai", "model": "openai/m", "dispatched_at_ms": 0, "ended_at_ms": 0,
            "end": "limited", "is_failure": true, "class": "rate_window",
            "message": "openai answered 429: slow down", "again_at_ms": 3_000, "cost_usd": 0.0,
        }))
        .expect("a delivery")
    }

    #[test]
    fn a_failure_is_shown_at_once_and_then_at_growing_distances_with_its_count() {
        let mut failures = Failures::default();
        let mut shown = Vec::new();
        for second in 0..120 {
            let now = Timestamp(second * 1_000);
            let first = failures.add(&delivery("a@x.org"), now);
            let lines = first.into_iter().chain(failures.due(now));
            shown.extend(lines.map(|line| (second, line)));
        }
        let seconds: Vec<i64> = shown.iter().map(|(second, _)| *second).collect();
        assert_eq!(seconds, [0, 5, 15, 35, 75]);
        assert_eq!(
            shown[0].1,
            "call of t1 failed on a@x.org, openai/m: openai answered 429: slow down; again in 3 s"
        );
        assert!(
            shown[2].1.starts_with("16 times in 15 s: call of t1"),
            "{}",
            shown[2].1
        );
    }

    #[test]
    fn another_account_is_another_kind_and_a_kind_begins_anew_after_a_pause() {
        let mut failures = Failures::default();
        assert!(failures.add(&delivery("a@x.org"), Timestamp(0)).is_some());
        assert!(failures.add(&delivery("b@x.org"), Timestamp(1)).is_some());
        assert!(failures.add(&delivery("a@x.org"), Timestamp(2)).is_none());
        assert!(
            failures
                .add(&delivery("a@x.org"), Timestamp(60_000))
                .is_some()
        );
    }
}
