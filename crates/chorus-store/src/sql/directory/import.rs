//! Import of accounts with their credentials, each whole or not at all.

use async_trait::async_trait;
use chorus_core::id::{AccountId, CredentialId};
use chorus_core::port::directory::{CredentialState, Imported, NewAccount, NewCredential};

use crate::sql::cells::{Cells, json};
use crate::sql::fault::Fault;
use crate::sql::tx::{Operation, Outcome, Tx};

pub(super) struct ImportAccounts(pub(super) Vec<NewAccount>);

#[async_trait]
impl Operation for ImportAccounts {
    type Output = Vec<Imported>;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<Vec<Imported>>, Fault> {
        let mut results = Vec::with_capacity(self.0.len());
        for new in &self.0 {
            results.push(one(tx, new).await?);
        }
        Ok(Outcome::Commit(results))
    }
}

pub(super) struct UpdateAccount {
    pub(super) account: NewAccount,
    pub(super) removed: Vec<CredentialId>,
}

#[async_trait]
impl Operation for UpdateAccount {
    type Output = Imported;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<Imported>, Fault> {
        let new = &self.account;
        if let Some(held_by) = duplicate(tx, new).await? {
            return Ok(Outcome::RollBack(Imported::Duplicate { held_by }));
        }
        let statement = sqlx::query(
            "UPDATE accounts SET owner = $1, entitlement = $2, same_owner_spill = $3 WHERE id = $4 AND tenant = $5",
        );
        let statement = statement
            .bind(new.owner.clone())
            .bind(json(&new.entitlement)?)
            .bind(i64::from(new.same_owner_spill))
            .bind(new.id.to_string())
            .bind(new.tenant.as_str().to_owned());
        tx.change(statement).await?;
        for credential in &new.credentials {
            let held = held_state(tx, credential.id).await?;
            delete_credential(tx, new.id, credential.id).await?;
            insert_credential(tx, new, (new.id, held), credential).await?;
        }
        for credential in &self.removed {
            delete_credential(tx, new.id, *credential).await?;
        }
        Ok(Outcome::Commit(Imported::Added(new.id)))
    }
}

async fn delete_credential(
    tx: &mut Tx<'_>,
    account: AccountId,
    credential: CredentialId,
) -> Result<(), Fault> {
    let statement = sqlx::query("DELETE FROM credentials WHERE id = $1 AND account = $2");
    let statement = statement
        .bind(credential.to_string())
        .bind(account.to_string());
    tx.change(statement).await?;
    Ok(())
}

/// State of a stored credential that a person holds.
async fn held_state(
    tx: &mut Tx<'_>,
    credential: CredentialId,
) -> Result<Option<CredentialState>, Fault> {
    let statement = sqlx::query("SELECT id, state FROM credentials WHERE id = $1");
    let row = tx.row(statement.bind(credential.to_string())).await?;
    let state: Option<CredentialState> = row
        .map(|row| Cells::new("credentials", "id", &row).json("state"))
        .transpose()?;
    Ok(state.filter(CredentialState::is_held))
}

async fn one(tx: &mut Tx<'_>, new: &NewAccount) -> Result<Imported, Fault> {
    if let Some(held_by) = duplicate(tx, new).await? {
        return Ok(Imported::Duplicate { held_by });
    }
    let account = account(tx, new).await?;
    for credential in &new.credentials {
        insert_credential(tx, new, (account, None), credential).await?;
    }
    Ok(Imported::Added(account))
}

/// Name of the account that holds one of the secrets already.
async fn duplicate(tx: &mut Tx<'_>, new: &NewAccount) -> Result<Option<String>, Fault> {
    for (at, credential) in new.credentials.iter().enumerate() {
        if new.credentials[..at]
            .iter()
            .any(|earlier| earlier.fingerprint == credential.fingerprint)
        {
            return Ok(Some(new.name.clone()));
        }
        let forms =
            std::iter::once(&credential.fingerprint).chain(&credential.earlier_fingerprints);
        for fingerprint in forms {
            let held_by = held_by(tx, new, (credential.id, fingerprint)).await?;
            if held_by.is_some() {
                return Ok(held_by);
            }
        }
    }
    Ok(None)
}

/// Name of the account that holds this secret already. A credential of the same id is an earlier call of the
/// same import.
async fn held_by(
    tx: &mut Tx<'_>,
    new: &NewAccount,
    (credential, fingerprint): (CredentialId, &str),
) -> Result<Option<String>, Fault> {
    let statement = sqlx::query(
        "SELECT a.id, a.name FROM credentials c JOIN accounts a ON a.id = c.account WHERE c.tenant = $1 AND c.fingerprint = $2 AND c.id <> $3",
    );
    let statement = statement
        .bind(new.tenant.as_str().to_owned())
        .bind(fingerprint.to_owned())
        .bind(credential.to_string());
    tx.row(statement)
        .await?
        .map(|row| Cells::new("accounts", "id", &row).text("name"))
        .transpose()
}

/// The account of this name, created when it is missing.
async fn account(tx: &mut Tx<'_>, new: &NewAccount) -> Result<AccountId, Fault> {
    let statement = sqlx::query(
        "INSERT INTO accounts (id, tenant, name, owner, entitlement, same_owner_spill) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (tenant, name) DO NOTHING",
    );
    let statement = statement
        .bind(new.id.to_string())
        .bind(new.tenant.as_str().to_owned())
        .bind(new.name.clone())
        .bind(new.owner.clone())
        .bind(json(&new.entitlement)?)
        .bind(i64::from(new.same_owner_spill));
    tx.change(statement).await?;
    let statement = sqlx::query("SELECT id FROM accounts WHERE tenant = $1 AND name = $2");
    let row = tx
        .row(
            statement
                .bind(new.tenant.as_str().to_owned())
                .bind(new.name.clone()),
        )
        .await?;
    let row = row.ok_or_else(|| Fault::again("the account went away while it was imported"))?;
    Cells::new("accounts", "id", &row).parsed("id")
}

async fn insert_credential(
    tx: &mut Tx<'_>,
    new: &NewAccount,
    (account, held): (AccountId, Option<CredentialState>),
    credential: &NewCredential,
) -> Result<(), Fault> {
    let state = held.unwrap_or(CredentialState::Active);
    let statement = sqlx::query(
        "INSERT INTO credentials (id, account, tenant, fingerprint, provider, base_url, sealed, key_id, groups, state, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO NOTHING",
    );
    let statement = statement
        .bind(credential.id.to_string())
        .bind(account.to_string())
        .bind(new.tenant.as_str().to_owned())
        .bind(credential.fingerprint.clone())
        .bind(credential.provider.as_str().to_owned())
        .bind(credential.base_url.clone())
        .bind(credential.secret.sealed.clone())
        .bind(credential.secret.key_id.clone())
        .bind(json(&credential.groups)?)
        .bind(json(&state)?)
        .bind(credential.expires_at.map(|at| at.0));
    tx.change(statement).await?;
    Ok(())
}
