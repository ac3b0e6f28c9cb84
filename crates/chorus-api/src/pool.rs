//! Pools ([`PoolResource`]) and the reason why a task waits ([`TaskWhy`]), as operators read them.

use chorus_core::id::{ModelSlug, Pool, ProjectId, TaskId, TaskKey};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::{AccountResource, GroupResource};
use crate::wait::WaitResource;

/// All pools that a tenant's accounts or queued calls belong to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolList {
    /// Pools, by name.
    pub pools: Vec<PoolResource>,
    /// True if the levels are those of a process that makes calls; false if only configured limits are known.
    pub has_levels: bool,
    /// Time of the levels.
    pub at_ms: Timestamp,
}

/// One pool: its accounts, its queue and its limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolResource {
    /// Name of the pool.
    pub pool: Pool,
    /// Models that accounts of the tenant serve.
    pub models: Vec<ModelSlug>,
    /// Credentials by state.
    pub credentials: CredentialCounts,
    /// Calls that workers of the pool can make at once, of all tenants.
    pub slots: u32,
    /// Deliveries that hold one of these slots, of all tenants.
    pub open: u32,
    /// Queued calls of the tenant that models of the pool can serve.
    pub waiting: u64,
    /// Time since which the oldest of them is queued.
    #[serde(default)]
    pub oldest_ms: Option<Timestamp>,
    /// Reasons of these waits, the most frequent first.
    pub waits: Vec<WaitResource>,
    /// Quota groups of the pool's models.
    pub groups: Vec<GroupResource>,
    /// Limit to raise first, with its share of the waiting calls; none if no limit is reached.
    #[serde(default)]
    pub bottleneck: Option<Bottleneck>,
}

/// Credentials of a pool by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CredentialCounts {
    /// Calls may be made.
    pub active: u32,
    /// Paused by their provider's quota until a time.
    pub parked: u32,
    /// Paused by a person.
    pub paused: u32,
    /// Refused by their provider.
    pub refused: u32,
    /// Replaced by another key.
    pub draining: u32,
}

/// The limit to raise first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bottleneck {
    /// Quota group of the limit.
    pub group: chorus_core::id::GroupId,
    /// Dimension of the limit.
    pub dimension: chorus_core::limit::Dimension,
    /// Share of the waiting calls that it holds up, in thousandths.
    pub permille: u32,
}

/// Answer to the question why a task is not done yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskWhy {
    /// Project of the task.
    pub project: ProjectId,
    /// Id of the task.
    pub task: TaskId,
    /// Key of the task in its plan.
    pub key: TaskKey,
    /// Title of the task.
    pub title: String,
    /// Kind of the task.
    pub kind: TaskKind,
    /// State of the task.
    pub state: String,
    /// True if a call of it is under way.
    pub is_open: bool,
    /// Deliveries so far.
    pub deliveries: u64,
    /// Sentence that answers the question.
    pub answer: String,
    /// Reason why it waits; none if it does not wait in the queue.
    #[serde(default)]
    pub wait: Option<WaitResource>,
    /// Tasks that must end first.
    pub parents: Vec<TaskKey>,
    /// Models that may serve it, the preferred first.
    pub models: Vec<ModelSlug>,
    /// Accounts that serve one of these models, with states and levels; empty without the scope `accounts:read`.
    pub accounts: Vec<AccountResource>,
    /// Queued calls of the same tenant before it.
    #[serde(default)]
    pub ahead: Option<u64>,
    /// True if the levels are those of a process that makes calls.
    pub has_levels: bool,
}
