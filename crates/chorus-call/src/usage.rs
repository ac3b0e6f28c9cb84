//! Estimates of usage, for providers that report none, report it too early, or report zero for a
//! text that came. [`Usage::is_estimated`] marks them.

use chorus_core::llm::{Content, Reply, Usage};

/// Bytes of text for one token: between the figures of prose and of code.
const BYTES_PER_TOKEN: usize = 4;

/// Returns the usage of a complete reply: the provider's count, and an estimate, which is logged,
/// for each part of it that is missing or cannot be true.
pub fn of_complete(prompt_tokens: u64, reply: &Reply) -> Usage {
    let estimated = estimate(prompt_tokens, reply);
    let usage = match reply.usage {
        None => estimated,
        Some(reported) => {
            let lacks_prompt = reported.prompt() == 0 && estimated.input > 0;
            let lacks_output = reported.output == 0 && estimated.output > 0;
            Usage {
                input: if lacks_prompt {
                    estimated.input
                } else {
                    reported.input
                },
                output: if lacks_output {
                    estimated.output
                } else {
                    reported.output
                },
                is_estimated: reported.is_estimated || lacks_prompt || lacks_output,
                ..reported
            }
        }
    };
    if usage.is_estimated {
        tracing::warn!(
            tokens.input = usage.input,
            tokens.output = usage.output,
            "the provider's count of tokens is missing or zero, it is estimated from the texts"
        );
    }
    usage
}

/// Returns the usage of a reply that was cut off. A count reported at the start does not include
/// later tokens, so the greater of count and estimate is taken.
pub fn of_part(prompt_tokens: u64, reply: &Reply) -> Usage {
    let estimated = estimate(prompt_tokens, reply);
    match reply.usage {
        Some(reported) if reported.prompt() > 0 => Usage {
            output: reported.output.max(estimated.output),
            reasoning: reported.reasoning.max(estimated.reasoning),
            is_estimated: reported.output < estimated.output,
            ..reported
        },
        _ => estimated,
    }
}

/// Returns the usage of a sent call without any reply: its prompt at most.
pub fn of_silence(prompt_tokens: u64) -> Usage {
    Usage {
        input: prompt_tokens,
        is_estimated: true,
        ..Usage::default()
    }
}

fn estimate(prompt_tokens: u64, reply: &Reply) -> Usage {
    let tokens = |text: &str| text.len().div_ceil(BYTES_PER_TOKEN) as u64;
    let reasoning = tokens(&reply.reasoning());
    let calls: u64 = reply.tool_calls().map(|call| tokens(&call.arguments)).sum();
    let refusals = reply.content.iter().filter_map(|piece| match piece {
        Content::Refusal { text } => Some(tokens(text)),
        _ => None,
    });
    Usage {
        output: tokens(&reply.text()) + reasoning + calls + refusals.sum::<u64>(),
        reasoning,
        ..of_silence(prompt_tokens)
    }
}

/// Returns the tokens of a verbatim body of this size, framing included: an upper bound.
pub(crate) fn of_bytes(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN) as u64
}
