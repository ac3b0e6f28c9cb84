//! One claimed delivery, from its work order to its last word.
//!
//! The order of the last words is the protocol's: what the reply told of limits, then the attempt's row, then
//! the lease. The reply is kept until the store has answered, however long that takes.

use std::sync::Arc;

use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{
    AttemptDone, Delivery, FailureCause, Finish, Holding, LateUsage, Outcome, Requeue, WorkOrder,
};
use chorus_core::limit::{End, Observation, QuotaGroup, Sent};
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::port::StoreError;
use chorus_core::port::bus::Record;
use chorus_core::port::directory::CredentialState;
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::{relay, retry};
use chorus_core::record::{self, CredentialNotice};
use chorus_core::time::Millis;
use futures_channel::oneshot;
use futures_util::future::join;

use crate::call::{self, CallEnd, Cut};
use crate::held::Stop;
use crate::intake::Claimed;
use crate::judge::{Case, Judgement, Seen, Word};
use crate::workshop::Workshop;

/// How long the limiter may keep a finish waiting for an observation, which is only a correction.
const OBSERVE_WITHIN: Millis = Millis(2_000);
/// How long the end of a lease is tried; it expires by itself after that.
const END_WITHIN: Millis = Millis(60_000);

/// Carries a claimed delivery to its end.
pub(crate) async fn carry_out(
    shop: Arc<Workshop>,
    claimed: Claimed,
    stop: oneshot::Receiver<Stop>,
) {
    let run = Run {
        shop: &shop,
        claimed: &claimed,
        delivery: &claimed.delivery,
        holding: &claimed.holding,
    };
    let judgement = run.perform(stop).await;
    run.record(judgement).await;
    shop.held.remove(&claimed.holding);
}

/// The span in which a delivery runs.
pub(crate) fn span(delivery: &Delivery) -> tracing::Span {
    tracing::info_span!(
        "delivery",
        project.id = %delivery.attempt.project,
        task.id = %delivery.attempt.task,
        task.attempt = %delivery.attempt.id,
        task.epoch = delivery.epoch.0,
        account.id = %delivery.assignment.account,
    )
}

struct Run<'a> {
    shop: &'a Workshop,
    claimed: &'a Claimed,
    delivery: &'a Delivery,
    holding: &'a Holding,
}

impl Run<'_> {
    /// Everything up to the end of the call.
    async fn perform(&self, mut stop: oneshot::Receiver<Stop>) -> Judgement {
        let mut cut = Cut::new(self.shop, self.claimed.cut_at, &mut stop);
        let order = match cut.or(self.prepare()).await {
            Ok(Ok(order)) => order,
            Ok(Err(word)) => return Judgement::uncalled(word),
            Err(CallEnd::Stopped(Stop::NotOurs)) => return Judgement::uncalled(Word::Nothing),
            Err(CallEnd::Stopped(Stop::Drained)) => {
                return Judgement::uncalled(self.again(Requeue::Drained));
            }
            Err(_) => return Judgement::uncalled(self.again(Requeue::LeaseGone)),
        };
        let called = call::make(self.shop, self.delivery, &order, cut, self.claimed.cut_at).await;
        let now = self.shop.clock().now();
        let assignment = &self.delivery.assignment;
        let groups = self.groups().await;
        let case = Case {
            delivery: self.delivery,
            order: &order,
            provider: self.shop.catalog.provider(&assignment.provider),
            model: self.shop.catalog.model(&assignment.model),
            groups: &groups,
            settings: &self.shop.settings,
            now,
            cut_at: self.claimed.cut_at,
            chance: &|below| self.shop.clock().random_below(below),
        };
        case.judge(called)
    }

    /// The work order, and the lease marked as sent: nothing was paid for so far.
    async fn prepare(&self) -> Result<WorkOrder, Word> {
        if self.shop.draining() {
            return Err(self.again(Requeue::Drained));
        }
        let order = self.order().await.map_err(Word::Failed)?;
        if self.shop.draining() {
            return Err(self.again(Requeue::Drained));
        }
        match retry::until_ok(self.shop.clock(), "send a lease", || self.send()).await {
            Sent::Sent if self.shop.clock().now() < self.claimed.cut_at => Ok(order),
            Sent::Sent | Sent::Gone => Err(self.again(Requeue::LeaseGone)),
        }
    }

    /// A limiter that has lost its state is asked again until it was restored, or the lease's time is over.
    async fn send(&self) -> Result<Sent, LimiterError> {
        let lease = &self.delivery.assignment.lease;
        match self
            .shop
            .ports
            .limits
            .send(lease, &self.holding.holder, self.claimed.lease_until)
            .await
        {
            Err(LimiterError::StateLost) if self.shop.clock().now() > lease.not_after => {
                Ok(Sent::Gone)
            }
            other => other,
        }
    }

    async fn order(&self) -> Result<WorkOrder, FailureCause> {
        let hash = self.delivery.attempt.order;
        let missing = |problem: &str| FailureCause::MissingArtifact {
            message: format!("work order {hash} {problem}"),
        };
        let found = retry::until_ok(self.shop.clock(), "read a work order", || async {
            match self.shop.ports.artifacts.get(hash).await {
                Err(StoreError::Broken {
                    message: problem, ..
                }) => Ok(Err(problem)),
                other => other.map(Ok),
            }
        })
        .await;
        let bytes = found
            .map_err(|problem| missing(&format!("cannot be read: {problem}")))?
            .ok_or_else(|| missing("is not there"))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| missing(&format!("does not follow its form: {error}")))
    }

    fn again(&self, reason: Requeue) -> Word {
        Word::again(reason, self.shop.clock().now())
    }

    async fn groups(&self) -> Vec<Arc<QuotaGroup>> {
        let assignment = &self.delivery.assignment;
        self.shop
            .roster
            .groups(
                &self.delivery.attempt.tenant,
                assignment.credential(),
                &assignment.model,
            )
            .await
    }

    /// Writes everything down.
    async fn record(&self, judgement: Judgement) {
        let Judgement {
            word,
            usage,
            cost,
            end,
            seen,
            credential,
        } = judgement;
        if let Some(seen) = seen {
            self.observe(seen).await;
        }
        if let Some(state) = credential {
            self.change_credential(state).await;
        }
        // A call that was never made cost nothing, which is worth telling; of a cut one nobody may know.
        let spent = usage.or_else(|| (end == End::Unused).then(Usage::default));
        let finished = match self.outcome(word).await {
            None => None,
            Some(outcome) => self.finish(outcome, usage, cost).await,
        };
        match finished {
            Some(record) => drop(join(self.publish(record), self.end(end)).await),
            None => drop(join(self.tell_waste(spent, cost), self.end(end)).await),
        }
    }

    /// The record of a finish that was written; none when the row has moved on.
    async fn finish(
        &self,
        outcome: Outcome,
        usage: Option<Usage>,
        cost: MicroUsd,
    ) -> Option<Record> {
        let record = self.finish_record(&outcome);
        let finish = Finish {
            holding: self.holding.clone(),
            outcome,
            usage,
            cost,
            record,
        };
        let attempts = &self.shop.ports.attempts;
        let done = retry::until_ok(self.shop.clock(), "finish a delivery", || {
            attempts.finish(finish.clone())
        })
        .await;
        tracing::debug!(delivery.ours = done, delivery.outcome = ?finish.outcome, cost.micro_usd = cost.0, "a delivery is over");
        done.then_some(finish.record)
    }

    /// At once, so that nobody waits for the sweep; what fails here is swept.
    async fn publish(&self, record: Record) {
        let ports = &self.shop.ports;
        relay::publish_committed(&*ports.bus, &*ports.outbox, self.shop.clock(), vec![record])
            .await;
    }

    /// The delivery was taken back: what its call used is waste.
    async fn tell_waste(&self, spent: Option<Usage>, cost: MicroUsd) {
        let Some(usage) = spent else { return };
        tracing::warn!(
            tokens.input = usage.prompt(),
            tokens.output = usage.output,
            "the delivery is not ours any more, its call is waste"
        );
        let event = self.shop.event_id();
        let late = LateUsage {
            attempt: self.holding.attempt,
            epoch: self.holding.epoch,
            usage,
            cost,
            event,
        };
        retry::until_ok(self.shop.clock(), "record a late usage", || {
            self.shop.ports.deliveries.late(late.clone())
        })
        .await;
    }

    async fn end(&self, end: End) {
        let lease = self.delivery.assignment.lease.id;
        let give_up = self.shop.clock().now() + END_WITHIN;
        let limits = &self.shop.ports.limits;
        retry::until_ok_before(self.shop.clock(), give_up, "end a lease", || {
            limits.end(lease, end.clone())
        })
        .await;
    }

    async fn observe(&self, seen: Seen) {
        let give_up = self.shop.clock().now() + OBSERVE_WITHIN;
        if seen.levels.is_empty() && seen.failure.is_none() {
            return;
        }
        for group in self.groups().await {
            let Seen {
                sent_at,
                failure,
                retry_after,
                levels,
            } = seen.clone();
            let observation = Observation {
                group,
                sent_at,
                failure,
                retry_after,
                levels,
            };
            let limits = &self.shop.ports.limits;
            let told =
                retry::until_ok_before(self.shop.clock(), give_up, "observe a limit", || {
                    limits.observe(observation.clone())
                });
            self.shop.clock().deadline(give_up, told).await;
        }
    }

    /// Comes before the finish, or the dispatcher could choose the same credential at once.
    async fn change_credential(&self, state: CredentialState) {
        let assignment = &self.delivery.assignment;
        let (account, credential) = (assignment.account, assignment.credential());
        tracing::warn!(account.id = %account, credential.id = %credential, credential.state = ?state, "a credential cannot be used for now");
        let directory = &self.shop.ports.directory;
        retry::until_ok(self.shop.clock(), "record a credential's state", || {
            directory.set_state(credential, state.clone())
        })
        .await;
        let notice = record::credential(
            self.shop.event_id(),
            &self.delivery.attempt.tenant,
            &CredentialNotice {
                account,
                credential,
            },
        );
        if let Err(error) = self.shop.ports.bus.publish(vec![notice]).await {
            tracing::warn!(error = %error, "news of a credential was not taken");
        }
    }

    /// The outcome with its texts kept as artifacts; none when nothing is to be said.
    async fn outcome(&self, word: Word) -> Option<Outcome> {
        Some(match word {
            Word::Nothing => return None,
            Word::Result(text) => Outcome::Succeeded {
                result: self.keep(text.into_bytes()).await,
            },
            Word::Question(text) => Outcome::Asked {
                question: self.keep(text.into_bytes()).await,
            },
            Word::Failed(cause) => Outcome::Failed { cause },
            Word::Again {
                reason,
                not_before,
                order: None,
            } => Outcome::Requeue {
                reason,
                not_before,
                order: None,
            },
            Word::Again {
                reason,
                not_before,
                order: Some(order),
            } => {
                let bytes = serde_json::to_vec(&*order)
                    .expect("a work order is a plain struct with text keys");
                Outcome::Requeue {
                    reason,
                    not_before,
                    order: Some(self.keep(bytes).await),
                }
            }
        })
    }

    async fn keep(&self, bytes: Vec<u8>) -> ArtifactHash {
        let bytes = bytes::Bytes::from(bytes);
        let artifacts = &self.shop.ports.artifacts;
        retry::until_ok(self.shop.clock(), "write a result", || {
            artifacts.put(bytes.clone())
        })
        .await
    }

    fn finish_record(&self, outcome: &Outcome) -> Record {
        let attempt = &self.delivery.attempt;
        let id = self.shop.event_id();
        match outcome {
            Outcome::Requeue { .. } => record::task_ready(id, attempt, self.delivery.epoch.next()),
            Outcome::Succeeded { .. } | Outcome::Asked { .. } | Outcome::Failed { .. } => {
                let done = AttemptDone {
                    attempt: attempt.id,
                    task: attempt.task,
                    outcome: outcome.clone(),
                    call: None,
                };
                record::task_done(id, attempt, self.delivery.epoch, &done)
            }
        }
    }
}
