//! `chorus migrate`: brings what the processes share up to date, and says what it did. Doing it twice changes nothing.

use anyhow::Context;
use chorus_core::id::Pool;
use chorus_core::port::Clock as _;
use chorus_core::port::bus::Topic;
use chorus_core::port::error::full_text;
use chorus_core::time::Millis;
use chorus_store::sql;

use crate::app;
use crate::clock::SystemClock;
use crate::config::{BusKind, Config};
use crate::exit::Exit;

/// Number of attempts to create topics, and the pause between two.
const TRIES: u32 = 10;
const AGAIN: Millis = Millis::from_secs(1);

/// Carries the command out. No process need be stopped for it: each release runs on the schema of the next.
pub(crate) async fn run(config: &Config) -> anyhow::Result<Exit> {
    // No other process uses SQLite's file while this is held.
    let _folder = if config.database.is_shared() {
        None
    } else {
        Some(app::open_folder(config)?)
    };
    let place = app::place(config);
    let name = config.database_name();
    let reached = || format!("cannot bring the database up to date ({name})");
    let missing = sql::pending(&place).await.with_context(reached)?;
    sql::migrate(&place).await.with_context(reached)?;
    match missing.as_slice() {
        [] => println!("database {name}: up to date"),
        missing => println!("database {name}: applied {}", missing.join(", ")),
    }
    if config.bus.kind == BusKind::Kafka {
        let made = topics(config, &config.catalog.pools()).await?;
        match made.as_slice() {
            [] => println!("Kafka at {}: all topics are there", config.bus.brokers),
            made => {
                let names: Vec<String> = made.iter().map(Topic::to_string).collect();
                println!(
                    "Kafka at {}: created {}",
                    config.bus.brokers,
                    names.join(", ")
                );
            }
        }
    }
    Ok(Exit::Done)
}

/// Creates the topics that are not there. Brokers that have just started, or lost sight of each other for a moment, refuse
/// that for a while.
async fn topics(config: &Config, pools: &[Pool]) -> anyhow::Result<Vec<Topic>> {
    for _ in 1..TRIES {
        match app::create_topics(&config.bus, pools).await {
            Ok(made) => return Ok(made),
            Err(error) => eprintln!("trying again: {}", full_text(error.as_ref())),
        }
        SystemClock.sleep_until(SystemClock.now() + AGAIN).await;
    }
    app::create_topics(&config.bus, pools)
        .await
        .context("cannot create Kafka's topics")
}
