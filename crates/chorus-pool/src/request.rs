//! Calls that ask for admission, and the models that may serve them.
//!
//! [`Admission`](crate::Admission) queues an [`AdmissionRequest`], and returns it as a [`Decided`](crate::Decided) one.

use chorus_core::attempt::CallSize;
use chorus_core::id::{AccountId, LeaseId, ModelSlug, ProjectId, Tenant};
use chorus_core::task_kind::{ModelRole, TaskKind};
use chorus_core::time::{Millis, Timestamp};

/// A call that asks for admission.
#[derive(Debug, Clone, PartialEq)]
pub struct AdmissionRequest {
    /// Id of the lease that the call will run under. Drawn before it is queued, so repeated requests reserve once.
    pub lease: LeaseId,
    /// Tenant that owns the call.
    pub tenant: Tenant,
    /// True if a person waits for the reply: such calls are admitted first.
    pub interactive: bool,
    /// Models that may serve the call.
    pub selector: ModelSelector,
    /// Kind of the task, which predicts the size of the reply.
    pub kind: TaskKind,
    /// Estimated size of the call.
    pub size: CallSize,
    /// Priority; a higher one goes first.
    pub priority: u8,
    /// Predicted time from the start of the call to the end of its project.
    pub path: Millis,
    /// Time at which the attempt was queued first.
    pub since: Timestamp,
    /// Earliest time of admission.
    pub not_before: Timestamp,
    /// True if the call continues a cut answer: it goes before its peers.
    pub ahead: bool,
    /// Project of the call; none for a call outside of one.
    pub project: Option<ProjectId>,
    /// Account that refused the attempt last.
    pub refused_by: Option<AccountId>,
    /// Time from which siblings of the account that refused it may serve the call.
    pub refused_until: Timestamp,
    /// Start of the prompt that the call has in common with others; none when it is not known.
    pub prefix: Option<Prefix>,
}

/// Start of a prompt that several calls have in common, so that a provider may have it in its cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Key of the text; equal texts have equal keys.
    pub key: u64,
    /// Length of the text in tokens.
    pub tokens: u32,
}

/// Calls that wait in the rows and were not pushed: their work counts for the time that the pool still needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// Tenant that owns the calls.
    pub tenant: Tenant,
    /// Kind of the tasks.
    pub kind: TaskKind,
    /// Number of calls.
    pub calls: u64,
    /// Mean of their estimated sizes.
    pub size: CallSize,
}

/// Models that may serve an [`AdmissionRequest`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelSelector {
    /// Models of a role, chosen by [`EndpointIndex::choose`](crate::EndpointIndex::choose).
    Role(ModelRole),
    /// Models of a role without those that refused the request.
    RoleExcept {
        /// Role that is served.
        role: ModelRole,
        /// Models that refused the request.
        unfit: Vec<ModelSlug>,
    },
    /// One model by its name in the catalogue.
    Model(ModelSlug),
}
