//! Reasons why tasks of a project wait ([`WaitResource`]), as `GET /v1/projects/{id}` shows them.

use std::collections::BTreeMap;

use chorus_core::attempt::{AttemptWait, ParkedCredential, WaitReason};
use chorus_core::id::AccountId;
use chorus_core::limit::Dimension;
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

    /// The resource of one wait.
    pub fn new(wait: &AttemptWait, names: &AccountNames) -> Self {
        Self {
            code: wait.reason.as_str().to_owned(),
            text: text(&wait.reason, names),
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

/// Sentence about a reason, without its times.
fn text(reason: &WaitReason, names: &AccountNames) -> String {
    let name = |account: &AccountId| {
        let named = names.get(account).cloned();
        named.unwrap_or_else(|| account.to_string())
    };
    match reason {
        WaitReason::Limit {
            account,
            dimension,
            until,
            ..
        } => limit_text(&name(account), *dimension, until.is_none()),
        WaitReason::SlotsOfEndedProcess { account, .. } => format!(
            "slots of {} are held by calls of a process that ended",
            name(account)
        ),
        WaitReason::CredentialsParked { pool, reasons } => {
            let parked: Vec<String> = reasons.iter().map(|one| parked(one, &name)).collect();
            let pool = pool.as_ref().map(|pool| format!(" of pool {pool}"));
            let (pool, parked) = (pool.unwrap_or_default(), parked.join("; "));
            format!("every credential{pool} is parked or refused: {parked}")
        }
        WaitReason::NoAccount { role } => {
            let role = format!("{role:?}").to_lowercase();
            format!("no imported account serves a model of the role {role}")
        }
        WaitReason::NoWorker { pool } => format!("no worker serves pool {pool}"),
        WaitReason::WorkerBusy { pool } => format!("all workers of pool {pool} are busy"),
        WaitReason::Queue { ahead: 0 } => "next in the queue".to_owned(),
        WaitReason::Queue { ahead } => format!("{ahead} ahead in the queue"),
        WaitReason::Retry {
            account, message, ..
        } => retry_text(account.as_ref().map(name), message.as_deref()),
        WaitReason::Budget => BUDGET_TEXT.to_owned(),
    }
}

/// Sentence of [`WaitReason::Budget`].
const BUDGET_TEXT: &str =
    "the budget covers it only once calls under way have cost less than was reserved";

fn limit_text(account: &str, dimension: Option<Dimension>, is_open: bool) -> String {
    let limit = dimension.map_or("limit", limit_name);
    let open = if is_open {
        "; a call under way must end first"
    } else {
        ""
    };
    format!("the {limit} of {account} is reached{open}")
}

fn retry_text(account: Option<String>, message: Option<&str>) -> String {
    let of = account.map(|account| format!(" of {account}"));
    let reason = message.map(|message| format!(": {message}"));
    let (of, reason) = (of.unwrap_or_default(), reason.unwrap_or_default());
    format!("the last call{of} failed{reason}")
}

/// Name of a limit for people.
const fn limit_name(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Requests => "limit of requests",
        Dimension::InputTokens => "limit of prompt tokens",
        Dimension::OutputTokens => "limit of output tokens",
        Dimension::TotalTokens => "limit of tokens",
        Dimension::Spend => "limit of money",
        Dimension::Concurrency => "limit of calls at once",
    }
}

fn parked(parked: &ParkedCredential, name: &impl Fn(&AccountId) -> String) -> String {
    format!("{}: {}", name(&parked.account), parked.why)
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
}
