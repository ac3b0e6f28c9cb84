//! The short result of one call, as the records of finishes carry it to the dispatcher.

use serde::{Deserialize, Serialize};

use super::CallSize;
use crate::failure::FailureClass;
use crate::id::{AccountId, ModelSlug, ProviderId};
use crate::llm::Usage;
use crate::money::MicroUsd;
use crate::task_kind::TaskKind;
use crate::time::Millis;

/// Result of one call: who made it where, how it ended, and what it used.
///
/// It rides in the payloads of `task.done` and `task.ready` as an optional field, so that readers
/// and writers of an earlier release still understand each other. The pool learns from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSummary {
    /// Provider that was called.
    pub provider: ProviderId,
    /// Model that was called, by its catalogue name.
    pub model: ModelSlug,
    /// Account of the credential that was used.
    pub account: AccountId,
    /// Kind of the task, which predicts the size of a reply.
    pub kind: TaskKind,
    /// Size of the call as it was estimated before.
    pub size: CallSize,
    /// Class of the failure; none for a reply and for a call that was cut on our side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
    /// True if the reply came to its end; only then do `usage` and `took` teach anything.
    #[serde(default)]
    pub complete: bool,
    /// Tokens used; none when that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Money spent, in micro-dollars.
    pub cost: MicroUsd,
    /// Time from the start of the call to its end.
    pub took: Millis,
}
