//! Reasons why queued attempts wait: the leading dispatcher records them, clients read them. Projects without
//! queued attempts that a change of accounts may help are listed beside them.
//!
//! Neighbour: [`Attempts`](super::Attempts), which has the rows beside them.

use async_trait::async_trait;

use super::StoreError;
use crate::attempt::AttemptWait;
use crate::id::{ProjectId, Tenant};
use crate::project::State;

/// Store of the reasons of waiting. A reason is void once its attempt has another epoch or state.
#[async_trait]
pub trait Waits: Send + Sync {
    /// Replaces the reasons of these attempts; attempts that are no longer queued at the epoch of their
    /// reason stay as they are.
    async fn record_waits(&self, waits: Vec<AttemptWait>) -> Result<(), StoreError>;

    /// Returns the reasons of at most `limit` queued attempts of a project, oldest first. An attempt without
    /// a recorded reason waits for a [`Retry`](crate::attempt::WaitReason::Retry) if its last call failed and
    /// it may not start yet, else for the [`Queue`](crate::attempt::WaitReason::Queue).
    async fn waits_of(
        &self,
        project: ProjectId,
        limit: u32,
    ) -> Result<Vec<AttemptWait>, StoreError>;

    /// Returns at most `limit` projects of every tenant that are held up, in order of their ids, after the one
    /// named. They may have no queued attempt, so that no reading of the queue names their tenant.
    async fn held_up(
        &self,
        after: Option<ProjectId>,
        limit: u32,
    ) -> Result<Vec<HeldUpProject>, StoreError>;
}

/// A project that needs attention, or that is paused and may need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldUpProject {
    /// Tenant that owns the project.
    pub tenant: Tenant,
    /// Id of the project.
    pub project: ProjectId,
}

/// Returns true for the states of projects that [`Waits::held_up`] lists.
pub const fn is_held_up(state: &State) -> bool {
    matches!(state, State::NeedsAttention { .. } | State::Paused { .. })
}
