//! Writes the replies of the simulated models by rules over the prompt, never over the caller,
//! place or time.
//!
//! The prompt protocol is `docs/prompts.md`. The rules are honest: they extract and transform the
//! given text, and they judge by inspecting it. No example is known to them.

use crate::config::Omission;
use crate::engine::call::{CallRequest, Role};

mod clarify;
mod code;
mod extract;
mod features;
mod judge;
mod plan;
mod prompt;
mod resolve;
mod text;
mod translate;
mod work;

use prompt::Prompt;

/// Reply of a model: [`Reply::reasoning`] and [`Reply::text`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// Reasoning text; models that do not think omit it.
    pub reasoning: String,
    /// Answer text.
    pub text: String,
}

/// Returns the kind of task that a conversation names, or `chat`.
pub fn kind(ask: &CallRequest) -> &'static str {
    const KINDS: [&str; 6] = ["clarify", "plan", "answer", "work", "resolve", "judge"];
    let named = ask.turns.iter().find_map(|turn| prompt::kind(&turn.text));
    named
        .and_then(|named| KINDS.into_iter().find(|kind| *kind == named))
        .unwrap_or("chat")
}

/// Returns the reply to a conversation. A reply that earlier turns began is continued where it
/// stopped.
pub fn reply(ask: &CallRequest, omissions: &[Omission]) -> Reply {
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
    continue_reply(ask, thought)
}

/// Removes what earlier turns of the model contain already, if the reply starts with it.
fn continue_reply(ask: &CallRequest, thought: Reply) -> Reply {
    let earlier_text: String = ask
        .turns
        .iter()
        .filter(|turn| turn.role == Role::Assistant)
        .map(|turn| turn.text.as_str())
        .collect();
    match thought
        .text
        .strip_prefix(&earlier_text)
        .filter(|rest| !earlier_text.is_empty() && !rest.is_empty())
    {
        Some(rest) => Reply {
            reasoning: "I go on where I stopped.".to_owned(),
            text: rest.to_owned(),
        },
        None => thought,
    }
}

/// Reply to a conversation that is no task: a summary of the last message.
fn chat(ask: &CallRequest) -> Reply {
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
    Reply {
        reasoning: format!(
            "The message has {words} words. I am a simulated model, so I answer by rule."
        ),
        text: format!(
            "This is a simulated model. You wrote {words} words, beginning with: \"{first}\""
        ),
    }
}
