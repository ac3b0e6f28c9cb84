//! Where a case plays: the ports of one fresh store, its clock, ids, and the operations that many cases begin with.

use std::cell::Cell;
use std::sync::Arc;

use async_trait::async_trait;
use chorus_core::attempt::{
    Claim, Dispatch, DispatchDecision, Dispatched, Finish, Holding, NewAttempt,
    Outcome as DeliveryOutcome,
};
use chorus_core::id::{Epoch, ProjectId, Tenant, Term};
use chorus_core::money::MicroUsd;
use chorus_core::port::projects::{Commit, Committed};
use chorus_core::port::{
    ArtifactStore, Attempts, Deliveries, Directory, Keys, Leaders, Outbox, Projects, StoreError,
};
use chorus_core::time::{Millis, Timestamp};

use super::fixtures::{self, Ids};

/// Sets the store's own clock.
#[async_trait]
pub trait TestClock: Send + Sync {
    /// It is this time now.
    async fn set(&self, at: Timestamp);
}

/// The ports of one store.
#[derive(Clone)]
pub struct Ports {
    /// Projects.
    pub projects: Arc<dyn Projects>,
    /// Attempts.
    pub attempts: Arc<dyn Attempts>,
    /// Deliveries.
    pub deliveries: Arc<dyn Deliveries>,
    /// Records.
    pub outbox: Arc<dyn Outbox>,
    /// Leaderships.
    pub leaders: Arc<dyn Leaders>,
    /// Accounts.
    pub directory: Arc<dyn Directory>,
    /// API keys.
    pub keys: Arc<dyn Keys>,
    /// Artifacts.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// Its clock.
    pub clock: Arc<dyn TestClock>,
}

impl Ports {
    /// The ports of a store that implements all of them.
    pub fn of<S>(store: &Arc<S>, clock: Arc<dyn TestClock>) -> Self
    where
        S: Projects
            + Attempts
            + Deliveries
            + Outbox
            + Leaders
            + Directory
            + Keys
            + ArtifactStore
            + 'static,
    {
        Self {
            projects: Arc::clone(store) as Arc<dyn Projects>,
            attempts: Arc::clone(store) as Arc<dyn Attempts>,
            deliveries: Arc::clone(store) as Arc<dyn Deliveries>,
            outbox: Arc::clone(store) as Arc<dyn Outbox>,
            leaders: Arc::clone(store) as Arc<dyn Leaders>,
            directory: Arc::clone(store) as Arc<dyn Directory>,
            keys: Arc::clone(store) as Arc<dyn Keys>,
            artifacts: Arc::clone(store) as Arc<dyn ArtifactStore>,
            clock,
        }
    }
}

/// A fresh store and what a case needs beside it.
pub struct CaseContext {
    /// The ports.
    pub ports: Ports,
    /// Fresh ids.
    pub ids: Ids,
    now: Cell<Timestamp>,
}

/// A budget that covers whatever a case does.
pub const AMPLE: MicroUsd = MicroUsd::from_dollars(100);
/// What the deliveries of cases are estimated to cost.
pub const ESTIMATE: MicroUsd = MicroUsd(1000);
/// How long the leases of cases may be claimed.
pub const CLAIMABLE: Millis = Millis::from_secs(30);

impl CaseContext {
    /// A context over these ports.
    pub fn new(ports: Ports) -> Self {
        Self {
            ports,
            ids: Ids::default(),
            now: Cell::new(Timestamp(0)),
        }
    }

    /// What the store's clock was set to last.
    pub fn now(&self) -> Timestamp {
        self.now.get()
    }

    /// Lets time pass.
    pub async fn pass(&self, length: Millis) {
        self.now.set(self.now.get() + length);
        self.ports.clock.set(self.now.get()).await;
    }

    /// A submitted project of the usual tenant, at one second past the last time.
    pub async fn project(&self, budget: MicroUsd) -> Result<ProjectId, StoreError> {
        self.pass(Millis::from_secs(1)).await;
        let new = fixtures::project(&self.ids, &Tenant::new("tenant"), self.now(), budget);
        let id = new.id;
        self.ports.projects.submit(new).await?;
        Ok(id)
    }

    /// A decision on the project as it is, which changes nothing yet.
    pub async fn decision(&self, project: ProjectId) -> Result<Commit, StoreError> {
        let loaded = self
            .ports
            .projects
            .load(project)
            .await?
            .expect("the project was submitted");
        Ok(Commit {
            project,
            expected: loaded.version,
            head: loaded.project.head,
            tasks: vec![],
            attempts: vec![],
            cancel: vec![],
            events: vec![],
            outbox: vec![],
            folded: vec![],
        })
    }

    /// Commits a decision that must be accepted.
    pub async fn decide(&self, commit: Commit) -> Result<(), StoreError> {
        let answer = self.ports.projects.commit(commit).await?;
        assert!(
            matches!(answer, Committed::Done(_)),
            "the decision was to be accepted: {answer:?}"
        );
        Ok(())
    }

    /// A queued attempt of the project.
    pub async fn queued(&self, project: ProjectId) -> Result<NewAttempt, StoreError> {
        let attempt = fixtures::attempt(&self.ids, project, self.now());
        let commit = self.decision(project).await?;
        self.decide(Commit {
            attempts: vec![attempt.clone()],
            ..commit
        })
        .await?;
        Ok(attempt)
    }

    /// A dispatch of the attempt at this epoch, with a new lease that may be claimed for the usual time.
    pub fn dispatch(&self, attempt: &NewAttempt, epoch: Epoch) -> Dispatch {
        let assignment = fixtures::assignment(&self.ids, self.now() + CLAIMABLE, ESTIMATE);
        let record = fixtures::dispatch_record(&self.ids, attempt, epoch);
        Dispatch {
            attempt: attempt.id,
            epoch,
            term: Term(1),
            decision: DispatchDecision::Send(Box::new(assignment)),
            record,
        }
    }

    /// Dispatches what must be dispatched.
    pub async fn send(&self, attempt: &NewAttempt, epoch: Epoch) -> Result<Dispatch, StoreError> {
        let dispatch = self.dispatch(attempt, epoch);
        let answers = self.ports.attempts.dispatch(vec![dispatch.clone()]).await?;
        assert_eq!(answers, [Dispatched::Done]);
        Ok(dispatch)
    }

    /// A claim of the attempt by a new holder, whose call is cut in five minutes.
    pub fn claim(&self, attempt: &NewAttempt, epoch: Epoch) -> Claim {
        Claim {
            attempt: attempt.id,
            epoch,
            holder: self.ids.holder(),
            deadline: self.now() + Millis::from_secs(300),
        }
    }

    /// Dispatches and claims a queued attempt.
    pub async fn run(&self, attempt: &NewAttempt, epoch: Epoch) -> Result<Holding, StoreError> {
        self.send(attempt, epoch).await?;
        let claim = self.claim(attempt, epoch);
        assert!(
            self.ports.attempts.claim(claim.clone()).await?.is_some(),
            "the claim was to be granted"
        );
        Ok(Holding {
            attempt: claim.attempt,
            epoch,
            holder: claim.holder,
        })
    }

    /// A project with one running attempt.
    pub async fn running(&self) -> Result<(ProjectId, NewAttempt, Holding), StoreError> {
        let project = self.project(AMPLE).await?;
        let attempt = self.queued(project).await?;
        let holding = self.run(&attempt, Epoch(0)).await?;
        Ok((project, attempt, holding))
    }

    /// A last word that costs 700.
    pub fn finish(&self, holding: &Holding, outcome: DeliveryOutcome) -> Finish {
        Finish {
            holding: holding.clone(),
            outcome,
            usage: Some(fixtures::usage()),
            cost: MicroUsd(700),
            record: fixtures::record(&self.ids, chorus_core::port::bus::Topic::TaskDone, "key"),
        }
    }

    /// The money of a project as `(spent, reserved, wasted)`.
    pub async fn money(&self, project: ProjectId) -> Result<(i64, i64, i64), StoreError> {
        let money = self
            .ports
            .deliveries
            .money(project)
            .await?
            .expect("the project was submitted");
        Ok((money.spent.0, money.reserved.0, money.wasted.0))
    }

    /// Topics of all records that were never marked sent, in order of commitment.
    pub async fn unsent_topics(&self) -> Result<Vec<String>, StoreError> {
        let unsent = self.ports.outbox.unsent(Millis::ZERO, 1000).await?;
        Ok(unsent
            .into_iter()
            .map(|record| record.topic.to_string())
            .collect())
    }
}
