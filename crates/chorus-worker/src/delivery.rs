//! One claimed delivery, from its work order to its record.
//!
//! The order of the last steps is the protocol's: limit signals and credential, then the attempt's
//! row, then the lease. The reply is kept until the store has answered, however long that takes.
//! The call itself is [`chorus_call::CallRunner`]'s, its meaning for the attempt [`Disposition`]'s.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use chorus_call::{CallReport, Cut, CutBy, LeasedCall, route_request};
use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{
    AttemptDone, CallSize, CallSummary, Delivery, FailureCause, Finish, LateUsage, Outcome,
    Requeue, WorkOrder,
};
use chorus_core::failure;
use chorus_core::limit::End;
use chorus_core::llm::{Request, Usage};
use chorus_core::money::MicroUsd;
use chorus_core::port::StoreError;
use chorus_core::port::bus::Record;
use chorus_core::port::upstream::Body;
use chorus_core::port::{relay, retry};
use chorus_core::record;
use futures_util::future::join;

use crate::context::Context;
use crate::disposition::{Disposition, Facts, prompt_tokens};
use crate::in_flight::{Stop, StopSignal};
use crate::intake::Claimed;
use crate::pauses;
use crate::progress::ProgressReporter;

/// Runs a [`Claimed`] delivery to its end.
pub(crate) async fn run(context: Arc<Context>, claimed: Claimed, mut stop: StopSignal) {
    let run = DeliveryRun {
        context: &context,
        claimed: &claimed,
        delivery: &claimed.delivery,
    };
    let cancel: Pin<&mut StopSignal> = Pin::new(&mut stop);
    let mut cut = Cut::new(context.clock(), claimed.cut_at, cancel);
    let called = run.call(&mut cut).await;
    drop(cut);
    match called {
        Ok(called) => run.record_call(called, stop.reason()).await,
        Err(reason) => run.record_no_call(reason, stop.reason()).await,
    }
    context.in_flight.remove(&claimed.holding);
}

/// Returns the span in which a delivery runs.
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

/// Reason for which a delivery did not come to its call.
enum NoCall {
    /// The worker drains, or the account is paused.
    Drained,
    /// The delivery was stopped, or its time was over.
    Cut(CutBy),
    /// The work order cannot be read.
    Failed(FailureCause),
}

/// A [`LeasedCall`] with its order and report.
struct Called {
    order: WorkOrder,
    call: LeasedCall,
    report: CallReport,
}

/// What the call of a delivery used, as far as it is known.
#[derive(Clone, Copy)]
struct Spent {
    usage: Option<Usage>,
    cost: MicroUsd,
}

struct DeliveryRun<'a> {
    context: &'a Context,
    claimed: &'a Claimed,
    delivery: &'a Delivery,
}

impl DeliveryRun<'_> {
    /// Reads the order and makes the call.
    async fn call(&self, cut: &mut Cut<'_>) -> Result<Called, NoCall> {
        self.check_start().await?;
        let order = match cut.or(self.order()).await {
            Ok(order) => order.map_err(NoCall::Failed)?,
            Err(by) => return Err(NoCall::Cut(by)),
        };
        self.check_start().await?;
        let call = self.leased_call(&order);
        let mut progress = ProgressReporter::new(self.context, self.delivery);
        let report = self.context.runner.run(&call, cut, &mut progress).await;
        progress.finish().await;
        Ok(Called {
            order,
            call,
            report,
        })
    }

    /// Fails if no call may begin: the worker drains, or the account is paused.
    async fn check_start(&self) -> Result<(), NoCall> {
        let (tenant, assignment) = (&self.delivery.attempt.tenant, &self.delivery.assignment);
        let (credentials, credential) = (&self.context.credentials, assignment.credential());
        if credentials.is_paused(tenant, credential) {
            // The notice of the end of a pause may be lost.
            pauses::look_at(self.context, tenant).await;
        }
        if self.context.is_draining() || credentials.is_paused(tenant, credential) {
            return Err(NoCall::Drained);
        }
        Ok(())
    }

    async fn order(&self) -> Result<WorkOrder, FailureCause> {
        let hash = self.delivery.attempt.order;
        let missing = |problem: &str| FailureCause::MissingArtifact {
            message: format!("work order {hash} {problem}"),
        };
        let found = retry::until_ok(self.context.clock(), "read a work order", || async {
            match self.context.ports.artifacts.get(hash).await {
                Err(problem @ StoreError::Broken { .. }) => Ok(Err(problem.to_string())),
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

    fn leased_call(&self, order: &WorkOrder) -> LeasedCall {
        let (delivery, claimed) = (self.delivery, self.claimed);
        let assignment = &delivery.assignment;
        let size = &delivery.attempt.size;
        let request = Request {
            stream: true,
            ..order.request.clone()
        };
        let request = route_request(
            request,
            (&assignment.provider, &assignment.model),
            self.context.catalog.model(&assignment.model),
            prompt_tokens(delivery, order),
            size.max_tokens,
        );
        LeasedCall {
            assignment: assignment.clone(),
            tenant: delivery.attempt.tenant.clone(),
            holder: claimed.holding.holder.clone(),
            body: Body::Canonical(Box::new(request)),
            prompt_tokens: prompt_tokens(delivery, order),
            cut_at: claimed.cut_at,
            lease_until: claimed.lease_until,
            reference: format!("{}.{}", delivery.attempt.id, delivery.epoch.0),
        }
    }

    /// Records a delivery that did not come to its call; nothing was paid for.
    async fn record_no_call(&self, reason: NoCall, stop: Option<Stop>) {
        let now = self.context.clock().now();
        let disposition = match reason {
            NoCall::Drained => Disposition::again(Requeue::Drained, now),
            NoCall::Cut(CutBy::Deadline) => Disposition::again(Requeue::LeaseGone, now),
            NoCall::Cut(CutBy::Cancel) => Disposition::stopped(stop, now),
            NoCall::Failed(cause) => Disposition::Failed(cause),
        };
        let spent = Spent {
            usage: None,
            cost: MicroUsd::ZERO,
        };
        let lease = self.delivery.assignment.lease.id;
        let ending = async || self.context.runner.end_lease(lease, &End::Unused).await;
        match self.finish(disposition, spent, None).await {
            Some(record) => join(self.publish(record), ending()).await,
            None => join(self.report_waste(Some(Usage::default()), spent), ending()).await,
        };
    }

    /// Records a call: signals ([`CallRunner::observe`](chorus_call::CallRunner::observe)), row, lease.
    async fn record_call(&self, called: Called, stop: Option<Stop>) {
        let Called {
            order,
            call,
            report,
        } = called;
        let runner = &self.context.runner;
        let facts = Facts {
            delivery: self.delivery,
            order: &order,
            model: self.context.catalog.model(&self.delivery.assignment.model),
            settings: &self.context.settings,
            stop,
            now: self.context.clock().now(),
            chance: self.context.clock().random_below(failure::CHANCE + 1),
        };
        let disposition = facts.disposition(&report);
        runner.observe(&call, &report).await;
        let spent = Spent {
            usage: report.usage,
            cost: report.cost,
        };
        // An aborted call without a reply may have used nothing: that is no waste to report.
        let is_unknown = matches!(disposition, Disposition::NotOurs) && report.reply.is_none();
        let waste = match report.was_made() {
            true if is_unknown => None,
            true => report.usage,
            false => Some(Usage::default()),
        };
        let attempt = &self.delivery.attempt;
        // What earlier deliveries produced is part of the prompt, and no lesson about the estimate.
        let size = CallSize {
            input: prompt_tokens(self.delivery, &order),
            ..attempt.size
        };
        let summary = report.summary(&self.delivery.assignment, attempt.kind, size);
        match self.finish(disposition, spent, summary).await {
            Some(record) => join(self.publish(record), runner.end(&call, &report)).await,
            None => join(self.report_waste(waste, spent), runner.end(&call, &report)).await,
        };
    }

    /// Writes the row; returns its record, or none when the row has moved on.
    async fn finish(
        &self,
        disposition: Disposition,
        spent: Spent,
        summary: Option<CallSummary>,
    ) -> Option<Record> {
        let outcome = self.outcome(disposition).await?;
        let record = self.finish_record(&outcome, summary);
        let finish = Finish {
            holding: self.claimed.holding.clone(),
            outcome,
            usage: spent.usage,
            cost: spent.cost,
            record,
        };
        let attempts = &self.context.ports.attempts;
        let done = retry::until_ok(self.context.clock(), "finish a delivery", || {
            attempts.finish(finish.clone())
        })
        .await;
        tracing::debug!(delivery.ours = done, delivery.outcome = ?finish.outcome, cost.micro_usd = spent.cost.0, "a delivery ended");
        done.then_some(finish.record)
    }

    /// Publishes at once, so that readers need not wait for the sweep, which takes up failures.
    async fn publish(&self, record: Record) {
        let ports = &self.context.ports;
        let (bus, outbox) = (&*ports.bus, &*ports.outbox);
        relay::publish_committed(bus, outbox, self.context.clock(), vec![record]).await;
    }

    /// The delivery was taken back: the usage of its call is waste.
    async fn report_waste(&self, waste: Option<Usage>, spent: Spent) {
        let Some(usage) = waste else { return };
        tracing::warn!(
            tokens.input = usage.prompt(),
            tokens.output = usage.output,
            "the delivery is not ours any more, its call is waste"
        );
        let late = LateUsage {
            attempt: self.claimed.holding.attempt,
            epoch: self.claimed.holding.epoch,
            usage,
            cost: spent.cost,
            event: self.context.event_id(),
        };
        retry::until_ok(self.context.clock(), "report a late usage", || {
            self.context.ports.deliveries.late(late.clone())
        })
        .await;
    }

    /// Stores the texts of a disposition as artifacts; none when the row stays as it is.
    async fn outcome(&self, disposition: Disposition) -> Option<Outcome> {
        Some(match disposition {
            Disposition::NotOurs => return None,
            Disposition::Result(text) => Outcome::Succeeded {
                result: self.store(text.into_bytes()).await,
            },
            Disposition::Question(text) => Outcome::Asked {
                question: self.store(text.into_bytes()).await,
            },
            Disposition::Failed(cause) => Outcome::Failed { cause },
            Disposition::Again {
                reason,
                not_before,
                order,
                message,
            } => {
                let order = match order {
                    None => None,
                    Some(order) => {
                        let bytes = serde_json::to_vec(&*order)
                            .expect("a work order is a plain struct with text keys");
                        Some(self.store(bytes).await)
                    }
                };
                Outcome::Requeue {
                    reason,
                    not_before,
                    order,
                    message,
                }
            }
        })
    }

    async fn store(&self, bytes: Vec<u8>) -> ArtifactHash {
        let bytes = Bytes::from(bytes);
        let artifacts = &self.context.ports.artifacts;
        retry::until_ok(self.context.clock(), "store a result", || {
            artifacts.put(bytes.clone())
        })
        .await
    }

    /// Returns `task.ready` for an attempt that is queued again, else `task.done`.
    fn finish_record(&self, outcome: &Outcome, summary: Option<CallSummary>) -> Record {
        let (attempt, epoch) = (&self.delivery.attempt, self.delivery.epoch);
        let id = self.context.event_id();
        match outcome {
            Outcome::Requeue { .. } => record::task_ready_after(id, attempt, epoch.next(), summary),
            Outcome::Succeeded { .. } | Outcome::Asked { .. } | Outcome::Failed { .. } => {
                let done = AttemptDone {
                    call: summary.map(Box::new),
                    ..AttemptDone::uncalled(attempt, outcome.clone())
                };
                record::task_done(id, attempt, epoch, &done)
            }
        }
    }
}
