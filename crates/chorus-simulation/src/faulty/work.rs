//! The [`Attempts`], [`Deliveries`] and [`Leaders`] ports with faults.

use async_trait::async_trait;
use chorus_core::attempt::{
    Claim, Delivery, DeliveryRow, Dispatch, Dispatched, EndedCall, Finish, Holding, LateUsage,
    Outcome, Outstanding, QueuedAttempt, Reclaim, Reclaimed,
};
use chorus_core::id::{BootId, ProjectId, Term};
use chorus_core::money::ProjectMoney;
use chorus_core::port::attempts::{QueuePage, QueueSelection};
use chorus_core::port::deliveries::{ChargedPage, EndPosition};
use chorus_core::port::{Attempts, Deliveries, Leaders, StoreError};
use chorus_core::time::{Millis, Timestamp};

use super::{Faulty, done};
use crate::fault::Part;

#[async_trait]
impl Attempts for Faulty<dyn Attempts> {
    async fn queued(&self, limit: u32) -> Result<Vec<QueuedAttempt>, StoreError> {
        let show = |found: &Vec<QueuedAttempt>| format!("{} queued", found.len());
        self.point
            .call(Part::Store, "queued", show, self.inner.queued(limit))
            .await
    }

    async fn read_queue(
        &self,
        selection: QueueSelection,
        limit: u32,
    ) -> Result<QueuePage, StoreError> {
        let what = format!("read the queue: {selection:?}");
        let show = |page: &QueuePage| format!("{} rows", page.rows.len());
        let read = self.inner.read_queue(selection, limit);
        self.point.call(Part::Store, &what, show, read).await
    }

    async fn dispatch(&self, batch: Vec<Dispatch>) -> Result<Vec<Dispatched>, StoreError> {
        let named: Vec<String> = batch
            .iter()
            .map(|dispatch| format!("{}.{}", dispatch.attempt, dispatch.epoch.0))
            .collect();
        let what = format!("dispatch {}", named.join(" "));
        self.point
            .call(
                Part::Store,
                &what,
                |answers| format!("{answers:?}"),
                self.inner.dispatch(batch),
            )
            .await
    }

    async fn claim(&self, claim: Claim) -> Result<Option<Box<Delivery>>, StoreError> {
        let what = format!(
            "claim {}.{} by {}",
            claim.attempt, claim.epoch.0, claim.holder
        );
        let show = |delivery: &Option<Box<Delivery>>| {
            if delivery.is_some() {
                "granted"
            } else {
                "denied"
            }
            .to_owned()
        };
        self.point
            .call(Part::Store, &what, show, self.inner.claim(claim))
            .await
    }

    async fn beat(&self, held: Vec<Holding>) -> Result<Vec<Holding>, StoreError> {
        let what = format!("beat for {}", held.len());
        let show = |lost: &Vec<Holding>| format!("{} not ours", lost.len());
        self.point
            .call(Part::Store, &what, show, self.inner.beat(held))
            .await
    }

    async fn finish(&self, finish: Finish) -> Result<bool, StoreError> {
        let Finish {
            holding, outcome, ..
        } = &finish;
        let what = format!(
            "finish {}.{} as {}",
            holding.attempt,
            holding.epoch.0,
            word(outcome)
        );
        let show = |recorded: &bool| {
            if *recorded {
                "recorded"
            } else {
                "the row has moved on"
            }
            .to_owned()
        };
        self.point
            .call(Part::Store, &what, show, self.inner.finish(finish))
            .await
    }

    async fn reclaim(&self, reclaim: Reclaim) -> Result<Vec<Reclaimed>, StoreError> {
        let show = |taken: &Vec<Reclaimed>| {
            let named: Vec<String> = taken
                .iter()
                .map(|one| format!("{}.{}", one.attempt, one.epoch.0))
                .collect();
            if named.is_empty() {
                "nothing".to_owned()
            } else {
                named.join(" ")
            }
        };
        self.point
            .call(Part::Store, "reclaim", show, self.inner.reclaim(reclaim))
            .await
    }
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Succeeded { .. } => "succeeded".to_owned(),
        Outcome::Asked { .. } => "asked".to_owned(),
        Outcome::Failed { cause } => format!("failed, {cause:?}"),
        Outcome::Requeue { reason, .. } => format!("queued again, {reason:?}"),
    }
}

#[async_trait]
impl Deliveries for Faulty<dyn Deliveries> {
    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        let show = |found: &Vec<Outstanding>| format!("{} outstanding", found.len());
        self.point
            .call(Part::Store, "outstanding", show, self.inner.outstanding())
            .await
    }

    async fn of_project(&self, project: ProjectId) -> Result<Vec<DeliveryRow>, StoreError> {
        let show = |rows: &Vec<DeliveryRow>| format!("{} rows", rows.len());
        self.point
            .call(
                Part::Store,
                "deliveries",
                show,
                self.inner.of_project(project),
            )
            .await
    }

    async fn ended_since(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<EndedCall>, StoreError> {
        let show = |calls: &Vec<EndedCall>| format!("{} ended calls", calls.len());
        self.point
            .call(
                Part::Store,
                "ended calls",
                show,
                self.inner.ended_since(since, limit),
            )
            .await
    }

    async fn charged_since(
        &self,
        since: Timestamp,
        after: Option<EndPosition>,
        limit: u32,
    ) -> Result<ChargedPage, StoreError> {
        let show = |page: &ChargedPage| format!("{} charged calls", page.calls.len());
        let read = self.inner.charged_since(since, after, limit);
        self.point
            .call(Part::Store, "charged calls", show, read)
            .await
    }

    async fn late(&self, late: LateUsage) -> Result<(), StoreError> {
        let what = format!("late word on {}.{}", late.attempt, late.epoch.0);
        self.point
            .call(Part::Store, &what, done, self.inner.late(late))
            .await
    }

    async fn money(&self, project: ProjectId) -> Result<Option<ProjectMoney>, StoreError> {
        self.point
            .call(
                Part::Store,
                "money",
                |money| format!("{money:?}"),
                self.inner.money(project),
            )
            .await
    }
}

#[async_trait]
impl Leaders for Faulty<dyn Leaders> {
    async fn acquire(
        &self,
        name: &str,
        boot: BootId,
        lasts: Millis,
    ) -> Result<Option<Term>, StoreError> {
        let what = format!("acquire {name}");
        self.point
            .call(
                Part::Store,
                &what,
                |term| format!("{term:?}"),
                self.inner.acquire(name, boot, lasts),
            )
            .await
    }

    async fn renew(&self, name: &str, term: Term, lasts: Millis) -> Result<bool, StoreError> {
        let what = format!("renew {name} term {}", term.0);
        let show = |held: &bool| if *held { "held" } else { "over" }.to_owned();
        self.point
            .call(
                Part::Store,
                &what,
                show,
                self.inner.renew(name, term, lasts),
            )
            .await
    }

    async fn resign(&self, name: &str, term: Term) -> Result<(), StoreError> {
        let what = format!("resign {name} term {}", term.0);
        self.point
            .call(Part::Store, &what, done, self.inner.resign(name, term))
            .await
    }
}
