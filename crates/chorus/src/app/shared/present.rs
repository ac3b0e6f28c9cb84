//! This program was built with them.

use std::sync::Arc;

use anyhow::Context;
use chorus_bus::kafka::{Kafka, Login, Mechanism, Missing, Security, Settings, Tls, Topics};
use chorus_core::id::Pool;
use chorus_core::port::Clock;
use chorus_core::port::bus::Topic;
use chorus_limits::redis::{self, Redis};
use futures_util::FutureExt;

use super::{BusState, DeadLetter, Group, LimitsState, SharedBus, SharedLimits};
use crate::app::dependency::Dependency;
use crate::config;

/// The bus over [`Kafka`]; nothing is asked of the brokers yet.
pub(in crate::app) fn kafka(config: &config::Bus, pools: Vec<Pool>) -> anyhow::Result<SharedBus> {
    let kafka = open(config)?;
    let asked = kafka.clone();
    let pools: Arc<[Pool]> = pools.into();
    let dependency = Dependency::new("bus", format!("Kafka at {}", config.brokers), move || {
        let (kafka, pools) = (asked.clone(), Arc::clone(&pools));
        async move { has_topics(&kafka, &pools).await }
    });
    let closed = kafka.clone();
    let close = Box::new(move |within| {
        let kafka = closed.clone();
        async move { kafka.close(within).await }.boxed()
    });
    Ok(SharedBus {
        bus: Arc::new(kafka),
        dependency,
        close,
    })
}

/// Returns an error if a broker does not answer or a topic is missing.
async fn has_topics(kafka: &Kafka, pools: &[Pool]) -> Result<(), String> {
    let missing = kafka
        .topics()
        .missing(pools)
        .await
        .map_err(|error| error.to_string())?;
    let gone: Vec<&str> = missing
        .iter()
        .filter(|topic| topic.partitions == 0)
        .map(|topic| topic.name.as_str())
        .collect();
    if gone.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "it lacks {}; run `chorus migrate`",
            gone.join(", ")
        ))
    }
}

/// The ledger in Redis; nothing is connected yet.
pub(in crate::app) fn redis(
    config: &config::Limits,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<SharedLimits> {
    let settings = redis::Settings::new(config.url.expose(), config.namespace.clone());
    let redis =
        Arc::new(Redis::open(&settings, Arc::clone(clock)).context("limits.url cannot be used")?);
    let asked = redis.clone();
    let dependency = Dependency::new("limits", config.url.url(), move || {
        let redis = asked.clone();
        async move { redis.ping().await }
    });
    Ok(SharedLimits {
        limits: redis,
        dependency,
    })
}

/// State of the brokers; an error if none answers.
pub(crate) async fn look_at_bus(config: &config::Bus, pools: &[Pool]) -> anyhow::Result<BusState> {
    let kafka = open(config)?;
    let topics = kafka.topics();
    topics.ping().await?;
    let missing = topics.missing(pools).await?;
    if !missing.is_empty() {
        let unfit = |missing: &Missing| match missing.partitions {
            0 => format!("{} is missing", missing.name),
            found => format!(
                "{} has {found} partitions, not {}",
                missing.name,
                missing.topic.partitions()
            ),
        };
        return Ok(BusState {
            unfit: missing.iter().map(unfit).collect(),
            groups: Vec::new(),
            letters: 0,
        });
    }
    let mut groups = vec![
        group(
            topics,
            chorus_orchestrator::GROUP.to_owned(),
            None,
            &[Topic::ProjectCmd, Topic::TaskDone],
        )
        .await?,
    ];
    for pool in pools {
        groups.push(
            group(
                topics,
                chorus_worker::group(pool),
                Some(pool.clone()),
                &[Topic::TaskDispatch(pool.clone())],
            )
            .await?,
        );
    }
    let letters = kafka
        .dead_letters()
        .list()
        .await?
        .iter()
        .filter(|letter| !letter.replayed)
        .count();
    Ok(BusState {
        unfit: Vec::new(),
        groups,
        letters,
    })
}

async fn group(
    topics: &Topics,
    name: String,
    pool: Option<Pool>,
    read: &[Topic],
) -> anyhow::Result<Group> {
    let behind = topics
        .lag(&name, read)
        .await?
        .iter()
        .map(|lag| lag.records)
        .sum();
    Ok(Group {
        members: topics.members(&name).await?,
        name,
        pool,
        behind,
    })
}

/// State of the server of limits; an error if it does not answer.
pub(crate) async fn look_at_limits(config: &config::Limits) -> anyhow::Result<LimitsState> {
    let settings = redis::Settings::new(config.url.expose(), config.namespace.clone());
    let redis::Examined {
        release,
        eviction,
        evicted,
        now,
    } = redis::examine(&settings).await?;
    Ok(LimitsState {
        release,
        eviction,
        evicted,
        now,
    })
}

/// Makes the topics that are not there; which they were.
pub(crate) async fn create_topics(
    config: &config::Bus,
    pools: &[Pool],
) -> anyhow::Result<Vec<Topic>> {
    Ok(open(config)?.topics().create(pools).await?)
}

/// Every [`DeadLetter`], oldest first.
pub(crate) async fn dead_letters(config: &config::Bus) -> anyhow::Result<Vec<DeadLetter>> {
    Ok(open(config)?
        .dead_letters()
        .list()
        .await?
        .into_iter()
        .map(|letter| shown(&letter))
        .collect())
}

/// Sends the letters that are chosen to where they came from; those that were sent.
pub(crate) async fn replay(
    config: &config::Bus,
    chosen: impl Fn(&DeadLetter) -> bool,
) -> anyhow::Result<Vec<DeadLetter>> {
    let letters = open(config)?.dead_letters();
    let mut sent = Vec::new();
    for letter in letters.list().await? {
        let shown = shown(&letter);
        if chosen(&shown) {
            letters
                .replay(&letter)
                .await
                .with_context(|| format!("cannot replay {}", letter.id))?;
            sent.push(shown);
        }
    }
    Ok(sent)
}

fn shown(letter: &chorus_bus::kafka::DeadLetter) -> DeadLetter {
    DeadLetter {
        id: letter.id.to_string(),
        at: letter.at,
        origin: letter
            .origin
            .as_ref()
            .map_or_else(|| "a topic of others".to_owned(), Topic::to_string),
        key: letter.key.clone(),
        reason: letter.reason.clone(),
        replayed: letter.replayed,
    }
}

fn open(config: &config::Bus) -> anyhow::Result<Kafka> {
    Ok(Kafka::new(settings(config)?)?)
}

fn settings(config: &config::Bus) -> anyhow::Result<Settings> {
    let tls = || Tls {
        ca_file: (!config.ca_file.is_empty()).then(|| config.ca_file.clone().into()),
    };
    let security = match config.security {
        config::Security::Plaintext => Security::Plaintext,
        config::Security::Ssl => Security::Ssl(tls()),
        config::Security::SaslPlaintext => Security::SaslPlaintext(login(config)?),
        config::Security::SaslSsl => Security::SaslSsl(login(config)?, tls()),
    };
    Ok(Settings {
        namespace: config.namespace.clone(),
        security,
        replication: config.replication,
        session_timeout: config.session_timeout_ms,
        ..Settings::new(config.brokers.clone())
    })
}

fn login(config: &config::Bus) -> anyhow::Result<Login> {
    let mechanism: Mechanism = config.sasl_mechanism.parse()?;
    Ok(Login {
        mechanism,
        username: config.sasl_username.clone(),
        password: config.sasl_password.expose().to_owned(),
    })
}
