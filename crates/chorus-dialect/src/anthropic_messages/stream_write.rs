//! Writing of a streamed reply for an Anthropic client: blocks that open, grow and close.

use std::collections::BTreeMap;

use chorus_core::llm::{Extra, FinishReason, StreamEvent, Usage};
use serde_json::{Value, json};

use super::stop;
use crate::fields::Object;
use crate::{WireError, sse};

/// Turns [`StreamEvent`]s into the bytes of a stream.
#[derive(Debug, Clone, Default)]
pub struct StreamWriter {
    /// Open blocks on the wire, by canonical piece.
    open: BTreeMap<u32, Block>,
    next: u32,
    /// Id and model, kept until the first counts can be sent with them.
    start: Option<(String, String)>,
    finish: Option<FinishReason>,
    usage: Usage,
    extra: Extra,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    index: u32,
    /// True for function calls, which may go on side by side; other blocks close when the next
    /// piece begins.
    is_call: bool,
}

impl StreamWriter {
    /// Starts with nothing written.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the bytes of one event; empty when the event waits for the end.
    pub fn write(&mut self, event: StreamEvent) -> Vec<u8> {
        if let StreamEvent::Usage(usage) = event {
            self.usage = usage;
        }
        let mut bytes = self.begin();
        match event {
            StreamEvent::Start { id, model } => self.start = Some((id, model)),
            StreamEvent::Text { index, delta } | StreamEvent::Refusal { index, delta } => {
                let at = self.block(index, || json!({ "type": "text", "text": "" }), &mut bytes);
                grow(
                    &mut bytes,
                    at,
                    json!({ "type": "text_delta", "text": delta }),
                );
            }
            StreamEvent::Reasoning { index, delta } => {
                let at = self.block(index, thinking, &mut bytes);
                grow(
                    &mut bytes,
                    at,
                    json!({ "type": "thinking_delta", "thinking": delta }),
                );
            }
            StreamEvent::Signature { index, delta } => {
                let at = self.block(index, thinking, &mut bytes);
                grow(
                    &mut bytes,
                    at,
                    json!({ "type": "signature_delta", "signature": delta }),
                );
            }
            StreamEvent::Redacted { index, value } => {
                self.block(
                    index,
                    || json!({ "type": "redacted_thinking", "data": value }),
                    &mut bytes,
                );
            }
            StreamEvent::ToolStart { index, id, name } => {
                self.block(
                    index,
                    || json!({ "type": "tool_use", "id": id, "name": name, "input": {} }),
                    &mut bytes,
                );
            }
            StreamEvent::ToolArguments { index, delta } => {
                let at = self.block(
                    index,
                    || json!({ "type": "tool_use", "id": "", "name": "", "input": {} }),
                    &mut bytes,
                );
                grow(
                    &mut bytes,
                    at,
                    json!({ "type": "input_json_delta", "partial_json": delta }),
                );
            }
            StreamEvent::Usage(_) => {}
            StreamEvent::Finish(reason) => self.finish = Some(reason),
            StreamEvent::Extra(extra) => self.extra.extend(extra),
            StreamEvent::Error { kind, message } => {
                let error = WireError {
                    kind: Some(kind),
                    message,
                    ..WireError::default()
                };
                bytes.extend(sse::frame(
                    Some("error"),
                    &super::write_error(&error).to_string(),
                ));
            }
            StreamEvent::End => self.end(&mut bytes),
        }
        bytes
    }

    /// Returns the beginning of the message, once.
    fn begin(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some((id, model)) = self.start.take() {
            let message = Object::new()
                .with("id", id)
                .with("type", "message")
                .with("role", "assistant")
                .with("model", model)
                .with("content", Value::Array(Vec::new()))
                .with("stop_reason", Value::Null)
                .with("stop_sequence", Value::Null)
                .with("usage", stop::write_usage(&self.usage));
            frame(
                &mut bytes,
                "message_start",
                Object::new().with("message", message.build()),
            );
        }
        bytes
    }

    /// Returns the number of a piece's block on the wire, and opens the block when it is new.
    fn block(&mut self, piece: u32, start: impl FnOnce() -> Value, bytes: &mut Vec<u8>) -> u32 {
        if let Some(block) = self.open.get(&piece) {
            return block.index;
        }
        self.close(bytes, |block| !block.is_call);
        let start = start();
        let block = Block {
            index: self.next,
            is_call: start["type"] == "tool_use",
        };
        self.next += 1;
        self.open.insert(piece, block);
        frame(
            bytes,
            "content_block_start",
            Object::new()
                .with("index", block.index)
                .with("content_block", start),
        );
        block.index
    }

    fn close(&mut self, bytes: &mut Vec<u8>, which: impl Fn(&Block) -> bool) {
        self.open.retain(|_, block| {
            let closes = which(block);
            if closes {
                frame(
                    bytes,
                    "content_block_stop",
                    Object::new().with("index", block.index),
                );
            }
            !closes
        });
    }

    fn end(&mut self, bytes: &mut Vec<u8>) {
        self.close(bytes, |_| true);
        let sequence = self
            .extra
            .get("stop_sequence")
            .cloned()
            .unwrap_or(Value::Null);
        let reason = self
            .finish
            .as_ref()
            .map(|reason| stop::write(reason, !sequence.is_null()));
        let delta = json!({ "stop_reason": reason, "stop_sequence": sequence });
        frame(
            bytes,
            "message_delta",
            Object::new()
                .with("delta", delta)
                .with("usage", stop::write_usage(&self.usage)),
        );
        frame(bytes, "message_stop", Object::new());
    }
}

fn thinking() -> Value {
    json!({ "type": "thinking", "thinking": "", "signature": "" })
}

fn grow(bytes: &mut Vec<u8>, index: u32, delta: Value) {
    frame(
        bytes,
        "content_block_delta",
        Object::new().with("index", index).with("delta", delta),
    );
}

fn frame(bytes: &mut Vec<u8>, name: &str, object: Object) {
    let Value::Object(fields) = object.build() else {
        return;
    };
    let mut typed = Object::new().with("type", name);
    for (field, value) in fields {
        typed = typed.with(&field, value);
    }
    bytes.extend(sse::frame(Some(name), &typed.build().to_string()));
}
