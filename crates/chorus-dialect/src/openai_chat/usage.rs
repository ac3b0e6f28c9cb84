//! Token counts on OpenAI's wire. Servers disagree about their names and about which count includes
//! which.

use chorus_core::llm::Usage;
use serde_json::Value;

use crate::fields::Object;

/// Reads a usage object; none when it counts nothing.
pub(super) fn read(value: &Value) -> Option<Usage> {
    let count = |pointer: &str| value.pointer(pointer).and_then(whole);
    let prompt = count("/prompt_tokens").or_else(|| count("/input_tokens"));
    let completion = count("/completion_tokens").or_else(|| count("/output_tokens"));
    // Either count alone is still a count.
    prompt.or(completion)?;
    let (prompt, completion) = (prompt.unwrap_or(0), completion.unwrap_or(0));
    let cache_read = count("/prompt_tokens_details/cached_tokens")
        .or_else(|| count("/prompt_cache_hit_tokens"))
        .unwrap_or(0);
    let cache_write = count("/prompt_tokens_details/cache_write_tokens").unwrap_or(0);
    let reasoning = count("/completion_tokens_details/reasoning_tokens").unwrap_or(0);
    // xAI counts thinking beside the completion, all others inside it; the total shows which.
    let beside = reasoning > 0 && count("/total_tokens") == Some(prompt + completion + reasoning);
    Some(Usage {
        input: prompt.saturating_sub(cache_read + cache_write),
        cache_read,
        cache_write,
        output: if beside {
            completion + reasoning
        } else {
            completion
        },
        reasoning,
        is_estimated: false,
    })
}

/// Reads a count that may be written with a fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded right here"
)]
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value
            .as_f64()
            .filter(|number| (0.0..1e15).contains(number))?;
        Some(number as u64)
    })
}

/// Writes a [`Usage`] as OpenAI does.
pub(super) fn write(usage: &Usage) -> Value {
    let prompt_details = Object::new()
        .with("cached_tokens", usage.cache_read)
        .with_some(
            "cache_write_tokens",
            (usage.cache_write > 0).then_some(usage.cache_write),
        );
    Object::new()
        .with("prompt_tokens", usage.prompt())
        .with("completion_tokens", usage.output)
        .with("total_tokens", usage.total())
        .with("prompt_tokens_details", prompt_details.build())
        .with(
            "completion_tokens_details",
            Object::new()
                .with("reasoning_tokens", usage.reasoning)
                .build(),
        )
        .build()
}
