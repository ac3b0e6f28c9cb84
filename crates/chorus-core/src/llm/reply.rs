//! What a model answered.

use serde::{Deserialize, Serialize};

use super::{Content, Extra, ToolCall, Usage};

/// One whole answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reply {
    /// The provider's id of the answer.
    pub id: String,
    /// The model that answered, in the provider's words.
    pub model: String,
    /// The answer, in order: thinking, text, function calls.
    pub content: Vec<Content>,
    /// Why it ended; none when the stream was cut.
    pub finish: Option<FinishReason>,
    /// What was counted; none when the provider did not say.
    pub usage: Option<Usage>,
    /// Fields of the source dialect that have no name here.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// `max_tokens` or the context's end was reached.
    Length,
    /// It wants function results.
    ToolCalls,
    /// The provider's filter cut it.
    ContentFilter,
    /// The model declined.
    Refusal,
    /// The provider ran out of resources or gave up, although it answered 200.
    Aborted,
    /// A reason that has no name here, as it stood on the wire.
    Other(String),
}

impl Reply {
    /// All text of the answer, without thinking.
    pub fn text(&self) -> String {
        self.content
            .iter()
            .filter_map(|piece| match piece {
                Content::Text { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// All visible thinking.
    pub fn reasoning(&self) -> String {
        self.content
            .iter()
            .filter_map(|piece| match piece {
                Content::Reasoning { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The function calls, in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.content.iter().filter_map(|piece| match piece {
            Content::ToolCall(call) => Some(call),
            _ => None,
        })
    }

    /// The words in which the model declined, if it did.
    pub fn refusal(&self) -> Option<&str> {
        self.content.iter().find_map(|piece| match piece {
            Content::Refusal { text } => Some(text.as_str()),
            _ => None,
        })
    }
}
