//! Requests and replies in the dialect of the provider's row.
//!
//! [`Reader`] reads events as they come; [`read_json`] and [`read_events`] read whole bodies.

use bytes::Bytes;
use chorus_core::catalog::{Dialect, Model, Provider, Quirks};
use chorus_core::llm::{Assembler, Reply, Request, StreamEvent};
use chorus_dialect::fit::{Target, fit};
use chorus_dialect::{ReadError, WireError, anthropic_messages, openai_chat, sse};
use serde_json::Value;

/// Writes the body of a canonical [`Request`] for this model at this provider.
pub(crate) fn write_request(
    request: &Request,
    provider: &Provider,
    model: &Model,
    wire_name: &str,
) -> Bytes {
    let target = Target {
        model: wire_name,
        dialect: provider.dialect,
        quirks: &model.quirks,
        form: &provider.form,
        max_output: model.max_output,
    };
    let fitted = fit(request, &target);
    let value = match provider.dialect {
        Dialect::OpenaiChat => openai_chat::write_request(&fitted, &provider.form),
        Dialect::AnthropicMessages => anthropic_messages::write_request(&fitted),
    };
    Bytes::from(value.to_string())
}

/// Reads a whole [`Reply`].
pub(crate) fn read_reply(
    dialect: Dialect,
    body: &[u8],
    quirks: &Quirks,
) -> Result<Reply, ReadError> {
    match dialect {
        Dialect::OpenaiChat => openai_chat::read_reply(body, quirks),
        Dialect::AnthropicMessages => anthropic_messages::read_reply(body),
    }
}

/// Reason why a whole body is no reply.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The body reports an error.
    Reported(WireError),
    /// An event of the body reports an error, or is unreadable.
    Event {
        error: Option<WireError>,
        kind: String,
        message: String,
    },
    /// The body ends before the reply does.
    Cut,
    /// The body follows no known form.
    Other(ReadError),
}

/// Reads a body of JSON: one completion with anything glued behind it, or the chunks of a stream in
/// a list or one after the other.
pub(crate) fn read_json(dialect: Dialect, body: &[u8], quirks: &Quirks) -> Result<Reply, Unread> {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let first = match values.next() {
        None => return Err(Unread::Cut),
        Some(Err(error)) if error.is_eof() => return Err(Unread::Cut),
        Some(Err(error)) => return Err(unreadable(error.to_string())),
        Some(Ok(first)) => first,
    };
    if let Value::Array(items) = &first
        && items.first().is_some_and(is_chunk)
    {
        return read_chunks(dialect, items.iter().cloned(), quirks);
    }
    if is_chunk(&first) {
        let rest = values.map_while(Result::ok);
        return read_chunks(dialect, std::iter::once(first).chain(rest), quirks);
    }
    if let Some(error) = WireError::in_reply(&first) {
        return Err(Unread::Reported(error));
    }
    let end = values.byte_offset();
    let read = match &first {
        Value::Array(items) if items.len() == 1 => {
            read_reply(dialect, items[0].to_string().as_bytes(), quirks)
        }
        _ => read_reply(dialect, &body[..end], quirks),
    };
    read.map_err(Unread::Other)
}

/// Reads a body of events that is complete.
pub(crate) fn read_events(dialect: Dialect, body: &[u8], quirks: &Quirks) -> Result<Reply, Unread> {
    let mut reader = Reader::new(dialect, quirks);
    let mut events = reader.push(body);
    events.extend(reader.close());
    assembled(events, &mut reader)
}

fn unreadable(message: String) -> Unread {
    let path = "body".to_owned();
    Unread::Other(ReadError { path, message })
}

/// Returns true for a part of a stream that came without the form of events.
fn is_chunk(value: &Value) -> bool {
    let choice = value.pointer("/choices/0");
    choice.is_some_and(|choice| choice.get("delta").is_some_and(Value::is_object))
        || value
            .get("type")
            .is_some_and(|kind| kind == "message_start")
}

fn read_chunks(
    dialect: Dialect,
    chunks: impl Iterator<Item = Value>,
    quirks: &Quirks,
) -> Result<Reply, Unread> {
    let mut reader = Reader::new(dialect, quirks);
    let mut events = Vec::new();
    for chunk in chunks {
        events.extend(reader.push(&sse::frame(None, &chunk.to_string())));
    }
    events.extend(reader.close());
    assembled(events, &mut reader)
}

fn assembled(events: Vec<StreamEvent>, reader: &mut Reader) -> Result<Reply, Unread> {
    let mut assembler = Assembler::new();
    for event in events {
        if let StreamEvent::Error { kind, message } = event {
            let error = reader.take_error();
            return Err(Unread::Event {
                error,
                kind,
                message,
            });
        }
        assembler.push(event);
    }
    if assembler.ended() {
        Ok(assembler.finish())
    } else {
        Err(Unread::Cut)
    }
}

/// Reader of a streamed reply.
#[derive(Debug)]
pub(crate) enum Reader {
    Openai(Box<openai_chat::StreamReader>),
    Anthropic(Box<anthropic_messages::StreamReader>),
}

impl Reader {
    pub(crate) fn new(dialect: Dialect, quirks: &Quirks) -> Self {
        match dialect {
            Dialect::OpenaiChat => Self::Openai(Box::new(openai_chat::StreamReader::new(quirks))),
            Dialect::AnthropicMessages => Self::Anthropic(Box::default()),
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<StreamEvent> {
        match self {
            Self::Openai(reader) => reader.push(bytes),
            Self::Anthropic(reader) => reader.push(bytes),
        }
    }

    pub(crate) fn close(&mut self) -> Vec<StreamEvent> {
        match self {
            Self::Openai(reader) => reader.close(),
            Self::Anthropic(reader) => reader.close(),
        }
    }

    /// Returns true once the reason of the end was read.
    pub(crate) const fn is_finished(&self) -> bool {
        match self {
            Self::Openai(reader) => reader.is_finished(),
            Self::Anthropic(reader) => reader.is_finished(),
        }
    }

    /// Takes the error behind the last [`StreamEvent::Error`].
    pub(crate) const fn take_error(&mut self) -> Option<WireError> {
        match self {
            Self::Openai(reader) => reader.take_error(),
            Self::Anthropic(reader) => reader.take_error(),
        }
    }
}
