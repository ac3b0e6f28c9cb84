//! Reading of a streamed reply of OpenAI chat completions.

use std::collections::BTreeMap;

use chorus_core::catalog::Quirks;
use chorus_core::llm::{Content, Extra, StreamEvent};
use serde_json::Value;

use super::{content, finish, usage};
use crate::fields::Fields;
use crate::think::{Part, Splitter};
use crate::{ReadError, WireError, sse};

/// Turns the bytes of a streamed reply, cut anywhere, into [`StreamEvent`]s.
#[derive(Debug, Clone, Default)]
pub struct StreamReader {
    lines: sse::Parser,
    splitter: Option<Splitter>,
    pieces: Pieces,
    started: bool,
    refused: bool,
    is_finished: bool,
    has_ended: bool,
    sent: Extra,
    error: Option<WireError>,
}

/// Map from the parts of the stream to canonical pieces.
#[derive(Debug, Clone, Default)]
struct Pieces {
    open: Option<(Kind, u32)>,
    calls: BTreeMap<u64, u32>,
    next: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Reasoning,
    Refusal,
    Call,
}

impl Pieces {
    fn of(&mut self, kind: Kind) -> u32 {
        match self.open {
            Some((open, index)) if open == kind => index,
            _ => self.begin(kind),
        }
    }

    /// Returns the place of a call of a server that numbers none: a call with an id is a new one.
    fn next_call(&self, is_new: bool) -> u64 {
        let known = self.calls.keys().next_back().map_or(0, |last| last + 1);
        if is_new {
            known
        } else {
            known.saturating_sub(1)
        }
    }

    fn begin(&mut self, kind: Kind) -> u32 {
        let index = self.next;
        self.next += 1;
        self.open = Some((kind, index));
        index
    }
}

impl StreamReader {
    /// Starts with nothing received, for a model with these quirks.
    pub fn new(quirks: &Quirks) -> Self {
        let inline = quirks.reasoning_field.as_deref() == Some("inline");
        Self {
            splitter: inline.then(Splitter::default),
            ..Self::default()
        }
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

    /// Ends the stream when the connection is closed or broken. A stream that gave its reason to end is
    /// whole, although its `[DONE]` is missing; another one was cut, and gives no
    /// [`StreamEvent::End`].
    pub fn close(&mut self) -> Vec<StreamEvent> {
        let mut events = Vec::new();
        if let Some(event) = self.lines.close()
            && (event.data.trim() == "[DONE]" || serde_json::from_str::<Value>(&event.data).is_ok())
        {
            self.read_event(&event, &mut events);
        }
        if self.is_finished {
            self.end(&mut events);
        } else {
            self.release(&mut events);
        }
        events
    }

    fn read_event(&mut self, event: &sse::Event, events: &mut Vec<StreamEvent>) {
        if self.has_ended || event.data.trim().is_empty() {
            return;
        }
        if event.data.trim() == "[DONE]" {
            return self.end(events);
        }
        let read = serde_json::from_str(&event.data)
            .map_err(|error| ReadError::new("chunk", error.to_string()))
            .and_then(|value| Fields::of(value, ""))
            .and_then(|chunk| self.read_chunk(chunk, event.name.as_deref(), events));
        if let Err(error) = read {
            self.has_ended = true;
            let (event, found) = crate::unreadable::event(&event.data, &error);
            self.error = found;
            events.push(event);
        }
    }

    fn read_chunk(
        &mut self,
        mut chunk: Fields,
        name: Option<&str>,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), ReadError> {
        if name == Some("error") || WireError::is_in_event(chunk.fields()) {
            self.has_ended = true;
            let error = WireError::of_value(&chunk.into_value());
            events.push(error.event());
            self.error = Some(error);
            return Ok(());
        }
        let mut choices = chunk.take_objects("choices")?;
        let counted: Option<Value> = chunk.take("usage")?;
        let id: Option<String> = chunk.take_lenient("id");
        let model: Option<String> = chunk.take_lenient("model");
        if !std::mem::replace(&mut self.started, true) {
            events.push(StreamEvent::Start {
                id: id.unwrap_or_default(),
                model: model.unwrap_or_default(),
            });
        }
        let counted = counted.or_else(|| {
            chunk
                .take_lenient::<Value>("x_groq")
                .and_then(|groq| groq.get("usage").cloned())
        });
        chunk.take::<Value>("object")?;
        self.push_extra(chunk.rest(), events);
        if let Some(choice) = choices.first_mut() {
            self.read_choice(choice, events)?;
        }
        events.extend(
            counted
                .as_ref()
                .and_then(usage::read)
                .map(StreamEvent::Usage),
        );
        Ok(())
    }

    fn push_extra(&mut self, mut extra: Extra, events: &mut Vec<StreamEvent>) {
        extra.retain(|name, value| self.sent.get(name) != Some(value));
        if !extra.is_empty() {
            self.sent.extend(extra.clone());
            events.push(StreamEvent::Extra(extra));
        }
    }

    fn read_choice(
        &mut self,
        choice: &mut Fields,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), ReadError> {
        // A whole completion in one event has a message in the place of the delta.
        let delta = match choice.take_object("delta")? {
            Some(delta) => Some(delta),
            None => choice.take_object("message")?,
        };
        if let Some(delta) = delta {
            self.read_delta(delta, events)?;
        }
        if let Some(name) = choice
            .take::<String>("finish_reason")?
            .filter(|name| !name.is_empty())
        {
            self.release(events);
            self.is_finished = true;
            let reason = finish::read(&name, self.refused);
            events.push(StreamEvent::Finish(reason));
        }
        Ok(())
    }

    fn read_delta(
        &mut self,
        mut delta: Fields,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), ReadError> {
        for piece in content::take_reasoning(&mut delta)? {
            self.think(piece, events);
        }
        match delta.take::<Value>("content")? {
            Some(Value::Array(parts)) => {
                for part in parts {
                    self.read_part(&part, events);
                }
            }
            Some(Value::String(text)) => self.push_text(&text, events),
            Some(_) => return Err(ReadError::new(delta.at("content"), "is no text")),
            None => {}
        }
        if let Some(delta) = delta
            .take::<String>("refusal")?
            .filter(|text| !text.is_empty())
        {
            self.refused = true;
            events.push(StreamEvent::Refusal {
                index: self.pieces.of(Kind::Refusal),
                delta,
            });
        }
        for call in delta.take_objects("tool_calls")? {
            self.call(call, events)?;
        }
        Ok(())
    }

    /// Reads one part of a content that comes as a list: text, or thinking as Mistral sends it.
    fn read_part(&mut self, part: &Value, events: &mut Vec<StreamEvent>) {
        match (part.get("text"), part.get("thinking")) {
            (Some(Value::String(text)), _) => self.push_text(text, events),
            (_, Some(Value::Array(thoughts))) => {
                let texts = thoughts.iter().filter_map(|one| one.get("text")?.as_str());
                let text: String = texts.collect();
                self.push_parts(Some(Part::Thinking(text)), events);
            }
            (_, Some(Value::String(text))) => {
                self.push_parts(Some(Part::Thinking(text.clone())), events);
            }
            _ => {}
        }
    }

    fn think(&mut self, piece: Content, events: &mut Vec<StreamEvent>) {
        let Content::Reasoning {
            text,
            signature,
            redacted,
        } = piece
        else {
            return;
        };
        if let Some(value) = redacted {
            events.push(StreamEvent::Redacted {
                index: self.pieces.begin(Kind::Reasoning),
                value,
            });
            self.pieces.open = None;
            return;
        }
        let index = self.pieces.of(Kind::Reasoning);
        if !text.is_empty() {
            events.push(StreamEvent::Reasoning { index, delta: text });
        }
        if let Some(delta) = signature {
            events.push(StreamEvent::Signature { index, delta });
            self.pieces.open = None;
        }
    }

    fn push_text(&mut self, text: &str, events: &mut Vec<StreamEvent>) {
        let parts = match &mut self.splitter {
            Some(splitter) => splitter.push(text),
            None if text.is_empty() => Vec::new(),
            None => vec![Part::Text(text.to_owned())],
        };
        self.push_parts(parts, events);
    }

    /// Emits the text that the splitter held back.
    fn release(&mut self, events: &mut Vec<StreamEvent>) {
        let held = self.splitter.as_mut().and_then(Splitter::close);
        self.push_parts(held, events);
    }

    fn push_parts(&mut self, parts: impl IntoIterator<Item = Part>, events: &mut Vec<StreamEvent>) {
        for part in parts {
            events.push(match part {
                Part::Text(delta) => StreamEvent::Text {
                    index: self.pieces.of(Kind::Text),
                    delta,
                },
                Part::Thinking(delta) => StreamEvent::Reasoning {
                    index: self.pieces.of(Kind::Reasoning),
                    delta,
                },
            });
        }
    }

    fn call(&mut self, mut call: Fields, events: &mut Vec<StreamEvent>) -> Result<(), ReadError> {
        let id: Option<String> = call.take("id")?.filter(|id: &String| !id.is_empty());
        let at = call
            .take("index")?
            .unwrap_or_else(|| self.pieces.next_call(id.is_some()));
        let mut function = call.take_object("function")?;
        let name = function
            .as_mut()
            .and_then(|function| function.take_lenient::<String>("name"));
        let index = match self.pieces.calls.get(&at) {
            Some(&index) => index,
            None => {
                let index = self.pieces.begin(Kind::Call);
                self.pieces.calls.insert(at, index);
                events.push(StreamEvent::ToolStart {
                    index,
                    id: id.unwrap_or_default(),
                    name: name.unwrap_or_default(),
                });
                index
            }
        };
        let arguments = function
            .as_mut()
            .and_then(|function| function.take_lenient::<Value>("arguments"));
        let delta = content::arguments_text(arguments);
        if !delta.is_empty() {
            events.push(StreamEvent::ToolArguments { index, delta });
        }
        Ok(())
    }

    fn end(&mut self, events: &mut Vec<StreamEvent>) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.release(events);
            events.push(StreamEvent::End);
        }
    }
}

#[cfg(test)]
mod tests {
    use chorus_core::llm::FinishReason;

    use super::*;

    #[test]
    fn a_stream_without_done_is_whole_only_after_its_reason() {
        let mut reader = StreamReader::new(&Quirks::default());
        reader.push(b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n");
        assert_eq!(reader.clone().close(), vec![], "cut");
        let finish =
            reader.push(b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
        assert_eq!(finish, vec![StreamEvent::Finish(FinishReason::Stop)]);
        assert_eq!(reader.close(), vec![StreamEvent::End]);
    }
}
