//! Accounts and credentials.

use async_trait::async_trait;
use chorus_core::id::{AccountId, CredentialId, ProviderId, Tenant};
use chorus_core::port::StoreError;
use chorus_core::port::directory::{
    Account, Credential, CredentialState, Directory, Imported, Mark, NewAccount, Removal,
    SealedSecret, StoredSecret,
};
use sqlx::any::AnyRow;

use super::Store;
use super::cells::{Cells, json};
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};

mod import;

#[async_trait]
impl Directory for Store {
    async fn import(&self, accounts: Vec<NewAccount>) -> Result<Vec<Imported>, StoreError> {
        self.execute(import::ImportAccounts(accounts)).await
    }

    async fn accounts(&self, tenant: &Tenant) -> Result<Vec<Account>, StoreError> {
        let statement = sqlx::query(
            "SELECT a.id, a.name, a.owner, a.entitlement, a.same_owner_spill, c.id AS credential, c.provider, c.base_url, c.groups, c.state, c.mark, c.expires_at \
             FROM accounts a LEFT JOIN credentials c ON c.account = a.id WHERE a.tenant = $1 ORDER BY a.id, c.id",
        );
        let rows = self
            .read(statement.bind(tenant.as_str().to_owned()))
            .await?;
        let mut found: Vec<Account> = Vec::new();
        for row in &rows {
            let next = account(row)?;
            match found.last_mut() {
                Some(last) if last.id == next.id => last.credentials.extend(next.credentials),
                _ => found.push(next),
            }
        }
        // Databases order text by their own rules; ours is the order of bytes.
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    async fn secret(&self, credential: CredentialId) -> Result<Option<StoredSecret>, StoreError> {
        let query = sqlx::query(
            "SELECT id, provider, base_url, sealed, key_id, fingerprint FROM credentials WHERE id = $1",
        );
        let rows = self.read(query.bind(credential.to_string())).await?;
        let deposit = |row| {
            let cells = Cells::new("credentials", "id", row);
            let secret = SealedSecret {
                sealed: cells.text("sealed")?,
                key_id: cells.text("key_id")?,
            };
            Ok(StoredSecret {
                provider: cells.text("provider")?.as_str().into(),
                base_url: cells.text_or_none("base_url")?,
                secret,
                fingerprint: cells.text("fingerprint")?,
            })
        };
        Ok(rows
            .first()
            .map(deposit)
            .transpose()
            .map_err(|fault: Fault| fault)?)
    }

    async fn set_state(
        &self,
        credential: CredentialId,
        state: CredentialState,
    ) -> Result<(), StoreError> {
        let change = SetCredentialState {
            credential,
            state,
            mark: None,
        };
        self.execute(change).await.map(|_| ())
    }

    async fn mark_state(
        &self,
        credential: CredentialId,
        state: CredentialState,
        mark: Mark,
    ) -> Result<bool, StoreError> {
        self.execute(SetCredentialState {
            credential,
            state,
            mark: Some(mark),
        })
        .await
    }

    async fn update(
        &self,
        account: NewAccount,
        removed: Vec<CredentialId>,
    ) -> Result<Imported, StoreError> {
        let update = import::UpdateAccount { account, removed };
        self.execute(update).await
    }

    async fn remove(&self, tenant: &Tenant, what: Removal) -> Result<bool, StoreError> {
        let tenant = tenant.clone();
        match what {
            Removal::Account(account) => self.execute(RemoveAccount { tenant, account }).await,
            Removal::Drained(credential) => {
                self.execute(RemoveDrained { tenant, credential }).await
            }
        }
    }
}

/// An account with the credential of the same row, if there is one.
fn account(row: &AnyRow) -> Result<Account, Fault> {
    let cells = Cells::new("accounts", "id", row);
    let credential: Option<CredentialId> = cells.parsed_or_none("credential")?;
    let credentials = credential.map(|id| {
        Ok(Credential {
            id,
            provider: ProviderId::new(cells.text("provider")?),
            base_url: cells.text_or_none("base_url")?,
            groups: cells.json("groups")?,
            expires_at: cells.time_or_none("expires_at")?,
            state: cells.json("state")?,
            mark: cells.json_or_none("mark")?,
        })
    });
    Ok(Account {
        id: cells.parsed("id")?,
        name: cells.text("name")?,
        owner: cells.text("owner")?,
        entitlement: cells.json("entitlement")?,
        same_owner_spill: cells.flag("same_owner_spill")?,
        credentials: credentials.into_iter().collect::<Result<_, Fault>>()?,
    })
}

struct SetCredentialState {
    credential: CredentialId,
    state: CredentialState,
    /// Evidence; none for a person's act at this moment.
    mark: Option<Mark>,
}

#[async_trait]
impl Operation for SetCredentialState {
    type Output = bool;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<bool>, Fault> {
        let statement = sqlx::query("SELECT id, state, mark FROM credentials WHERE id = $1");
        let row = tx.row(statement.bind(self.credential.to_string())).await?;
        let Some(row) = row else {
            return Ok(Outcome::Commit(false));
        };
        let cells = Cells::new("credentials", "id", &row);
        let stored: Option<Mark> = cells.json_or_none("mark")?;
        let state: CredentialState = cells.json("state")?;
        let mark = self.mark.unwrap_or_else(|| Mark::of_person(tx.now));
        if self.mark.is_some() && (state.is_held() || !mark.replaces(stored.as_ref())) {
            return Ok(Outcome::Commit(false));
        }
        let statement = sqlx::query("UPDATE credentials SET state = $1, mark = $2 WHERE id = $3");
        let statement = statement
            .bind(json(&self.state)?)
            .bind(json(&mark)?)
            .bind(self.credential.to_string());
        tx.change(statement).await?;
        Ok(Outcome::Commit(true))
    }
}

struct RemoveAccount {
    tenant: Tenant,
    account: AccountId,
}

#[async_trait]
impl Operation for RemoveAccount {
    type Output = bool;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<bool>, Fault> {
        let statement = sqlx::query("DELETE FROM accounts WHERE id = $1 AND tenant = $2");
        let known = tx
            .change(
                statement
                    .bind(self.account.to_string())
                    .bind(self.tenant.as_str().to_owned()),
            )
            .await?
            == 1;
        if known {
            tx.change(
                sqlx::query("DELETE FROM credentials WHERE account = $1")
                    .bind(self.account.to_string()),
            )
            .await?;
        }
        Ok(Outcome::Commit(known))
    }
}

struct RemoveDrained {
    tenant: Tenant,
    credential: CredentialId,
}

#[async_trait]
impl Operation for RemoveDrained {
    type Output = bool;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<bool>, Fault> {
        let id = self.credential.to_string();
        let statement =
            sqlx::query("SELECT id, state FROM credentials WHERE id = $1 AND tenant = $2");
        let statement = statement
            .bind(id.clone())
            .bind(self.tenant.as_str().to_owned());
        let Some(row) = tx.row(statement).await? else {
            return Ok(Outcome::Commit(false));
        };
        let state = Cells::new("credentials", "id", &row).json("state")?;
        if !matches!(state, CredentialState::Draining { .. }) {
            return Ok(Outcome::Commit(false));
        }
        let statement = sqlx::query(
            "SELECT attempt FROM deliveries WHERE ended_at IS NULL AND assignment LIKE '%' || $1 || '%' LIMIT 1",
        );
        if tx.row(statement.bind(id.clone())).await?.is_some() {
            return Ok(Outcome::Commit(false));
        }
        let statement = sqlx::query("DELETE FROM credentials WHERE id = $1");
        Ok(Outcome::Commit(tx.change(statement.bind(id)).await? == 1))
    }
}
