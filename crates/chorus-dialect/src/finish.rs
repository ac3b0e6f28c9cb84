//! Words for the end of a reply, as providers and compatible servers write them. Both dialects
//! read them here, because servers put the words of one dialect into the other.
//!
//! A word that is not here becomes [`FinishReason::Other`], and its reply does not count as whole.

use chorus_core::llm::FinishReason;

/// Words in lower case, without the prefix `finish_reason_`, each with its reason.
const WORDS: [(FinishReason, &[&str]); 6] = [
    (
        FinishReason::Stop,
        &[
            "stop",
            "end_turn",
            "stop_sequence",
            "stop_token",
            "eos",
            "eos_token",
            "end",
            "complete",
            "completed",
            "finished",
            "done",
        ],
    ),
    (
        FinishReason::Length,
        &[
            "length",
            "max_tokens",
            "max_output_tokens",
            "max_completion_tokens",
            "max_new_tokens",
            "max_length",
            "model_length",
            "token_limit",
            "model_context_window_exceeded",
            "context_length_exceeded",
            "error_limit",
            "incomplete",
        ],
    ),
    (
        FinishReason::ToolCalls,
        &[
            "tool_calls",
            "tool_call",
            "tool_use",
            "function_call",
            "function_calls",
        ],
    ),
    (
        FinishReason::ContentFilter,
        &[
            "content_filter",
            "content_filtered",
            "content_moderation",
            "safety",
            "image_safety",
            "recitation",
            "blocklist",
            "prohibited_content",
            "spii",
            "sensitive",
            "guardrail_intervened",
            "error_toxic",
        ],
    ),
    (FinishReason::Refusal, &["refusal", "refused"]),
    (
        FinishReason::Aborted,
        &[
            "insufficient_system_resource",
            "aborted",
            "abort",
            "error",
            "cancelled",
            "canceled",
            "network_error",
            "timeout",
        ],
    ),
];

/// Reads a word in any case, with hyphens, blanks or underscores.
pub(crate) fn read(word: &str) -> FinishReason {
    let plain = word.trim().to_lowercase().replace(['-', ' '], "_");
    let plain = plain.strip_prefix("finish_reason_").unwrap_or(&plain);
    WORDS
        .iter()
        .find(|(_, words)| words.contains(&plain))
        .map_or_else(
            || FinishReason::Other(word.to_owned()),
            |(reason, _)| reason.clone(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_known_in_the_words_of_every_provider() {
        for (word, expected) in [
            ("stop", FinishReason::Stop),
            ("STOP", FinishReason::Stop),
            ("end_turn", FinishReason::Stop),
            ("FINISH_REASON_STOP", FinishReason::Stop),
            ("MAX_TOKENS", FinishReason::Length),
            ("max_output_tokens", FinishReason::Length),
            ("max-tokens", FinishReason::Length),
            ("SAFETY", FinishReason::ContentFilter),
            ("content_filter", FinishReason::ContentFilter),
            ("refusal", FinishReason::Refusal),
            ("tool_use", FinishReason::ToolCalls),
            ("network_error", FinishReason::Aborted),
        ] {
            assert_eq!(read(word), expected, "{word}");
        }
    }

    #[test]
    fn an_unknown_word_is_kept_as_it_stands() {
        for word in ["tide_turned", "Load", "", "stopped short"] {
            assert_eq!(read(word), FinishReason::Other(word.to_owned()));
        }
    }
}
