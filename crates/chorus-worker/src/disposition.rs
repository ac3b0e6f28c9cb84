//! From the [`CallReport`] of a call to the next state of its attempt. Pure: `delivery` records it.

use chorus_call::{CallReport, CutBy, Ending, output_room};
use chorus_core::attempt::{Delivery, FailureCause, Requeue, WorkOrder};
use chorus_core::brief::count_tokens;
use chorus_core::catalog::Model;
use chorus_core::failure::{self, RequeueReaction};
use chorus_core::llm::Reply;
use chorus_core::port::upstream::CallFailure;
use chorus_core::time::Timestamp;

use crate::Settings;
use crate::in_flight::Stop;
use crate::reading::{self, Reading};

/// Maximum characters of a provider's message that are kept.
const MAX_MESSAGE: usize = 300;

/// Next state of the attempt.
#[derive(Debug)]
pub(crate) enum Disposition {
    /// Succeeded with this text.
    Result(String),
    /// Succeeded with a question for the orchestrator.
    Question(String),
    /// Failed for good.
    Failed(FailureCause),
    /// Queued again.
    Again {
        reason: Requeue,
        not_before: Timestamp,
        /// New order, when the reply was cut by `max_tokens`.
        order: Option<Box<WorkOrder>>,
        /// Message of the provider; empty when no call failed.
        message: String,
    },
    /// Unchanged: the attempt has another holder.
    NotOurs,
}

impl Disposition {
    pub(crate) fn again(reason: Requeue, not_before: Timestamp) -> Self {
        Self::Again {
            reason,
            not_before,
            order: None,
            message: String::new(),
        }
    }

    /// Returns a new delivery because of a failed call; the message is cut at [`MAX_MESSAGE`].
    fn after_failure(reason: Requeue, not_before: Timestamp, message: &str) -> Self {
        Self::Again {
            reason,
            not_before,
            order: None,
            message: message.chars().take(MAX_MESSAGE).collect(),
        }
    }

    /// Returns the disposition of a delivery that was stopped, with its call or before it.
    pub(crate) fn stopped(stop: Option<Stop>, now: Timestamp) -> Self {
        match stop {
            Some(Stop::NotOurs) => Self::NotOurs,
            Some(Stop::Drained | Stop::Paused) | None => Self::again(Requeue::Drained, now),
        }
    }
}

/// Facts on which the disposition depends.
pub(crate) struct Facts<'a> {
    pub(crate) delivery: &'a Delivery,
    pub(crate) order: &'a WorkOrder,
    pub(crate) model: Option<&'a Model>,
    pub(crate) settings: &'a Settings,
    /// Reason of the stop, if the delivery was stopped.
    pub(crate) stop: Option<Stop>,
    pub(crate) now: Timestamp,
    /// Draw for jitter, in `0..=`[`failure::CHANCE`].
    pub(crate) chance: u64,
}

impl Facts<'_> {
    /// Returns the disposition that follows from the report.
    pub(crate) fn disposition(&self, report: &CallReport) -> Disposition {
        match (report.ending, &report.failure, &report.reply) {
            (Ending::LeaseGone | Ending::NotStarted(CutBy::Deadline), _, _) => {
                Disposition::again(Requeue::LeaseGone, self.now)
            }
            (Ending::NotStarted(CutBy::Cancel) | Ending::Cut(CutBy::Cancel), _, _) => {
                Disposition::stopped(self.stop, self.now)
            }
            (Ending::TooLong, _, _) => Disposition::Failed(FailureCause::Endless),
            (_, Some(failure), _) => self.failed(failure),
            (_, None, Some(partial)) => self.read(&partial.reply),
            (_, None, None) => Disposition::Failed(FailureCause::Empty),
        }
    }

    fn read(&self, reply: &Reply) -> Disposition {
        let kind = self.delivery.attempt.kind;
        match reading::read(kind, self.order, reply) {
            Reading::Result(text) => Disposition::Result(text),
            Reading::Question(question) => Disposition::Question(question),
            Reading::Cut(order)
                if self.delivery.continues >= self.settings.continues(kind)
                    || self.is_full(&order) =>
            {
                Disposition::Failed(FailureCause::Endless)
            }
            Reading::Cut(order) => Disposition::Again {
                reason: Requeue::Continue,
                not_before: self.now,
                order: Some(order),
                message: String::new(),
            },
            Reading::Empty => Disposition::Failed(FailureCause::Empty),
            Reading::Refused(message) => Disposition::Failed(FailureCause::Refused { message }),
        }
    }

    /// Returns true if prompt and reply fill the model's context, so that nothing can be added.
    fn is_full(&self, order: &WorkOrder) -> bool {
        let prompt = prompt_tokens(self.delivery, order);
        self.model
            .is_some_and(|model| output_room(model, prompt) == 0)
    }

    /// Applies the failure's row of [`failure::TABLE`].
    fn failed(&self, failure: &CallFailure) -> Disposition {
        let (class, rule) = (failure.class, failure.class.rule());
        let (retries, message) = (self.delivery.retries, failure.to_string());
        let not_before =
            failure::retry_at(rule, retries, failure.retry_after, self.now, self.chance);
        match rule.requeue {
            RequeueReaction::NotCounted => {
                Disposition::after_failure(Requeue::Limited { class }, not_before, &message)
            }
            RequeueReaction::CountedAsRetry if retries >= self.settings.max_retries => {
                Disposition::Failed(FailureCause::Upstream { class, message })
            }
            RequeueReaction::CountedAsRetry | RequeueReaction::OtherModel => {
                Disposition::after_failure(Requeue::Retry { class }, not_before, &message)
            }
        }
    }
}

/// Returns the tokens of the prompt by the base count, with what earlier deliveries produced.
pub(crate) fn prompt_tokens(delivery: &Delivery, order: &WorkOrder) -> u64 {
    delivery.attempt.size.input + count_tokens(&order.so_far)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_parts_of_a_reply_take_room_in_the_context() {
        let so_far = "a word after a word ".repeat(200);
        let row = serde_json::json!({
            "slug": "local/small", "pool": "other", "routes": {}, "context": 8_192,
            "max_output": 8_192, "price": {"input": 0, "output": 0}, "strength": 1,
        });
        let model: Model = serde_json::from_value(row).expect("a row of the catalogue");
        let taken = count_tokens(&so_far);
        let expected = 8_192 - taken - taken / 4;
        assert_eq!(u64::from(output_room(&model, taken)), expected);
    }
}
