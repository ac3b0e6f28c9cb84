//! What a call may still produce, and what it used when the provider did not say or could not say any more.

use chorus_core::attempt::{CallSize, Delivery};
use chorus_core::brief::count_tokens;
use chorus_core::catalog::Model;
use chorus_core::llm::{Reply, Usage};

/// Bytes of text for one token: between what prose and code have.
const BYTES_PER_TOKEN: usize = 4;

/// Models count the same text differently: a prompt may take so much more than the base count, as a fraction of it.
const COUNTED_MORE: u64 = 4;

/// Most tokens that the model can still produce after the prompt and what earlier deliveries produced.
pub(crate) fn room(size: &CallSize, so_far: &str, model: &Model) -> u32 {
    let prompt = size.input + count_tokens(so_far);
    model.room(prompt + prompt / COUNTED_MORE)
}

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
        Some(told) => Usage {
            output: told.output.max(guessed.output),
            reasoning: told.reasoning.max(guessed.reasoning),
            ..told
        },
        None => guessed,
    }
}

/// The usage of a call that was sent and of which nothing was heard: its prompt at most.
pub(crate) fn of_silence(delivery: &Delivery) -> Usage {
    Usage {
        input: delivery.attempt.size.input,
        ..Usage::default()
    }
}

fn guess(delivery: &Delivery, reply: &Reply) -> Usage {
    let tokens = |text: &str| text.len().div_ceil(BYTES_PER_TOKEN) as u64;
    let reasoning = tokens(&reply.reasoning());
    Usage {
        output: tokens(&reply.text()) + reasoning,
        reasoning,
        ..of_silence(delivery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check((context, max_output): (u32, u32), prompt: u64, so_far: &str, expected: u32) {
        let model = serde_json::json!({
            "slug": "local/small", "pool": "other", "routes": {}, "context": context, "max_output": max_output,
            "price": {"input": 0, "output": 0}, "strength": 1,
        });
        let model: Model = serde_json::from_value(model).expect("a row");
        let size = CallSize {
            input: prompt,
            output: 0,
            max_tokens: 24_000,
        };
        assert_eq!(
            room(&size, so_far, &model),
            expected,
            "{prompt} tokens in a context of {context}"
        );
    }

    #[test]
    fn an_answer_has_the_room_that_the_prompt_leaves() {
        check((200_000, 64_000), 4_000, "", 64_000);
        check((8_192, 4_096), 4_000, "", 3_192);
        check((8_192, 512), 4_000, "", 512);
        check((8_192, 4_096), 7_000, "", 0);
    }

    #[test]
    fn what_was_said_before_a_cut_takes_room_too() {
        let so_far = "a word after a word ".repeat(200);
        let taken = u32::try_from(count_tokens(&so_far)).expect("small");
        check((8_192, 8_192), 0, &so_far, 8_192 - taken - taken / 4);
    }
}
