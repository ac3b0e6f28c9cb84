//! Writing of a streamed reply for an OpenAI client.

use std::collections::BTreeMap;

use chorus_core::llm::{Content, Extra, StreamEvent, Usage};
use serde_json::{Value, json};

use super::{content, finish, usage};
use crate::fields::Object;
use crate::{WireError, sse};

/// Turns [`StreamEvent`]s into the bytes of a stream.
#[derive(Debug, Clone)]
pub struct StreamWriter {
    reasoning_field: String,
    include_usage: bool,
    id: String,
    model: String,
    extra: Extra,
    calls: BTreeMap<u32, usize>,
    usage: Option<Usage>,
}

impl StreamWriter {
    /// Starts with nothing written. Thinking goes into `reasoning_field`; usage is sent if the
    /// client asked for it.
    pub fn new(reasoning_field: &str, include_usage: bool) -> Self {
        Self {
            reasoning_field: reasoning_field.to_owned(),
            include_usage,
            id: String::new(),
            model: String::new(),
            extra: Extra::new(),
            calls: BTreeMap::new(),
            usage: None,
        }
    }

    /// Returns the bytes of one event; empty when the event waits for the end.
    pub fn write(&mut self, event: StreamEvent) -> Vec<u8> {
        match event {
            StreamEvent::Start { id, model } => {
                self.id = id;
                self.model = model;
                self.delta(&json!({ "role": "assistant", "content": "" }))
            }
            StreamEvent::Text { delta, .. } => self.delta(&json!({ "content": delta })),
            StreamEvent::Reasoning { delta, .. } => {
                let delta = Object::new().with(&self.reasoning_field, delta).build();
                self.delta(&delta)
            }
            StreamEvent::Signature { index, delta } => self.detail(
                index,
                &Content::Reasoning {
                    text: String::new(),
                    signature: Some(delta),
                    redacted: None,
                },
            ),
            StreamEvent::Redacted { index, value } => self.detail(
                index,
                &Content::Reasoning {
                    text: String::new(),
                    signature: None,
                    redacted: Some(value),
                },
            ),
            StreamEvent::ToolStart { index, id, name } => {
                let at = self.calls.len();
                self.calls.insert(index, at);
                let call = json!({ "index": at, "id": id, "type": "function", "function": { "name": name, "arguments": "" } });
                self.delta(&json!({ "tool_calls": [call] }))
            }
            StreamEvent::ToolArguments { index, delta } => {
                let at = self.calls.get(&index).copied().unwrap_or(0);
                self.delta(
                    &json!({ "tool_calls": [{ "index": at, "function": { "arguments": delta } }] }),
                )
            }
            StreamEvent::Refusal { delta, .. } => self.delta(&json!({ "refusal": delta })),
            StreamEvent::Finish(reason) => self.chunk(
                vec![json!({ "index": 0, "delta": {}, "finish_reason": finish::write(&reason) })],
                None,
            ),
            StreamEvent::Usage(usage) => {
                self.usage = Some(usage);
                Vec::new()
            }
            StreamEvent::Extra(extra) => {
                self.extra.extend(extra);
                Vec::new()
            }
            StreamEvent::Error { kind, message } => {
                let error = WireError {
                    kind: Some(kind),
                    message,
                    ..WireError::default()
                };
                sse::frame(None, &super::write_error(&error).to_string())
            }
            StreamEvent::End => {
                let counted = self
                    .usage
                    .filter(|_| self.include_usage)
                    .map(|usage| self.chunk(Vec::new(), Some(&usage)));
                let mut bytes = counted.unwrap_or_default();
                bytes.extend(sse::frame(None, "[DONE]"));
                bytes
            }
        }
    }

    fn detail(&self, index: u32, piece: &Content) -> Vec<u8> {
        let detail = content::write_detail(piece, index);
        self.delta(
            &Object::new()
                .with("reasoning_details", Value::from_iter(detail))
                .build(),
        )
    }

    fn delta(&self, delta: &Value) -> Vec<u8> {
        self.chunk(
            vec![json!({ "index": 0, "delta": delta, "finish_reason": null })],
            None,
        )
    }

    fn chunk(&self, choices: Vec<Value>, usage: Option<&Usage>) -> Vec<u8> {
        let chunk = Object::new()
            .with("id", self.id.as_str())
            .with("object", "chat.completion.chunk")
            .with(
                "created",
                self.extra
                    .get("created")
                    .cloned()
                    .unwrap_or_else(|| json!(0)),
            )
            .with("model", self.model.as_str())
            .with("choices", choices)
            .with_some("usage", usage.map(usage::write))
            .with_extra(
                &self.extra,
                &["choice", "message", "stop_sequence", "container"],
            );
        sse::frame(None, &chunk.build().to_string())
    }
}
