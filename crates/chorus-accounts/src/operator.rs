//! Acts of operators on stored accounts: import, check, pause, enable, rotate, remove.
//!
//! Every act is written to the [`Audit`] before it is carried out, and a notice of each changed credential is published
//! after it, so that dispatchers and workers read the accounts again at once. Rows are the truth: a lost notice costs
//! the time until they are read anyway. Neighbours: [`Importer`](crate::Importer) has the rules of rows, [`rotation`]
//! those of a new key.

mod rotation;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use chorus_core::catalog::Catalog;
use chorus_core::id::{AccountId, AuditId, CredentialId, EventId, Tenant};
use chorus_core::port::audit::{AuditAction, AuditEntry};
use chorus_core::port::directory::{Account, Credential, CredentialState, Mark, Removal};
use chorus_core::port::{Audit, Bus, Clock, Directory, StoreError};
use chorus_core::record::{self, CredentialNotice};
use chorus_core::time::Millis;
use chorus_vault::address::AddressPolicy;
use chorus_vault::{EnvelopeKey, KeyCheck, KeyChecker, Liveness};

use crate::file::BrokenRow;
use crate::import::{ImportError, Importer, Report};
use crate::row::Row;

pub use rotation::{Rotated, Rotation};

/// Longest time that a provider may take to answer a check of a key.
pub(crate) const CHECK_TIMEOUT: Millis = Millis::from_secs(15);

/// Carries out the acts of operators.
#[derive(Clone)]
pub struct AccountOperator {
    /// Store of the accounts.
    pub directory: Arc<dyn Directory>,
    /// Store of the acts.
    pub audit: Arc<dyn Audit>,
    /// Transport of notices.
    pub bus: Arc<dyn Bus>,
    /// Source of times and ids.
    pub clock: Arc<dyn Clock>,
    /// Providers and models.
    pub catalog: Arc<Catalog>,
    /// [`EnvelopeKey`] that seals secrets.
    pub key: EnvelopeKey,
    /// Addresses that rows may name.
    pub addresses: AddressPolicy,
    /// Checks keys at their providers.
    pub checker: Arc<dyn KeyChecker>,
}

impl fmt::Debug for AccountOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountOperator")
    }
}

/// Author of an act, and the tenant of the accounts.
#[derive(Debug, Clone)]
pub struct Author {
    /// Tenant of the accounts.
    pub tenant: Tenant,
    /// Name of the author in the audit.
    pub caller: String,
}

/// Accounts that an act names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The account of this name or id.
    Account(String),
    /// All accounts of this owner.
    Owner(String),
}

/// Pause of accounts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pause {
    /// Reason for people; empty if none.
    pub reason: String,
    /// True if calls under way are cut; false if they may end.
    pub is_cut: bool,
}

/// Result of the check of one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkup {
    /// Credential of the key.
    pub credential: Credential,
    /// Answer of the provider.
    pub answer: Liveness,
}

/// Reason that an act was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// No account has this name or id.
    #[error("there is no account {0}")]
    NoSuchAccount(String),
    /// No account has this owner.
    #[error("no account has the owner {0}")]
    NoSuchOwner(String),
    /// A request names no credential, or several.
    #[error("{0}")]
    Unclear(String),
    /// The new key cannot be used; the old one serves as before.
    #[error("{0}")]
    KeyRefused(String),
    /// The new key is stored already.
    #[error("this key is there already, in the account {0}")]
    Duplicate(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The import failed.
    #[error(transparent)]
    Import(#[from] ImportError),
}

impl AccountOperator {
    /// Rules of rows, for the accounts of a tenant; with `check` keys are checked at their providers.
    pub fn importer(&self, tenant: &Tenant, check: bool) -> Importer {
        Importer {
            directory: Arc::clone(&self.directory),
            clock: Arc::clone(&self.clock),
            catalog: Arc::clone(&self.catalog),
            key: self.key.clone(),
            tenant: tenant.clone(),
            addresses: self.addresses,
            checker: check.then(|| Arc::clone(&self.checker)),
            replaces_keys: false,
        }
    }

    /// Imports rows; a refused row does not stop the others.
    pub async fn import(
        &self,
        author: &Author,
        rows: Vec<Result<Row, BrokenRow>>,
        check: bool,
    ) -> Result<Report, OperatorError> {
        for row in rows.iter().flatten() {
            let subject = Subject {
                account: None,
                name: row.shown_name(),
            };
            let detail = format!("{}, keys: {}", row.place, row.credentials.len());
            self.write(author, AuditAction::Import, subject, detail)
                .await?;
        }
        let report = self.importer(&author.tenant, check).import(rows).await?;
        let changed = report.updated.iter().map(|updated| &updated.name);
        let names: Vec<&String> = report.added.iter().chain(changed).collect();
        for account in self.directory.accounts(&author.tenant).await? {
            if names.contains(&&account.name) {
                self.notify(author, &account, &account.credentials).await;
            }
        }
        Ok(report)
    }

    /// Checks every key of an account at its provider, and sets the state that follows. A credential that a person
    /// holds keeps its state.
    pub async fn probe(&self, author: &Author, named: &str) -> Result<Vec<Checkup>, OperatorError> {
        let account = self.account(author, named).await?;
        let detail = format!("keys: {}", account.credentials.len());
        self.write_of(author, AuditAction::Probe, &account, detail)
            .await?;
        let mut checkups = Vec::with_capacity(account.credentials.len());
        for credential in &account.credentials {
            let answer = self.check(credential).await?;
            let state = match &answer {
                Liveness::Alive => Some(CredentialState::Active),
                Liveness::Dead { reason } => Some(CredentialState::Refused {
                    reason: reason.clone(),
                }),
                Liveness::WrongAddress { .. } | Liveness::Unknown { .. } => None,
            };
            if let Some(state) = state {
                let mark = Mark::of_check(self.clock.now());
                self.directory
                    .mark_state(credential.id, state, mark)
                    .await?;
            }
            checkups.push(Checkup {
                credential: credential.clone(),
                answer,
            });
        }
        self.notify(author, &account, &account.credentials).await;
        Ok(checkups)
    }

    /// Gives accounts no new calls until they are enabled; returns their names.
    pub async fn pause(
        &self,
        author: &Author,
        selection: &Selection,
        pause: Pause,
    ) -> Result<Vec<String>, OperatorError> {
        let accounts = self.selected(author, selection).await?;
        let cut = if pause.is_cut {
            "calls under way are cut"
        } else {
            "calls under way end"
        };
        let detail = if pause.reason.is_empty() {
            cut.to_owned()
        } else {
            format!("{}; {cut}", pause.reason)
        };
        let state = CredentialState::Paused {
            reason: pause.reason.clone(),
            is_cut: pause.is_cut,
        };
        for account in &accounts {
            self.write_of(author, AuditAction::Pause, account, detail.clone())
                .await?;
            self.set_states(author, account, &state).await?;
        }
        Ok(accounts.into_iter().map(|account| account.name).collect())
    }

    /// Uses accounts again that were paused, parked or refused; returns their names.
    pub async fn enable(
        &self,
        author: &Author,
        selection: &Selection,
    ) -> Result<Vec<String>, OperatorError> {
        let accounts = self.selected(author, selection).await?;
        for account in &accounts {
            self.write_of(author, AuditAction::Enable, account, String::new())
                .await?;
            self.set_states(author, account, &CredentialState::Active)
                .await?;
        }
        Ok(accounts.into_iter().map(|account| account.name).collect())
    }

    /// Removes an account with its credentials; returns its name.
    pub async fn remove(&self, author: &Author, named: &str) -> Result<String, OperatorError> {
        let account = self.account(author, named).await?;
        let detail = format!("owner {}", account.owner);
        self.write_of(author, AuditAction::Remove, &account, detail)
            .await?;
        self.directory
            .remove(&author.tenant, Removal::Account(account.id))
            .await?;
        self.notify(author, &account, &account.credentials).await;
        Ok(account.name)
    }

    /// The account of this name or id.
    pub async fn account(&self, author: &Author, named: &str) -> Result<Account, OperatorError> {
        let selection = Selection::Account(named.to_owned());
        let mut found = self.selected(author, &selection).await?;
        found
            .pop()
            .ok_or_else(|| OperatorError::NoSuchAccount(named.to_owned()))
    }

    async fn selected(
        &self,
        author: &Author,
        selection: &Selection,
    ) -> Result<Vec<Account>, OperatorError> {
        let mut accounts = self.directory.accounts(&author.tenant).await?;
        let none = match selection {
            Selection::Account(named) => {
                let id = named.parse::<AccountId>().ok();
                accounts.retain(|account| account.name == *named || Some(account.id) == id);
                OperatorError::NoSuchAccount(named.clone())
            }
            Selection::Owner(owner) => {
                accounts.retain(|account| account.owner == *owner);
                OperatorError::NoSuchOwner(owner.clone())
            }
        };
        if accounts.is_empty() {
            Err(none)
        } else {
            Ok(accounts)
        }
    }

    /// Sets the state of all credentials of an account but those that another one replaces, which get no new calls
    /// anyway; a cut is for their calls too.
    async fn set_states(
        &self,
        author: &Author,
        account: &Account,
        state: &CredentialState,
    ) -> Result<(), StoreError> {
        let of_act = |credential: &&Credential| {
            let is_draining = matches!(credential.state, CredentialState::Draining { .. });
            !is_draining || state.is_cut()
        };
        for credential in account.credentials.iter().filter(of_act) {
            self.directory
                .set_state(credential.id, state.clone())
                .await?;
        }
        self.notify(author, account, &account.credentials).await;
        Ok(())
    }

    /// Asks the provider of a stored credential about its key.
    async fn check(&self, credential: &Credential) -> Result<Liveness, StoreError> {
        let unknown = |reason: String| Ok(Liveness::Unknown { reason });
        let Some(provider) = self.catalog.provider(&credential.provider) else {
            return unknown("the catalogue has no such provider".to_owned());
        };
        let Some(stored) = self.directory.secret(credential.id).await? else {
            return unknown("its secret is gone; import the account again".to_owned());
        };
        let opened = self
            .key
            .open(&stored.secret, credential.id, &credential.provider);
        let secret = match opened {
            Ok(secret) => secret,
            Err(error) => return unknown(format!("its secret cannot be opened: {error}")),
        };
        let check = KeyCheck {
            provider,
            secret: &secret,
            base_url: stored.base_url.as_deref(),
            deadline: self.clock.now() + CHECK_TIMEOUT,
        };
        Ok(self.checker.check_key(check).await)
    }

    /// Publishes that credentials changed.
    async fn notify(&self, author: &Author, account: &Account, changed: &[Credential]) {
        let ids = changed.iter().map(|credential| credential.id);
        self.notify_ids(author, account.id, ids).await;
    }

    async fn notify_ids(
        &self,
        author: &Author,
        account: AccountId,
        changed: impl Iterator<Item = CredentialId>,
    ) {
        let notice = |credential| {
            let id = EventId::new(self.clock.random_u128());
            let notice = CredentialNotice {
                account,
                credential,
            };
            record::credential(id, &author.tenant, &notice)
        };
        let records: Vec<_> = changed.map(notice).collect();
        if records.is_empty() {
            return;
        }
        if let Err(error) = self.bus.publish(records).await {
            tracing::debug!(error = %error, "failed to publish a change of an account, services read it within seconds");
        }
    }

    async fn write_of(
        &self,
        author: &Author,
        action: AuditAction,
        account: &Account,
        detail: String,
    ) -> Result<(), StoreError> {
        let subject = Subject {
            account: Some(account.id),
            name: account.name.clone(),
        };
        self.write(author, action, subject, detail).await
    }

    /// Adds an entry to the audit.
    async fn write(
        &self,
        author: &Author,
        action: AuditAction,
        subject: Subject,
        detail: String,
    ) -> Result<(), StoreError> {
        let entry = AuditEntry {
            id: AuditId::new(self.clock.random_u128()),
            tenant: author.tenant.clone(),
            at: self.clock.now(),
            caller: author.caller.clone(),
            action,
            account: subject.account,
            account_name: subject.name,
            project: None,
            detail,
        };
        self.audit.append(entry).await
    }
}

/// Account that an entry of the audit names.
struct Subject {
    account: Option<AccountId>,
    name: String,
}
