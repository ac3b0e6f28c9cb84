//! `chorus migrate`: brings what the processes share up to date, and says what it did. Doing it twice changes nothing.

use anyhow::Context;
use chorus_store::DataDir;
use chorus_store::sql;

use super::Exit;
use crate::config::Config;
use crate::house;

/// Carries the command out. No process need be stopped for it: each release runs on the schema of the next.
pub(crate) async fn run(config: &Config) -> anyhow::Result<Exit> {
    // SQLite's file is in use by nobody else while this is held.
    let _folder = if config.database.is_shared() { None } else { Some(DataDir::open(&config.data.dir)?) };
    let place = house::place(config);
    let name = config.database_name();
    let reached = || format!("cannot bring the database up to date ({name})");
    let missing = sql::pending(&place).await.with_context(reached)?;
    sql::migrate(&place).await.with_context(reached)?;
    match missing.as_slice() {
        [] => println!("database {name}: up to date"),
        missing => println!("database {name}: applied {}", missing.join(", ")),
    }
    Ok(Exit::Done)
}
