//! The audit: acts of operators ([`AuditResource`]), and uses of accounts ([`UseResource`]), newest first.

use chorus_core::id::{
    AccountId, AttemptId, AuditId, CredentialId, ModelSlug, ProjectId, ProviderId, TaskId,
};
use chorus_core::port::audit::{AccountUse, AuditAction, AuditEntry};
use chorus_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dollars;

/// Acts of operators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditList {
    /// Acts, newest first.
    pub entries: Vec<AuditResource>,
}

/// One act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditResource {
    /// Id of the entry.
    pub id: AuditId,
    /// Time of the act.
    pub at_ms: Timestamp,
    /// Author: the id of an API key, `operator`, `open`, or the name of a service.
    pub caller: String,
    /// Act.
    pub action: AuditAction,
    /// Account that it concerns.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// Name of the account at that time.
    pub account_name: String,
    /// Project that it concerns.
    #[serde(default)]
    pub project: Option<ProjectId>,
    /// Details for people.
    pub detail: String,
}

/// Uses of accounts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UseList {
    /// Uses, newest first.
    pub uses: Vec<UseResource>,
}

/// One call on an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UseResource {
    /// Time of the dispatch.
    pub at_ms: Timestamp,
    /// Time of its end; none while it is under way.
    #[serde(default)]
    pub ended_at_ms: Option<Timestamp>,
    /// Author of the project's submission; none if it was submitted to an earlier release.
    #[serde(default)]
    pub caller: Option<String>,
    /// Project for which the call was made.
    pub project: ProjectId,
    /// Task of the call.
    pub task: TaskId,
    /// Attempt of the call.
    pub attempt: AttemptId,
    /// Account of the call.
    pub account: AccountId,
    /// Name of the account; none if it was removed.
    #[serde(default)]
    pub account_name: Option<String>,
    /// Credential of the call.
    pub credential: CredentialId,
    /// Provider of the call.
    pub provider: ProviderId,
    /// Model of the call.
    pub model: ModelSlug,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Produced tokens.
    pub output_tokens: u64,
    /// Money that was charged, in US dollars.
    pub cost_usd: f64,
}

impl From<AuditEntry> for AuditResource {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            at_ms: entry.at,
            caller: entry.caller,
            action: entry.action,
            account: entry.account,
            account_name: entry.account_name,
            project: entry.project,
            detail: entry.detail,
        }
    }
}

impl UseResource {
    /// The resource of a use; `account_name` is the present name of its account.
    pub fn new(one: AccountUse, account_name: Option<String>) -> Self {
        let usage = one.usage.unwrap_or_default();
        Self {
            at_ms: one.at,
            ended_at_ms: one.ended_at,
            caller: one.caller,
            project: one.project,
            task: one.task,
            attempt: one.attempt,
            account: one.account,
            account_name,
            credential: one.credential,
            provider: one.provider,
            model: one.model,
            input_tokens: usage.prompt(),
            output_tokens: usage.output,
            cost_usd: dollars(one.cost),
        }
    }
}
