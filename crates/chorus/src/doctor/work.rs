//! Work that waits longer than it should: a sign that a role is not running.

use chorus_core::attempt::QueuedAttempt;
use chorus_core::port::{Attempts, Deliveries, Outbox, StoreError};
use chorus_core::time::{Millis, Timestamp};
use chorus_store::sql::Store;

use super::finding::Finding;
use crate::human_time;

const PART: &str = "work";
/// Most rows that are looked at.
const LOOKED_AT: u32 = 2_000;
/// Age from which a record that was not sent or not folded shows that no process does so.
const TOO_OLD: Millis = Millis::from_secs(60);

/// Findings about records and attempts that wait longer than [`TOO_OLD`].
pub(super) async fn look(store: &Store, now: Timestamp) -> Vec<Finding> {
    let findings = [
        queued(store, now).await,
        unsent(store).await,
        unfolded(store).await,
    ];
    findings
        .into_iter()
        .map(|found| found.unwrap_or_else(|error| Finding::wrong(PART, error.to_string())))
        .collect()
}

async fn queued(store: &Store, now: Timestamp) -> Result<Finding, StoreError> {
    let rows = store.queued(LOOKED_AT).await?;
    let running = store.outstanding().await?.len();
    let ready = |row: &&QueuedAttempt| row.attempt.not_before <= now;
    let oldest = rows
        .iter()
        .filter(ready)
        .map(|row| now.since(row.created_at))
        .max();
    let more = if rows.len() == LOOKED_AT as usize {
        " or more"
    } else {
        ""
    };
    let what = format!("{} attempts queued{more}, {running} under way", rows.len());
    Ok(match oldest {
        Some(age) if age > TOO_OLD && running == 0 => {
            Finding::doubtful(PART, format!("{what}; the oldest waits for {} and nothing runs", human_time::length(age)))
                .advise("`chorus project show ID` has the reasons; see that a dispatcher leads (chorus_dispatcher_leads on its /metrics) and that accounts have room")
        }
        _ => Finding::well(PART, what),
    })
}

async fn unsent(store: &Store) -> Result<Finding, StoreError> {
    let rows = store.unsent(TOO_OLD, LOOKED_AT).await?.len();
    Ok(if rows == 0 {
        Finding::well(PART, "every record was published")
    } else {
        Finding::doubtful(
            PART,
            format!("{rows} records wait to be published for more than a minute"),
        )
        .advise("the leading dispatcher publishes them: see that one runs and reaches the bus")
    })
}

async fn unfolded(store: &Store) -> Result<Finding, StoreError> {
    let rows = store.unfolded(TOO_OLD, LOOKED_AT).await?.len();
    Ok(if rows == 0 {
        Finding::well(PART, "every command and result was taken in")
    } else {
        Finding::doubtful(
            PART,
            format!("{rows} commands or results wait for an orchestrator for more than a minute"),
        )
        .advise("see that an orchestrator runs and reaches the database and the bus")
    })
}
