//! The same contract and the same histories on a real PostgreSQL, if the run has one.

use futures_util::future::join_all;
use sqlx::{ConnectOptions, Executor};

use super::*;

/// A server on which each store gets a database of its own.
pub(crate) struct Postgres {
    url: String,
    run: u32,
    drawn: AtomicU64,
}

impl Postgres {
    /// The server in the environment, if any.
    pub(crate) fn from_environment() -> Option<Self> {
        Some(Self {
            url: real::POSTGRES.address()?,
            run: std::process::id(),
            drawn: AtomicU64::new(0),
        })
    }

    async fn store(&self, suite: &str) -> Store {
        opened(self.place(suite).await).await
    }

    /// Creates an empty database.
    pub(crate) async fn place(&self, suite: &str) -> DatabaseUrl {
        sqlx::any::install_default_drivers();
        let name = format!(
            "chorus_{suite}_{}_{}",
            self.run,
            self.drawn.fetch_add(1, Ordering::Relaxed)
        );
        let server: sqlx::any::AnyConnectOptions =
            self.url.parse().expect("CHORUS_TEST_POSTGRES is a URL");
        let mut connection = server
            .connect()
            .await
            .expect("the server of CHORUS_TEST_POSTGRES answers");
        let create = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")));
        connection
            .execute(create)
            .await
            .expect("databases may be made there");
        let (server, _) = self.url.rsplit_once('/').expect("the URL names a database");
        DatabaseUrl::Postgres(format!("{server}/{name}"))
    }
}

#[async_trait]
impl Implementation for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn fresh(&self) -> StorePorts {
        ports(self.store("contract").await)
    }
}

#[tokio::test]
async fn postgres_keeps_the_contract() {
    let Some(server) = Postgres::from_environment() else {
        return;
    };
    assert!(run(&server).await > 60);
}

#[tokio::test]
async fn postgres_answers_random_histories_like_the_model() {
    let Some(server) = Postgres::from_environment() else {
        return;
    };
    for seed in 100..106 {
        check_history(seed, 250, &server.store("history").await).await;
    }
    real::record_run(server.name(), "random histories", 6);
}

#[tokio::test]
async fn writers_of_one_project_on_postgres_never_lose_money_or_a_version() {
    let Some(server) = Postgres::from_environment() else {
        return;
    };
    let store = server.store("race").await;
    let context = chorus_simulation::contract::CaseContext::new(ports(store.clone()));
    let project = context
        .project(chorus_simulation::contract::context::AMPLE)
        .await
        .expect("it answers");
    let mut held = Vec::new();
    for _ in 0..24 {
        let attempt = context.queued(project).await.expect("it answers");
        held.push(
            context
                .run(&attempt, chorus_core::id::Epoch(0))
                .await
                .expect("it answers"),
        );
    }
    let commit = context.decision(project).await.expect("it answers");
    let cancel = Commit {
        cancel: held
            .iter()
            .map(|holding| holding.attempt)
            .take(12)
            .collect(),
        ..commit
    };
    let finishes = held.iter().map(|holding| {
        context
            .ports
            .attempts
            .finish(context.finish(holding, fixtures::succeeded()))
    });
    let (decided, finished, beaten) = futures_util::future::join3(
        context.ports.projects.commit(cancel),
        join_all(finishes),
        context.ports.attempts.beat(held.clone()),
    )
    .await;
    assert!(matches!(decided, Ok(Committed::Done(_))), "{decided:?}");
    assert!(beaten.is_ok(), "{beaten:?}");
    let finished = finished.into_iter().map(|done| done.expect("it answers"));
    assert!(
        finished.skip(12).all(|done| done),
        "none of these was cancelled"
    );
    let rows = store.snapshot().await.expect("every row can be read");
    assert_eq!(inconsistency(&rows), None);
    real::record_run(server.name(), "racing writers", held.len());
}
