//! Queued attempts: the orchestrator creates them, the dispatcher reads them.

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactHash;
use crate::id::{AccountId, AttemptId, Epoch, ModelSlug, ProjectId, TaskId, Tenant};
use crate::llm::Request;
use crate::task_kind::TaskKind;
use crate::time::{Millis, Timestamp};

/// Artifact that a delivery carries out: the [`Request`] and the text of earlier deliveries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkOrder {
    /// Version of this form, 1.
    pub version: u32,
    /// Request of the call; the dispatch fills in its model.
    pub request: Request,
    /// Text that earlier deliveries produced before they were cut by `max_tokens`.
    #[serde(default)]
    pub so_far: String,
}

/// Size of a call, before any provider is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSize {
    /// Prompt tokens, by [`count_tokens`](crate::brief::count_tokens).
    pub input: u64,
    /// Produced tokens that the plan expects.
    pub output: u64,
    /// Maximum tokens that may be produced.
    pub max_tokens: u32,
}

impl CallSize {
    /// Returns the size of a call that continues a reply which was cut so many times: each part that was cut
    /// stands in the prompt, and has at most `max_tokens`.
    #[must_use]
    pub const fn continued(self, times: u32) -> Self {
        let grown = (times as u64).saturating_mul(self.max_tokens as u64);
        Self {
            input: self.input.saturating_add(grown),
            ..self
        }
    }
}

/// An attempt as the orchestrator creates it, in state `Queued` at epoch 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewAttempt {
    /// Id of the attempt.
    pub id: AttemptId,
    /// Task that the attempt is a try at.
    pub task: TaskId,
    /// Project of the task.
    pub project: ProjectId,
    /// Tenant that owns the project.
    pub tenant: Tenant,
    /// Version of the plan that the task belongs to; zero before there is one.
    pub plan_version: u32,
    /// Kind of the task.
    pub kind: TaskKind,
    /// Number of the try of the task, from 1.
    pub number: u32,
    /// Hash of the [`WorkOrder`].
    pub order: ArtifactHash,
    /// Size of the call.
    pub size: CallSize,
    /// Rank in the queue; higher goes first.
    pub priority: u8,
    /// Predicted time from here to the project's end along the longest path.
    pub path: Millis,
    /// Earliest time of a delivery.
    pub not_before: Timestamp,
}

/// A queued attempt as the dispatcher sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedAttempt {
    /// The attempt as it was created; `order` and `not_before` are the newest.
    pub attempt: NewAttempt,
    /// Epoch of the next delivery.
    pub epoch: Epoch,
    /// Time at which it was queued first.
    pub created_at: Timestamp,
    /// Time at which it was queued last.
    pub queued_at: Timestamp,
    /// Number of deliveries lost with their workers.
    pub lost: u32,
    /// Number of deliveries cut by `max_tokens`; such attempts queue ahead of their peers.
    pub continues: u32,
    /// Account that refused the last delivery with a class that may not move to a sibling
    /// (`may_move_to_sibling` of [`FailureRule`](crate::failure::FailureRule)).
    pub refused_by: Option<AccountId>,
    /// Models that refused the request itself: another one is tried.
    pub unfit: Vec<UnfitModel>,
}

/// A model that refused a request, for instance as too long for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfitModel {
    /// Name of the model in the catalogue.
    pub model: ModelSlug,
    /// Message of the provider.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continued_call_has_the_parts_that_were_cut_in_its_prompt() {
        let size = CallSize {
            input: 1_000,
            output: 300,
            max_tokens: 400,
        };
        assert_eq!(size.continued(0), size);
        assert_eq!(size.continued(2).input, 1_800);
        assert_eq!(size.continued(2).output, 300);
    }
}
