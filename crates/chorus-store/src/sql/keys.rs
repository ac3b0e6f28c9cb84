//! API keys.

use async_trait::async_trait;
use chorus_core::id::{KeyId, Tenant};
use chorus_core::port::StoreError;
use chorus_core::port::keys::{ApiKey, KeyHash, Keys, NewKey, Scopes};
use sqlx::any::AnyRow;

use super::Store;
use super::cells::Cells;
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};

#[async_trait]
impl Keys for Store {
    async fn create(&self, key: NewKey) -> Result<(), StoreError> {
        self.execute(CreateKey(key)).await
    }

    async fn find(&self, hash: KeyHash) -> Result<Option<ApiKey>, StoreError> {
        let statement = sqlx::query(
            "SELECT id, tenant, name, scopes, created_at, expires_at, revoked_at FROM api_keys WHERE hash = $1",
        );
        let rows = self.read(statement.bind(hash.to_string())).await?;
        Ok(rows.first().map(key).transpose()?)
    }

    async fn list(&self, tenant: &Tenant) -> Result<Vec<ApiKey>, StoreError> {
        let statement = sqlx::query(
            "SELECT id, tenant, name, scopes, created_at, expires_at, revoked_at FROM api_keys WHERE tenant = $1 \
             ORDER BY created_at DESC, id DESC",
        );
        let rows = self
            .read(statement.bind(tenant.as_str().to_owned()))
            .await?;
        Ok(rows.iter().map(key).collect::<Result<_, Fault>>()?)
    }

    async fn revoke(&self, tenant: &Tenant, key: KeyId) -> Result<bool, StoreError> {
        self.execute(RevokeKey {
            tenant: tenant.clone(),
            key,
        })
        .await
    }
}

fn key(row: &AnyRow) -> Result<ApiKey, Fault> {
    let cells = Cells::new("api_keys", "id", row);
    Ok(ApiKey {
        id: cells.parsed("id")?,
        tenant: Tenant::new(cells.text("tenant")?),
        name: cells.text("name")?,
        scopes: Scopes::known(&cells.text("scopes")?),
        created_at: cells.time("created_at")?,
        expires_at: cells.time_or_none("expires_at")?,
        revoked_at: cells.time_or_none("revoked_at")?,
    })
}

struct CreateKey(NewKey);

#[async_trait]
impl Operation for CreateKey {
    type Output = ();

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<()>, Fault> {
        let Self(new) = self;
        let statement = sqlx::query(
            "INSERT INTO api_keys (id, tenant, name, hash, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (id) DO NOTHING",
        );
        let statement = statement
            .bind(new.id.to_string())
            .bind(new.tenant.as_str().to_owned())
            .bind(new.name.clone())
            .bind(new.hash.to_string())
            .bind(new.scopes.to_string())
            .bind(tx.now.0)
            .bind(new.expires_at.map(|at| at.0));
        tx.change(statement).await?;
        Ok(Outcome::Commit(()))
    }
}

struct RevokeKey {
    tenant: Tenant,
    key: KeyId,
}

#[async_trait]
impl Operation for RevokeKey {
    type Output = bool;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<bool>, Fault> {
        let statement = sqlx::query(
            "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $1) WHERE id = $2 AND tenant = $3",
        );
        let statement = statement
            .bind(tx.now.0)
            .bind(self.key.to_string())
            .bind(self.tenant.as_str().to_owned());
        Ok(Outcome::Commit(tx.change(statement).await? == 1))
    }
}
