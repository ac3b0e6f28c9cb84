//! Names of [`FinishReason`]s on OpenAI's wire.

use chorus_core::llm::FinishReason;

pub(super) fn read(name: &str, refused: bool) -> FinishReason {
    match name {
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
        FinishReason::Other(name) => name,
    }
}
