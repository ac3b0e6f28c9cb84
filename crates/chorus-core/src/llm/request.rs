//! One request to a model, in the canonical form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Fields that a dialect knows and the canonical form does not name, by their wire name.
pub type Extra = BTreeMap<String, Value>;

/// One call of a model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Request {
    /// Name of the model on the wire of the side that the request comes from or goes to.
    pub model: String,
    /// Instructions above the conversation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub system: Vec<Content>,
    /// Turns of the conversation, oldest first.
    pub messages: Vec<Message>,
    /// Functions that the model may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// Rule for calling functions; none for the provider's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// True if several functions may be called in one reply; none for the provider's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// Parameters of drawing tokens and of stopping.
    #[serde(default)]
    pub sampling: Sampling,
    /// Amount of thinking before the answer; none for the provider's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
    /// Form that the answer must have; none for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// True if the reply comes as a stream.
    #[serde(default)]
    pub stream: bool,
    /// Fields of the source dialect that have no name here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: Extra,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Author of the turn.
    pub role: Role,
    /// Pieces of the turn, in order.
    pub content: Vec<Content>,
    /// Fields of the source dialect that have no name here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: Extra,
}

/// Author of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The caller; results of functions are the caller's too.
    User,
    /// The model, in an earlier turn.
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
        /// Text of the piece.
        text: String,
        /// Request that the prompt up to here be cached by the provider.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<CacheHint>,
        /// Citations and other fields that have no name here.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        extra: Extra,
    },
    /// Thinking of the model. With a signature it must be sent back untouched in the next turn.
    Reasoning {
        /// Visible thinking; empty when it is redacted.
        text: String,
        /// Proof of the provider that the text is its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
        /// Encrypted thinking, opaque.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redacted: Option<String>,
    },
    /// A picture in a turn of the caller.
    Image(Image),
    /// A call of a function by the model.
    ToolCall(ToolCall),
    /// The result of a function call.
    ToolResult(ToolResult),
    /// The model declines.
    Refusal {
        /// Text in which it declines.
        text: String,
    },
    /// A piece that the canonical form does not know.
    Unknown {
        /// The piece as it stood on the wire.
        value: Value,
    },
}

impl Content {
    /// Makes a piece of plain text without hints.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            cache: None,
            extra: Extra::new(),
        }
    }
}

/// Request that the prompt so far be cached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheHint {
    /// Time to live as the provider writes it (`5m`, `1h`); none for its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

/// A picture and its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Source of the bytes.
    pub source: ImageSource,
    /// Resolution at which the model looks (`low`, `high`, `auto`), in dialects that have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Source of a picture's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ImageSource {
    /// Fetched by the provider.
    Url {
        /// Address of the picture.
        url: String,
    },
    /// Contained in the request.
    Inline {
        /// Media type, for instance `image/png`.
        media_type: String,
        /// Bytes in base64.
        base64: String,
    },
}

/// A function that the model may call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Name that a [`ToolCall`] repeats.
    pub name: String,
    /// Description for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON schema of the arguments.
    pub parameters: Value,
    /// True if arguments must follow the schema exactly; none for the provider's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// Fields of the source dialect that have no name here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: Extra,
}

/// Rule for calling functions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// No function may be called.
    None,
    /// At least one function must be called.
    Required,
    /// One named function must be called.
    Named {
        /// Name of the function.
        name: String,
    },
}

/// A function call made by the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Id given by the provider, repeated by the [`ToolResult`].
    pub id: String,
    /// Name of the [`Tool`].
    pub name: String,
    /// Arguments as the model wrote them: JSON text, which may be broken when the reply was cut.
    pub arguments: String,
}

/// Result of a function call, sent by the caller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// Id of the [`ToolCall`].
    pub call_id: String,
    /// Pieces of the result, in order.
    pub content: Vec<Content>,
    /// True if the function failed.
    #[serde(default)]
    pub is_error: bool,
}

/// Parameters of drawing tokens and of stopping; each none is the provider's default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sampling {
    /// Maximum tokens to produce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Temperature; 0 draws the likeliest token each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Share of probability to draw from, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Number of likeliest tokens to draw from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Penalty of a token by the number of its occurrences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// Penalty of a token that occurred at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// Seed of the random draw, in dialects that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Texts that end the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

/// Amount of thinking before the answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reasoning {
    /// Amount as a level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<ReasoningEffort>,
    /// Amount in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Switch, in dialects that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// Level of thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningEffort {
    /// No thinking at all.
    None,
    /// As little as the model can.
    Minimal,
    /// Little thinking.
    Low,
    /// The usual amount.
    Medium,
    /// Much thinking.
    High,
    /// As much as the model can.
    Max,
}

/// Form that an answer must have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ResponseFormat {
    /// Any text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that follows a schema.
    JsonSchema {
        /// Name of the schema.
        name: String,
        /// The JSON schema.
        schema: Value,
        /// True if the schema must be followed exactly; none for the provider's default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

impl Request {
    /// Returns the number of characters of all text in the request, for estimates of its tokens.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request() -> Request {
        Request {
            model: "m".into(),
            system: vec![Content::text("Be brief.")],
            messages: vec![
                Message {
                    role: Role::User,
                    content: vec![
                        Content::text("灯台"),
                        Content::Image(Image {
                            source: ImageSource::Inline {
                                media_type: "image/png".into(),
                                base64: "AAAA".into(),
                            },
                            detail: None,
                        }),
                    ],
                    extra: Extra::new(),
                },
                Message {
                    role: Role::Assistant,
                    content: vec![Content::ToolCall(ToolCall {
                        id: "c1".into(),
                        name: "look".into(),
                        arguments: "{\"at\":1}".into(),
                    })],
                    extra: Extra::new(),
                },
                Message {
                    role: Role::User,
                    content: vec![Content::ToolResult(ToolResult {
                        call_id: "c1".into(),
                        content: vec![Content::text("a lamp")],
                        is_error: false,
                    })],
                    extra: Extra::from([("name".into(), json!("x"))]),
                },
            ],
            ..Request::default()
        }
    }

    #[test]
    fn a_stored_request_is_read_back_and_its_default_fields_take_no_room() {
        let request = request();
        let value = serde_json::to_value(&request).expect("a request is JSON");
        assert_eq!(
            serde_json::from_value::<Request>(value.clone()).expect("it is read back"),
            request
        );
        let text = value["messages"][0]["content"][0]
            .as_object()
            .expect("a piece is an object");
        assert!(
            !text.contains_key("cache") && !text.contains_key("extra"),
            "{text:?}"
        );
    }

    #[test]
    fn a_request_of_an_earlier_release_without_new_fields_is_read() {
        let old = json!({"model": "m", "messages": [{"role": "user", "content": []}]});
        let request: Result<Request, _> = serde_json::from_value(old);
        assert_eq!(request.map(|request| request.messages.len()).ok(), Some(1));
    }

    #[test]
    fn the_length_of_a_request_grows_with_each_text() {
        let mut request = request();
        let before = request.text_len();
        assert!(before >= "Be brief.".len() + 2);
        request.messages[0].content.push(Content::text("12345"));
        assert_eq!(request.text_len(), before + 5);
    }
}
