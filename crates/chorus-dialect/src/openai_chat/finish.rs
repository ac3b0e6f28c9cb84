//! Names of [`FinishReason`]s on OpenAI's wire.

use chorus_core::llm::FinishReason;

pub(super) fn read(word: &str, refused: bool) -> FinishReason {
    match word {
        "stop" if refused => FinishReason::Refusal,
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        "insufficient_system_resource" | "aborted" | "error" => FinishReason::Aborted,
        other => FinishReason::Other(other.to_owned()),
    }
}

pub(super) fn write(reason: &FinishReason) -> &str {
    match reason {
        FinishReason::Stop | FinishReason::Refusal => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Aborted => "insufficient_system_resource",
        FinishReason::Other(word) => word,
    }
}
