//! Reasons why tasks of a project wait ([`WaitResource`]), as `GET /v1/projects/{id}` shows them.

use std::collections::BTreeMap;

use chorus_core::attempt::{AttemptWait, WaitReason};
use chorus_core::id::AccountId;
use chorus_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One reason, with the number of tasks that wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitResource {
    /// Name of the reason, as in [`WaitReason::as_str`].
    pub code: String,
    /// Sentence for people: accounts by name for callers with the scope `accounts:read`, else by id.
    pub text: String,
    /// Time since which the first of the tasks waits for it.
    pub since_ms: Timestamp,
    /// Time at which it is expected to end, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<Timestamp>,
    /// Number of tasks.
    pub tasks: u64,
    /// The reason with its fields.
    pub detail: WaitReason,
}

/// Names of accounts; an account without a name is shown by its id.
pub type AccountNames = BTreeMap<AccountId, String>;

impl WaitResource {
    /// Resources of the waits of one project, alike ones together, the most frequent first.
    pub fn gather(waits: &[AttemptWait], names: &AccountNames) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for wait in waits {
            match found.iter_mut().find(|of| of.detail.is_like(&wait.reason)) {
                Some(of) => of.add(wait),
                None => found.push(Self::new(wait, names)),
            }
        }
        found.sort_by_key(|of| (std::cmp::Reverse(of.tasks), of.since_ms));
        found
    }

    /// Adds the tasks that wait for a call beyond those of which the reasons were read: they wait for their place
    /// in the queue. Does nothing where no reason was read.
    pub fn complete(found: &mut [Self], queued: u64) {
        let known: u64 = found.iter().map(|of| of.tasks).sum();
        let is_place = |of: &&mut Self| matches!(of.detail, WaitReason::Queue { .. });
        if let Some(place) = found.iter_mut().find(is_place) {
            place.tasks += queued.saturating_sub(known);
        }
    }

    /// The resource of one wait.
    pub fn new(wait: &AttemptWait, names: &AccountNames) -> Self {
        Self {
            code: wait.reason.as_str().to_owned(),
            text: wait.reason.sentence(|account| {
                let named = names.get(&account).cloned();
                named.unwrap_or_else(|| account.to_string())
            }),
            since_ms: wait.since,
            until_ms: wait.reason.until(),
            tasks: 1,
            detail: wait.reason.clone(),
        }
    }

    fn add(&mut self, wait: &AttemptWait) {
        self.tasks += 1;
        self.since_ms = self.since_ms.min(wait.since);
        let ends = [self.until_ms, wait.reason.until()];
        self.until_ms = ends.into_iter().flatten().min();
    }
}

#[cfg(test)]
mod tests {
    use chorus_core::id::{AttemptId, Epoch, Pool};

    use super::*;

    fn wait(attempt: u128, since: i64, reason: WaitReason) -> AttemptWait {
        AttemptWait {
            attempt: AttemptId::new(attempt),
            epoch: Epoch(0),
            since: Timestamp(since),
            reason,
        }
    }

    #[test]
    fn alike_waits_are_counted_and_the_first_end_is_shown() {
        let account = AccountId::new(1);
        let limit = |until| WaitReason::Limit {
            account,
            group: None,
            dimension: None,
            until: Some(Timestamp(until)),
        };
        let pool = Pool::new("claude");
        let waits = [
            wait(1, 50, WaitReason::NoWorker { pool }),
            wait(2, 30, limit(900)),
            wait(3, 20, limit(800)),
        ];
        let names = AccountNames::from([(account, "a@example.com".to_owned())]);
        let found = WaitResource::gather(&waits, &names);
        let shown: Vec<_> = found
            .iter()
            .map(|of| (of.tasks, of.since_ms.0, of.until_ms, of.text.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                (
                    2,
                    20,
                    Some(Timestamp(800)),
                    "the limit of a@example.com is reached"
                ),
                (1, 50, None, "no worker serves pool claude"),
            ]
        );
    }

    #[test]
    fn tasks_beyond_the_page_wait_for_their_place_in_the_queue() {
        let wait = |number, reason| AttemptWait {
            attempt: AttemptId::new(number),
            epoch: Epoch(0),
            since: Timestamp(1),
            reason,
        };
        let waits = [
            wait(1, WaitReason::Budget),
            wait(2, WaitReason::Queue { ahead: 1 }),
        ];
        let mut found = WaitResource::gather(&waits, &AccountNames::new());
        WaitResource::complete(&mut found, 100_000);
        let counts: Vec<u64> = found.iter().map(|of| of.tasks).collect();
        assert_eq!(counts.iter().sum::<u64>(), 100_000);
        let place = found.iter().find(|of| of.code == "queue");
        assert_eq!(place.map(|of| of.tasks), Some(99_999));
        WaitResource::complete(&mut [], 5);
    }
}
