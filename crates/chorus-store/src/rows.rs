//! The rows of a store as plain values, and the pure rules by which they change.
//!
//! The memory store keeps these; the SQL store reads them out for comparison. Tests and the world's invariants
//! look at them; services never do, they have the ports.

pub mod attempt;
pub mod commit;
pub mod delivery;
pub mod money;

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::artifact::ArtifactHash;
use chorus_core::id::{AttemptId, BootId, Epoch, EventId, ProjectId, Seq, Tenant, Term, Version};
use chorus_core::money::ProjectMoney;
use chorus_core::port::bus::{Record, Topic};
use chorus_core::port::projects::StoredEvent;
use chorus_core::project::Project;
use chorus_core::time::Timestamp;

pub use attempt::AttemptRow;
pub use delivery::KeptDelivery;

/// Everything a store keeps of projects and their work, in order of key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// Projects.
    pub projects: BTreeMap<ProjectId, ProjectRow>,
    /// What happened in them.
    pub events: BTreeMap<(ProjectId, Seq), StoredEvent>,
    /// Attempts.
    pub attempts: BTreeMap<AttemptId, AttemptRow>,
    /// Deliveries.
    pub deliveries: BTreeMap<(AttemptId, Epoch), KeptDelivery>,
    /// Records.
    pub outbox: BTreeMap<EventId, OutboxRow>,
    /// Commands and finished attempts that a decision has folded.
    pub folded: BTreeSet<EventId>,
    /// Leaderships by name.
    pub leaders: BTreeMap<String, LeaderRow>,
}

/// A project with what the store keeps beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectRow {
    /// Whose it is.
    pub tenant: Tenant,
    /// The client's key.
    pub idempotency_key: String,
    /// Hash of what was handed in under that key.
    pub body: ArtifactHash,
    /// How many decisions were committed.
    pub version: Version,
    /// The last event's place.
    pub seq: Seq,
    /// The project.
    pub project: Project,
    /// Its money.
    pub money: ProjectMoney,
    /// Fingerprint of the last decision, by which its repetition is recognised.
    pub decided: Option<ArtifactHash>,
}

/// A record and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// The record.
    pub record: Record,
    /// When it was committed.
    pub created_at: Timestamp,
    /// When it was last published.
    pub sent_at: Option<Timestamp>,
    /// When a decision folded it.
    pub folded_at: Option<Timestamp>,
}

/// A leadership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaderRow {
    /// The newest term.
    pub term: Term,
    /// Who holds or held it.
    pub boot: BootId,
    /// When it is over.
    pub until: Timestamp,
}

impl OutboxRow {
    /// A record that was committed at `now`.
    pub const fn new(record: Record, now: Timestamp) -> Self {
        Self {
            record,
            created_at: now,
            sent_at: None,
            folded_at: None,
        }
    }
}

/// Whether records of this topic wait for an orchestrator to fold them.
pub const fn is_folded(topic: &Topic) -> bool {
    matches!(topic, Topic::ProjectCmd | Topic::TaskDone)
}
