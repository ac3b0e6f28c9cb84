//! What a call used, when the provider did not say or could not say any more.

use chorus_core::delivery::Delivery;
use chorus_core::llm::{Reply, Usage};

/// Bytes of text for one token: between what prose and code have.
const BYTES_PER_TOKEN: usize = 4;

/// The usage of a whole answer: the provider's count, else an estimate, and says so.
pub(crate) fn of_whole(delivery: &Delivery, reply: &Reply) -> Usage {
    reply.usage.unwrap_or_else(|| {
        let usage = guess(delivery, reply);
        tracing::warn!(
            task.attempt = %delivery.attempt.id,
            tokens.input = usage.input,
            tokens.output = usage.output,
            "the provider told no usage, it is estimated from the size of the texts"
        );
        usage
    })
}

/// The usage of an answer that was cut off: counts told at the start know nothing of what came later, so the
/// greater of both is taken.
pub(crate) fn of_part(delivery: &Delivery, reply: &Reply) -> Usage {
    let guessed = guess(delivery, reply);
    match reply.usage {
        Some(told) => Usage { output: told.output.max(guessed.output), reasoning: told.reasoning.max(guessed.reasoning), ..told },
        None => guessed,
    }
}

/// The usage of a call that was sent and of which nothing was heard: its prompt at most.
pub(crate) fn of_silence(delivery: &Delivery) -> Usage {
    Usage { input: delivery.attempt.size.input, ..Usage::default() }
}

fn guess(delivery: &Delivery, reply: &Reply) -> Usage {
    let tokens = |text: &str| text.len().div_ceil(BYTES_PER_TOKEN) as u64;
    let reasoning = tokens(&reply.reasoning());
    Usage { output: tokens(&reply.text()) + reasoning, reasoning, ..of_silence(delivery) }
}
