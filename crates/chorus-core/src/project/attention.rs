//! Attention: what a live project waits for that a person can put right, and the ways out.
//!
//! A project [needs attention](super::State::NeedsAttention) for as long as one of four facts holds: a
//! [`Halt`], a held task, an [`Outage`], or a [`LongWait`] that the dispatcher found. The facts are fields of
//! the [`Head`](super::Head) and states of [`Task`](super::Task)s; the state follows from them after every
//! decision. Deliberately absent: texts of commands, which the API and the terminal add.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::PlanEstimate;
use crate::artifact::ArtifactHash;
use crate::attempt::WaitReason;
use crate::id::TaskId;
use crate::money::MicroUsd;
use crate::time::Timestamp;

/// Reason that a project needs a person. The serialised form is stored and published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Attention {
    /// The brief was not read for unclear points.
    ClarificationFailed {
        /// Last failure, with the provider's or reader's own text.
        message: String,
    },
    /// The planner gave no usable plan.
    NoPlan {
        /// Last failure, with the provider's or reader's own text.
        message: String,
        /// Plan that stands in, which starts only when the client approves it.
        #[serde(default)]
        offer: Option<PlanOffer>,
    },
    /// No account can serve a task.
    NoAccount {
        /// Model or provider that is missing.
        message: String,
    },
    /// The budget does not cover the next call of some tasks.
    Budget {
        /// Amount that the next call of the first such task needs; zero if unknown.
        needs: MicroUsd,
        /// Amount spent and reserved when that call was refused.
        spent: MicroUsd,
        /// Budget at that time.
        budget: MicroUsd,
        /// Number of tasks that wait for money.
        tasks: u32,
    },
    /// No answer of the judge could be read.
    JudgeUnread {
        /// Last failure, with the provider's or reader's own text.
        message: String,
    },
    /// Calls keep failing. Attempts go on at growing distances.
    ProviderAway {
        /// Last failure, with the provider's own text.
        message: String,
    },
    /// An artifact is gone from the store. Nothing runs until it is restored.
    ArtifactMissing {
        /// Name of the artifact for people.
        what: String,
    },
    /// Every task ended without a result.
    NoResult {
        /// Cause of the first failure.
        message: String,
    },
    /// No attempt of the project was admitted for long.
    Waiting {
        /// Reason, as the dispatcher found it.
        wait: LongWait,
    },
}

/// A plan that only the client can start: one made by rule, or what was left of a planner's faulty reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanOffer {
    /// Hash of the stored [`Plan`](crate::plan::Plan), which an approval names.
    pub plan: ArtifactHash,
    /// Number of tasks.
    pub tasks: u32,
    /// True if it was read from a faulty reply of the planner; false if a rule made it.
    #[serde(default)]
    pub repaired: bool,
    /// Remarks on how it was made, for people.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Calls and tokens that it needs.
    pub estimate: PlanEstimate,
}

/// A wait of a whole project that lasted longer than the dispatcher's bound, with no call open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongWait {
    /// Stable code of the reason, for instance `no_account` or `credentials_parked`.
    pub reason: String,
    /// Sentence for people without names of accounts, which not every reader may see. Rows of earlier releases have
    /// names in it.
    pub message: String,
    /// Reason with its fields, of which a reader with the right to it makes a sentence with names; none in rows of
    /// earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<WaitReason>,
    /// Time at which the wait began.
    pub since: Timestamp,
    /// Time at which it ends by itself, if that is known.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// Fact that stops a whole project until a person acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "halt", rename_all = "snake_case")]
pub enum Halt {
    /// An artifact is gone from the store, or cannot be parsed.
    ArtifactMissing {
        /// Name of the artifact for people.
        what: String,
    },
    /// Every task ended without a result.
    NoResult {
        /// Cause of the first failure.
        message: String,
    },
}

/// Calls of a task that keep failing for reasons that pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// Task with the last failed attempts.
    pub task: TaskId,
    /// Last failure, with the provider's own text.
    pub message: String,
}

/// One way out of an [`Attention`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Raise the budget.
    Budget,
    /// Approve the offered plan.
    ApproveOffer,
    /// Reject the offered plan with a reason, and plan again.
    Reject,
    /// Try again what failed.
    Retry,
    /// Go on without what failed.
    Skip,
    /// Deliver what is there.
    Deliver,
    /// Import an account.
    ImportAccount,
    /// Use an account again that was topped up, or that a person paused.
    EnableAccount,
    /// End the project without a deliverable.
    Cancel,
}

impl Attention {
    /// Stable code for clients: the stored tag, or the reason of a [`LongWait`].
    pub fn code(&self) -> &str {
        match self {
            Self::ClarificationFailed { .. } => "clarification_failed",
            Self::NoPlan { .. } => "no_plan",
            Self::NoAccount { .. } => "no_account",
            Self::Budget { .. } => "budget",
            Self::JudgeUnread { .. } => "judge_unread",
            Self::ProviderAway { .. } => "provider_away",
            Self::ArtifactMissing { .. } => "artifact_missing",
            Self::NoResult { .. } => "no_result",
            Self::Waiting { wait } => &wait.reason,
        }
    }

    /// Ways out, the most likely one first.
    pub const fn choices(&self) -> &'static [Choice] {
        match self {
            Self::ClarificationFailed { .. } => &[Choice::Retry, Choice::Skip, Choice::Cancel],
            Self::NoPlan { offer: Some(_), .. } => &[
                Choice::ApproveOffer,
                Choice::Retry,
                Choice::Reject,
                Choice::Cancel,
            ],
            Self::NoPlan { offer: None, .. }
            | Self::ArtifactMissing { .. }
            | Self::NoResult { .. } => &[Choice::Retry, Choice::Cancel],
            Self::NoAccount { .. } => &[
                Choice::ImportAccount,
                Choice::EnableAccount,
                Choice::Retry,
                Choice::Cancel,
            ],
            Self::Budget { .. } => &[Choice::Budget, Choice::Deliver, Choice::Cancel],
            Self::JudgeUnread { .. } => &[Choice::Retry, Choice::Skip, Choice::Cancel],
            Self::ProviderAway { .. } | Self::Waiting { .. } => {
                &[Choice::ImportAccount, Choice::EnableAccount, Choice::Cancel]
            }
        }
    }

    /// Condition on which the project goes on without a command; `None` if it never does.
    pub const fn continues_when(&self) -> Option<&'static str> {
        match self {
            Self::ProviderAway { .. } => Some("the provider answers again"),
            Self::Waiting { .. } | Self::NoAccount { .. } => {
                Some("an account can serve it: imported, enabled, topped up, or its limit is over")
            }
            Self::ClarificationFailed { .. }
            | Self::NoPlan { .. }
            | Self::Budget { .. }
            | Self::JudgeUnread { .. }
            | Self::ArtifactMissing { .. }
            | Self::NoResult { .. } => None,
        }
    }
}

impl Choice {
    /// Name of the command, as in the addresses of the API.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::ApproveOffer => "approve",
            Self::Reject => "reject",
            Self::Retry => "retry",
            Self::Skip | Self::Deliver => "skip",
            Self::ImportAccount | Self::EnableAccount => "account",
            Self::Cancel => "cancel",
        }
    }

    /// Sentence of the way out, without a full stop.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Budget => "raise the budget",
            Self::ApproveOffer => "start the offered plan",
            Self::Reject => "plan again with a reason",
            Self::Retry => "try again",
            Self::Skip => "go on without it",
            Self::Deliver => "deliver what is there",
            Self::ImportAccount => "import an account",
            Self::EnableAccount => "use an account again after a top-up or a pause",
            Self::Cancel => "end the project",
        }
    }
}

impl fmt::Display for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClarificationFailed { message } => {
                write!(f, "the brief was not read for unclear points: {message}")
            }
            Self::NoPlan { message, offer } => {
                write!(f, "the planner gave no usable plan: {message}")?;
                match offer {
                    Some(offer) if offer.repaired => {
                        write!(
                            f,
                            "; what could be read of one, {} tasks, is offered",
                            offer.tasks
                        )
                    }
                    Some(offer) => write!(f, "; a rule offers one of {} tasks", offer.tasks),
                    None => Ok(()),
                }
            }
            Self::NoAccount { message } => write!(f, "no account can serve it: {message}"),
            Self::Budget {
                needs,
                spent,
                budget,
                tasks,
            } => write!(
                f,
                "{tasks} tasks wait for money: the next call needs {needs}, {spent} of {budget} are spent or reserved"
            ),
            Self::JudgeUnread { message } => {
                write!(f, "no answer of the judge could be read: {message}")
            }
            Self::ProviderAway { message } => write!(f, "{message}"),
            Self::ArtifactMissing { what } => {
                write!(f, "{what} is gone from the artifact store")
            }
            Self::NoResult { message } => write!(f, "no task has a result: {message}"),
            Self::Waiting { wait } => f.write_str(&wait.message),
        }
    }
}

impl From<Halt> for Attention {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::ArtifactMissing { what } => Self::ArtifactMissing { what },
            Halt::NoResult { message } => Self::NoResult { message },
        }
    }
}
