//! Accounts as people write them, before [`crate::Importer`] checks them.

use chorus_core::limit::Limit;
use chorus_core::time::Timestamp;
use chorus_vault::has_secret;
use serde::{Deserialize, Serialize};

/// One account of a file or a variable, unchecked. `Debug` shows its place only: any cell may be a key in
/// the wrong column.
#[derive(Clone, PartialEq)]
pub struct Row {
    /// Place for messages, such as `line 3` or `account 2`.
    pub place: String,
    /// Name and owner of the account.
    pub identity: Identity,
    /// Credentials, in the order of the file.
    pub credentials: Vec<CredentialRow>,
}

/// Name, owner and entitlement of an account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// E-mail address, which is the account's name.
    pub email: String,
    /// Owner; the e-mail address when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// `own`, `delegated_byok` or `employer`.
    #[serde(default = "own")]
    pub entitlement: String,
    /// Person who attests that the operator may use the account; the owner when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested_by: Option<String>,
    /// True if a rate-limited call may move to another account of the same owner: only with the provider's approval.
    #[serde(default)]
    pub same_owner_spill: bool,
}

fn own() -> String {
    "own".to_owned()
}

/// One credential of an account. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialRow {
    /// Id of a provider of the catalogue.
    pub provider: String,
    /// Secret; empty for servers that want none.
    #[serde(default)]
    pub key: String,
    /// Organisation or project at the provider: keys of the same one share its limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Base URL instead of the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// End of the key at its provider, as a date such as `2027-01-31`; none if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Models that the key may call; all of the provider when empty.
    #[serde(default)]
    pub models: Vec<String>,
    /// Limits of the key; those of the tier when empty.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// Tier of the organisation at the provider, for instance `build`; the provider's usual one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Project or workspace of the key inside its organisation.
    #[serde(default, alias = "workspace", skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Key of the provider's admin API, which reads limits and makes no call; it is not stored.
    #[serde(default, skip_serializing)]
    pub admin_key: Option<String>,
    /// Limits of the project, beside those of the organisation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub project_limits: Vec<Limit>,
}

impl CredentialRow {
    /// End of the key; none if the row names none.
    pub(crate) fn expires_at(&self) -> Result<Option<Timestamp>, String> {
        let text = self.expires.as_deref().filter(|text| !text.is_empty());
        text.map(end_of_day).transpose()
    }
}

/// End of a day such as `2027-01-31`, in UTC.
pub fn end_of_day(text: &str) -> Result<Timestamp, String> {
    let wrong = || "`expires` is no date such as 2027-01-31".to_owned();
    let day: jiff::civil::Date = text.trim().parse().map_err(|_| wrong())?;
    let next = day.tomorrow().map_err(|_| wrong())?;
    let end = jiff::tz::TimeZone::UTC
        .to_timestamp(next.at(0, 0, 0, 0))
        .map_err(|_| wrong())?;
    Ok(Timestamp(end.as_millisecond()))
}

impl std::fmt::Debug for CredentialRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialRow").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A row in the form of `accounts.toml`.
#[derive(Serialize)]
pub struct Written {
    #[serde(flatten)]
    identity: Identity,
    credential: Vec<CredentialRow>,
}

impl Row {
    /// Name of the account for people; empty if the cell is no e-mail address, because it may be a key then.
    pub(crate) fn shown_name(&self) -> String {
        if is_email(&self.identity.email) {
            self.identity.email.clone()
        } else {
            String::new()
        }
    }

    /// Returns the row as [`Written`], the form of `accounts.toml`.
    pub fn written(self) -> Written {
        Written {
            identity: self.identity,
            credential: self.credentials,
        }
    }
}

/// Returns true if the text has the form of an e-mail address and is no key.
pub(crate) fn is_email(text: &str) -> bool {
    let plain = !text.contains(char::is_whitespace) && !text.contains(['/', ':', ',', ';']);
    plain
        && !has_secret(text)
        && text
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
}
