//! Requests and replies in the dialect of the provider's row.

use bytes::Bytes;
use chorus_core::catalog::{Dialect, Model, Provider, Quirks};
use chorus_core::llm::{Reply, Request, StreamEvent};
use chorus_dialect::fit::{Target, fit};
use chorus_dialect::{ReadError, anthropic_messages, openai_chat};

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
}
