//! The databases under the contract of the store's ports, and compared with the memory store by
//! random histories.
//!
//! SQLite always runs; PostgreSQL runs if `CHORUS_TEST_POSTGRES` holds the URL of a server on which
//! databases may be created, for instance `postgres://postgres@127.0.0.1:5432/postgres`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use chorus_core::id::{TaskId, Tenant};
use chorus_core::money::MicroUsd;
use chorus_core::port::projects::{Commit, Committed};
use chorus_core::port::{ArtifactStore, Attempts, Clock, Projects, StoreError};
use chorus_core::time::Timestamp;
use chorus_simulation::contract::context::TestClock;
use chorus_simulation::contract::fixtures::{self, Ids};
use chorus_simulation::contract::history::{HistoryGenerator, inconsistency, perform, read_back};
use chorus_simulation::contract::{Implementation, StorePorts, run, run_cases, suites};
use chorus_simulation::real;
use chorus_store::sql::{DatabaseUrl, Pending, Store};
use chorus_store::{LocalDirectory, memory};
use futures_util::future::BoxFuture;
use tempfile::TempDir;

mod damage;
pub(crate) mod postgres;

/// Sets a database's clock.
struct DatabaseClock(Store);

#[async_trait]
impl TestClock for DatabaseClock {
    async fn set(&self, at: Timestamp) {
        self.0
            .hold_clock(at)
            .await
            .expect("the clock of a test's own database can be set");
    }
}

async fn opened(url: DatabaseUrl) -> Store {
    let store = Store::open(url, Pending::Apply)
        .await
        .expect("a new database opens");
    store
        .hold_clock(Timestamp(0))
        .await
        .expect("the clock of a test's own database can be set");
    store
}

fn ports(store: Store) -> StorePorts {
    StorePorts::of(&Arc::new(store.clone()), Arc::new(DatabaseClock(store)))
}

struct Sqlite(TempDir, AtomicU64);

impl Sqlite {
    fn new() -> Self {
        Self(
            tempfile::tempdir().expect("a folder for the test"),
            AtomicU64::new(0),
        )
    }

    async fn store(&self) -> Store {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        opened(DatabaseUrl::Sqlite(
            self.0.path().join(format!("{number}.db")),
        ))
        .await
    }
}

#[async_trait]
impl Implementation for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    async fn fresh(&self) -> StorePorts {
        ports(self.store().await)
    }
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    assert!(run(&Sqlite::new()).await > 60);
}

/// The database's ports with artifacts in a local directory.
struct Files(Sqlite);

#[async_trait]
impl Implementation for Files {
    fn name(&self) -> &'static str {
        "local directory"
    }

    async fn fresh(&self) -> StorePorts {
        let folder = self.0.0.path().join("artifacts");
        let artifacts: Arc<dyn ArtifactStore> =
            Arc::new(LocalDirectory::open(folder).expect("a new folder opens"));
        StorePorts {
            artifacts,
            ..self.0.fresh().await
        }
    }
}

#[tokio::test]
async fn a_local_directory_keeps_the_contract_of_artifacts() {
    let artifacts = suites()
        .into_iter()
        .filter(|(suite, _)| *suite == "artifacts");
    for (suite, cases) in artifacts {
        assert!(run_cases(&Files(Sqlite::new()), suite, &cases).await > 0);
        real::record_run("local directory", "contract of artifacts", cases.len());
    }
}

/// A clock that the test sets, for the model.
#[derive(Default)]
struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn random_u128(&self) -> u128 {
        0
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }
}

#[async_trait]
impl TestClock for ManualClock {
    async fn set(&self, at: Timestamp) {
        self.0.store(at.0, Ordering::Relaxed);
    }
}

/// Applies one random history to the model and the database; every reply and all rows must be
/// equal.
async fn check_history(seed: u64, steps: usize, store: &Store) {
    let clock = Arc::new(ManualClock::default());
    let model = Arc::new(memory::Store::new(Arc::clone(&clock) as Arc<dyn Clock>));
    let (model_ports, store_ports) = (StorePorts::of(&model, clock), ports(store.clone()));
    let mut generator = HistoryGenerator::new(seed);
    let (mut model_now, mut store_now) = (Timestamp(0), Timestamp(0));
    for at in 0..steps {
        let step = generator.next(&model.snapshot());
        let expected = perform(&model_ports, &mut model_now, step.clone()).await;
        let answer = perform(&store_ports, &mut store_now, step.clone()).await;
        assert_eq!(answer, expected, "seed {seed}, step {at}: {step:?}");
        assert_eq!(
            model.with_rows(inconsistency),
            None,
            "seed {seed}, step {at}: {step:?}"
        );
    }
    let rows = model.snapshot();
    assert_eq!(
        store.snapshot().await.expect("every row can be read"),
        rows,
        "seed {seed}"
    );
    assert_eq!(
        read_back(&store_ports, &rows).await,
        read_back(&model_ports, &rows).await,
        "seed {seed}"
    );
    assert!(
        rows.deliveries.len() > steps / 40,
        "seed {seed} did too little: {} deliveries",
        rows.deliveries.len()
    );
}

#[tokio::test]
async fn sqlite_answers_random_histories_like_the_model() {
    let bench = Sqlite::new();
    for seed in 0..12 {
        check_history(seed, 250, &bench.store().await).await;
    }
    real::record_run("sqlite", "random histories", 12);
}

#[tokio::test]
async fn completing_one_task_of_ten_thousand_touches_a_handful_of_rows() {
    let bench = Sqlite::new();
    let store = bench.store().await;
    let ids = Ids::default();
    let new = fixtures::project(
        &ids,
        &Tenant::new("tenant"),
        Timestamp(0),
        MicroUsd(1_000_000),
    );
    let (project, head) = (new.id, new.head.clone());
    store.submit(new).await.expect("the database is ours");
    let tasks: Vec<_> = (0..10_000)
        .map(|at| fixtures::task(TaskId::new(ids.number()), &format!("task {at}")))
        .collect();
    let empty = Commit {
        project,
        expected: chorus_core::id::Version(0),
        head,
        tasks: vec![],
        attempts: vec![],
        cancel: vec![],
        events: vec![],
        outbox: vec![],
        budget: None,
        folded: vec![],
    };
    let done = store
        .commit(Commit {
            tasks: tasks.clone(),
            ..empty.clone()
        })
        .await
        .expect("the database is ours");
    let Committed::Done(version) = done else {
        panic!("there is no other decision: {done:?}")
    };
    let before = store.rows_touched();
    let one = Commit {
        expected: version,
        tasks: vec![
            fixtures::task(tasks[5_000].id, "done"),
            fixtures::task(tasks[5_001].id, "ready"),
        ],
        attempts: vec![fixtures::attempt(&ids, project, Timestamp(0))],
        events: vec![fixtures::event(project, 1, Timestamp(0))],
        folded: vec![ids.event()],
        ..empty
    };
    assert!(matches!(store.commit(one).await, Ok(Committed::Done(_))));
    let touched = store.rows_touched() - before;
    assert!(touched <= 6, "{touched} rows were touched");
    let loaded = store
        .load(project)
        .await
        .expect("every row can be read")
        .expect("it is there");
    assert_eq!(loaded.project.tasks.len(), 10_000);
}

#[tokio::test]
async fn operations_that_come_together_are_committed_together_and_answered_each() {
    let bench = Sqlite::new();
    let store = bench.store().await;
    let ids = Ids::default();
    let projects: Vec<_> = (0..300)
        .map(|_| fixtures::project(&ids, &Tenant::new("tenant"), Timestamp(0), MicroUsd(1)))
        .collect();
    let submitted = projects.iter().map(|new| store.submit(new.clone()));
    for (answer, new) in futures_util::future::join_all(submitted)
        .await
        .into_iter()
        .zip(&projects)
    {
        assert_eq!(
            answer.expect("the database is ours"),
            chorus_core::port::projects::Submitted::Accepted(new.id)
        );
    }
    assert_eq!(
        store
            .snapshot()
            .await
            .expect("every row can be read")
            .projects
            .len(),
        300
    );
    store.close().await;
    assert!(
        matches!(store.queued(1).await, Err(StoreError::Unavailable { .. })),
        "a closed store fails"
    );
}
