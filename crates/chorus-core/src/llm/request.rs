//! What a caller asks of a model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Fields that a dialect knows and the canonical form does not name, by their wire name.
pub type Extra = BTreeMap<String, Value>;

/// One call of a model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Request {
    /// The model's name on the wire of the side it came from or goes to.
    pub model: String,
    /// Instructions that stand above the conversation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub system: Vec<Content>,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// Functions the model may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Whether and which function must be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether several functions may be called in one reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// How the next token is drawn and when to stop.
    #[serde(default)]
    pub sampling: Sampling,
    /// How much the model should think first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
    /// The form that the answer must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// Whether the reply comes in pieces.
    #[serde(default)]
    pub stream: bool,
    /// Fields of the source dialect that have no name here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: Extra,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub content: Vec<Content>,
    /// Fields of the source dialect that have no name here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: Extra,
}

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The caller; tool results are the caller's too.
    User,
    /// The model.
    Assistant,
    /// Instructions placed inside the conversation.
    System,
}

/// One piece of a message or a reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// Plain text.
    Text {
        /// The text.
        text: String,
        /// Whether the prompt up to here should be cached by the provider.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<CacheHint>,
        /// Citations and other fields that have no name here.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        extra: Extra,
    },
    /// The model's thinking. With a signature it must be sent back untouched in the next turn.
    Reasoning {
        /// The visible thinking; empty when it is redacted.
        text: String,
        /// The provider's proof that the text is its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
        /// Encrypted thinking, opaque.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redacted: Option<String>,
    },
    /// A picture.
    Image(Image),
    /// The model calls a function.
    ToolCall(ToolCall),
    /// The caller answers a function call.
    ToolResult(ToolResult),
    /// The model declines, in its own words.
    Refusal {
        /// The words.
        text: String,
    },
    /// A piece that the canonical form does not know, as it stood on the wire.
    Unknown {
        /// The piece.
        value: Value,
    },
}

impl Content {
    /// Plain text with no hints.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            cache: None,
            extra: Extra::new(),
        }
    }
}

/// A wish that the prompt so far be cached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheHint {
    /// How long, in the provider's words (`5m`, `1h`); none for its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

/// A picture and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Where the bytes are.
    pub source: ImageSource,
    /// How closely to look (`low`, `high`, `auto`), where the dialect has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Where a picture's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ImageSource {
    /// To be fetched by the provider.
    Url {
        /// The address.
        url: String,
    },
    /// In the request itself.
    Inline {
        /// For instance `image/png`.
        media_type: String,
        /// Base64.
        base64: String,
    },
}

/// A function the model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON schema of its arguments.
    pub parameters: Value,
    /// Whether arguments must follow the schema exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// Fields of the source dialect that have no name here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: Extra,
}

/// Whether and which function must be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// None may be called.
    None,
    /// At least one must be called.
    Required,
    /// This one must be called.
    Named {
        /// Its name.
        name: String,
    },
}

/// A function call made by the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The provider's id, repeated by the result.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// The arguments as the model wrote them: JSON text, which may be broken when the reply was cut.
    pub arguments: String,
}

/// The caller's answer to a function call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// Id of the call.
    pub call_id: String,
    /// The answer, in order.
    pub content: Vec<Content>,
    /// Whether the function failed.
    #[serde(default)]
    pub is_error: bool,
}

/// How the next token is drawn and when to stop.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sampling {
    /// Most tokens to produce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// 0 for the likeliest token each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Share of probability to draw from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Number of tokens to draw from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Punishes tokens by how often they occurred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// Punishes tokens that occurred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// Seed, where the provider has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Texts that end the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

/// How much the model should think first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reasoning {
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<ReasoningEffort>,
    /// In tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// On or off, where the dialect has a switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// How much thinking, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningEffort {
    /// None at all.
    None,
    /// As little as the model can.
    Minimal,
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// As much as the model can.
    Max,
}

/// The form that the answer must have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ResponseFormat {
    /// Any text.
    Text,
    /// Some JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema {
        /// The schema's name.
        name: String,
        /// The schema.
        schema: Value,
        /// Whether it must be followed exactly.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

impl Request {
    /// The characters of all text in the request, for estimates of its tokens.
    pub fn text_len(&self) -> usize {
        let of = |content: &[Content]| content.iter().map(content_len).sum::<usize>();
        of(&self.system)
            + self
                .messages
                .iter()
                .map(|message| of(&message.content))
                .sum::<usize>()
    }
}

fn content_len(content: &Content) -> usize {
    match content {
        Content::Text { text, .. }
        | Content::Reasoning { text, .. }
        | Content::Refusal { text } => text.len(),
        Content::ToolCall(call) => call.name.len() + call.arguments.len(),
        Content::ToolResult(result) => result.content.iter().map(content_len).sum(),
        Content::Image(_) | Content::Unknown { .. } => 0,
    }
}
