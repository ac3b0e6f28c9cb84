//! Audit.

use async_trait::async_trait;
use chorus_core::id::Tenant;
use chorus_core::port::audit::{AccountUse, AuditEntry, AuditFilter};
use chorus_core::port::{Audit, StoreError};
use sqlx::any::AnyRow;

use super::Store;
use super::cells::{Cells, enum_text};
use super::delivery_rows::delivery;
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};

#[async_trait]
impl Audit for Store {
    async fn append(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.execute(AppendEntry(entry)).await
    }

    async fn entries(
        &self,
        tenant: &Tenant,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let statement = sqlx::query(
            "SELECT * FROM audit WHERE tenant = $1 AND ($2 = '' OR account = $2) AND ($3 = '' OR project = $3) AND at < $4 \
             ORDER BY at DESC, id DESC LIMIT $5",
        );
        let statement = statement
            .bind(tenant.as_str().to_owned())
            .bind(text(filter.account))
            .bind(text(filter.project))
            .bind(filter.before.map_or(i64::MAX, |end| end.0))
            .bind(i64::from(limit));
        let rows = self.read(statement).await?;
        Ok(rows.iter().map(entry).collect::<Result<_, Fault>>()?)
    }

    async fn uses(
        &self,
        tenant: &Tenant,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AccountUse>, StoreError> {
        // The account is a part of the assignment's JSON; ids are unique texts, so its text is enough.
        let statement = sqlx::query(
            "SELECT d.*, (SELECT MIN(a.caller) FROM audit a WHERE a.project = d.project AND a.action = 'submit') AS caller \
             FROM deliveries d JOIN projects p ON p.id = d.project \
             WHERE p.tenant = $1 AND ($2 = '' OR d.assignment LIKE '%' || $2 || '%') AND ($3 = '' OR d.project = $3) \
             AND d.dispatched_at < $4 ORDER BY d.dispatched_at DESC, d.attempt DESC, d.epoch DESC LIMIT $5",
        );
        let statement = statement
            .bind(tenant.as_str().to_owned())
            .bind(text(filter.account))
            .bind(text(filter.project))
            .bind(filter.before.map_or(i64::MAX, |end| end.0))
            .bind(i64::from(limit));
        let rows = self.read(statement).await?;
        let found = rows.iter().map(|row| {
            let caller = Cells::new("audit", "attempt", row).text_or_none("caller")?;
            Ok(delivery(row)?.account_use(caller))
        });
        Ok(found.collect::<Result<_, Fault>>()?)
    }
}

/// Text of an id; empty for none.
fn text<T: ToString>(id: Option<T>) -> String {
    id.map_or_else(String::new, |id| id.to_string())
}

fn entry(row: &AnyRow) -> Result<AuditEntry, Fault> {
    let cells = Cells::new("audit", "id", row);
    Ok(AuditEntry {
        id: cells.parsed("id")?,
        tenant: Tenant::new(cells.text("tenant")?),
        at: cells.time("at")?,
        caller: cells.text("caller")?,
        action: cells.enum_text("action")?,
        account: cells.parsed_or_none("account")?,
        account_name: cells.text("account_name")?,
        project: cells.parsed_or_none("project")?,
        detail: cells.text("detail")?,
    })
}

struct AppendEntry(AuditEntry);

#[async_trait]
impl Operation for AppendEntry {
    type Output = ();

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<()>, Fault> {
        let Self(entry) = self;
        let statement = sqlx::query(
            "INSERT INTO audit (id, tenant, at, caller, action, account, account_name, project, detail) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
        );
        let statement = statement
            .bind(entry.id.to_string())
            .bind(entry.tenant.as_str().to_owned())
            .bind(entry.at.0)
            .bind(entry.caller.clone())
            .bind(enum_text(&entry.action)?)
            .bind(entry.account.map(|id| id.to_string()))
            .bind(entry.account_name.clone())
            .bind(entry.project.map(|id| id.to_string()))
            .bind(entry.detail.clone());
        tx.change(statement).await?;
        Ok(Outcome::Commit(()))
    }
}
