//! Context of a store case: the ports of one fresh store, its clock, ids, and the steps that many
//! cases begin with.

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
    ArtifactStore, Attempts, Audit, Deliveries, Directory, Keys, Leaders, Outbox, Projects,
    StoreError, Waits, Workers,
};
use chorus_core::time::{Millis, Timestamp};
use chorus_store::rows::Rows;
use chorus_store::{memory, sql};

use super::fixtures::{self, Ids};

/// Clock of a store that a case sets.
#[async_trait]
pub trait TestClock: Send + Sync {
    /// Sets the current time.
    async fn set(&self, at: Timestamp);
}

/// Reads all rows of a store, for cases that compare what no port shows.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// A copy of the rows.
    async fn rows(&self) -> Result<Rows, StoreError>;
}

#[async_trait]
impl Snapshot for memory::Store {
    async fn rows(&self) -> Result<Rows, StoreError> {
        Ok(self.snapshot())
    }
}

#[async_trait]
impl Snapshot for sql::Store {
    async fn rows(&self) -> Result<Rows, StoreError> {
        self.snapshot().await
    }
}

/// Ports of one store.
#[derive(Clone)]
pub struct StorePorts {
    /// Projects.
    pub projects: Arc<dyn Projects>,
    /// Attempts, claims and finishes.
    pub attempts: Arc<dyn Attempts>,
    /// Deliveries and money.
    pub deliveries: Arc<dyn Deliveries>,
    /// Records to publish.
    pub outbox: Arc<dyn Outbox>,
    /// Reasons of waiting.
    pub waits: Arc<dyn Waits>,
    /// Announcements of workers.
    pub workers: Arc<dyn Workers>,
    /// Leadership terms.
    pub leaders: Arc<dyn Leaders>,
    /// Accounts and credentials.
    pub directory: Arc<dyn Directory>,
    /// Audit.
    pub audit: Arc<dyn Audit>,
    /// API keys of tenants.
    pub keys: Arc<dyn Keys>,
    /// Bytes by hash.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// All rows behind the ports.
    pub rows: Arc<dyn Snapshot>,
    /// Clock of the store.
    pub clock: Arc<dyn TestClock>,
}

impl StorePorts {
    /// The ports of a store that implements all of them.
    pub fn of<S>(store: &Arc<S>, clock: Arc<dyn TestClock>) -> Self
    where
        S: Projects
            + Attempts
            + Deliveries
            + Outbox
            + Leaders
            + Directory
            + Audit
            + Keys
            + Waits
            + Workers
            + ArtifactStore
            + Snapshot
            + 'static,
    {
        Self {
            projects: Arc::clone(store) as Arc<dyn Projects>,
            attempts: Arc::clone(store) as Arc<dyn Attempts>,
            deliveries: Arc::clone(store) as Arc<dyn Deliveries>,
            outbox: Arc::clone(store) as Arc<dyn Outbox>,
            waits: Arc::clone(store) as Arc<dyn Waits>,
            workers: Arc::clone(store) as Arc<dyn Workers>,
            leaders: Arc::clone(store) as Arc<dyn Leaders>,
            directory: Arc::clone(store) as Arc<dyn Directory>,
            audit: Arc::clone(store) as Arc<dyn Audit>,
            keys: Arc::clone(store) as Arc<dyn Keys>,
            artifacts: Arc::clone(store) as Arc<dyn ArtifactStore>,
            rows: Arc::clone(store) as Arc<dyn Snapshot>,
            clock,
        }
    }
}

/// A fresh store with ids and a clock.
pub struct CaseContext {
    /// The ports.
    pub ports: StorePorts,
    /// Fresh ids.
    pub ids: Ids,
    now: Cell<Timestamp>,
}

/// Budget that covers every case.
pub const AMPLE: MicroUsd = MicroUsd::from_dollars(100);
/// Estimated cost of each delivery.
pub const ESTIMATE: MicroUsd = MicroUsd(1000);
/// Time from dispatch during which a lease may be claimed.
pub const CLAIMABLE: Millis = Millis::from_secs(30);

impl CaseContext {
    /// A context over these ports.
    pub fn new(ports: StorePorts) -> Self {
        Self {
            ports,
            ids: Ids::default(),
            now: Cell::new(Timestamp(0)),
        }
    }

    /// Current time of the store's clock.
    pub fn now(&self) -> Timestamp {
        self.now.get()
    }

    /// Advances the store's clock.
    pub async fn pass(&self, length: Millis) {
        self.now.set(self.now.get() + length);
        self.ports.clock.set(self.now.get()).await;
    }

    /// Submits a project of the usual tenant after one more second.
    pub async fn project(&self, budget: MicroUsd) -> Result<ProjectId, StoreError> {
        self.pass(Millis::from_secs(1)).await;
        let new = fixtures::project(&self.ids, &Tenant::new("tenant"), self.now(), budget);
        let id = new.id;
        self.ports.projects.submit(new).await?;
        Ok(id)
    }

    /// A commit for the current version of the project that changes nothing yet.
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
            budget: None,
            folded: vec![],
        })
    }

    /// Commits a decision and asserts that it is accepted.
    pub async fn decide(&self, commit: Commit) -> Result<(), StoreError> {
        let answer = self.ports.projects.commit(commit).await?;
        assert!(
            matches!(answer, Committed::Done(_)),
            "the decision was to be accepted: {answer:?}"
        );
        Ok(())
    }

    /// Commits and returns a queued attempt of the project.
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

    /// A dispatch of the attempt at this epoch, with a new lease that may be claimed for
    /// [`CLAIMABLE`].
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

    /// Dispatches the attempt and asserts that the dispatch is accepted.
    pub async fn send(&self, attempt: &NewAttempt, epoch: Epoch) -> Result<Dispatch, StoreError> {
        let dispatch = self.dispatch(attempt, epoch);
        let answers = self.ports.attempts.dispatch(vec![dispatch.clone()]).await?;
        assert_eq!(answers, [Dispatched::Done]);
        Ok(dispatch)
    }

    /// A claim of the attempt by a new holder, with a call deadline in five minutes.
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

    /// Creates a project with one running attempt.
    pub async fn running(&self) -> Result<(ProjectId, NewAttempt, Holding), StoreError> {
        let project = self.project(AMPLE).await?;
        let attempt = self.queued(project).await?;
        let holding = self.run(&attempt, Epoch(0)).await?;
        Ok((project, attempt, holding))
    }

    /// A [`Finish`] that costs 700.
    pub fn finish(&self, holding: &Holding, outcome: DeliveryOutcome) -> Finish {
        Finish {
            holding: holding.clone(),
            outcome,
            usage: Some(fixtures::usage()),
            cost: MicroUsd(700),
            record: fixtures::record(&self.ids, chorus_core::port::bus::Topic::TaskDone, "key"),
        }
    }

    /// Money of a project as `(spent, reserved, wasted)`.
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
