//! What the simulated models say: rules over the prompt alone, never over who asks, where or when.
//!
//! The prompt protocol is `docs/prompts.md`. The brain is honest: it extracts and transforms the text that
//! it is given, and it judges by looking. It knows no example.

use crate::config::Omission;
use crate::engine::call::{Ask, Role};

/// A reply: what is thought aloud and what is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thought {
    /// Thought aloud; models that do not think leave it out.
    pub reasoning: String,
    /// Said.
    pub text: String,
}

/// The kind of task that a conversation names, or `chat`.
pub fn kind(_ask: &Ask) -> &'static str {
    "chat"
}

/// The reply to a conversation. One that was begun before is gone on with where it stopped.
pub fn reply(ask: &Ask, _omissions: &[Omission]) -> Thought {
    chat(ask)
}

/// A reply to a conversation that is no task: what was understood of it.
fn chat(ask: &Ask) -> Thought {
    let last = ask.turns.iter().rev().find(|turn| turn.role == Role::User).map(|turn| turn.text.trim()).unwrap_or_default();
    let words = last.split_whitespace().count();
    let first = last.split_inclusive(['.', '?', '!', '\n']).next().unwrap_or_default().trim();
    Thought {
        reasoning: format!("The message has {words} words. I am a simulated model, so I answer by rule."),
        text: format!("This is a simulated model. You wrote {words} words, beginning with: \"{first}\""),
    }
}
