//! A row of an account that is stored already: which of its credentials are known, and what the row changes.

use chorus_core::catalog::Provider;
use chorus_core::id::CredentialId;
use chorus_core::port::StoreError;
use chorus_core::port::directory::{Account, Credential, CredentialState, StoredSecret};
use chorus_vault::{Secret, earlier_fingerprint};

use super::{Checked, CheckedAccount, Importer};

/// Difference between a row and the stored account of its name.
pub(crate) struct Difference {
    /// Stored credential with the same secret, for each credential of the row.
    pub(crate) known: Vec<Option<CredentialId>>,
    /// Stored credentials that the row replaces.
    pub(crate) removed: Vec<CredentialId>,
    /// Sentences about the changes; empty if the row is as stored.
    pub(crate) changes: Vec<String>,
}

impl Importer {
    /// Compares a row with the stored account of its name.
    ///
    /// With [`replaces_keys`](Importer::replaces_keys) another secret replaces those of its provider, else it is added.
    pub(crate) async fn difference(
        &self,
        row: &CheckedAccount,
        stored: &Account,
    ) -> Result<Difference, StoreError> {
        let mut known = Vec::with_capacity(row.credentials.len());
        let mut changes = identity_changes(row, stored);
        for checked in &row.credentials {
            let found = self
                .find(&checked.provider, &checked.secret, stored)
                .await?;
            match found {
                Some(credential) => changes.extend(credential_changes(row, checked, credential)),
                None => changes.push(format!("a new key of {}", checked.provider.title)),
            }
            known.push(found.map(|credential| credential.id));
        }
        let is_replaced = |credential: &&Credential| {
            let of_row = row.credentials.iter();
            self.replaces_keys
                && !known.contains(&Some(credential.id))
                && of_row
                    .map(|checked| &checked.provider.id)
                    .any(|provider| *provider == credential.provider)
        };
        let removed: Vec<CredentialId> = stored
            .credentials
            .iter()
            .filter(is_replaced)
            .map(|credential| credential.id)
            .collect();
        if !removed.is_empty() {
            changes.push("the earlier key is removed".to_owned());
        }
        Ok(Difference {
            known,
            removed,
            changes,
        })
    }

    /// Stored credential of the provider with this secret, by its fingerprint: nothing is opened.
    async fn find<'a>(
        &self,
        provider: &Provider,
        secret: &Secret,
        stored: &'a Account,
    ) -> Result<Option<&'a Credential>, StoreError> {
        let forms = [
            self.key.fingerprint(&provider.id, secret),
            earlier_fingerprint(&provider.id, secret),
        ];
        for credential in &stored.credentials {
            if credential.provider != provider.id {
                continue;
            }
            let sealed = self.directory.secret(credential.id).await?;
            let is_own_key = |sealed: &StoredSecret| sealed.secret.key_id == self.key.id();
            if sealed
                .is_some_and(|sealed| is_own_key(&sealed) && forms.contains(&sealed.fingerprint))
            {
                return Ok(Some(credential));
            }
        }
        Ok(None)
    }
}

fn identity_changes(row: &CheckedAccount, stored: &Account) -> Vec<String> {
    let identity = &row.identity;
    let owner = identity.owner.as_ref().unwrap_or(&identity.email);
    let pairs = [
        ("owner", stored.owner.clone(), owner.clone()),
        (
            "entitlement",
            stored.entitlement.kind.clone(),
            identity.entitlement.clone(),
        ),
        (
            "attested_by",
            stored.entitlement.attested_by.clone(),
            identity
                .attested_by
                .clone()
                .unwrap_or_else(|| owner.clone()),
        ),
        (
            "same_owner_spill",
            stored.same_owner_spill.to_string(),
            identity.same_owner_spill.to_string(),
        ),
    ];
    pairs
        .into_iter()
        .filter(|(_, old, new)| old != new)
        .map(|(name, old, new)| format!("{name}: {old} → {new}"))
        .collect()
}

fn credential_changes(row: &CheckedAccount, checked: &Checked, stored: &Credential) -> Vec<String> {
    let mut changes = Vec::new();
    let provider = &checked.provider.id;
    if stored.base_url != checked.base_url {
        let shown =
            |url: &Option<String>| url.clone().unwrap_or_else(|| "the provider's".to_owned());
        changes.push(format!(
            "{provider} base_url: {} → {}",
            shown(&stored.base_url),
            shown(&checked.base_url)
        ));
    }
    if stored.groups != checked.groups {
        changes.push(format!("{provider}: models or limits"));
    }
    if stored.expires_at != checked.expires_at {
        changes.push(format!("{provider}: end of the key"));
    }
    let was = match &stored.state {
        // Only a person ends a hold; an import of the same key does not.
        CredentialState::Active
        | CredentialState::Paused { .. }
        | CredentialState::Draining { .. } => return changes,
        CredentialState::Refused { reason } => format!("refused: {reason}"),
        CredentialState::Parked { reason, .. } => format!("parked: {reason}"),
    };
    changes.push(format!(
        "{provider} of {}: active again, was {was}",
        row.identity.email
    ));
    changes
}
