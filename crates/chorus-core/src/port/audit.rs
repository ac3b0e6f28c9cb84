//! Audit: acts of operators on accounts, and uses of accounts by projects. Rows are only ever added.
//!
//! An [`AuditEntry`] is written before the act that it names, so that no act is without one. A use of an account is
//! the row of its [delivery](super::Deliveries); the entry of the submission names the caller of its project.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::id::{
    AccountId, AttemptId, AuditId, CredentialId, Epoch, ModelSlug, ProjectId, ProviderId, TaskId,
    Tenant,
};
use crate::llm::Usage;
use crate::money::MicroUsd;
use crate::time::Timestamp;

/// Store of the audit.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Adds an entry. Adding the same id again has no effect.
    async fn append(&self, entry: AuditEntry) -> Result<(), StoreError>;

    /// Returns at most `limit` entries of a tenant, newest first.
    async fn entries(
        &self,
        tenant: &Tenant,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError>;

    /// Returns at most `limit` uses of accounts of a tenant, newest first.
    async fn uses(
        &self,
        tenant: &Tenant,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AccountUse>, StoreError>;
}

/// Rows that are read. Without a field every row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Account of the rows.
    pub account: Option<AccountId>,
    /// Project of the rows.
    pub project: Option<ProjectId>,
    /// Time before which the rows are from.
    pub before: Option<Timestamp>,
}

/// One act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Id of the entry.
    pub id: AuditId,
    /// Tenant that the act concerns.
    pub tenant: Tenant,
    /// Time of the act, by the clock of the process that wrote the entry.
    pub at: Timestamp,
    /// Author of the act: the id of an API key, `operator`, `open`, or the name of a service.
    pub caller: String,
    /// Act.
    pub action: AuditAction,
    /// Account that the act concerns.
    pub account: Option<AccountId>,
    /// Name of the account at the time of the act: it may be removed since.
    pub account_name: String,
    /// Project that the act concerns.
    pub project: Option<ProjectId>,
    /// Details for people, without secrets.
    pub detail: String,
}

/// Kind of an act, as stored and published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    /// A project was submitted.
    Submit,
    /// An account was added or changed.
    Import,
    /// Keys of an account were checked.
    Probe,
    /// An account was paused.
    Pause,
    /// An account was enabled.
    Enable,
    /// A key was replaced by a new one.
    Rotate,
    /// A drained key was removed.
    Retire,
    /// A rotation was undone, because the provider refused the new key.
    UndoRotation,
    /// An account was removed.
    Remove,
}

/// One call on an account.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountUse {
    /// Attempt of the call.
    pub attempt: AttemptId,
    /// Epoch of the delivery.
    pub epoch: Epoch,
    /// Project for which the call was made.
    pub project: ProjectId,
    /// Task of the attempt.
    pub task: TaskId,
    /// Author of the project's submission; none if no entry names one.
    pub caller: Option<String>,
    /// Account of the call.
    pub account: AccountId,
    /// Credential of the call.
    pub credential: CredentialId,
    /// Provider of the call.
    pub provider: ProviderId,
    /// Model of the call.
    pub model: ModelSlug,
    /// Time of the dispatch.
    pub at: Timestamp,
    /// Time of its end; none while it is under way.
    pub ended_at: Option<Timestamp>,
    /// Tokens, once they are known.
    pub usage: Option<Usage>,
    /// Money that was charged.
    pub cost: MicroUsd,
}

impl AuditFilter {
    /// Returns true if the filter lets an entry pass.
    pub fn takes(&self, entry: &AuditEntry) -> bool {
        self.account.is_none_or(|of| entry.account == Some(of))
            && self.project.is_none_or(|of| entry.project == Some(of))
            && self.before.is_none_or(|end| entry.at < end)
    }

    /// Returns true if the filter lets a use pass.
    pub fn takes_use(&self, one: &AccountUse) -> bool {
        self.account.is_none_or(|of| one.account == of)
            && self.project.is_none_or(|of| one.project == of)
            && self.before.is_none_or(|end| one.at < end)
    }
}
