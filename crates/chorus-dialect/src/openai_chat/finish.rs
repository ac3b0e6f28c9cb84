//! Names of [`FinishReason`]s on OpenAI's wire.

use chorus_core::llm::FinishReason;

use crate::finish;

/// Reads a word; a `stop` after a refusal is one.
pub(super) fn read(name: &str, refused: bool) -> FinishReason {
    match finish::read(name) {
        FinishReason::Stop if refused => FinishReason::Refusal,
        other => other,
    }
}

pub(super) fn write(reason: &FinishReason) -> &str {
    match reason {
        FinishReason::Stop | FinishReason::Refusal => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Aborted => "insufficient_system_resource",
        FinishReason::Other(name) => name,
    }
}
