//! What the simulated models say: rules over the prompt alone, never over who asks, where or when.
//!
//! The prompt protocol is `docs/prompts.md`. The brain is honest: it extracts and transforms the text that
//! it is given, and it judges by looking. It knows no example.

use crate::config::Omission;
use crate::engine::call::{Ask, Role};

mod clarify;
mod code;
mod extract;
mod judge;
mod plan;
mod prompt;
mod resolve;
mod text;
mod translate;
mod wishes;
mod work;

use prompt::Prompt;

/// A reply: what is thought aloud and what is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thought {
    /// Thought aloud; models that do not think leave it out.
    pub reasoning: String,
    /// Said.
    pub text: String,
}

/// The kind of task that a conversation names, or `chat`.
pub fn kind(ask: &Ask) -> &'static str {
    const KINDS: [&str; 6] = ["clarify", "plan", "answer", "work", "resolve", "judge"];
    let named = ask.turns.iter().find_map(|turn| prompt::kind(&turn.text));
    named
        .and_then(|named| KINDS.into_iter().find(|kind| *kind == named))
        .unwrap_or("chat")
}

/// The reply to a conversation. One that was begun before is gone on with where it stopped.
pub fn reply(ask: &Ask, omissions: &[Omission]) -> Thought {
    let Some(turn) = ask
        .turns
        .iter()
        .find(|turn| prompt::kind(&turn.text).is_some())
    else {
        return chat(ask);
    };
    let read = Prompt::read(&turn.text);
    let thought = match kind(ask) {
        "clarify" => clarify::clarify(&read),
        "plan" => plan::plan(&read),
        "answer" => resolve::answer(&read),
        "resolve" => resolve::resolve(&read),
        "judge" => judge::judge(&read),
        "work" => work::work(&read, &turn.text, omissions),
        _ => return chat(ask),
    };
    go_on(ask, thought)
}

/// Leaves out what earlier turns of the model said already, when the reply is the same from its beginning.
fn go_on(ask: &Ask, thought: Thought) -> Thought {
    let said: String = ask
        .turns
        .iter()
        .filter(|turn| turn.role == Role::Assistant)
        .map(|turn| turn.text.as_str())
        .collect();
    match thought
        .text
        .strip_prefix(&said)
        .filter(|rest| !said.is_empty() && !rest.is_empty())
    {
        Some(rest) => Thought {
            reasoning: "I go on where I stopped.".to_owned(),
            text: rest.to_owned(),
        },
        None => thought,
    }
}

/// A reply to a conversation that is no task: what was understood of it.
fn chat(ask: &Ask) -> Thought {
    let last = ask
        .turns
        .iter()
        .rev()
        .find(|turn| turn.role == Role::User)
        .map(|turn| turn.text.trim())
        .unwrap_or_default();
    let words = last.split_whitespace().count();
    let first = last
        .split_inclusive(['.', '?', '!', '\n'])
        .next()
        .unwrap_or_default()
        .trim();
    Thought {
        reasoning: format!(
            "The message has {words} words. I am a simulated model, so I answer by rule."
        ),
        text: format!(
            "This is a simulated model. You wrote {words} words, beginning with: \"{first}\""
        ),
    }
}
