//! Processes over shared services: each test has a database, topics and keys of its own.

use std::process::{Child, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chorus_core::attempt::{DeliveryEnd, DeliveryRow, Outcome, Requeue};
use chorus_core::port::Deliveries;
use chorus_provider_sim::config::Config;
use chorus_simulation::real;
use chorus_store::sql::{DatabaseUrl, Pending, Store};
use sqlx::{ConnectOptions, Executor};
use tokio::time::{Instant, sleep_until};

use crate::chronicle::Chronicle;
use crate::fixture::{Fixture, output_text};

pub(super) use crate::process::{Ended, Process};

/// Maximum wait of any step.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Interval between two evaluations of a condition.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A [`Fixture`] with processes that share services.
pub(super) struct Cluster {
    pub(super) fixture: Fixture,
    database: String,
}

impl Cluster {
    /// Creates a cluster with a migrated database; `None` if the run lacks one of the three
    /// servers.
    pub(super) async fn new(config: Config, sections: &str) -> Option<Self> {
        let (shared, database) = shared().await?;
        let fixture = Fixture::over(config, &(shared + sections)).await;
        Some(Self { fixture, database })
    }

    /// Creates a cluster with an empty database.
    pub(super) async fn unmigrated(config: Config) -> Option<Self> {
        let (shared, database) = shared().await?;
        let fixture = Fixture::bare(config, &shared).await;
        Some(Self { fixture, database })
    }

    /// Starts a process and waits until it reports its address.
    pub(super) fn start(&self, role: &[&str]) -> Process {
        self.start_with(role, &[])
    }

    /// Starts a process with additional variables.
    pub(super) fn start_with(&self, role: &[&str], variables: &[(&str, &str)]) -> Process {
        let mut command = self.fixture.process(role);
        command.envs(variables.iter().copied());
        Process::start(command, role)
    }

    /// Starts a client that submits a book and waits for the guide to it.
    pub(super) fn client(&self, gateway: &Process, book: Chronicle) -> Child {
        self.client_of("local", gateway, book)
    }

    /// Starts a client of a tenant.
    pub(super) fn client_of(&self, tenant: &str, gateway: &Process, book: Chronicle) -> Child {
        let created = self.fixture.chorus(&["key", "create", "--tenant", tenant]);
        assert!(created.status.success(), "{}", output_text(&created));
        self.fixture.write("brief.md", &Chronicle::brief());
        self.fixture.write("docs/chronicle.md", &book.text());
        let server = format!("http://{}", gateway.address());
        let arguments = [
            "run", "brief.md", "--attach", "docs", "--out", "out", "--yes", "--assume", "--server",
            &server,
        ];
        let mut command = self.fixture.process(&arguments);
        command.env(
            "CHORUS_API_KEY",
            String::from_utf8_lossy(&created.stdout).trim(),
        );
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the client starts")
    }

    /// Runs a client to its end.
    pub(super) fn run_on_server(&self, gateway: &Process, book: Chronicle) -> Output {
        self.client(gateway, book)
            .wait_with_output()
            .expect("the client ends")
    }

    /// Every delivery of the only project.
    pub(super) async fn deliveries(&self) -> Vec<DeliveryRow> {
        let store = Store::open(
            DatabaseUrl::Postgres(self.database.clone()),
            Pending::Refuse,
        )
        .await
        .expect("the database opens");
        let rows = store
            .of_project(self.fixture.project())
            .await
            .expect("the rows are read");
        store.close().await;
        rows
    }
}

/// Returns true if a draining worker handed the delivery back.
pub(super) fn was_handed_back(row: &DeliveryRow) -> bool {
    matches!(
        row.end,
        Some(DeliveryEnd::Finished {
            outcome: Outcome::Requeue {
                reason: Requeue::Drained,
                ..
            }
        })
    )
}

/// Waits until a condition holds.
pub(super) async fn until(what: &str, holds: impl Fn() -> bool) {
    let over = Instant::now() + TIMEOUT;
    while !holds() {
        assert!(
            Instant::now() < over,
            "{what}: not within {} s",
            TIMEOUT.as_secs()
        );
        sleep_until(Instant::now() + LOOK_AGAIN).await;
    }
}

/// Configuration sections of the servers, with a database, topics and keys of their own; and the
/// URL of the database.
async fn shared() -> Option<(String, String)> {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let (postgres, kafka, redis) = (
        real::POSTGRES.address()?,
        real::KAFKA.address()?,
        real::REDIS.address()?,
    );
    let name = format!(
        "chorus_roles_{}_{}",
        std::process::id(),
        DRAWN.fetch_add(1, Ordering::Relaxed)
    );
    sqlx::any::install_default_drivers();
    let server: sqlx::any::AnyConnectOptions =
        postgres.parse().expect("CHORUS_TEST_POSTGRES is a URL");
    let mut connection = server
        .connect()
        .await
        .expect("the server of CHORUS_TEST_POSTGRES answers");
    let create = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")));
    connection
        .execute(create)
        .await
        .expect("databases may be made there");
    let (server, _) = postgres.rsplit_once('/').expect("the URL names a database");
    let database = format!("{server}/{name}");
    let sections = format!(
        "[database]\nurl = \"{database}\"\n[bus]\nkind = \"kafka\"\nbrokers = \"{kafka}\"\nnamespace = \"{name}\"\n\
         [limits]\nkind = \"redis\"\nurl = \"{redis}\"\nnamespace = \"{name}\"\n\
         [gateway]\nlisten = \"127.0.0.1:0\"\n[probe]\nlisten = \"127.0.0.1:0\"\n"
    );
    Some((sections, database))
}
