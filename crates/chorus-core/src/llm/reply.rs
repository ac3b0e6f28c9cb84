//! The whole answer of a model; [`Assembler`](super::Assembler) makes one out of a stream.

use serde::{Deserialize, Serialize};

use super::{Content, Extra, ToolCall, Usage};

/// One whole answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reply {
    /// Id that the provider gave the answer.
    pub id: String,
    /// Model that answered, as the provider names it.
    pub model: String,
    /// Pieces of the answer, in order: thinking, text, function calls.
    pub content: Vec<Content>,
    /// Reason of the end; none when the stream was cut.
    pub finish: Option<FinishReason>,
    /// Token counts; none when the provider sent none.
    pub usage: Option<Usage>,
    /// Fields of the source dialect that have no name here.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// Reason why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// `max_tokens` or the context's end was reached.
    Length,
    /// The model waits for results of functions.
    ToolCalls,
    /// The provider's filter cut the answer.
    ContentFilter,
    /// The model declined.
    Refusal,
    /// The provider ran out of resources or gave up, although it answered 200.
    Aborted,
    /// A reason without a name here, as on the wire.
    Other(String),
}

impl Reply {
    /// Returns all text of the answer, without thinking.
    pub fn text(&self) -> String {
        self.content
            .iter()
            .filter_map(|piece| match piece {
                Content::Text { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Returns all visible thinking.
    pub fn reasoning(&self) -> String {
        self.content
            .iter()
            .filter_map(|piece| match piece {
                Content::Reasoning { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Returns the function calls, in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.content.iter().filter_map(|piece| match piece {
            Content::ToolCall(call) => Some(call),
            _ => None,
        })
    }

    /// Returns the text in which the model declined, if it did.
    pub fn refusal(&self) -> Option<&str> {
        self.content.iter().find_map(|piece| match piece {
            Content::Refusal { text } => Some(text.as_str()),
            _ => None,
        })
    }
}
