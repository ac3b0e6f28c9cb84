//! Reading of a streamed reply of Anthropic Messages.

use std::collections::BTreeSet;

use chorus_core::llm::{Extra, StreamEvent, Usage};
use serde_json::Value;

use super::stop;
use crate::fields::Fields;
use crate::{ReadError, WireError, finish, sse};

/// Turns the bytes of a streamed reply, cut anywhere, into [`StreamEvent`]s.
#[derive(Debug, Clone, Default)]
pub struct StreamReader {
    lines: sse::Parser,
    usage: Usage,
    /// Calls of which no argument has come yet.
    bare_calls: BTreeSet<u32>,
    is_finished: bool,
    has_ended: bool,
    error: Option<WireError>,
}

impl StreamReader {
    /// Starts with nothing received.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes and returns the events that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<StreamEvent> {
        let mut events = Vec::new();
        for event in self.lines.push(bytes) {
            self.read_event(&event, &mut events);
        }
        events
    }

    /// Returns true once the reason of the end was read: what comes after it is no text.
    pub const fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Takes the error behind the last [`StreamEvent::Error`]; none when the stream was unreadable.
    pub const fn take_error(&mut self) -> Option<WireError> {
        self.error.take()
    }

    /// Ends the stream when the connection is closed or broken. A stream that gave its reason to
    /// end is whole, although its `message_stop` is missing; another one was cut, and gives no
    /// [`StreamEvent::End`].
    pub fn close(&mut self) -> Vec<StreamEvent> {
        let mut events = Vec::new();
        if let Some(event) = self.lines.close()
            && serde_json::from_str::<Value>(&event.data).is_ok()
        {
            self.read_event(&event, &mut events);
        }
        if self.is_finished && !self.has_ended {
            self.has_ended = true;
            events.push(StreamEvent::End);
        }
        events
    }

    fn read_event(&mut self, event: &sse::Event, events: &mut Vec<StreamEvent>) {
        if self.has_ended || event.data.trim().is_empty() || event.data.trim() == "[DONE]" {
            return;
        }
        let read = serde_json::from_str(&event.data)
            .map_err(|error| ReadError::new("event", error.to_string()))
            .and_then(|value| Fields::of(value, ""))
            .and_then(|fields| self.read_fields(fields, event.name.as_deref(), events));
        if let Err(error) = read {
            self.has_ended = true;
            let (event, found) = crate::unreadable::event(&event.data, &error);
            self.error = found;
            events.push(event);
        }
    }

    fn read_fields(
        &mut self,
        mut fields: Fields,
        name: Option<&str>,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), ReadError> {
        let kind = fields.text("type").or(name).unwrap_or_default().to_owned();
        match kind.as_str() {
            "message_start" => {
                let mut message = Fields::of(fields.need("message")?, "message")?;
                events.push(StreamEvent::Start {
                    id: message.take("id")?.unwrap_or_default(),
                    model: message.take("model")?.unwrap_or_default(),
                });
                self.count(message.take("usage")?, events);
            }
            "content_block_start" => {
                let index = fields.need("index")?;
                self.begin(
                    index,
                    Fields::of(fields.need("content_block")?, "content_block")?,
                    events,
                )?;
            }
            "content_block_delta" => {
                let index = fields.need("index")?;
                self.go_on(index, Fields::of(fields.need("delta")?, "delta")?, events)?;
            }
            "content_block_stop" => {
                let index = fields.need("index")?;
                if self.bare_calls.remove(&index) {
                    events.push(StreamEvent::ToolArguments {
                        index,
                        delta: "{}".to_owned(),
                    });
                }
            }
            "message_delta" => {
                let mut delta = Fields::of(fields.need("delta")?, "delta")?;
                let word: Option<String> = delta.take("stop_reason")?;
                let extra = delta.rest();
                if !extra.is_empty() {
                    events.push(StreamEvent::Extra(extra));
                }
                self.count(fields.take("usage")?, events);
                self.is_finished |= word.is_some();
                events.extend(word.as_deref().map(finish::read).map(StreamEvent::Finish));
            }
            "message_stop" => {
                self.has_ended = true;
                events.push(StreamEvent::End);
            }
            "error" => self.fail(&fields.into_value(), events),
            _ if WireError::is_in_event(fields.fields()) => {
                self.fail(&fields.into_value(), events);
            }
            _ping_or_unknown => {}
        }
        Ok(())
    }

    fn fail(&mut self, value: &Value, events: &mut Vec<StreamEvent>) {
        self.has_ended = true;
        let error = WireError::of_value(value);
        events.push(error.event());
        self.error = Some(error);
    }

    fn count(&mut self, value: Option<Value>, events: &mut Vec<StreamEvent>) {
        if let Some(value) = value {
            stop::merge_usage(&mut self.usage, &value);
            events.push(StreamEvent::Usage(self.usage));
        }
    }

    fn begin(
        &mut self,
        index: u32,
        mut block: Fields,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), ReadError> {
        match block.text("type") {
            Some("text") => push_text(block.take("text")?, events, |delta| StreamEvent::Text {
                index,
                delta,
            }),
            Some("thinking") => {
                push_text(block.take("thinking")?, events, |delta| {
                    StreamEvent::Reasoning { index, delta }
                });
                push_text(block.take("signature")?, events, |delta| {
                    StreamEvent::Signature { index, delta }
                });
            }
            Some("redacted_thinking") => events.push(StreamEvent::Redacted {
                index,
                value: block.need("data")?,
            }),
            Some("tool_use") => {
                events.push(StreamEvent::ToolStart {
                    index,
                    id: block.need("id")?,
                    name: block.need("name")?,
                });
                match block.take::<Value>("input")? {
                    Some(Value::Object(input)) if !input.is_empty() => {
                        events.push(StreamEvent::ToolArguments {
                            index,
                            delta: Value::Object(input).to_string(),
                        });
                    }
                    _ => {
                        self.bare_calls.insert(index);
                    }
                }
            }
            _ => events.push(StreamEvent::Extra(Extra::from([(
                format!("content_block_{index}"),
                block.into_value(),
            )]))),
        }
        Ok(())
    }

    fn go_on(
        &mut self,
        index: u32,
        mut delta: Fields,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), ReadError> {
        match delta.text("type") {
            Some("text_delta") => push_text(delta.take("text")?, events, |delta| {
                StreamEvent::Text { index, delta }
            }),
            Some("thinking_delta") => push_text(delta.take("thinking")?, events, |delta| {
                StreamEvent::Reasoning { index, delta }
            }),
            Some("signature_delta") => push_text(delta.take("signature")?, events, |delta| {
                StreamEvent::Signature { index, delta }
            }),
            Some("input_json_delta") => {
                let text: Option<String> = delta.take("partial_json")?;
                if text.as_ref().is_some_and(|text| !text.is_empty()) {
                    self.bare_calls.remove(&index);
                }
                push_text(text, events, |delta| StreamEvent::ToolArguments {
                    index,
                    delta,
                });
            }
            _citations_or_unknown => {}
        }
        Ok(())
    }
}

fn push_text(
    text: Option<String>,
    events: &mut Vec<StreamEvent>,
    event: impl FnOnce(String) -> StreamEvent,
) {
    events.extend(text.filter(|text| !text.is_empty()).map(event));
}
