//! Reads rows of `deliveries`.

use chorus_core::attempt::{DeliveryEnd, DeliveryRow};
use chorus_core::id::{Epoch, Holder, Term};
use chorus_core::money::MicroUsd;
use sqlx::any::AnyRow;

use super::cells::Cells;
use super::fault::Fault;
use crate::rows::StoredDelivery;

/// Reads a row of `deliveries`.
pub(super) fn delivery(row: &AnyRow) -> Result<StoredDelivery, Fault> {
    let cells = Cells::new("deliveries", "attempt", row);
    let delivery = DeliveryRow {
        attempt: cells.parsed("attempt")?,
        epoch: Epoch(cells.count("epoch")?),
        task: cells.parsed("task")?,
        kind: cells.enum_text("kind")?,
        assignment: cells.json("assignment")?,
        dispatched_at: cells.time("dispatched_at")?,
        claimed_at: cells.time_or_none("claimed_at")?,
        deadline: cells.time_or_none("deadline")?,
        ended_at: cells.time_or_none("ended_at")?,
        end: end(&cells)?,
        usage: cells.json_or_none("usage")?,
        cost: MicroUsd(cells.number("cost")?),
    };
    Ok(StoredDelivery {
        delivery,
        project: cells.parsed("project")?,
        term: Term(cells.count("term")?),
        holder: cells.text_or_none("holder")?.map(Holder::new),
        late: cells.parsed_or_none("late")?,
    })
}

/// Reads the end of a delivery from its columns.
fn end(cells: &Cells<'_>) -> Result<Option<DeliveryEnd>, Fault> {
    let Some(end) = cells.text_or_none("end_word")? else {
        return Ok(None);
    };
    Ok(Some(match end.as_str() {
        "finished" => DeliveryEnd::Finished {
            outcome: cells.json("outcome")?,
        },
        "unclaimed" => DeliveryEnd::Unclaimed,
        "lost_worker" => DeliveryEnd::WorkerLost,
        "cancelled" => DeliveryEnd::Cancelled,
        other => {
            return Err(cells.unreadable("end_word", &format!("{other:?} is no end of a delivery")));
        }
    }))
}
