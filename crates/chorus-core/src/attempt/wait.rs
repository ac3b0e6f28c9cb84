//! Reasons why a queued attempt waits, as the dispatcher records them beside its row.
//!
//! [`Waits`](crate::port::Waits) stores and reads them.

mod sentence;

use serde::{Deserialize, Serialize};

use crate::failure::FailureClass;
use crate::id::{AccountId, AttemptId, Epoch, GroupId, Pool};
use crate::limit::Dimension;
use crate::task_kind::ModelRole;
use crate::time::Timestamp;

/// Reason why a queued attempt has no delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum WaitReason {
    /// A limit of every account that could serve it is reached.
    Limit {
        /// Account that is expected to have room first.
        account: AccountId,
        /// Quota group of the limit; none when the limiter named none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<GroupId>,
        /// Dimension of the limit; none when the limiter named none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dimension: Option<Dimension>,
        /// Time at which room is expected; none when a call under way must end first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Slots of the account are held by calls of a process that ended.
    SlotsOfEndedProcess {
        /// Account with the slots.
        account: AccountId,
        /// Time at which the first slot is free again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Every credential that could serve it is parked, refused or rests after failures.
    CredentialsParked {
        /// Pool of the models; none when the models are of several pools.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pool: Option<Pool>,
        /// State of each credential.
        reasons: Vec<ParkedCredential>,
    },
    /// No imported account serves a model of the role.
    NoAccount {
        /// Role without an account.
        role: ModelRole,
    },
    /// No worker serves the pool.
    NoWorker {
        /// Pool without a worker.
        pool: Pool,
    },
    /// All slots of the workers of the pool are taken.
    WorkerBusy {
        /// Pool of the workers.
        pool: Pool,
    },
    /// Other attempts go first.
    Queue {
        /// Number of attempts of the same project that go first.
        ahead: u32,
    },
    /// The last call failed, and the next one is made later.
    Retry {
        /// Account of the failed call; none when a route of several accounts rests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<AccountId>,
        /// Class of the failure; none when a route of several accounts rests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<FailureClass>,
        /// Message of the provider, or the route that rests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// Earliest time of the next call; none while a probe is under way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// The project's budget covers it only once calls under way have cost less than was reserved.
    Budget,
}

/// A credential on which no call is made now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedCredential {
    /// Account of the credential.
    pub account: AccountId,
    /// Message of the provider.
    pub why: String,
    /// End of the pause; none when a person must act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Reason why one attempt waits, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptWait {
    /// Attempt that waits.
    pub attempt: AttemptId,
    /// Epoch of the delivery that it waits for; another epoch of the row makes the wait void.
    pub epoch: Epoch,
    /// Time since which it waits for this reason.
    pub since: Timestamp,
    /// Reason of the wait.
    #[serde(flatten)]
    pub reason: WaitReason,
}

impl WaitReason {
    /// Returns the name of the reason, as stored and published.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Limit { .. } => "limit",
            Self::SlotsOfEndedProcess { .. } => "slots_of_ended_process",
            Self::CredentialsParked { .. } => "credentials_parked",
            Self::NoAccount { .. } => "no_account",
            Self::NoWorker { .. } => "no_worker",
            Self::WorkerBusy { .. } => "worker_busy",
            Self::Queue { .. } => "queue",
            Self::Retry { .. } => "retry",
            Self::Budget => "budget",
        }
    }

    /// Returns the time at which the wait is expected to end, if one is known.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Limit { until, .. }
            | Self::SlotsOfEndedProcess { until, .. }
            | Self::Retry { until, .. } => *until,
            Self::CredentialsParked { reasons, .. } => {
                reasons.iter().filter_map(|parked| parked.until).min()
            }
            Self::NoAccount { .. }
            | Self::NoWorker { .. }
            | Self::WorkerBusy { .. }
            | Self::Queue { .. }
            | Self::Budget => None,
        }
    }

    /// Returns true if both name the same cause, whatever times they expect.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Limit { account: one, .. }, Self::Limit { account: two, .. }) => one == two,
            (Self::CredentialsParked { .. }, Self::CredentialsParked { .. })
            | (Self::Queue { .. }, Self::Queue { .. }) => true,
            (
                Self::Retry {
                    account: one,
                    class: first,
                    ..
                },
                Self::Retry {
                    account: two,
                    class: second,
                    ..
                },
            ) => (one, first) == (two, second),
            (one, two) => one == two,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_stored_under_its_own_name_and_read_back() {
        let account = AccountId::new(7);
        let pool = Pool::new("claude");
        let reasons = [
            WaitReason::Limit {
                account,
                group: Some(GroupId::new("g")),
                dimension: Some(Dimension::Requests),
                until: Some(Timestamp(9)),
            },
            WaitReason::SlotsOfEndedProcess {
                account,
                until: None,
            },
            WaitReason::CredentialsParked {
                pool: Some(pool.clone()),
                reasons: vec![ParkedCredential {
                    account,
                    why: "used up".to_owned(),
                    until: Some(Timestamp(5)),
                }],
            },
            WaitReason::NoAccount {
                role: ModelRole::Judge,
            },
            WaitReason::NoWorker { pool: pool.clone() },
            WaitReason::WorkerBusy { pool },
            WaitReason::Queue { ahead: 3 },
            WaitReason::Retry {
                account: Some(account),
                class: Some(FailureClass::Overload),
                message: None,
                until: Some(Timestamp(1)),
            },
            WaitReason::Budget,
        ];
        for reason in reasons {
            let wait = AttemptWait {
                attempt: AttemptId::new(1),
                epoch: Epoch(2),
                since: Timestamp(3),
                reason,
            };
            let stored = serde_json::to_value(&wait).expect("plain data");
            assert_eq!(stored["reason"], wait.reason.as_str());
            assert_eq!(
                serde_json::from_value::<AttemptWait>(stored).expect("it was written here"),
                wait
            );
        }
    }

    #[test]
    fn a_later_time_is_no_other_cause_and_another_account_is() {
        let limit = |account, until| WaitReason::Limit {
            account: AccountId::new(account),
            group: None,
            dimension: None,
            until: Some(Timestamp(until)),
        };
        assert!(limit(1, 5).is_like(&limit(1, 9)));
        assert!(!limit(1, 5).is_like(&limit(2, 5)));
        assert!(!limit(1, 5).is_like(&WaitReason::Budget));
    }
}
