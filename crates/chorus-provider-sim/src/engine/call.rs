//! What a call asks, whatever its provider's wire text was.

use super::hash::Hash;
use super::tokens;

/// Tokens that each turn costs besides its text.
const TURN_TOKENS: u64 = 4;

/// What a call asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ask {
    /// The model.
    pub model: String,
    /// Standing rules.
    pub system: String,
    /// The conversation.
    pub turns: Vec<Turn>,
    /// Most tokens of the reply.
    pub max_tokens: Option<u64>,
    /// Whether the reply comes in pieces.
    pub stream: bool,
    /// Whether a stream tells the usage at its end.
    pub stream_usage: bool,
    /// Whether to think aloud; none leaves it to the model.
    pub think: Option<bool>,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said; other content than text is left out.
    pub text: String,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The caller.
    User,
    /// The model.
    Assistant,
}

impl Ask {
    /// Tokens of the prompt.
    pub fn input_tokens(&self) -> u64 {
        let turns: u64 = self
            .turns
            .iter()
            .map(|turn| tokens::count(&turn.text) + TURN_TOKENS)
            .sum();
        tokens::count(&self.system) + turns
    }

    /// Characters of the prompt.
    pub fn characters(&self) -> u64 {
        (self.system.chars().count()
            + self
                .turns
                .iter()
                .map(|turn| turn.text.chars().count())
                .sum::<usize>()) as u64
    }

    /// Everything that was said, as one text.
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
