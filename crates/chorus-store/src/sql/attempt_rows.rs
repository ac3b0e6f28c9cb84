//! Rows of `attempts`: their reading, and the one statement that writes a step.

use chorus_core::attempt::{Assignment, NewAttempt};
use chorus_core::id::{AttemptId, Epoch, Holder, ProjectId};
use sqlx::any::AnyRow;

use super::cells::{Cells, json};
use super::fault::Fault;
use super::tx::{Statement, Tx};
use crate::rows::AttemptRow;
use crate::rows::money::Movement;

/// Reads a row of `attempts`.
pub(super) fn attempt(row: &AnyRow) -> Result<AttemptRow, Fault> {
    let cells = Cells::new("attempts", "id", row);
    let spec: NewAttempt = cells.json("spec")?;
    Ok(AttemptRow {
        attempt: NewAttempt {
            order: cells.parsed("work_order")?,
            not_before: cells.time("not_before")?,
            ..spec
        },
        state: cells.enum_text("state")?,
        epoch: Epoch(cells.count("epoch")?),
        holder: cells.text_or_none("holder")?.map(Holder::new),
        heartbeat_at: cells.time_or_none("beat_at")?,
        created_at: cells.time("created_at")?,
        queued_at: cells.time("queued_at")?,
        lost: cells.count("lost")?,
        retries: cells.count("retries")?,
        continues: cells.count("continues")?,
        refused_by: cells.parsed_or_none("refused_by")?,
        unfit: cells.json_or_none("unfit")?.unwrap_or_default(),
    })
}

/// An attempt's row, with the assignment of the delivery under way.
pub(super) struct Current {
    pub(super) row: AttemptRow,
    pub(super) assignment: Option<Assignment>,
}

/// Writes one step of a row. The guard is the row that the step began from.
const SAVE: &str = "UPDATE attempts SET state = $1, epoch = $2, holder = $3, beat_at = $4, queued_at = $5, lost = $6, \
    retries = $7, continues = $8, refused_by = $9, work_order = $10, not_before = $11, unfit = $12 \
    WHERE id = $13 AND epoch = $14 AND state = $15 AND COALESCE(holder, '') = $16";

/// As [`SAVE`], unless a heartbeat arrived since the row was read.
const SAVE_SILENT: &str = "UPDATE attempts SET state = $1, epoch = $2, holder = $3, beat_at = $4, queued_at = $5, lost = $6, \
    retries = $7, continues = $8, refused_by = $9, work_order = $10, not_before = $11, unfit = $12 \
    WHERE id = $13 AND epoch = $14 AND state = $15 AND COALESCE(holder, '') = $16 AND COALESCE(beat_at, 0) = $17";

fn save<'q>(
    text: &'static str,
    from: &AttemptRow,
    to: &AttemptRow,
) -> Result<Statement<'q>, Fault> {
    let unfit = (!to.unfit.is_empty())
        .then(|| json(&to.unfit))
        .transpose()?;
    let statement = sqlx::query(text)
        .bind(to.state.as_str())
        .bind(i64::from(to.epoch.0))
        .bind(to.holder.as_ref().map(|holder| holder.as_str().to_owned()))
        .bind(to.heartbeat_at.map(|at| at.0))
        .bind(to.queued_at.0)
        .bind(i64::from(to.lost))
        .bind(i64::from(to.retries))
        .bind(i64::from(to.continues))
        .bind(to.refused_by.map(|account| account.to_string()))
        .bind(to.attempt.order.to_string())
        .bind(to.attempt.not_before.0)
        .bind(unfit)
        .bind(from.attempt.id.to_string())
        .bind(i64::from(from.epoch.0))
        .bind(from.state.as_str())
        .bind(from.holder.as_ref().map_or("", Holder::as_str).to_owned());
    Ok(statement)
}

impl Tx<'_> {
    /// Reads an attempt's row.
    pub(super) async fn current(&mut self, attempt: AttemptId) -> Result<Option<Current>, Fault> {
        let statement = sqlx::query(
            "SELECT a.*, d.assignment FROM attempts a \
             LEFT JOIN deliveries d ON d.attempt = a.id AND d.epoch = a.epoch WHERE a.id = $1",
        );
        self.row(statement.bind(attempt.to_string()))
            .await?
            .map(|row| {
                Ok(Current {
                    row: self::attempt(&row)?,
                    assignment: Cells::new("deliveries", "id", &row).json_or_none("assignment")?,
                })
            })
            .transpose()
    }

    /// Writes a step; false when the row has moved on since it was read.
    pub(super) async fn save(&mut self, from: &AttemptRow, to: &AttemptRow) -> Result<bool, Fault> {
        Ok(self.change(save(SAVE, from, to)?).await? == 1)
    }

    /// Writes a step; false when the row has moved on, or its holder has sent a heartbeat.
    pub(super) async fn save_silent(
        &mut self,
        from: &AttemptRow,
        to: &AttemptRow,
    ) -> Result<bool, Fault> {
        let heartbeat_at = from.heartbeat_at.map_or(0, |at| at.0);
        Ok(self
            .change(save(SAVE_SILENT, from, to)?.bind(heartbeat_at))
            .await?
            == 1)
    }

    /// Adds a movement to a project's money.
    pub(super) async fn pay(
        &mut self,
        project: ProjectId,
        movement: Movement,
    ) -> Result<(), Fault> {
        let statement = sqlx::query(
            "UPDATE projects SET reserved = reserved + $1, spent = spent + $2, wasted = wasted + $3 WHERE id = $4",
        );
        let Movement {
            reserved,
            spent,
            wasted,
        } = movement;
        self.change(
            statement
                .bind(reserved.0)
                .bind(spent.0)
                .bind(wasted.0)
                .bind(project.to_string()),
        )
        .await?;
        Ok(())
    }

    /// Ends a delivery that its worker did not finish; a claimed one is charged its estimate.
    pub(super) async fn take_back(
        &mut self,
        row: &AttemptRow,
        end: &'static str,
    ) -> Result<(), Fault> {
        let statement = sqlx::query(
            "UPDATE deliveries SET ended_at = $1, end_word = $2, cost = CASE WHEN claimed_at IS NULL THEN 0 ELSE estimate END \
             WHERE attempt = $3 AND epoch = $4",
        );
        let statement = statement
            .bind(self.now.0)
            .bind(end)
            .bind(row.attempt.id.to_string())
            .bind(i64::from(row.epoch.0));
        self.change(statement).await?;
        Ok(())
    }
}
