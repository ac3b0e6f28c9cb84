//! The question whether a provider accepts a credential, before an account is stored.
//!
//! `chorus-upstream` asks it over HTTP; `chorus-accounts` decides what an answer means for an import.

use async_trait::async_trait;
use chorus_core::catalog::Provider;
use chorus_core::limit::ObservedLevel;
use chorus_core::time::Timestamp;

use crate::secret::Secret;

/// One credential that is not in the directory yet.
#[derive(Debug, Clone, Copy)]
pub struct KeyCheck<'a> {
    /// Provider that issued the credential.
    pub provider: &'a Provider,
    /// Secret to be accepted.
    pub secret: &'a Secret,
    /// Address to ask instead of the provider's own; checked by [`crate::address::check_address`].
    pub base_url: Option<&'a str>,
    /// Time after which the answer is [`Liveness::Unknown`].
    pub deadline: Timestamp,
}

/// Answer of a provider about a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness {
    /// The provider accepts the credential.
    Alive,
    /// The provider refuses the credential.
    Dead {
        /// The provider's message, without the secret.
        reason: String,
    },
    /// Another server than the provider's API answers: a web page, or a redirect.
    WrongAddress {
        /// Text about the answer, without the secret.
        reason: String,
        /// Address at which the API answers with this key, if it was found.
        proposal: Option<String>,
    },
    /// No answer: the provider has no free route, cannot be reached, or fails.
    Unknown {
        /// The failure, without the secret.
        reason: String,
    },
}

/// Question for the limits of an organisation or project.
#[derive(Debug, Clone, Copy)]
pub struct LimitsQuery<'a> {
    /// Provider with the row that names the API.
    pub provider: &'a Provider,
    /// Admin key, which can make no call.
    pub secret: &'a Secret,
    /// Address to ask instead of the provider's own.
    pub base_url: Option<&'a str>,
    /// Project or workspace; none for the organisation.
    pub project: Option<&'a str>,
    /// Time after which the answer is an error.
    pub deadline: Timestamp,
}

/// Limits of models as a provider's API reported them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedLimits {
    /// Names of the models at the provider, some with a date.
    pub models: Vec<String>,
    /// Limits, each with its amount and window.
    pub levels: Vec<ObservedLevel>,
}

/// Asks providers about credentials and limits.
#[async_trait]
pub trait KeyChecker: Send + Sync {
    /// Returns within the deadline of the check.
    async fn check_key(&self, check: KeyCheck<'_>) -> Liveness;

    /// Returns the limits within the deadline, or a reason without the secret.
    async fn read_limits(&self, _query: LimitsQuery<'_>) -> Result<Vec<ReportedLimits>, String> {
        Err("limits are not read here".to_owned())
    }
}
