//! Credentials beside the calls: sealing, opening, and where an opened secret may go.
//!
//! [`EnvelopeKey`] seals and opens one [`Secret`], [`DirectorySecrets`] opens those of the directory for calls,
//! [`EnvelopeKey::fingerprint`] finds duplicates, [`refuse_consumer_token`] keeps out what is no official API key, and
//! [`address`] bounds the servers that a credential may name. [`KeyChecker`] is implemented by `chorus-upstream`,
//! which speaks to providers. [`redacted`] takes secrets out of texts that people see. Deliberately absent: HTTP, choice of credentials, storage.

pub mod address;
mod check;
mod consumer;
mod envelope;
mod fingerprint;
mod redaction;
mod secret;
mod secrets;

pub use check::{KeyCheck, KeyChecker, LimitsQuery, Liveness, ReportedLimits};
pub use consumer::{Refusal, refuse_consumer_token};
pub use envelope::{EnvelopeKey, KeyError, OpenError};
pub use fingerprint::earlier_fingerprint;
pub use redaction::{has_secret, redacted};
pub use secret::Secret;
pub use secrets::{DirectorySecrets, Opened, Secrets, SecretsError};
