//! Import of rows: each is checked, its secrets are sealed, and the account goes into the directory.

mod admin;
mod stored;

use std::fmt;
use std::sync::Arc;

use chorus_core::catalog::{Catalog, Provider};
use chorus_core::id::{AccountId, CredentialId, ModelSlug, ProviderId, Tenant};
use chorus_core::port::directory::{
    Account, CredentialState, Entitlement, GroupOf, Imported, NewAccount, NewCredential,
};
use chorus_core::port::{Clock, Directory, StoreError};
use chorus_core::time::{Millis, Timestamp};
use chorus_vault::address::{AddressPolicy, check_address};
use chorus_vault::{
    EnvelopeKey, KeyCheck, KeyChecker, Liveness, Secret, earlier_fingerprint, has_secret, redacted,
    refuse_consumer_token,
};

use crate::file::BrokenRow;
use crate::quota_groups::quota_groups;
use crate::row::{CredentialRow, Identity, Row, is_email};
use admin::Admin;
use stored::Difference;

/// Longest time that a provider may take to answer a check of a key.
const CHECK_TIMEOUT: Millis = Millis::from_secs(15);

/// Imports [`Row`]s as accounts of one tenant.
#[derive(Clone)]
pub struct Importer {
    /// Store of the accounts.
    pub directory: Arc<dyn Directory>,
    /// Source of times and ids.
    pub clock: Arc<dyn Clock>,
    /// Providers and models that rows may name.
    pub catalog: Arc<Catalog>,
    /// [`EnvelopeKey`] that seals secrets.
    pub key: EnvelopeKey,
    /// Owner of the imported accounts.
    pub tenant: Tenant,
    /// Addresses that rows may name.
    pub addresses: AddressPolicy,
    /// Checks keys at their providers; none takes every key unchecked.
    pub checker: Option<Arc<dyn KeyChecker>>,
    /// True if another key of a stored account replaces the one of the same provider; false adds it.
    pub replaces_keys: bool,
}

/// The store failed; rows before the current one are imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The directory did not carry out the import.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The directory returned no result for an account.
    #[error("the directory did not answer for the account")]
    NoAnswer,
}

/// Result of [`Importer::import`], row by row.
#[derive(Debug, Default)]
pub struct Report {
    /// Names of new accounts.
    pub added: Vec<String>,
    /// Accounts that were added although a check of their keys had no clear result, with the reason.
    pub unchecked: Vec<String>,
    /// Stored accounts that rows changed.
    pub updated: Vec<Updated>,
    /// Names of accounts that are stored as their rows are.
    pub unchanged: Vec<String>,
    /// Refused rows, in the order of the file.
    pub refused: Vec<Refused>,
    /// Notes about imported rows.
    pub notes: Vec<String>,
}

impl Report {
    /// Reports an account that was stored, new or changed.
    fn keep(&mut self, name: String, changes: Option<Vec<String>>, unchecked: Option<String>) {
        if let Some(reason) = unchecked {
            self.unchecked.push(format!(
                "{name}: not known whether the key is alive: {reason}"
            ));
            if changes.is_none() {
                return;
            }
        }
        match changes {
            Some(changes) => self.updated.push(Updated { name, changes }),
            None => self.added.push(name),
        }
    }
}

/// A stored account that a row changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Updated {
    /// Name of the account.
    pub name: String,
    /// Sentences about the changes.
    pub changes: Vec<String>,
}

/// A row that was refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// Place in the file, such as `line 3`.
    pub place: String,
    /// Name of the account; empty when the row could not be read.
    pub name: String,
    /// Reason, and what to do.
    pub reason: String,
    /// True if an account with this key is stored already.
    pub is_duplicate: bool,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            name,
            reason,
            ..
        } = self;
        if name.is_empty() {
            write!(f, "{place}: {reason}")
        } else {
            write!(f, "{place} ({name}): {reason}")
        }
    }
}

impl Importer {
    /// Imports row by row; a refused row does not stop the others.
    pub async fn import(&self, rows: Vec<Result<Row, BrokenRow>>) -> Result<Report, ImportError> {
        let mut report = Report::default();
        for row in rows {
            match row {
                Err(BrokenRow { place, reason }) => report.refused.push(Refused {
                    place,
                    name: String::new(),
                    reason,
                    is_duplicate: false,
                }),
                Ok(row) => self.import_row(row, &mut report).await?,
            }
        }
        Ok(report)
    }

    async fn import_row(&self, row: Row, report: &mut Report) -> Result<(), ImportError> {
        let place = row.place.clone();
        let name = if is_email(&row.identity.email) {
            row.identity.email.clone()
        } else {
            String::new()
        };
        let refused = |reason: String| Refused {
            place: place.clone(),
            name: name.clone(),
            reason,
            is_duplicate: false,
        };
        let mut account = match self.account(row) {
            Ok(account) => account,
            Err(reason) => {
                report.refused.push(refused(reason));
                return Ok(());
            }
        };
        let accounts = self.directory.accounts(&self.tenant).await?;
        let stored = accounts.into_iter().find(|stored| stored.name == name);
        let notes = self.read_limits(&mut account, stored.as_ref()).await;
        report.notes.extend(notes);
        let difference = match &stored {
            Some(stored) => Some(self.difference(&account, stored).await?),
            None => None,
        };
        if difference.as_ref().is_some_and(|it| it.changes.is_empty()) {
            report.unchanged.push(name);
            return Ok(());
        }
        let unchecked = match self.check_keys(&account).await {
            Ok(unchecked) => unchecked,
            Err(reason) => {
                report.refused.push(refused(reason));
                return Ok(());
            }
        };
        let changes = difference.as_ref().map(|it| it.changes.clone());
        match self.store(account, stored.zip(difference)).await? {
            Imported::Added(_) => report.keep(name, changes, unchecked),
            Imported::Duplicate { held_by } => {
                let reason =
                    format!("this key is there already, in the account {held_by}; remove the row");
                report.refused.push(Refused {
                    is_duplicate: true,
                    ..refused(reason)
                });
            }
        }
        Ok(())
    }

    /// Checks every key at its provider. Returns the reason of a check without a clear result, if there was one, or the
    /// refusal of the first key or address that cannot be used.
    async fn check_keys(&self, account: &CheckedAccount) -> Result<Option<String>, String> {
        let mut unchecked = None;
        for checked in &account.credentials {
            match self.check(checked).await {
                Liveness::Alive => {}
                Liveness::Dead { reason } => {
                    let provider = &checked.provider.title;
                    return Err(format!(
                        "{provider} does not accept the key ({}); check it, or create a new one{}",
                        checked.without_secret(&reason),
                        at(&checked.provider)
                    ));
                }
                Liveness::WrongAddress { reason, proposal } => {
                    return Err(misplaced(
                        checked,
                        &checked.without_secret(&reason),
                        proposal,
                    ));
                }
                Liveness::Unknown { reason } => {
                    unchecked.get_or_insert_with(|| checked.without_secret(&reason));
                }
            }
        }
        Ok(unchecked)
    }

    async fn check(&self, checked: &Checked) -> Liveness {
        let Some(checker) = &self.checker else {
            return Liveness::Alive;
        };
        let check = KeyCheck {
            provider: &checked.provider,
            secret: &checked.secret,
            base_url: checked.base_url.as_deref(),
            deadline: self.clock.now() + CHECK_TIMEOUT,
        };
        checker.check_key(check).await
    }

    /// Stores a new account, or the changes of a stored one.
    async fn store(
        &self,
        account: CheckedAccount,
        stored: Option<(Account, Difference)>,
    ) -> Result<Imported, ImportError> {
        let CheckedAccount {
            identity,
            credentials,
        } = account;
        let owner = identity.owner.unwrap_or_else(|| identity.email.clone());
        let known = stored.as_ref().map(|(_, difference)| &difference.known);
        let known = |at: usize| known.and_then(|known| known.get(at).copied().flatten());
        let credentials = credentials
            .into_iter()
            .enumerate()
            .map(|(at, checked)| self.seal(checked, known(at)))
            .collect();
        let id = stored.as_ref().map(|(account, _)| account.id);
        let new = NewAccount {
            id: id.unwrap_or_else(|| AccountId::new(self.clock.random_u128())),
            tenant: self.tenant.clone(),
            name: identity.email,
            entitlement: Entitlement {
                kind: identity.entitlement,
                attested_by: identity.attested_by.unwrap_or_else(|| owner.clone()),
                attested_at: self.clock.now(),
            },
            owner,
            same_owner_spill: identity.same_owner_spill,
            credentials,
        };
        if let Some((account, difference)) = stored {
            return self.update(new, &account, difference).await;
        }
        self.directory
            .import(vec![new])
            .await?
            .pop()
            .ok_or(ImportError::NoAnswer)
    }

    /// Stores the changes of an account. A new key of a paused account is paused as well.
    async fn update(
        &self,
        new: NewAccount,
        account: &Account,
        difference: Difference,
    ) -> Result<Imported, ImportError> {
        let states = account.credentials.iter().map(|known| &known.state);
        let mut paused = states.filter(|state| matches!(state, CredentialState::Paused { .. }));
        let pause = paused.next().cloned();
        let ids = new.credentials.iter().map(|credential| credential.id);
        let added: Vec<_> = ids
            .filter(|id| !difference.known.contains(&Some(*id)))
            .collect();
        let imported = self.directory.update(new, difference.removed).await?;
        if let (Imported::Added(_), Some(pause)) = (&imported, pause) {
            for credential in added {
                self.directory.set_state(credential, pause.clone()).await?;
            }
        }
        Ok(imported)
    }

    /// Seals a secret for a stored credential, or for a new one.
    fn seal(&self, checked: Checked, known: Option<CredentialId>) -> NewCredential {
        let id = known.unwrap_or_else(|| CredentialId::new(self.clock.random_u128()));
        NewCredential {
            id,
            secret: self.key.seal(&checked.secret, id, &checked.provider.id),
            fingerprint: self.key.fingerprint(&checked.provider.id, &checked.secret),
            earlier_fingerprints: vec![earlier_fingerprint(&checked.provider.id, &checked.secret)],
            expires_at: checked.expires_at,
            provider: checked.provider.id,
            base_url: checked.base_url,
            groups: checked.groups,
        }
    }
}

/// An account that passed all checks.
pub(crate) struct CheckedAccount {
    pub(crate) identity: Identity,
    pub(crate) credentials: Vec<Checked>,
}

/// A credential that passed all checks, not yet sealed.
pub(crate) struct Checked {
    pub(crate) provider: Provider,
    pub(crate) secret: Secret,
    pub(crate) base_url: Option<String>,
    pub(crate) groups: Vec<GroupOf>,
    pub(crate) expires_at: Option<Timestamp>,
    /// Admin key that reads the limits of the groups.
    pub(crate) admin: Option<Admin>,
}

impl Checked {
    /// A provider's words about a key, which may repeat it.
    fn without_secret(&self, reason: &str) -> String {
        let secret = self.secret.expose();
        if secret.is_empty() {
            return redacted(reason);
        }
        redacted(&reason.replace(secret, "…"))
    }
}

/// Accepted values of `entitlement`.
const ENTITLEMENTS: [&str; 3] = ["own", "delegated_byok", "employer"];

impl Importer {
    fn account(&self, row: Row) -> Result<CheckedAccount, String> {
        let Row {
            identity,
            credentials,
            ..
        } = row;
        check_identity(&identity)?;
        if credentials.is_empty() {
            return Err(
                "no credential; add [[account.credential]] with provider and key".to_owned(),
            );
        }
        let email = identity.email.clone();
        let credentials = credentials
            .iter()
            .map(|credential| self.credential(&email, credential))
            .collect::<Result<_, _>>()?;
        Ok(CheckedAccount {
            identity,
            credentials,
        })
    }

    fn credential(&self, email: &str, row: &CredentialRow) -> Result<Checked, String> {
        let provider = self.provider(&row.provider)?;
        if let Some(reason) = &provider.not_callable {
            return Err(format!("{} cannot be called yet: {reason}", provider.title));
        }
        let secret = Secret::new(row.key.trim());
        refuse_consumer_token(provider, &secret).map_err(|refusal| refusal.to_string())?;
        let base_url = match &row.base_url {
            Some(url) => Some(
                check_address(url, self.addresses)
                    .map_err(|refusal| format!("`base_url`: {refusal}"))?,
            ),
            None if provider.base_url.is_empty() => {
                return Err(format!(
                    "{} has no address of its own: give `base_url`, for instance http://127.0.0.1:8080/v1",
                    provider.title
                ));
            }
            None => None,
        };
        let groups = self.groups(email, provider, row)?;
        Ok(Checked {
            provider: provider.clone(),
            secret,
            base_url,
            groups,
            expires_at: row.expires_at()?,
            admin: self.admin(email, provider, row)?,
        })
    }

    fn provider(&self, named: &str) -> Result<&Provider, String> {
        self.catalog
            .provider(&ProviderId::new(named))
            .ok_or_else(|| {
                let known: Vec<&str> = self
                    .catalog
                    .providers
                    .iter()
                    .map(|provider| provider.id.as_str())
                    .collect();
                format!(
                    "`provider` is unknown, expected one of {}",
                    known.join(", ")
                )
            })
    }

    /// One quota group for each model or family of the credential, and one for limits that count once for an
    /// organisation, as money does. Keys of one organisation share a group because they share its name.
    fn groups(
        &self,
        email: &str,
        provider: &Provider,
        row: &CredentialRow,
    ) -> Result<Vec<GroupOf>, String> {
        let named = self.models(provider, row)?;
        let owner = row.organization.as_deref().unwrap_or(email);
        check_tier(provider, row)?;
        Ok(quota_groups(provider, owner, row, &named))
    }

    /// Models of the credential: those that its row names, else all that the provider serves.
    fn models(&self, provider: &Provider, row: &CredentialRow) -> Result<Vec<ModelSlug>, String> {
        let known: Vec<&ModelSlug> = self
            .catalog
            .models
            .iter()
            .filter(|model| model.routes.contains_key(&provider.id))
            .map(|model| &model.slug)
            .collect();
        if row.models.is_empty() {
            return Ok(known.into_iter().cloned().collect());
        }
        let named: Vec<ModelSlug> = row.models.iter().map(ModelSlug::new).collect();
        if let Some(unknown) = named.iter().position(|slug| !known.contains(&slug)) {
            let names: Vec<&str> = known.iter().map(|slug| slug.as_str()).collect();
            return Err(format!(
                "model {} of `models` is not served by {} here; it serves {}",
                unknown + 1,
                provider.title,
                names.join(", ")
            ));
        }
        Ok(named)
    }
}

/// Checks the tier, and that limits of a project have a project, without repeating a cell.
fn check_tier(provider: &Provider, row: &CredentialRow) -> Result<(), String> {
    let tiers = provider.tiers();
    if row
        .tier
        .as_deref()
        .is_some_and(|tier| !tiers.contains(tier))
    {
        let names: Vec<&str> = tiers.into_iter().collect();
        return Err(if names.is_empty() {
            format!(
                "`tier`: no tiers of {} are known; give `limits`",
                provider.title
            )
        } else {
            format!("`tier` is none of {}", names.join(", "))
        });
    }
    if row.project.is_none() && !row.project_limits.is_empty() {
        return Err("`project_limits` need the name of their `project`".to_owned());
    }
    if row.project.as_deref().is_some_and(has_secret) {
        return Err("`project` looks like a key; keys go into `key`".to_owned());
    }
    Ok(())
}

/// Checks without repeating a cell: any of them may be a key in the wrong column.
fn check_identity(identity: &Identity) -> Result<(), String> {
    if !is_email(&identity.email) {
        return Err("`email` is not an e-mail address".to_owned());
    }
    if !ENTITLEMENTS.contains(&identity.entitlement.as_str()) {
        return Err(format!(
            "`entitlement` is none of {}",
            ENTITLEMENTS.join(", ")
        ));
    }
    let texts = [
        ("owner", &identity.owner),
        ("attested_by", &identity.attested_by),
    ];
    for (column, text) in texts {
        if text.as_deref().is_some_and(has_secret) {
            return Err(format!("`{column}` looks like a key; keys go into `key`"));
        }
    }
    Ok(())
}

/// End of a sentence: the address where keys of the provider are created.
fn at(provider: &Provider) -> String {
    provider
        .keys_url
        .as_ref()
        .map(|url| format!(" at {url}"))
        .unwrap_or_default()
}

/// Reason for a row with an address that is not the one of the provider's API.
fn misplaced(checked: &Checked, reason: &str, proposal: Option<String>) -> String {
    match (&checked.base_url, proposal) {
        (Some(_), Some(proposal)) => {
            format!("`base_url`: {reason}; write base_url = {proposal:?}, where the API answers")
        }
        (Some(_), None) => format!(
            "`base_url`: {reason}; give the address of the API, which most servers have under /v1"
        ),
        (None, _) => format!(
            "{} is not reached: {reason}; a proxy or a sign-in page stands between",
            checked.provider.title
        ),
    }
}
