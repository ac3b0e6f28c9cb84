//! Measures the dispatcher alone on a real database: how many attempts a second it admits and dispatches, and how
//! long a call of another tenant waits beside a long queue.
//!
//! `cargo run --release -p chorus-bench --bin dispatcher -- --attempts 20000 [--database postgres://…] [--waiting 100000]`
//! prints one line for each figure. Limits are ample, no worker claims, and every process but this one is the database.

mod rows;

use std::sync::Arc;
use std::time::Duration;

use chorus_bench::machine_clock::MachineClock;
use chorus_bench::time::{stopwatch, until};
use chorus_bench::usage::cpu_ms;
use chorus_core::id::{BootId, ProjectId, Tenant};
use chorus_core::port::workers::WorkerSlots;
use chorus_core::port::{Attempts, Bus, Clock, Deliveries, Directory, Ports, Workers};
use chorus_core::time::Millis;
use chorus_dispatcher::{Dispatcher, Settings};
use chorus_limits::{Memory, Start};
use chorus_store::sql::{DatabaseUrl, Pending, Store};
use clap::Parser;

use rows::Queued;

/// Time after which a measurement is given up.
const DEADLINE: Duration = Duration::from_secs(300);

#[derive(Parser)]
struct Arguments {
    /// Attempts of the first measurement.
    #[arg(long, default_value_t = 20_000)]
    attempts: u32,
    /// Projects that the attempts belong to.
    #[arg(long, default_value_t = 4)]
    projects: u32,
    /// Accounts of the tenant.
    #[arg(long, default_value_t = 64)]
    accounts: u32,
    /// Waiting attempts of one project in the second measurement; 0 leaves it out.
    #[arg(long, default_value_t = 0)]
    waiting: u32,
    /// `postgres://…`; a new SQLite file by default.
    #[arg(long)]
    database: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let url = match &arguments.database {
        Some(url) => DatabaseUrl::Postgres(url.clone()),
        None => DatabaseUrl::Sqlite(folder.path().join("chorus.db")),
    };
    let store = Arc::new(Store::open(url, Pending::Apply).await?);
    admissions(&store, &arguments).await?;
    if arguments.waiting > 0 {
        long_queue(&store, &arguments).await?;
    }
    store.close().await;
    Ok(())
}

/// A running dispatcher over a store.
struct Running {
    task: tokio::task::JoinHandle<()>,
    stop: tokio::sync::oneshot::Sender<()>,
}

impl Running {
    async fn start(store: &Arc<Store>) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(MachineClock);
        let limits = Arc::new(Memory::new(Arc::clone(&clock), Start::Full));
        let worker = WorkerSlots {
            boot: BootId::new(clock.random_u128()),
            pool: rows::POOL.into(),
            slots: 10_000_000,
        };
        store.announce(worker, Millis::from_secs(3_600)).await?;
        let bus: Arc<dyn Bus> = Arc::new(chorus_bus::Embedded::new());
        let boot = BootId::new(clock.random_u128());
        let ports = Ports::over_store(Arc::clone(store), bus, limits, clock);
        let settings = Settings {
            // Nothing is claimed here, and nothing is to be taken back.
            unclaimed_after: Millis::from_secs(3_600),
            ..Settings::default()
        };
        let dispatcher = Dispatcher::new(ports, settings, rows::catalog(), rows::roles(), boot);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(dispatcher.run(async { drop(stopped.await) }));
        Ok(Self { task, stop })
    }

    async fn end(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        Ok(self.task.await?)
    }
}

/// Time until all attempts are dispatched, with the processor time of this process.
async fn admissions(store: &Arc<Store>, arguments: &Arguments) -> anyhow::Result<()> {
    let tenant = Tenant::new("bench");
    store
        .import(rows::accounts(&tenant, arguments.accounts, 1_000_000))
        .await?;
    let mut queued = Queued::new(Arc::clone(store));
    for _ in 0..arguments.projects {
        let project = queued.project(&tenant).await?;
        queued
            .attempts(&tenant, project, arguments.attempts / arguments.projects)
            .await?;
    }
    let (took, cpu) = (stopwatch(), cpu_ms(std::process::id())?);
    let running = Running::start(store).await?;
    until("all attempts are dispatched", DEADLINE, async || {
        let queued = store.queued(1).await?;
        Ok(queued.is_empty().then_some(()))
    })
    .await?;
    let took = took();
    let cpu = (cpu_ms(std::process::id())? - cpu) / 1_000.0;
    running.end().await?;
    let attempts = f64::from(arguments.attempts);
    println!(
        "dispatcher: {attempts} admissions over {} accounts in {took:.2} s, {:.0} a second; {cpu:.2} s of processor, {:.0} a second of one core",
        arguments.accounts,
        attempts / took,
        attempts / cpu
    );
    Ok(())
}

/// Time until the call of another tenant is dispatched beside a project that waits for its one slot.
async fn long_queue(store: &Arc<Store>, arguments: &Arguments) -> anyhow::Result<()> {
    let (many, one) = (Tenant::new("many"), Tenant::new("one"));
    store.import(rows::accounts(&many, 1, 1)).await?;
    store.import(rows::accounts(&one, 1, 100)).await?;
    let mut queued = Queued::new(Arc::clone(store));
    let long = queued.project(&many).await?;
    queued.attempts(&many, long, arguments.waiting).await?;
    let running = Running::start(store).await?;
    dispatched(store, long).await?;
    let mut waits = Vec::new();
    for _ in 0..20 {
        let project = queued.project(&one).await?;
        let took = stopwatch();
        queued.attempts(&one, project, 1).await?;
        dispatched(store, project).await?;
        waits.push((took() * 1_000.0) as u64);
    }
    running.end().await?;
    waits.sort_unstable();
    println!(
        "dispatcher: beside {} waiting attempts a call of another tenant waits {} ms (median of 20, longest {} ms; no record announces it)",
        arguments.waiting,
        waits[waits.len() / 2],
        waits[waits.len() - 1]
    );
    Ok(())
}

/// Waits until a call of a project is dispatched.
async fn dispatched(store: &Store, project: ProjectId) -> anyhow::Result<()> {
    until("a call is dispatched", DEADLINE, async || {
        let deliveries = store.of_project(project).await?;
        Ok((!deliveries.is_empty()).then_some(()))
    })
    .await
}
