//! Fitting of a canonical request to a model: settings that the model cannot take according to the
//! catalogue are moved, lowered or left out before a dialect writes it.
//!
//! Neighbours: [`openai_chat`](crate::openai_chat) and
//! [`anthropic_messages`](crate::anthropic_messages) write the result. Nothing here knows a wire
//! form.

use chorus_core::catalog::{Dialect, Form, Quirks, ReplayReasoning, SchemaForm};
use chorus_core::llm::{Content, Message, Request, ResponseFormat, Role, ToolChoice};

/// The model that a request is written for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Name of the model on the provider's wire.
    pub model: &'a str,
    /// Wire language of the provider.
    pub dialect: Dialect,
    /// Departures of the model from the dialect.
    pub quirks: &'a Quirks,
    /// Choices of the provider's server in points that the dialect leaves open.
    pub form: &'a Form,
    /// Maximum tokens of one answer.
    pub max_output: u32,
}

/// Returns the request in a form that the model can take.
pub fn fit(request: &Request, target: &Target<'_>) -> Request {
    let mut request = request.clone();
    target.model.clone_into(&mut request.model);
    fit_tools(&mut request, target.quirks);
    fit_sampling(&mut request, target);
    fit_format(&mut request, target);
    fit_thinking(&mut request.messages, target);
    if !target.quirks.system_ok {
        move_system(&mut request);
    }
    request
}

fn fit_tools(request: &mut Request, quirks: &Quirks) {
    if !quirks.tools {
        request.tools.clear();
    }
    if request.tools.is_empty() {
        request.tool_choice = None;
        request.parallel_tool_calls = None;
    }
    let forces = matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named { .. })
    );
    if forces && !quirks.forced_tool {
        request.tool_choice = Some(ToolChoice::Auto);
    }
}

fn fit_sampling(request: &mut Request, target: &Target<'_>) {
    let sampling = &mut request.sampling;
    if !target.quirks.temperature_ok {
        sampling.temperature = None;
        sampling.top_p = None;
        sampling.top_k = None;
        sampling.frequency_penalty = None;
        sampling.presence_penalty = None;
    }
    sampling.max_tokens = match (sampling.max_tokens, target.dialect) {
        (Some(asked), _) => Some(asked.min(target.max_output)),
        (None, Dialect::AnthropicMessages) => Some(target.max_output),
        (None, Dialect::OpenaiChat) => None,
    };
}

/// Lowers a response format that the model or its server cannot be held to: schema, then any
/// object, then text in the prompt.
fn fit_format(request: &mut Request, target: &Target<'_>) {
    let on_wire = target.form.schema != SchemaForm::InPrompt;
    let json_object = on_wire && target.quirks.json_object && target.dialect == Dialect::OpenaiChat;
    let json_schema = on_wire && target.quirks.json_schema;
    let (format, instruction) = match request.response_format.take() {
        Some(ResponseFormat::JsonSchema { schema, .. }) if !json_schema => (
            json_object.then_some(ResponseFormat::JsonObject),
            Some(schema_words(&schema)),
        ),
        Some(ResponseFormat::JsonObject) if !json_object => (None, Some(OBJECT_WORDS.to_owned())),
        other => (other, None),
    };
    request.response_format = format;
    if let Some(instruction) = instruction {
        match request.system.last_mut() {
            Some(Content::Text {
                text, cache: None, ..
            }) => text.extend(["\n\n", &instruction]),
            _ => request.system.push(Content::text(instruction)),
        }
    }
}

const OBJECT_WORDS: &str = "Answer with one JSON object and nothing around it.";

fn schema_words(schema: &serde_json::Value) -> String {
    format!("{OBJECT_WORDS} It must follow this JSON schema:\n{schema}")
}

/// Removes unsigned thinking unless the model demands it; signed thinking carries its own proof,
/// and the dialect places it.
fn fit_thinking(messages: &mut [Message], target: &Target<'_>) {
    let keep_all = target.dialect == Dialect::OpenaiChat
        && target.quirks.replay_reasoning == ReplayReasoning::AfterTools;
    let mut rest = messages;
    while !rest.is_empty() {
        let length = rest
            .iter()
            .skip(1)
            .position(is_turn)
            .map_or(rest.len(), |at| at + 1);
        let (turn, later) = rest.split_at_mut(length);
        let calls = turn.iter().any(|message| {
            message
                .content
                .iter()
                .any(|piece| matches!(piece, Content::ToolCall(_)))
        });
        if !(keep_all && calls) {
            turn.iter_mut()
                .for_each(|message| message.content.retain(|piece| !is_unsigned_thinking(piece)));
        }
        rest = later;
    }
}

/// Returns true if the message begins a turn: it is not the model's and holds more than results.
fn is_turn(message: &Message) -> bool {
    message.role != Role::Assistant
        && message
            .content
            .iter()
            .any(|piece| !matches!(piece, Content::ToolResult(_)))
}

const fn is_unsigned_thinking(piece: &Content) -> bool {
    matches!(
        piece,
        Content::Reasoning {
            signature: None,
            redacted: None,
            ..
        }
    )
}

/// Moves all instructions before the text of the first user turn, and later ones to where they
/// stood.
fn move_system(request: &mut Request) {
    for message in &mut request.messages {
        if message.role == Role::System {
            message.role = Role::User;
        }
    }
    let system = std::mem::take(&mut request.system);
    if system.is_empty() {
        return;
    }
    match request
        .messages
        .iter_mut()
        .find(|message| message.role == Role::User)
    {
        Some(first) => {
            first.content.splice(0..0, system);
        }
        None => request.messages.insert(
            0,
            Message {
                role: Role::User,
                content: system,
                extra: Default::default(),
            },
        ),
    }
    merge_texts(&mut request.messages);
}

/// Joins neighbouring plain texts of one message, with a blank line between.
fn merge_texts(messages: &mut [Message]) {
    for message in messages
        .iter_mut()
        .filter(|message| message.role == Role::User)
    {
        let pieces = std::mem::take(&mut message.content);
        for piece in pieces {
            match (message.content.last_mut(), piece) {
                (
                    Some(Content::Text {
                        text, cache: None, ..
                    }),
                    Content::Text {
                        text: more,
                        cache,
                        extra,
                    },
                ) if extra.is_empty() => {
                    text.push_str("\n\n");
                    text.push_str(&more);
                    if let Some(Content::Text { cache: hint, .. }) = message.content.last_mut() {
                        *hint = cache;
                    }
                }
                (_, piece) => message.content.push(piece),
            }
        }
    }
}
