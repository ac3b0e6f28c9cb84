//! Deliveries: history, outstanding leases, late usage, money.

use async_trait::async_trait;
use chorus_core::attempt::{
    ChargedCall, DeliveryRow, EndedCall, LateUsage, NewAttempt, Outstanding,
};
use chorus_core::id::{ProjectId, Tenant};
use chorus_core::money::MicroUsd;
use chorus_core::money::ProjectMoney;
use chorus_core::port::deliveries::{ChargedPage, EndPosition, Selection};
use chorus_core::port::{Deliveries, StoreError};
use chorus_core::time::Timestamp;
use sqlx::any::AnyRow;

use super::Store;
use super::cells::{Cells, json};
use super::delivery_rows::delivery;
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};
use crate::rows::StoredDelivery;
use crate::rows::money::Movement;

#[async_trait]
impl Deliveries for Store {
    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        let statement = sqlx::query(
            "SELECT d.*, p.tenant, c.now_ms FROM deliveries d JOIN projects p ON p.id = d.project CROSS JOIN db_clock c \
             WHERE (d.claimed_at IS NULL AND d.end_word IS NULL AND d.not_after >= (SELECT now_ms FROM db_clock)) \
             OR (d.claimed_at IS NOT NULL AND d.deadline >= (SELECT now_ms FROM db_clock)) ORDER BY d.attempt, d.epoch",
        );
        let rows = self.read(statement).await?;
        let found = rows.iter().map(|row| {
            let cells = Cells::new("deliveries", "attempt", row);
            let tenant = Tenant::new(cells.text("tenant")?);
            Ok(delivery(row)?.outstanding(&tenant, Timestamp(cells.number("now_ms")?)))
        });
        Ok(found
            .filter_map(Result::transpose)
            .collect::<Result<_, Fault>>()?)
    }

    async fn of_project(&self, project: ProjectId) -> Result<Vec<DeliveryRow>, StoreError> {
        let statement = sqlx::query(
            "SELECT * FROM deliveries WHERE project = $1 ORDER BY dispatched_at, attempt, epoch",
        );
        let rows = self.read(statement.bind(project.to_string())).await?;
        Ok(rows
            .iter()
            .map(|row| Ok(delivery(row)?.delivery))
            .collect::<Result<_, Fault>>()?)
    }

    async fn selected(
        &self,
        project: ProjectId,
        selection: Selection,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let statement = match selection {
            Selection::Open => sqlx::query(
                "SELECT * FROM deliveries WHERE project = $1 AND ended_at IS NULL AND claimed_at IS NOT NULL \
                 ORDER BY dispatched_at, attempt, epoch LIMIT $2",
            )
            .bind(project.to_string())
            .bind(i64::from(limit)),
            Selection::Ended { after: None } => sqlx::query(
                "SELECT * FROM deliveries WHERE project = $1 AND ended_at IS NOT NULL \
                 ORDER BY ended_at, attempt, epoch LIMIT $2",
            )
            .bind(project.to_string())
            .bind(i64::from(limit)),
            Selection::Ended { after: Some(after) } => sqlx::query(
                "SELECT * FROM deliveries WHERE project = $1 AND ended_at IS NOT NULL AND ended_at >= $3 \
                 AND (ended_at, attempt, epoch) > ($3, $4, $5) ORDER BY ended_at, attempt, epoch LIMIT $2",
            )
            .bind(project.to_string())
            .bind(i64::from(limit))
            .bind(after.ended_at.0)
            .bind(after.attempt.to_string())
            .bind(i64::from(after.epoch.0)),
        };
        let rows = self.read(statement).await?;
        Ok(rows
            .iter()
            .map(|row| Ok(delivery(row)?.delivery))
            .collect::<Result<_, Fault>>()?)
    }

    async fn ended_since(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<EndedCall>, StoreError> {
        let statement = sqlx::query(
            "SELECT d.*, a.spec FROM deliveries d JOIN attempts a ON a.id = d.attempt \
             WHERE d.ended_at IS NOT NULL AND d.ended_at >= $1 ORDER BY d.ended_at DESC, d.attempt DESC, d.epoch DESC LIMIT $2",
        );
        let rows = self
            .read(statement.bind(since.0).bind(i64::from(limit)))
            .await?;
        let calls = rows.iter().rev().map(|row| {
            let spec: NewAttempt = Cells::new("attempts", "attempt", row).json("spec")?;
            Ok(EndedCall::of_row(&delivery(row)?.delivery, &spec))
        });
        Ok(calls
            .filter_map(Result::transpose)
            .collect::<Result<_, Fault>>()?)
    }

    async fn charged_since(
        &self,
        since: Timestamp,
        after: Option<EndPosition>,
        limit: u32,
    ) -> Result<ChargedPage, StoreError> {
        let from = after.map_or(since, |after| after.ended_at.max(since));
        let (attempt, epoch) = after.map_or((String::new(), -1), |after| {
            (after.attempt.to_string(), i64::from(after.epoch.0))
        });
        let statement = sqlx::query(
            "SELECT d.*, p.tenant, c.now_ms FROM deliveries d JOIN projects p ON p.id = d.project CROSS JOIN db_clock c \
             WHERE d.ended_at IS NOT NULL AND d.ended_at >= $1 AND (d.ended_at, d.attempt, d.epoch) > ($1, $2, $3) \
             ORDER BY d.ended_at, d.attempt, d.epoch LIMIT $4",
        );
        let statement = statement.bind(from.0).bind(attempt).bind(epoch);
        let rows = self.read(statement.bind(i64::from(limit))).await?;
        let mut page = ChargedPage::default();
        for row in &rows {
            let cells = Cells::new("deliveries", "attempt", row);
            let tenant = Tenant::new(cells.text("tenant")?);
            let now = Timestamp(cells.number("now_ms")?);
            let row = delivery(row)?.delivery;
            page.next = EndPosition::of(&row);
            page.calls.extend(ChargedCall::of_row(&row, &tenant, now));
        }
        page.next = page.next.filter(|_| rows.len() == limit as usize);
        Ok(page)
    }

    async fn late(&self, late: LateUsage) -> Result<(), StoreError> {
        self.execute(CorrectCost(late)).await
    }

    async fn money(&self, project: ProjectId) -> Result<Option<ProjectMoney>, StoreError> {
        let statement =
            sqlx::query("SELECT id, budget, spent, reserved, wasted FROM projects WHERE id = $1");
        let rows = self.read(statement.bind(project.to_string())).await?;
        Ok(rows.first().map(money).transpose()?)
    }
}

/// Reads the money columns of a row of `projects`.
pub(super) fn money(row: &AnyRow) -> Result<ProjectMoney, Fault> {
    let cells = Cells::new("projects", "id", row);
    let amount = |column| cells.number(column).map(MicroUsd);
    Ok(ProjectMoney {
        budget: amount("budget")?,
        spent: amount("spent")?,
        reserved: amount("reserved")?,
        wasted: amount("wasted")?,
    })
}

struct CorrectCost(LateUsage);

#[async_trait]
impl Operation for CorrectCost {
    type Output = ();

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<()>, Fault> {
        let Self(late) = self;
        let statement = sqlx::query("SELECT * FROM deliveries WHERE attempt = $1 AND epoch = $2");
        let row = tx
            .row(
                statement
                    .bind(late.attempt.to_string())
                    .bind(i64::from(late.epoch.0)),
            )
            .await?;
        let kept = row.map(|row| delivery(&row)).transpose()?;
        let Some(kept) = kept.filter(StoredDelivery::may_be_corrected) else {
            return Ok(Outcome::Commit(()));
        };
        tx.pay(
            kept.project,
            Movement::corrected(kept.delivery.cost, late.cost),
        )
        .await?;
        let statement = sqlx::query(
            "UPDATE deliveries SET late = $1, usage = $2, cost = $3 WHERE attempt = $4 AND epoch = $5 AND late IS NULL",
        );
        let statement = statement
            .bind(late.event.to_string())
            .bind(json(&late.usage)?)
            .bind(late.cost.0)
            .bind(late.attempt.to_string())
            .bind(i64::from(late.epoch.0));
        // Another late usage was faster: its correction counts, this one is undone.
        Ok(if tx.change(statement).await? == 1 {
            Outcome::Commit(())
        } else {
            Outcome::RollBack(())
        })
    }
}
