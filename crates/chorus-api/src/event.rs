//! Named events of `GET …/events`. Events without a name carry a [`StoredEvent`] of the project.
//!
//! [`StoredEvent`]: chorus_core::port::projects::StoredEvent

use chorus_core::progress::Progress;
use serde::{Deserialize, Serialize};

/// Data of a `progress` event: a call under way. Such events may be lost and have no id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgressEvent {
    /// Progress of the call since the last such event.
    pub progress: Progress,
    /// Name of the account that serves the call; absent for callers without the scope `accounts:read`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
}

/// Data of the `end` event: the project is in a final state and no event follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndOfEvents {
    /// Final state: `done`, `partial`, `failed` or `cancelled`.
    pub state: String,
}
