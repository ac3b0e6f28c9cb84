//! Names of [`FinishReason`]s and token counts on Anthropic's wire.

use chorus_core::llm::{FinishReason, Usage};
use serde_json::Value;

use crate::fields::Object;

pub(super) fn write(reason: &FinishReason, by_sequence: bool) -> &str {
    match reason {
        FinishReason::Stop if by_sequence => "stop_sequence",
        FinishReason::Stop => "end_turn",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::Refusal | FinishReason::ContentFilter => "refusal",
        FinishReason::Aborted => "aborted",
        FinishReason::Other(word) => word,
    }
}

/// Adds the counts of a usage object; a stream sends its counts in parts.
pub(super) fn merge_usage(usage: &mut Usage, value: &Value) {
    let count = |pointer: &str| value.pointer(pointer).and_then(Value::as_u64);
    let parts = [
        (&mut usage.input, "/input_tokens"),
        (&mut usage.cache_read, "/cache_read_input_tokens"),
        (&mut usage.cache_write, "/cache_creation_input_tokens"),
        (&mut usage.output, "/output_tokens"),
        (
            &mut usage.reasoning,
            "/output_tokens_details/thinking_tokens",
        ),
    ];
    for (part, pointer) in parts {
        *part = count(pointer).unwrap_or(*part);
    }
}

pub(super) fn write_usage(usage: &Usage) -> Value {
    let thinking = (usage.reasoning > 0).then(|| {
        Object::new()
            .with("thinking_tokens", usage.reasoning)
            .build()
    });
    Object::new()
        .with("input_tokens", usage.input)
        .with("cache_creation_input_tokens", usage.cache_write)
        .with("cache_read_input_tokens", usage.cache_read)
        .with("output_tokens", usage.output)
        .with_some("output_tokens_details", thinking)
        .build()
}
