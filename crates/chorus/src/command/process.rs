//! `chorus gateway|orchestrator|dispatcher|worker|serve`: runs services until a signal.
//!
//! Neighbours: [`http_server`] answers HTTP beside the services, [`startup_line`] formats the line that a started
//! process prints, and [`Services`] runs the services themselves.

mod http_server;
mod startup_line;

use std::pin::pin;
use std::sync::Arc;

use chorus_core::id::Pool;
use chorus_core::port::error::full_text;
use chorus_core::port::{Clock as _, StoreError};
use chorus_core::time::Millis;
use futures_util::future::{Either, select};
use tokio::task::JoinHandle;

use crate::accounts::{import_variables, refresh_limits, warn_of_ends};
use crate::app::{App, BuildOptions, ServiceSet, Services};
use crate::clock::SystemClock;
use crate::config::{Config, ProcessEnvironment, ProcessRole};
use crate::connection::ControlSocket;
use crate::exit::Exit;
use crate::failure::{ErrorCode, Failure};
use crate::health::Health;
use crate::stop::Stop;
use crate::telemetry::Telemetry;

use http_server::HttpServer;

/// Milliseconds after the drain period for recording what was cut off, answering requests and leaving the bus.
const SHUTDOWN_MARGIN: Millis = Millis::from_secs(15);

/// Milliseconds between two attempts to reach a database that does not answer.
const DATABASE_RETRY: Millis = Millis::from_secs(1);

/// Runs a process of this role until a signal.
pub(crate) async fn run(config: Config, role: ProcessRole, migrate: bool) -> anyhow::Result<Exit> {
    config.check_role(&role)?;
    let stop = Stop::listen("stopping in order; a second signal ends at once")?;
    let telemetry = Arc::new(Telemetry::new(&config.catalog));
    let Some(app) = build(config, migrate, &telemetry, &stop).await? else {
        return Ok(Exit::Done);
    };
    if role == ProcessRole::All {
        import_variables(app.importer(&app.tenant, true), &ProcessEnvironment).await?;
        warn_without_accounts(&app).await?;
        warn_of_ends(&app).await?;
    }
    let selected = services_of(&role, app.config.drain.grace(), app.catalog.pools());
    telemetry.slots(u64::from(app.config.worker.slots) * selected.pools.len() as u64);
    let health = Arc::new(Health::new(
        app.dependencies(),
        needs(&role),
        Arc::clone(&app.clock),
        telemetry,
    ));
    let server = HttpServer::start(&app, &role, &health, &stop).await?;
    println!("{}", startup_line::format(&app, &role, server.address));
    let control = control(&app, &role);
    let mut services = Services::start(&app, &selected);
    let importer = app.importer(&app.tenant, true);
    let refreshed = tokio::spawn(async move {
        if role == ProcessRole::All {
            refresh_limits(importer, ProcessEnvironment).await;
        }
    });
    let (outcome, server) = wait(&mut services, server, &stop).await;
    refreshed.abort();
    drop(control);
    health.stopping();
    let exit = shut_down(&app, services, server, (outcome, selected.drain)).await;
    app.close().await;
    exit
}

/// Control socket of a process that holds a data folder and makes calls. Its gateway's streams are woken by the rows.
fn control(app: &App, role: &ProcessRole) -> Option<(ControlSocket, JoinHandle<()>)> {
    if app.config.database.is_shared() || *role != ProcessRole::All {
        return None;
    }
    let (router, waker) = app.local_gateway();
    let socket = ControlSocket::start(&app.config, router)?;
    Some((socket, tokio::spawn(waker)))
}

/// Warns that projects will wait, where no tenant's account is there.
async fn warn_without_accounts(app: &App) -> anyhow::Result<()> {
    if app.ports.directory.accounts(&app.tenant).await?.is_empty() {
        eprintln!(
            "no account yet: projects are accepted and wait until one is imported, with `chorus account import \
             accounts.toml` or a variable such as DEEPSEEK_API_KEY"
        );
    }
    Ok(())
}

/// Waits for a stop signal. Returns an error when a service or the HTTP server ends before it.
async fn wait(
    services: &mut Services,
    mut server: HttpServer,
    stop: &Stop,
) -> (anyhow::Result<()>, HttpServer) {
    let outcome = tokio::select! {
        biased;
        // The same signal ends the listener, so the signal is checked first and a closed listener is no failure.
        () = stop.requested() => Ok(()),
        () = services.ended() => Err(Failure::new(ErrorCode::ServiceEnded, "a service ended without a stop signal").into()),
        error = server.ended() => Err(error),
    };
    (outcome, server)
}

/// Stops the services and the HTTP server within the drain period and its margin.
async fn shut_down(
    app: &App,
    services: Services,
    server: HttpServer,
    (outcome, drain): (anyhow::Result<()>, Millis),
) -> anyhow::Result<Exit> {
    let limit = app.clock.now() + drain + SHUTDOWN_MARGIN;
    let stopped = app.clock.deadline(limit, async {
        services.stop().await;
        if outcome.is_ok() {
            server.stopped().await;
        }
    });
    let in_time = stopped.await.is_some();
    outcome?;
    if !in_time {
        let message = "calls under way did not end within the drain period; other processes take over what this process held";
        return Err(Failure::new(ErrorCode::ShutdownTooSlow, message).into());
    }
    Ok(Exit::Done)
}

/// Builds the app. Retries while a shared database does not answer, because it may be starting as well. Returns none
/// if the process was asked to stop meanwhile.
async fn build(
    config: Config,
    migrate: bool,
    telemetry: &Arc<Telemetry>,
    stop: &Stop,
) -> anyhow::Result<Option<App>> {
    let mut reported = false;
    loop {
        let options = BuildOptions {
            crash: super::crash()?,
            migrate,
            telemetry: Some(Arc::clone(telemetry)),
            ..BuildOptions::default()
        };
        let error = match App::build(config.clone(), options).await {
            Ok(app) => return Ok(Some(app)),
            Err(error) => error,
        };
        let is_transient = config.database.is_shared()
            && matches!(error.downcast_ref(), Some(StoreError::Unavailable { .. }));
        if !is_transient {
            return Err(error);
        }
        if !std::mem::replace(&mut reported, true) {
            eprintln!("waiting for the database: {}", full_text(error.as_ref()));
        }
        let retry = SystemClock.sleep_until(SystemClock.now() + DATABASE_RETRY);
        if let Either::Left(_) = select(pin!(stop.requested()), retry).await {
            return Ok(None);
        }
    }
}

/// [`Services`] that a process of this role runs; the gateway runs none. `all` are the pools of the catalogue.
fn services_of(role: &ProcessRole, drain: Millis, all: Vec<Pool>) -> ServiceSet {
    let none = ServiceSet::none(drain);
    match role {
        ProcessRole::Gateway => none,
        ProcessRole::Orchestrator => ServiceSet {
            orchestrator: true,
            ..none
        },
        ProcessRole::Dispatcher => ServiceSet {
            dispatcher: true,
            ..none
        },
        ProcessRole::Worker(pools) => ServiceSet {
            pools: if pools.is_empty() { all } else { pools.clone() },
            ..none
        },
        ProcessRole::All => ServiceSet {
            drain,
            ..ServiceSet::all(all)
        },
    }
}

/// Names of the dependencies without which a process of this role is not ready. A gateway without the bus still
/// accepts work: rows are the truth, and the leading dispatcher sends what was not published.
const fn needs(role: &ProcessRole) -> &'static [&'static str] {
    match role {
        ProcessRole::Gateway => &["database", "artifacts"],
        ProcessRole::Orchestrator => &["database", "artifacts", "bus"],
        ProcessRole::Dispatcher => &["database", "bus", "limits"],
        ProcessRole::Worker(_) | ProcessRole::All => &["database", "artifacts", "bus", "limits"],
    }
}

#[cfg(test)]
mod tests {
    use chorus_core::catalog::Catalog;
    use chorus_core::id::ModelSlug;

    use super::*;

    /// The shipped catalogue with one more model, in a pool of its own.
    fn with_family(pool: &str) -> Catalog {
        let mut catalog = chorus_upstream::catalog::load();
        let mut model = catalog.models[0].clone();
        model.slug = ModelSlug::new(format!("{pool}/new"));
        model.pool = Pool::new(pool);
        catalog.models.push(model);
        catalog
    }

    #[test]
    fn a_new_family_of_the_catalogue_gets_workers() {
        let pools = with_family("qwen").pools();
        for role in [ProcessRole::All, ProcessRole::Worker(Vec::new())] {
            let services = services_of(&role, Millis(1), pools.clone());
            assert!(services.pools.contains(&Pool::new("qwen")), "{role:?}");
            assert_eq!(services.pools, pools, "{role:?}");
        }
        let one = ProcessRole::Worker(vec![Pool::new("claude")]);
        assert_eq!(
            services_of(&one, Millis(1), pools).pools,
            [Pool::new("claude")]
        );
    }
}
