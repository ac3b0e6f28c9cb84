//! From what was heard of a call to what is written about it. Pure: the shell in `delivery` writes.

use std::sync::Arc;

use chorus_core::attempt::{Delivery, FailureCause, Requeue, WorkOrder};
use chorus_core::catalog::{Model, Provider};
use chorus_core::failure::{FailureClass, LeaseEnd};
use chorus_core::limit::{End, ObservedLevel, QuotaGroup};
use chorus_core::llm::{Reply, Usage};
use chorus_core::money::MicroUsd;
use chorus_core::port::directory::CredentialState;
use chorus_core::port::upstream::CallFailure;
use chorus_core::time::{Millis, Timestamp};

use crate::call::{CallEnd, Called, Heard};
use crate::held::Stop;
use crate::reading::{self, Reading};
use crate::refusal::{self, Schedule};
use crate::{Settings, estimate};

/// How long a provider that is not in the catalogue may go on after we hang up.
pub(crate) const USUAL_GRACE: Millis = Millis(10_000);

/// The facts on which a call is judged.
pub(crate) struct Case<'a> {
    pub(crate) delivery: &'a Delivery,
    pub(crate) order: &'a WorkOrder,
    pub(crate) provider: Option<&'a Provider>,
    pub(crate) model: Option<&'a Model>,
    pub(crate) groups: &'a [Arc<QuotaGroup>],
    pub(crate) settings: &'a Settings,
    /// When the call was over.
    pub(crate) now: Timestamp,
    /// When it had to be.
    pub(crate) cut_at: Timestamp,
    pub(crate) chance: &'a dyn Fn(u64) -> u64,
}

/// Everything that is to be written about one delivery.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// The word about the attempt.
    pub(crate) word: Word,
    /// What the call used; none when none was made or nobody knows.
    pub(crate) usage: Option<Usage>,
    /// What it cost.
    pub(crate) cost: MicroUsd,
    /// How the lease ends.
    pub(crate) end: End,
    /// What the reply told of the limits.
    pub(crate) seen: Option<Seen>,
    /// What may be done with the credential from now on.
    pub(crate) credential: Option<CredentialState>,
}

/// The word about the attempt.
#[derive(Debug)]
pub(crate) enum Word {
    /// It has a result.
    Result(String),
    /// Its result is a question.
    Question(String),
    /// It will have none.
    Failed(FailureCause),
    /// It is queued again.
    Again {
        /// Why.
        reason: Requeue,
        /// Not before.
        not_before: Timestamp,
        /// A new order, when the answer was cut.
        order: Option<Box<WorkOrder>>,
    },
    /// The attempt is not ours any more: nothing is said about it.
    Nothing,
}

/// What a reply or refusal told of the limits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) sent_at: Timestamp,
    pub(crate) failure: Option<FailureClass>,
    pub(crate) retry_after: Option<Millis>,
    pub(crate) levels: Vec<ObservedLevel>,
}

impl Word {
    pub(crate) const fn again(reason: Requeue, not_before: Timestamp) -> Self {
        Self::Again {
            reason,
            not_before,
            order: None,
        }
    }
}

impl Judgement {
    /// No call was made.
    pub(crate) const fn uncalled(word: Word) -> Self {
        Self {
            word,
            usage: None,
            cost: MicroUsd::ZERO,
            end: End::Unused,
            seen: None,
            credential: None,
        }
    }
}

impl Case<'_> {
    /// Judges the call.
    pub(crate) fn judge(&self, called: Called) -> Judgement {
        let Called { heard, end } = called;
        match (end, heard) {
            (CallEnd::Whole, Some(heard)) => self.answered(heard),
            (CallEnd::Whole, None) => self.cut(Word::Failed(FailureCause::Empty), None),
            // Whoever of us noticed first: the call was cut on our side.
            (CallEnd::Failed(_), Some(heard)) if self.now >= self.cut_at => self.judge(Called {
                heard: Some(heard),
                end: CallEnd::Deadline,
            }),
            (CallEnd::Failed(failure), Some(heard)) => self.broke(&failure, heard),
            (CallEnd::Failed(failure), None) => self.refused(&failure),
            (CallEnd::TooLong, heard) => self.cut(Word::Failed(FailureCause::Endless), heard),
            (CallEnd::Deadline, heard) => {
                let class = if heard.is_some() {
                    FailureClass::MidStream
                } else {
                    FailureClass::Transient
                };
                self.cut(
                    refusal::word(self.delivery, &self.timed_out(class), &self.schedule()),
                    heard,
                )
            }
            (CallEnd::Stopped(Stop::NotOurs), heard) => self.cut(Word::Nothing, heard),
            (CallEnd::Stopped(Stop::Drained), heard) => {
                self.cut(Word::again(Requeue::Drained, self.now), heard)
            }
        }
    }

    fn answered(&self, heard: Heard) -> Judgement {
        let usage = estimate::of_whole(self.delivery, &heard.reply);
        let word = self.read(&heard.reply);
        let cost = self.cost(&usage);
        let seen = Seen {
            sent_at: heard.sent_at,
            failure: None,
            retry_after: None,
            levels: heard.levels,
        };
        Judgement {
            word,
            usage: Some(usage),
            cost,
            end: End::Used { usage, cost },
            seen: Some(seen),
            credential: None,
        }
    }

    fn read(&self, reply: &Reply) -> Word {
        match reading::read(self.delivery.attempt.kind, self.order, reply) {
            Reading::Result(text) => Word::Result(text),
            Reading::Question(question) => Word::Question(question),
            Reading::Cut(_)
                if self.delivery.continues
                    >= self.settings.continues(self.delivery.attempt.kind) =>
            {
                Word::Failed(FailureCause::Endless)
            }
            Reading::Cut(order) if self.is_full(&order) => Word::Failed(FailureCause::Endless),
            Reading::Cut(order) => Word::Again {
                reason: Requeue::Continue,
                not_before: self.now,
                order: Some(order),
            },
            Reading::Empty => Word::Failed(FailureCause::Empty),
            Reading::Refused(message) => Word::Failed(FailureCause::Refused { message }),
            Reading::GivenUp => {
                let failure = self.failure(
                    FailureClass::Overload,
                    "gave up in the middle of its answer",
                );
                refusal::word(self.delivery, &failure, &self.schedule())
            }
        }
    }

    /// Whether prompt and answer fill the model's context, so that nothing can be added.
    fn is_full(&self, order: &WorkOrder) -> bool {
        self.model.is_some_and(|model| {
            estimate::room(&self.delivery.attempt.size, &order.so_far, model) == 0
        })
    }

    /// The stream broke after it had begun: what was produced is paid for.
    fn broke(&self, failure: &CallFailure, heard: Heard) -> Judgement {
        let usage = estimate::of_part(self.delivery, &heard.reply);
        let cost = self.cost(&usage);
        let mut levels = heard.levels;
        levels.extend(failure.levels.iter().copied());
        let seen = Seen {
            sent_at: heard.sent_at,
            failure: Some(failure.class),
            retry_after: failure.retry_after,
            levels,
        };
        Judgement {
            usage: Some(usage),
            cost,
            end: End::Used { usage, cost },
            seen: Some(seen),
            ..self.failed(failure)
        }
    }

    /// The call failed before anything of the answer was heard.
    fn refused(&self, failure: &CallFailure) -> Judgement {
        let sent_at = failure.sent_at;
        let silence = estimate::of_silence(self.delivery);
        let (end, usage) = match (failure.status, sent_at, failure.class.rule().lease_end) {
            // The provider may still work on a call whose connection broke.
            (None, Some(_), _) => (
                End::Aborted {
                    usage: None,
                    grace: self.grace(),
                },
                Usage::default(),
            ),
            (None, None, _) => (
                End::Refused {
                    counts_request: false,
                },
                Usage::default(),
            ),
            (Some(_), _, LeaseEnd::Refused) => (
                End::Refused {
                    counts_request: self
                        .provider
                        .is_some_and(|provider| provider.refused_counts),
                },
                Usage::default(),
            ),
            (Some(_), _, LeaseEnd::Used) => (
                End::Used {
                    usage: silence,
                    cost: self.cost(&silence),
                },
                silence,
            ),
        };
        let seen = sent_at.map(|sent_at| Seen {
            sent_at,
            failure: Some(failure.class),
            retry_after: failure.retry_after,
            levels: failure.levels.clone(),
        });
        // Without a request there is no call whose usage could be zero: it is unknown.
        let usage = sent_at.map(|_| usage);
        Judgement {
            usage,
            cost: usage.map_or(MicroUsd::ZERO, |usage| self.cost(&usage)),
            end,
            seen,
            ..self.failed(failure)
        }
    }

    /// What every failed call has in common; usage, lease and limits are filled in by those who know them.
    fn failed(&self, failure: &CallFailure) -> Judgement {
        let credential = refusal::credential_state(failure, self.groups, self.now);
        Judgement {
            credential,
            ..Judgement::uncalled(refusal::word(self.delivery, failure, &self.schedule()))
        }
    }

    /// Cut off on our side: the provider may go on for a while.
    fn cut(&self, word: Word, heard: Option<Heard>) -> Judgement {
        let known = heard
            .as_ref()
            .map(|heard| estimate::of_part(self.delivery, &heard.reply));
        let usage = known.or_else(|| {
            (!matches!(word, Word::Nothing)).then(|| estimate::of_silence(self.delivery))
        });
        let seen = heard.map(|heard| Seen {
            sent_at: heard.sent_at,
            failure: None,
            retry_after: None,
            levels: heard.levels,
        });
        let cost = usage.map_or(MicroUsd::ZERO, |usage| self.cost(&usage));
        Judgement {
            word,
            usage,
            cost,
            end: End::Aborted {
                usage: known,
                grace: self.grace(),
            },
            seen,
            credential: None,
        }
    }

    fn timed_out(&self, class: FailureClass) -> CallFailure {
        self.failure(class, "did not end before the call's deadline")
    }

    fn failure(&self, class: FailureClass, message: &str) -> CallFailure {
        CallFailure {
            class,
            provider: self.delivery.assignment.provider.clone(),
            status: None,
            kind: None,
            message: message.to_owned(),
            retry_after: None,
            sent_at: None,
            levels: Vec::new(),
        }
    }

    const fn schedule(&self) -> Schedule<'_> {
        Schedule {
            settings: self.settings,
            now: self.now,
            chance: self.chance,
        }
    }

    fn cost(&self, usage: &Usage) -> MicroUsd {
        self.model
            .map_or(MicroUsd::ZERO, |model| model.price.cost(usage))
    }

    fn grace(&self) -> Millis {
        self.provider
            .map_or(USUAL_GRACE, |provider| provider.abort_grace)
    }
}
