//! The report of one call: everything that its caller, the limits and the directory need to know.

use chorus_core::attempt::{Assignment, CallSize, CallSummary};
use chorus_core::failure::FailureClass;
use chorus_core::limit::{End, LimitSignals};
use chorus_core::llm::{Reply, Usage};
use chorus_core::money::MicroUsd;
use chorus_core::port::directory::CredentialState;
use chorus_core::port::upstream::CallFailure;
use chorus_core::task_kind::TaskKind;
use chorus_core::time::{Millis, Timestamp};

use crate::cut::CutBy;

/// Result of [`CallRunner::run`](crate::CallRunner::run).
#[derive(Debug)]
pub struct CallReport {
    /// End of the call.
    pub ending: Ending,
    /// Reply, complete or as far as it came; none when the provider accepted nothing.
    pub reply: Option<PartialReply>,
    /// Failure that ended the call: the provider's, or ours for a call that was cut at its
    /// deadline.
    pub failure: Option<CallFailure>,
    /// Tokens used; zero for a refused call, none when no request was sent.
    pub usage: Option<Usage>,
    /// Money spent by the model's price; zero without usage.
    pub cost: MicroUsd,
    /// End of the lease, for [`CallRunner::end`](crate::CallRunner::end).
    pub lease_end: End,
    /// Limit signals of the reply or refusal; none when no headers were received.
    pub signals: Option<LimitSignals>,
    /// New state of the credential, when the failure changes it.
    pub credential_change: Option<CredentialState>,
    /// Time from the start of the call to its end.
    pub took: Millis,
}

/// End of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// No call was made: the lease was gone or its time was over.
    LeaseGone,
    /// No call was made: it was cut before the lease was sent.
    NotStarted(CutBy),
    /// The reply is complete.
    Complete,
    /// The provider or the connection failed.
    Failed,
    /// The reply grew far beyond the tokens that were asked for.
    TooLong,
    /// The call was cut on our side.
    Cut(CutBy),
}

/// Reply of a provider, complete or as far as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialReply {
    /// Content so far.
    pub reply: Reply,
    /// Time at which the request was sent.
    pub sent_at: Timestamp,
    /// Provider's id of the request.
    pub request_id: Option<String>,
}

impl CallReport {
    /// Returns the report of a call that was not made.
    pub(crate) const fn not_started(ending: Ending, lease_end: End) -> Self {
        Self {
            ending,
            reply: None,
            failure: None,
            usage: None,
            cost: MicroUsd::ZERO,
            lease_end,
            signals: None,
            credential_change: None,
            took: Millis::ZERO,
        }
    }

    /// Returns the class of the failure, if one ended the call.
    pub fn class(&self) -> Option<FailureClass> {
        self.failure.as_ref().map(|failure| failure.class)
    }

    /// Returns true if a request was sent to the provider.
    pub fn was_made(&self) -> bool {
        !matches!(self.ending, Ending::LeaseGone | Ending::NotStarted(_))
    }
    /// Returns the short form for the record of a task's call; none when no call was made.
    pub fn summary(
        &self,
        assignment: &Assignment,
        kind: TaskKind,
        size: CallSize,
    ) -> Option<CallSummary> {
        self.was_made().then(|| CallSummary {
            provider: assignment.provider.clone(),
            model: assignment.model.clone(),
            account: assignment.account,
            kind,
            size,
            class: self.class(),
            complete: self.ending == Ending::Complete,
            usage: self.usage,
            cost: self.cost,
            took: self.took,
        })
    }
}
