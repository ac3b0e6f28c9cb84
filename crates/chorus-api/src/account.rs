//! Accounts ([`AccountResource`]) as operators read and change them: `GET` and `POST /v1/accounts` and below. Secrets are only ever sent.

use std::fmt;

use chorus_core::id::{AccountId, CredentialId, GroupId, ModelSlug, ProviderId};
use chorus_core::limit::Limit;
use chorus_core::port::directory::{Account, Credential, CredentialState, GroupOf, MarkSource};
use chorus_core::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

use crate::level::LimitResource;

/// Time before the end of a key from which it is warned of.
const EXPIRY_NOTICE: Millis = Millis::from_secs(14 * 86_400);

/// Time before the end of a key from which the warning is urgent.
const EXPIRY_URGENT: Millis = Millis::from_secs(3 * 86_400);

/// All accounts of a tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountList {
    /// Accounts, by name.
    pub accounts: Vec<AccountResource>,
}

/// An account without secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountResource {
    /// Id of the account.
    pub id: AccountId,
    /// E-mail address, or another name that people know it by.
    pub name: String,
    /// Owner; accounts of one owner are siblings.
    pub owner: String,
    /// Reason for which the operator may use it.
    pub entitlement: EntitlementResource,
    /// True if a call that meets a rate limit may move to a sibling.
    pub same_owner_spill: bool,
    /// Credentials.
    pub credentials: Vec<CredentialResource>,
}

/// Reason for which the operator may use an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntitlementResource {
    /// `own`, `delegated_byok` or `employer`.
    pub kind: String,
    /// Person who attested it.
    pub attested_by: String,
    /// Time of the attestation.
    pub attested_at_ms: Timestamp,
}

/// A [`Credential`](chorus_core::port::directory::Credential) without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CredentialResource {
    /// Id of the credential.
    pub id: CredentialId,
    /// Provider that issued it.
    pub provider: ProviderId,
    /// Address instead of the provider's own.
    #[serde(default)]
    pub base_url: Option<String>,
    /// `active`, `refused`, `parked`, `paused` or `draining`.
    pub state: String,
    /// Message of the provider or of the person; empty if none.
    #[serde(default)]
    pub reason: String,
    /// Time from which a parked credential is used again.
    #[serde(default)]
    pub until_ms: Option<Timestamp>,
    /// True if a pause cuts calls under way.
    #[serde(default)]
    pub cut: bool,
    /// Credential that replaces a draining one.
    #[serde(default)]
    pub replaced_by: Option<CredentialId>,
    /// Time of the evidence of the state.
    #[serde(default)]
    pub since_ms: Option<Timestamp>,
    /// Source of the evidence.
    #[serde(default)]
    pub evidence: Option<MarkSource>,
    /// End of the key, as the operator gave it.
    #[serde(default)]
    pub expires_ms: Option<Timestamp>,
    /// `soon` within 14 days of the end of the key, `urgent` within 3, `over` after it.
    #[serde(default)]
    pub expiry: Option<String>,
    /// Quota groups that calls draw on.
    pub groups: Vec<GroupResource>,
}

/// A quota group of a [`CredentialResource`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupResource {
    /// Id of the group: keys of one organisation share it.
    pub group: GroupId,
    /// Models that draw on it; empty for all.
    pub models: Vec<ModelSlug>,
    /// Limits with their levels, where these are known.
    pub limits: Vec<LimitResource>,
    /// Calls that hold a reservation; none if it is not known.
    #[serde(default)]
    pub in_flight: Option<u32>,
    /// Time until which the provider lets no call pass.
    #[serde(default)]
    pub closed_until_ms: Option<Timestamp>,
}

/// Accounts to import, each a [`NewAccountBody`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountImport {
    /// Accounts, in the form of `accounts.toml`.
    pub accounts: Vec<NewAccountBody>,
    /// False to store keys without asking their providers.
    #[serde(default = "yes")]
    pub check: bool,
}

const fn yes() -> bool {
    true
}

/// One account to import.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccountBody {
    /// E-mail address, which is the account's name.
    pub email: String,
    /// Owner; the e-mail address when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// `own`, `delegated_byok` or `employer`; `own` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlement: Option<String>,
    /// Person who attests it; the owner when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested_by: Option<String>,
    /// True if a call that meets a rate limit may move to a sibling.
    #[serde(default)]
    pub same_owner_spill: bool,
    /// Place for messages, such as `line 3`; the number of the account when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Credentials.
    pub credential: Vec<NewCredentialBody>,
}

/// One credential of a [`NewAccountBody`]. `Debug` hides the key.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCredentialBody {
    /// Id of a provider of the catalogue.
    pub provider: String,
    /// Secret; empty for servers that want none.
    #[serde(default)]
    pub key: String,
    /// Organisation or project at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Address instead of the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// End of the key as a date, for instance `2027-01-31`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Models that the key may call; all of the provider when empty.
    #[serde(default)]
    pub models: Vec<String>,
    /// Limits; those of the tier when empty.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// Tier of the organisation at the provider, for instance `build`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Project or workspace of the key inside its organisation.
    #[serde(default, alias = "workspace", skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Key of the provider's admin API, which reads limits and makes no call; it is not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_key: Option<String>,
    /// Limits of the project, beside those of the organisation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub project_limits: Vec<Limit>,
}

impl fmt::Debug for NewCredentialBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewCredentialBody").finish_non_exhaustive()
    }
}

/// Result of an [`AccountImport`], row by row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImportReport {
    /// Names of new accounts.
    pub added: Vec<String>,
    /// New accounts of which it is not known whether their keys are alive, with the reason.
    pub unchecked: Vec<String>,
    /// Accounts that were changed.
    pub updated: Vec<UpdatedAccount>,
    /// Names of accounts that are stored as their rows are.
    pub unchanged: Vec<String>,
    /// Notes about imported rows.
    pub notes: Vec<String>,
    /// Rows that were refused.
    pub refused: Vec<RefusedAccount>,
}

/// An account that an [`AccountImport`] changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdatedAccount {
    /// Name of the account.
    pub name: String,
    /// Sentences about the changes.
    pub changes: Vec<String>,
}

/// A row of an [`AccountImport`] that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedAccount {
    /// Place of the row, such as `account 2`.
    pub place: String,
    /// Name of the account; empty if the row has none that can be shown.
    pub name: String,
    /// Reason, and what to do.
    pub reason: String,
}

/// Results of the checks of an account's keys, a [`KeyCheckResource`] for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// One result for each credential.
    pub checks: Vec<KeyCheckResource>,
}

/// Result of the check of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCheckResource {
    /// Credential of the key.
    pub credential: CredentialId,
    /// Provider that was asked.
    pub provider: ProviderId,
    /// `accepted`, `refused`, `wrong_address` or `unknown`.
    pub result: String,
    /// Text of the provider, or what was wrong; empty for an accepted key.
    pub reason: String,
    /// True if a person holds the credential: the check does not change its state.
    pub is_held: bool,
}

/// Pause of the accounts of one owner, or of one account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseBody {
    /// Owner; only where the address names no account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Reason for people.
    #[serde(default)]
    pub reason: String,
    /// True to cut calls under way.
    #[serde(default)]
    pub cut: bool,
}

/// Accounts of one owner to be enabled.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnableBody {
    /// Owner; only where the address names no account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Names of accounts that an act changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedAccounts {
    /// Names.
    pub accounts: Vec<String>,
}

/// A new key for an account. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateBody {
    /// New key.
    pub key: String,
    /// Provider of the replaced key; needed when the account has keys of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Replaced credential; needed when several qualify.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialId>,
    /// End of the new key as a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// True to take a key for which the provider gives no clear answer.
    #[serde(default)]
    pub unchecked: bool,
}

impl fmt::Debug for RotateBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotateBody").finish_non_exhaustive()
    }
}

/// Result of a rotation by a [`RotateBody`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationResource {
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

impl AccountResource {
    /// The resource of a stored account; limits have no levels yet.
    pub fn new(account: &Account, now: Timestamp) -> Self {
        let credential = |one: &Credential| CredentialResource::new(one, now);
        Self {
            id: account.id,
            name: account.name.clone(),
            owner: account.owner.clone(),
            entitlement: EntitlementResource {
                kind: account.entitlement.kind.clone(),
                attested_by: account.entitlement.attested_by.clone(),
                attested_at_ms: account.entitlement.attested_at,
            },
            same_owner_spill: account.same_owner_spill,
            credentials: account.credentials.iter().map(credential).collect(),
        }
    }
}

impl CredentialResource {
    fn new(credential: &Credential, now: Timestamp) -> Self {
        let mut shown = Self {
            id: credential.id,
            provider: credential.provider.clone(),
            base_url: credential.base_url.clone(),
            state: credential.state.as_str().to_owned(),
            reason: String::new(),
            until_ms: None,
            cut: false,
            replaced_by: None,
            since_ms: credential.mark.map(|mark| mark.at),
            evidence: credential.mark.map(|mark| mark.source),
            expires_ms: credential.expires_at,
            expiry: credential.expires_at.and_then(|end| expiry(end, now)),
            groups: credential.groups.iter().map(GroupResource::new).collect(),
        };
        match &credential.state {
            CredentialState::Active => {}
            CredentialState::Refused { reason } => shown.reason.clone_from(reason),
            CredentialState::Parked { until, .. } if *until <= now => {
                "active".clone_into(&mut shown.state);
            }
            CredentialState::Parked { until, reason } => {
                shown.reason.clone_from(reason);
                shown.until_ms = Some(*until);
            }
            CredentialState::Paused { reason, is_cut } => {
                shown.reason.clone_from(reason);
                shown.cut = *is_cut;
            }
            CredentialState::Draining { replaced_by } => shown.replaced_by = Some(*replaced_by),
        }
        shown
    }
}

impl GroupResource {
    fn new(of: &GroupOf) -> Self {
        Self {
            group: of.group.id.clone(),
            models: of.models.clone(),
            limits: of
                .group
                .limits
                .iter()
                .map(LimitResource::configured)
                .collect(),
            in_flight: None,
            closed_until_ms: None,
        }
    }
}

/// Warning about the end of a key; none while it is far away.
pub fn expiry(end: Timestamp, now: Timestamp) -> Option<String> {
    let warning = if end <= now {
        "over"
    } else if end.since(now) <= EXPIRY_URGENT {
        "urgent"
    } else if end.since(now) <= EXPIRY_NOTICE {
        "soon"
    } else {
        return None;
    };
    Some(warning.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_key_is_warned_of_at_fourteen_and_at_three_days() {
        let day = 86_400_000;
        let cases = [
            (15 * day, None),
            (14 * day, Some("soon")),
            (3 * day, Some("urgent")),
            (1, Some("urgent")),
            (0, Some("over")),
        ];
        for (left, expected) in cases {
            let warning = expiry(Timestamp(100 * day + left), Timestamp(100 * day));
            assert_eq!(warning.as_deref(), expected, "{left}");
        }
    }

    #[test]
    fn debug_forms_hide_keys() {
        let body = RotateBody {
            key: "sk-secret".to_owned(),
            provider: None,
            credential: None,
            expires: None,
            unchecked: false,
        };
        assert!(!format!("{body:?}").contains("sk-secret"));
    }
}
