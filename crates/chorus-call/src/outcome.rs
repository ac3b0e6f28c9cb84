//! From what was received of a call to its report. Pure: [`CallRunner`](crate::CallRunner) makes
//! the call and settles the report.

use chorus_core::catalog::{Model, Provider};
use chorus_core::failure::{CredentialReaction, FailureClass, LeaseEnd};
use chorus_core::limit::{End, LimitSignals};
use chorus_core::llm::{Content, FinishReason, Reply, Role, Usage};
use chorus_core::money::MicroUsd;
use chorus_core::port::directory::CredentialState;
use chorus_core::port::upstream::{Body, CallFailure};
use chorus_core::time::{Millis, Timestamp};

use crate::cut::CutBy;
use crate::leased_call::LeasedCall;
use crate::report::{CallReport, Ending, PartialReply};
use crate::stream::Stop;
use crate::{DEFAULT_ABORT_GRACE, usage};

/// What came back from the provider.
#[derive(Debug)]
pub(crate) enum Exchange {
    /// The provider refused the call, or could not be reached.
    Refused(Box<CallFailure>),
    /// The call was cut before the provider had accepted it.
    CutUnanswered(CutBy),
    /// The provider accepted the call; its reply ended so.
    Accepted(Box<Received>, Stop),
}

/// Reply with the facts of its headers.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) reply: Reply,
    pub(crate) sent_at: Timestamp,
    pub(crate) request_id: Option<String>,
}

impl Received {
    /// Signals of the end of the reply; those of its headers were observed at its first byte.
    const fn signals(&self) -> LimitSignals {
        LimitSignals {
            sent_at: self.sent_at,
            failure: None,
            retry_after: None,
            levels: Vec::new(),
        }
    }

    /// Returns true if the provider gave up although it answered 200; a refusal is an answer.
    fn was_given_up(&self) -> bool {
        self.reply.finish == Some(FinishReason::Aborted) && self.reply.refusal().is_none()
    }

    fn into_partial(self) -> PartialReply {
        PartialReply {
            reply: self.reply,
            sent_at: self.sent_at,
            request_id: self.request_id,
        }
    }
}

/// Facts from which a report is made.
pub(crate) struct Facts<'a> {
    pub(crate) call: &'a LeasedCall,
    pub(crate) provider: Option<&'a Provider>,
    pub(crate) model: Option<&'a Model>,
    /// Time at which the call was over.
    pub(crate) now: Timestamp,
    pub(crate) took: Millis,
}

impl Facts<'_> {
    /// Returns the report of the call.
    pub(crate) fn report(&self, exchange: Exchange) -> CallReport {
        let report = match exchange {
            Exchange::Refused(failure) => self.refused(*failure),
            Exchange::CutUnanswered(by) => self.cut(Ending::Cut(by), None),
            Exchange::Accepted(received, stop) => self.accepted(*received, stop),
        };
        CallReport {
            took: self.took,
            ..report
        }
    }

    fn accepted(&self, received: Received, stop: Stop) -> CallReport {
        match stop {
            Stop::Complete if received.was_given_up() => {
                let usage = self.complete_usage(&received.reply);
                let failure = self.failure(
                    FailureClass::Overload,
                    "gave up in the middle of its answer",
                );
                self.broke(failure, received, usage)
            }
            Stop::Complete => match self.incomplete(&received.reply) {
                Some(failure) => {
                    let usage = self.complete_usage(&received.reply);
                    self.broke(failure, received, usage)
                }
                None => self.complete(received),
            },
            // The upstream may notice the deadline first; the call was cut on our side all the same.
            Stop::Failed(_) if self.now >= self.call.cut_at => {
                self.cut(Ending::Cut(CutBy::Deadline), Some(received))
            }
            Stop::Failed(failure) if is_refusal(&failure, &received.reply) => self.refused(failure),
            Stop::Failed(failure) => {
                let usage = self.partial_usage(&received.reply);
                self.broke(failure, received, usage)
            }
            Stop::TooLong => self.cut(Ending::TooLong, Some(received)),
            Stop::Cut(by) => self.cut(Ending::Cut(by), Some(received)),
        }
    }

    /// Returns the failure of a reply that came to its end and is not known to be whole.
    fn incomplete(&self, reply: &Reply) -> Option<CallFailure> {
        const MOST_LETTERS: usize = 60;
        // A verbatim reply is not taken apart; its reader judges it.
        if !matches!(self.call.body, Body::Canonical(_)) || reply.refusal().is_some() {
            return None;
        }
        let (kind, message) = match &reply.finish {
            Some(FinishReason::Other(word)) => {
                let word: String = word.chars().take(MOST_LETTERS).collect();
                let message = format!(
                    "the reply ended for the reason {word:?}, which is not known: its text may not be whole"
                );
                ("unknown_finish", message)
            }
            // A server that counted to the end wrote to the end.
            None if reply.usage.is_none_or(|usage| usage.output == 0) => (
                "no_finish",
                "the reply ended without a reason: its text may not be whole".to_owned(),
            ),
            Some(FinishReason::Length) if has_only_thinking(reply) => (
                "only_thinking",
                format!(
                    "only thinking came, {} letters of it, until the limit of the reply's length",
                    reply.reasoning().chars().count()
                ),
            ),
            _ => return None,
        };
        Some(CallFailure {
            kind: Some(kind.to_owned()),
            ..self.failure(FailureClass::MidStream, &message)
        })
    }

    fn complete(&self, mut received: Received) -> CallReport {
        let usage = self.complete_usage(&received.reply);
        if received.reply.finish == Some(FinishReason::Stop)
            && has_only_thinking(&received.reply)
            && !self.continues()
        {
            take_thinking_as_text(&mut received.reply);
        }
        let cost = self.cost(&usage);
        CallReport {
            usage: Some(usage),
            cost,
            signals: Some(received.signals()),
            reply: Some(received.into_partial()),
            ..CallReport::not_started(Ending::Complete, End::Used { usage, cost })
        }
    }

    /// Returns true if the request asks the model to go on with its own text.
    fn continues(&self) -> bool {
        let Body::Canonical(request) = &self.call.body else {
            return false;
        };
        let mut messages = request.messages.iter();
        messages.any(|message| message.role == Role::Assistant)
    }

    /// The reply broke off: what was produced until then is paid for.
    fn broke(&self, failure: CallFailure, received: Received, usage: Usage) -> CallReport {
        let cost = self.cost(&usage);
        CallReport {
            usage: Some(usage),
            cost,
            signals: Some(self.failure_signals(&failure, received.sent_at)),
            reply: Some(received.into_partial()),
            ..self.failed(failure, End::Used { usage, cost })
        }
    }

    /// The call failed before any part of a reply was received.
    fn refused(&self, failure: CallFailure) -> CallReport {
        let prompt = usage::of_silence(self.call.prompt_tokens);
        let nothing = Usage::default();
        let refused = |counts_request| End::Refused { counts_request };
        let rule = failure.class.rule();
        let (lease_end, usage) = match (failure.status, failure.sent_at, rule.lease_end) {
            // The provider may still work on a call after its connection broke.
            (None, Some(_), _) => (self.aborted(None), nothing),
            (None, None, _) => (refused(false), nothing),
            (Some(_), _, LeaseEnd::Refused) => (refused(self.counts_refused()), nothing),
            (Some(_), _, LeaseEnd::Used) => {
                let cost = self.cost(&prompt);
                let usage = prompt;
                (End::Used { usage, cost }, usage)
            }
        };
        // A request that was not sent has no usage, rather than a usage of zero.
        let signals = failure
            .sent_at
            .map(|sent_at| self.failure_signals(&failure, sent_at));
        CallReport {
            usage: failure.sent_at.map(|_| usage),
            cost: self.cost(&usage),
            signals,
            ..self.failed(failure, lease_end)
        }
    }

    fn failed(&self, failure: CallFailure, lease_end: End) -> CallReport {
        CallReport {
            credential_change: self.credential_change(&failure),
            failure: Some(failure),
            ..CallReport::not_started(Ending::Failed, lease_end)
        }
    }

    /// The call was cut on our side: the provider may go on for a while.
    fn cut(&self, ending: Ending, received: Option<Received>) -> CallReport {
        let known = received
            .as_ref()
            .map(|received| self.partial_usage(&received.reply));
        let usage = known.unwrap_or_else(|| usage::of_silence(self.call.prompt_tokens));
        let class = match &received {
            Some(_) => FailureClass::MidStream,
            None => FailureClass::Transient,
        };
        let failure = (ending == Ending::Cut(CutBy::Deadline))
            .then(|| self.failure(class, "did not end before the call's deadline"));
        CallReport {
            usage: Some(usage),
            cost: self.cost(&usage),
            failure,
            signals: received.as_ref().map(|received| received.signals()),
            reply: received.map(Received::into_partial),
            ..CallReport::not_started(ending, self.aborted(known))
        }
    }

    fn failure_signals(&self, failure: &CallFailure, sent_at: Timestamp) -> LimitSignals {
        LimitSignals {
            sent_at,
            failure: Some(failure.class),
            retry_after: self.group_pause(failure),
            levels: failure.levels.clone(),
        }
    }

    /// Returns the wait of the quota groups: the one that the provider asked for, else for missing money that
    /// of the credential, so that both are tried again together.
    fn group_pause(&self, failure: &CallFailure) -> Option<Millis> {
        let is_money = failure.class.rule().credential == CredentialReaction::ParkedUntilMoney;
        let resets = &self.call.assignment.resets;
        let pause = || resets.money_returns(None, self.now).since(self.now);
        failure.retry_after.or_else(|| is_money.then(pause))
    }

    /// Returns the credential's next state, when the failure's row changes it.
    fn credential_change(&self, failure: &CallFailure) -> Option<CredentialState> {
        let resets = &self.call.assignment.resets;
        let reason = failure.to_string();
        let until = match failure.class.rule().credential {
            CredentialReaction::Unchanged => return None,
            CredentialReaction::Refused => return Some(CredentialState::Refused { reason }),
            // The group of the model is closed: other models of the credential go on.
            CredentialReaction::ParkedUntilDay if resets.is_of_model => return None,
            CredentialReaction::ParkedUntilDay => resets.next_day(self.now),
            CredentialReaction::ParkedUntilMoney => {
                resets.money_returns(failure.retry_after, self.now)
            }
        };
        Some(CredentialState::Parked { until, reason })
    }

    fn failure(&self, class: FailureClass, message: &str) -> CallFailure {
        CallFailure::local(class, &self.call.assignment.provider, message)
    }

    fn complete_usage(&self, reply: &Reply) -> Usage {
        usage::of_complete(self.call.prompt_tokens, reply)
    }

    fn partial_usage(&self, reply: &Reply) -> Usage {
        usage::of_part(self.call.prompt_tokens, reply)
    }

    fn cost(&self, usage: &Usage) -> MicroUsd {
        self.model
            .map_or(MicroUsd::ZERO, |model| model.price.cost(usage))
    }

    fn counts_refused(&self) -> bool {
        self.provider
            .is_some_and(|provider| provider.refused_counts)
    }

    fn aborted(&self, usage: Option<Usage>) -> End {
        let grace = self
            .provider
            .map_or(DEFAULT_ABORT_GRACE, |provider| provider.abort_grace);
        End::Aborted { usage, grace }
    }
}

/// Returns true if a reply with status 200 was a refusal in another form: an error event or a web page before any part
/// of an answer, of a class that charges nothing.
fn is_refusal(failure: &CallFailure, reply: &Reply) -> bool {
    reply.content.is_empty()
        && reply.usage.is_none()
        && failure.class.rule().lease_end == LeaseEnd::Refused
}

/// Returns true for a reply with thoughts and nothing else.
fn has_only_thinking(reply: &Reply) -> bool {
    reply.text().trim().is_empty()
        && reply.tool_calls().next().is_none()
        && !reply.reasoning().trim().is_empty()
}

/// Makes the thoughts of a finished reply its text: some servers put the whole answer there.
fn take_thinking_as_text(reply: &mut Reply) {
    tracing::warn!("a reply has only thinking and ended well, the thinking is taken as its text");
    let text = reply.reasoning();
    reply.content = vec![Content::text(text)];
}

#[cfg(test)]
mod tests;
