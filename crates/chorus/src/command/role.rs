//! `chorus gateway|orchestrator|dispatcher|worker|serve`: services until somebody says stop.

mod line;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, bail};
use axum::Router;
use chorus_core::id::Pool;
use chorus_core::port::{Clock as _, StoreError};
use chorus_core::time::Millis;
use futures_util::future::{Either, pending, select};
use std::pin::pin;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Exit;
use crate::accounts::from_environment;
use crate::clock::SystemClock;
use crate::config::{Config, Process, Role};
use crate::house::{House, Opening, Services, Staff};
use crate::probe::{self, Probe};
use crate::stop::Stop;
use crate::telemetry::Telemetry;

/// What a process does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Post {
    /// One role among processes with others.
    One(Role),
    /// The workers of some pools; all when none is named.
    Workers(Vec<Pool>),
    /// Everything.
    Whole,
}

/// Beside the grace: writing down what was cut off, answering requests, leaving the bus.
const CLEARING: Millis = Millis::from_secs(15);

/// How long a database that does not answer is waited for between two tries.
const AGAIN: Millis = Millis::from_secs(1);

/// Works until a signal.
pub(crate) async fn run(config: Config, post: Post, migrate: bool) -> anyhow::Result<Exit> {
    if let Some(role) = post.role() {
        config.may_stand_alone(role)?;
    }
    let stop = Stop::listen()?;
    let telemetry = Arc::new(Telemetry::new(&chorus_upstream::catalog::load()));
    let Some(house) = open(config, migrate, &telemetry, &stop).await? else {
        return Ok(Exit::Done);
    };
    if post == Post::Whole {
        from_environment(&house.importer(&house.tenant, false), &Process).await?;
    }
    let staff = post.staff(&house.config);
    telemetry.slots(u64::from(house.config.worker.slots) * staff.pools.len() as u64);
    let probe = Arc::new(Probe::new(
        house.dependencies(),
        post.needs(),
        Arc::clone(&house.clock),
        telemetry,
    ));
    let (front, address) = front(&house, &post, &probe, &stop).await?;
    println!("{}", line::of(&house, &post, address));
    let mut services = Services::start(&house, &staff);
    let outcome = watch(&mut services, front, &stop).await;
    probe.stopping();
    let orderly = clear(&house, services, outcome, staff.drain).await;
    house.close().await;
    orderly
}

/// The front and the services run until they are told to stop; an error when one of them ends by itself.
async fn watch(
    services: &mut Services,
    mut front: Front,
    stop: &Stop,
) -> (anyhow::Result<()>, Front) {
    let ended = tokio::select! {
        biased;
        // The same signal ends the listener; whoever of both is seen first, this was no failure.
        () = stop.told() => Ok(()),
        () = services.ended() => Err(anyhow::anyhow!("a service ended by itself, which it never should; its last words are above")),
        failed = &mut front.serving => Err(failed.map_or_else(anyhow::Error::from, |served| served.err().unwrap_or_else(|| anyhow::anyhow!("the listener ended")))),
    };
    (ended, front)
}

/// Lets everything end in order, within the grace.
async fn clear(
    house: &House,
    services: Services,
    (outcome, front): (anyhow::Result<()>, Front),
    grace: Millis,
) -> anyhow::Result<Exit> {
    let over = house.clock.now() + grace + CLEARING;
    let Front { serving, outlives } = front;
    let cleared = house.clock.deadline(over, async {
        services.stop().await;
        if !outlives && outcome.is_ok() {
            // The gateway was told by the same signal; whether its last reply arrived is its client's to find out.
            let _ = serving.await;
        }
    });
    let in_time = cleared.await.is_some();
    outcome?;
    if !in_time {
        bail!(
            "what was under way did not end within the grace; others take over what this process held"
        );
    }
    Ok(Exit::Done)
}

/// What answers HTTP in this process.
struct Front {
    serving: JoinHandle<anyhow::Result<()>>,
    /// Whether it answers until the very end, instead of ending with the signal.
    outlives: bool,
}

/// The gateway with the probe beside it, or the probe alone, or nothing; and where it listens.
async fn front(
    house: &House,
    post: &Post,
    probe: &Arc<Probe>,
    stop: &Stop,
) -> anyhow::Result<(Front, Option<SocketAddr>)> {
    let routes = probe::routes(Arc::clone(probe));
    if post.has_gateway() {
        let (listener, address) = listen(house.config.gateway.listen, "gateway.listen").await?;
        let gateway = house.gateway().beside(routes);
        let told = stop.told();
        let serving = tokio::spawn(async move { Ok(gateway.serve(listener, told).await?) });
        return Ok((
            Front {
                serving,
                outlives: false,
            },
            Some(address),
        ));
    }
    let Some(place) = house.config.probe.listen else {
        return Ok((
            Front {
                serving: tokio::spawn(pending()),
                outlives: true,
            },
            None,
        ));
    };
    let (listener, address) = listen(place, "probe.listen").await?;
    let serving = tokio::spawn(serve(listener, routes));
    Ok((
        Front {
            serving,
            outlives: true,
        },
        Some(address),
    ))
}

async fn serve(listener: TcpListener, routes: Router) -> anyhow::Result<()> {
    Ok(axum::serve(listener, routes).await?)
}

async fn listen(place: SocketAddr, key: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(place)
        .await
        .with_context(|| format!("cannot listen on {place} ({key})"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Opens the house; a database that does not answer yet is waited for, because it may be starting too. None when the
/// process was told to stop meanwhile.
async fn open(
    config: Config,
    migrate: bool,
    telemetry: &Arc<Telemetry>,
    stop: &Stop,
) -> anyhow::Result<Option<House>> {
    let mut said = false;
    loop {
        let opening = Opening {
            crash: super::crash()?,
            migrate,
            telemetry: Some(Arc::clone(telemetry)),
        };
        let error = match House::open(config.clone(), opening).await {
            Ok(house) => return Ok(Some(house)),
            Err(error) => error,
        };
        let passing = config.database.is_shared()
            && matches!(error.downcast_ref(), Some(StoreError::Unavailable(_)));
        if !passing {
            return Err(error);
        }
        if !said {
            eprintln!("waiting for the database: {error:#}");
            said = true;
        }
        let again = SystemClock.sleep_until(SystemClock.now() + AGAIN);
        if let Either::Left(_) = select(pin!(stop.told()), again).await {
            return Ok(None);
        }
    }
}

impl Post {
    /// The role that must find what it shares with others.
    const fn role(&self) -> Option<Role> {
        match self {
            Self::One(role) => Some(*role),
            Self::Workers(_) => Some(Role::Worker),
            Self::Whole => None,
        }
    }

    const fn has_gateway(&self) -> bool {
        matches!(self, Self::Whole | Self::One(Role::Gateway))
    }

    fn staff(&self, config: &Config) -> Staff {
        let none = Staff::none(config.drain.grace());
        match self {
            Self::One(Role::Gateway) => none,
            Self::One(Role::Orchestrator) => Staff {
                orchestrator: true,
                ..none
            },
            Self::One(Role::Dispatcher) => Staff {
                dispatcher: true,
                ..none
            },
            Self::One(Role::Worker) => Staff {
                pools: Staff::pools(),
                ..none
            },
            Self::Workers(pools) => Staff {
                pools: if pools.is_empty() {
                    Staff::pools()
                } else {
                    pools.clone()
                },
                ..none
            },
            Self::Whole => Staff {
                drain: none.drain,
                ..Staff::whole()
            },
        }
    }

    /// Names of dependencies without which it is of no use. A gateway that cannot reach the bus still accepts work:
    /// rows are the truth, and the leading dispatcher sends what was not published.
    const fn needs(&self) -> &'static [&'static str] {
        match self {
            Self::One(Role::Gateway) => &["database", "artifacts"],
            Self::One(Role::Orchestrator) => &["database", "artifacts", "bus"],
            Self::One(Role::Dispatcher) => &["database", "bus", "limits"],
            Self::One(Role::Worker) | Self::Workers(_) | Self::Whole => {
                &["database", "artifacts", "bus", "limits"]
            }
        }
    }
}
