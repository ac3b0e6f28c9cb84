//! A call in one form for all dialects, parsed by [`Wire::read`](super::wire::Wire::read).

use serde::{Deserialize, Serialize};

use super::hash::Hash;
use super::tokens;

/// Number of a call, in order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub u64);

/// Tokens of each turn besides its text.
const TURN_TOKENS: u64 = 4;

/// Parsed request of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallRequest {
    /// Name of the model.
    pub model: String,
    /// System text.
    pub system: String,
    /// Turns of the conversation, oldest first.
    pub turns: Vec<Turn>,
    /// Maximum tokens of the reply.
    pub max_tokens: Option<u64>,
    /// True if the reply is streamed.
    pub stream: bool,
    /// True if a stream reports usage at its end.
    pub stream_usage: bool,
    /// Thinking on or off; `None` leaves it to
    /// [`ModelConfig::thinks`](crate::config::ModelConfig::thinks).
    pub think: Option<bool>,
}

/// A turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Author of the turn.
    pub role: Role,
    /// Text of the turn; other content is dropped.
    pub text: String,
}

/// Author of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The caller.
    User,
    /// The model.
    Assistant,
}

impl CallRequest {
    /// Number of tokens of the prompt.
    pub fn input_tokens(&self) -> u64 {
        let turns: u64 = self
            .turns
            .iter()
            .map(|turn| tokens::count(&turn.text) + TURN_TOKENS)
            .sum();
        tokens::count(&self.system) + turns
    }

    /// Number of characters of the prompt.
    pub fn characters(&self) -> u64 {
        (self.system.chars().count()
            + self
                .turns
                .iter()
                .map(|turn| turn.text.chars().count())
                .sum::<usize>()) as u64
    }

    /// Text of all turns, joined.
    pub fn text(&self) -> String {
        self.turns
            .iter()
            .map(|turn| turn.text.as_str())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Hash of the conversation.
    pub fn content(&self) -> u64 {
        self.turns
            .iter()
            .fold(Hash::new(0).text(&self.system), |hash, turn| {
                hash.with(turn.role as u64).text(&turn.text)
            })
            .value()
    }
}
