//! The database: whether it answers, has this program's tables, is sound, and what time it thinks it is.

use std::sync::Arc;

use chorus_core::port::{Clock, StoreError};
use chorus_store::sql::{Pending, Store};

use super::finding::Finding;
use super::{PATIENCE, clocks};
use crate::app;
use crate::config::Config;

const PART: &str = "database";

/// The open database, when it can be used, and what was found.
pub(super) async fn look(config: &Config, clock: &Arc<dyn Clock>) -> (Option<Store>, Vec<Finding>) {
    let shared = config.database.is_shared();
    if !shared && !config.data.dir.join("chorus.db").exists() {
        return (
            None,
            vec![Finding::well(PART, "not there yet; the first run makes it")],
        );
    }
    let place = app::place(config);
    let until = clock.now() + PATIENCE;
    let missing = match clock
        .deadline(until, chorus_store::sql::pending(&place))
        .await
    {
        Some(Ok(missing)) => missing,
        Some(Err(error)) => return (None, vec![refused(config, &error)]),
        None => return (None, vec![silent(config)]),
    };
    if !missing.is_empty() {
        let found = Finding::wrong(
            PART,
            format!("it answers, and lacks {}", missing.join(", ")),
        );
        return (
            None,
            vec![found.advise("run `chorus migrate`; it can be repeated")],
        );
    }
    let store = match Store::open_with(place, Pending::Refuse, config.database.connections).await {
        Ok(store) => store,
        Err(error) => return (None, vec![refused(config, &error)]),
    };
    let mut findings = vec![Finding::well(
        PART,
        format!("{} answers and is up to date", config.database_name()),
    )];
    findings.extend(soundness(&store).await);
    findings.extend(time(&store, clock).await);
    (Some(store), findings)
}

fn refused(config: &Config, error: &StoreError) -> Finding {
    let advice = match (config.database.is_shared(), error) {
        (true, StoreError::Unavailable { .. }) => {
            "start it, or mend database.url (CHORUS_DATABASE_URL): host, port, name, user, password, sslmode"
        }
        (true, StoreError::Broken { .. }) => {
            "see the server's own log; CHORUS_DATABASE_URL must name a database that this user owns"
        }
        (false, _) => "stop what uses the file, or put a backup of the data folder in its place",
    };
    Finding::wrong(PART, format!("{}: {error}", config.database_name())).advise(advice)
}

fn silent(config: &Config) -> Finding {
    let what = format!(
        "{} gave no answer within {} s",
        config.database_name(),
        PATIENCE.0 / 1000
    );
    Finding::wrong(PART, what)
        .advise("see whether the address is right and no firewall swallows packets on the way")
}

async fn soundness(store: &Store) -> Option<Finding> {
    match store.examine().await {
        Ok(damage) if damage.is_empty() => None,
        Ok(damage) => {
            let found = Finding::wrong(PART, format!("it is damaged: {}", damage.join("; ")));
            Some(found.advise(
                "stop Chorus, keep a copy of the data folder, and put a backup in its place",
            ))
        }
        Err(error) => Some(Finding::wrong(
            PART,
            format!("it could not be examined: {error}"),
        )),
    }
}

async fn time(store: &Store, clock: &Arc<dyn Clock>) -> Option<Finding> {
    let asked = clock.now();
    match store.now().await {
        Ok(theirs) => Some(clocks(PART, "the database's", theirs, asked, clock.now())),
        Err(error) => Some(Finding::doubtful(
            PART,
            format!("it does not tell the time: {error}"),
        )),
    }
}
