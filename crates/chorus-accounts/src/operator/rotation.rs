//! Rotation: a new key takes the place of a stored one, and no call is lost.
//!
//! The new key is checked at its provider and added beside the old one, with the same quota groups: two keys of one
//! organisation share its limits, so nothing is admitted twice. Then the old one drains: it gets no new calls, and calls
//! under way end with it. The leading dispatcher removes it once the last of them has ended, and makes it active again
//! if the provider refuses the new one meanwhile. A rotation that is interrupted can be repeated.

use chorus_core::catalog::Provider;
use chorus_core::id::{CredentialId, ProviderId};
use chorus_core::port::audit::AuditAction;
use chorus_core::port::directory::{
    Account, Credential, CredentialState, Imported, Mark, NewAccount, NewCredential,
};
use chorus_core::time::Timestamp;
use chorus_vault::{
    KeyCheck, Liveness, Secret, earlier_fingerprint, redacted, refuse_consumer_token,
};

use super::{AccountOperator, Author, CHECK_TIMEOUT, OperatorError};

/// A new key for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// New key.
    pub key: Secret,
    /// Provider of the replaced key; may be absent when the account has keys of one provider.
    pub provider: Option<ProviderId>,
    /// Replaced credential; may be absent when only one qualifies.
    pub credential: Option<CredentialId>,
    /// End of the new key, if it is known.
    pub expires_at: Option<Timestamp>,
    /// True if a key is taken for which the provider gives no clear answer. The old one is then kept until a check or
    /// an act of a person shows that the new one is accepted.
    pub is_unchecked: bool,
}

/// Result of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Name of the account.
    pub account: String,
    /// Provider of both keys.
    pub provider: ProviderId,
    /// Credential that drains.
    pub replaced: CredentialId,
    /// Credential of the new key.
    pub credential: CredentialId,
    /// True if the provider accepted the new key.
    pub is_checked: bool,
}

impl AccountOperator {
    /// Replaces a key of an account. Nothing changes if the new key cannot be used.
    pub async fn rotate(
        &self,
        author: &Author,
        named: &str,
        rotation: Rotation,
    ) -> Result<Rotated, OperatorError> {
        let account = self.account(author, named).await?;
        if let Some(rotated) = self.done_before(&account, &rotation).await? {
            return Ok(rotated);
        }
        let old = replaced(&account, &rotation)?.clone();
        let provider = self.catalog.provider(&old.provider).ok_or_else(|| {
            OperatorError::Unclear(format!("the catalogue has no provider {}", old.provider))
        })?;
        refuse_consumer_token(provider, &rotation.key)
            .map_err(|refusal| OperatorError::KeyRefused(refusal.to_string()))?;
        let is_checked = self.check_new(provider, &old, &rotation).await?;
        let detail = format!("{} of {}", old.id, old.provider);
        self.write_of(author, AuditAction::Rotate, &account, detail)
            .await?;
        let credential = self.add(author, &account, &old, &rotation).await?;
        if is_checked {
            let mark = Mark::of_check(self.clock.now());
            self.directory
                .mark_state(credential, CredentialState::Active, mark)
                .await?;
        }
        if let CredentialState::Paused { .. } = &old.state {
            self.directory
                .set_state(credential, old.state.clone())
                .await?;
        }
        let draining = CredentialState::Draining {
            replaced_by: credential,
        };
        self.directory.set_state(old.id, draining).await?;
        self.notify_ids(author, account.id, [old.id, credential].into_iter())
            .await;
        Ok(Rotated {
            account: account.name,
            provider: old.provider,
            replaced: old.id,
            credential,
            is_checked,
        })
    }

    /// Result of an earlier rotation to the same key with a lost reply: the old key still drains.
    async fn done_before(
        &self,
        account: &Account,
        rotation: &Rotation,
    ) -> Result<Option<Rotated>, OperatorError> {
        for old in &account.credentials {
            let CredentialState::Draining { replaced_by } = old.state else {
                continue;
            };
            let fingerprint = self.key.fingerprint(&old.provider, &rotation.key);
            let stored = self.directory.secret(replaced_by).await?;
            if stored.is_some_and(|stored| stored.fingerprint == fingerprint) {
                let mut others = account.credentials.iter();
                let new = others.find(|credential| credential.id == replaced_by);
                return Ok(Some(Rotated {
                    account: account.name.clone(),
                    provider: old.provider.clone(),
                    replaced: old.id,
                    credential: replaced_by,
                    is_checked: new.is_some_and(|new| new.mark.is_some()),
                }));
            }
        }
        Ok(None)
    }

    /// Returns true if the provider accepts the new key, and false if it gave no clear answer and none is asked for.
    async fn check_new(
        &self,
        provider: &Provider,
        old: &Credential,
        rotation: &Rotation,
    ) -> Result<bool, OperatorError> {
        let check = KeyCheck {
            provider,
            secret: &rotation.key,
            base_url: old.base_url.as_deref(),
            deadline: self.clock.now() + CHECK_TIMEOUT,
        };
        let shown = |reason: &str| redacted(&rotation.key.blot(reason));
        let refused = |text: String| Err(OperatorError::KeyRefused(text));
        match self.checker.check_key(check).await {
            Liveness::Alive => Ok(true),
            Liveness::Dead { reason } => refused(format!(
                "{} does not accept the new key ({}); nothing was changed",
                provider.title,
                shown(&reason)
            )),
            Liveness::Unknown { .. } if rotation.is_unchecked => Ok(false),
            Liveness::Unknown { reason } | Liveness::WrongAddress { reason, .. } => {
                refused(format!(
                    "not known whether the new key is alive ({}); nothing was changed",
                    shown(&reason)
                ))
            }
        }
    }

    /// Stores the new key beside the old one. A key that an interrupted rotation stored before is found again.
    async fn add(
        &self,
        author: &Author,
        account: &Account,
        old: &Credential,
        rotation: &Rotation,
    ) -> Result<CredentialId, OperatorError> {
        let id = CredentialId::new(self.clock.random_u128());
        let fingerprint = self.key.fingerprint(&old.provider, &rotation.key);
        let new = NewCredential {
            id,
            provider: old.provider.clone(),
            base_url: old.base_url.clone(),
            secret: self.key.seal(&rotation.key, id, &old.provider),
            fingerprint: fingerprint.clone(),
            earlier_fingerprints: vec![earlier_fingerprint(&old.provider, &rotation.key)],
            expires_at: rotation.expires_at,
            groups: old.groups.clone(),
        };
        let with_new = NewAccount {
            id: account.id,
            tenant: author.tenant.clone(),
            name: account.name.clone(),
            owner: account.owner.clone(),
            entitlement: account.entitlement.clone(),
            same_owner_spill: account.same_owner_spill,
            credentials: vec![new],
        };
        match self.directory.import(vec![with_new]).await?.pop() {
            Some(Imported::Added(_)) => Ok(id),
            Some(Imported::Duplicate { held_by }) if held_by == account.name => {
                self.stored_before(account, old, &fingerprint).await
            }
            Some(Imported::Duplicate { held_by }) => Err(OperatorError::Duplicate(held_by)),
            None => Err(crate::ImportError::NoAnswer.into()),
        }
    }

    /// Credential of the account with this fingerprint, other than the replaced one.
    async fn stored_before(
        &self,
        account: &Account,
        old: &Credential,
        fingerprint: &str,
    ) -> Result<CredentialId, OperatorError> {
        for other in account.credentials.iter().filter(|of| of.id != old.id) {
            let stored = self.directory.secret(other.id).await?;
            let is_it = stored.is_some_and(|stored| stored.fingerprint == fingerprint);
            if is_it && !matches!(other.state, CredentialState::Draining { .. }) {
                return Ok(other.id);
            }
        }
        Err(OperatorError::Duplicate(account.name.clone()))
    }
}

/// The credential that a rotation replaces.
fn replaced<'a>(
    account: &'a Account,
    rotation: &Rotation,
) -> Result<&'a Credential, OperatorError> {
    let qualifies = |credential: &&Credential| {
        !matches!(credential.state, CredentialState::Draining { .. })
            && rotation.credential.is_none_or(|id| credential.id == id)
            && rotation
                .provider
                .as_ref()
                .is_none_or(|provider| credential.provider == *provider)
    };
    let found: Vec<&Credential> = account.credentials.iter().filter(qualifies).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(OperatorError::Unclear(format!(
            "{} has no such credential",
            account.name
        ))),
        several => {
            let each = several.iter();
            let each: Vec<String> = each
                .map(|credential| format!("{} of {}", credential.id, credential.provider))
                .collect();
            Err(OperatorError::Unclear(format!(
                "{} has several credentials, name one of: {}",
                account.name,
                each.join(", ")
            )))
        }
    }
}
