//! Estimates of usage, for providers that report none or report it too early.

use chorus_core::llm::{Reply, Usage};

/// Bytes of text for one token: between the figures of prose and of code.
const BYTES_PER_TOKEN: usize = 4;

/// Returns the usage of a complete reply: the provider's count, else an estimate, which is logged.
pub fn of_complete(prompt_tokens: u64, reply: &Reply) -> Usage {
    reply.usage.unwrap_or_else(|| {
        let usage = estimate(prompt_tokens, reply);
        tracing::warn!(
            tokens.input = usage.input,
            tokens.output = usage.output,
            "the provider reported no usage, it is estimated from the size of the texts"
        );
        usage
    })
}

/// Returns the usage of a reply that was cut off. A count reported at the start does not include
/// later tokens, so the greater of count and estimate is taken.
pub fn of_part(prompt_tokens: u64, reply: &Reply) -> Usage {
    let estimated = estimate(prompt_tokens, reply);
    match reply.usage {
        Some(reported) => Usage {
            output: reported.output.max(estimated.output),
            reasoning: reported.reasoning.max(estimated.reasoning),
            ..reported
        },
        None => estimated,
    }
}

/// Returns the usage of a sent call without any reply: its prompt at most.
pub fn of_silence(prompt_tokens: u64) -> Usage {
    Usage {
        input: prompt_tokens,
        ..Usage::default()
    }
}

fn estimate(prompt_tokens: u64, reply: &Reply) -> Usage {
    let tokens = |text: &str| text.len().div_ceil(BYTES_PER_TOKEN) as u64;
    let reasoning = tokens(&reply.reasoning());
    Usage {
        output: tokens(&reply.text()) + reasoning,
        reasoning,
        ..of_silence(prompt_tokens)
    }
}

/// Returns the tokens of a verbatim body of this size, framing included: an upper bound.
pub(crate) fn of_bytes(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN) as u64
}
