//! Rows of a store as plain values, and the pure rules by which they change.
//!
//! [`crate::memory::Store`] keeps these rows; [`crate::sql::Store`] applies the same rules and copies its rows out
//! for comparison. Tests and invariants of the simulation read them; services use the ports.

pub mod attempt;
pub mod commit;
pub mod delivery;
pub mod money;
pub mod wait;

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::artifact::ArtifactHash;
use chorus_core::id::{AttemptId, BootId, Epoch, EventId, ProjectId, Seq, Tenant, Term, Version};
use chorus_core::money::ProjectMoney;
use chorus_core::port::bus::{Record, Topic};
use chorus_core::port::projects::StoredEvent;
use chorus_core::project::Project;
use chorus_core::time::Timestamp;

pub use attempt::AttemptRow;
pub use delivery::StoredDelivery;

/// All rows of projects and their work, in order of key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// Projects with version and money.
    pub projects: BTreeMap<ProjectId, ProjectRow>,
    /// Events of projects, by place.
    pub events: BTreeMap<(ProjectId, Seq), StoredEvent>,
    /// Attempts, terminal ones too.
    pub attempts: BTreeMap<AttemptId, AttemptRow>,
    /// Deliveries, ended ones too.
    pub deliveries: BTreeMap<(AttemptId, Epoch), StoredDelivery>,
    /// Records, until they are forgotten.
    pub outbox: BTreeMap<EventId, OutboxRow>,
    /// Commands and finished attempts that a decision has folded.
    pub folded: BTreeSet<EventId>,
    /// Leadership terms by name.
    pub leaders: BTreeMap<String, LeaderRow>,
}

/// A [`Project`], with its version, last event and money.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectRow {
    /// Tenant that submitted it.
    pub tenant: Tenant,
    /// Idempotency key of the submission.
    pub idempotency_key: String,
    /// Hash of the submission under that key.
    pub body: ArtifactHash,
    /// Number of committed decisions.
    pub version: Version,
    /// Place of the last event.
    pub seq: Seq,
    /// Head and tasks.
    pub project: Project,
    /// Budget and sums, changed by [`money::Movement`] only.
    pub money: ProjectMoney,
    /// Fingerprint of the last decision, by which a repeated commit is recognised.
    pub decided: Option<ArtifactHash>,
}

/// A [`Record`] of the outbox, with its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Record as it is published.
    pub record: Record,
    /// Time of the commit.
    pub created_at: Timestamp,
    /// Time of the last publication.
    pub sent_at: Option<Timestamp>,
    /// Time of the decision that folded it.
    pub folded_at: Option<Timestamp>,
}

/// A leadership, held or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaderRow {
    /// Number of the newest term.
    pub term: Term,
    /// Process of the newest term.
    pub boot: BootId,
    /// End of the newest term.
    pub until: Timestamp,
}

impl OutboxRow {
    /// A record committed at `now`, not yet published.
    pub const fn new(record: Record, now: Timestamp) -> Self {
        Self {
            record,
            created_at: now,
            sent_at: None,
            folded_at: None,
        }
    }
}

/// Returns true if records of this topic are folded by an orchestrator.
pub const fn is_folded(topic: &Topic) -> bool {
    matches!(topic, Topic::ProjectCmd | Topic::TaskDone)
}
