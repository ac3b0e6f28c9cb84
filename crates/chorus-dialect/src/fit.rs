//! A canonical request made to fit a model: what the catalogue says the model cannot take is moved, lowered
//! or left out before a dialect writes it.
//!
//! Neighbours: the dialects write what comes out of here. Nothing here knows a wire form.

use chorus_core::catalog::{Dialect, Form, Quirks, ReplayReasoning, SchemaForm};
use chorus_core::llm::{Content, Message, Request, ResponseFormat, Role, ToolChoice};

/// The model that a request is written for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its name on the provider's wire.
    pub model: &'a str,
    /// The provider's wire language.
    pub dialect: Dialect,
    /// Where it departs from the dialect.
    pub quirks: &'a Quirks,
    /// How the provider's server wants what the dialect leaves open.
    pub form: &'a Form,
    /// Most tokens of one answer.
    pub max_output: u32,
}

/// The request as this model can take it.
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

/// A form that the model or its server cannot be held to is lowered: schema, then any object, then words.
fn fit_format(request: &mut Request, target: &Target<'_>) {
    let told = target.form.schema != SchemaForm::Words;
    let json_object = told && target.quirks.json_object && target.dialect == Dialect::OpenaiChat;
    let json_schema = told && target.quirks.json_schema;
    let (format, words) = match request.response_format.take() {
        Some(ResponseFormat::JsonSchema { schema, .. }) if !json_schema => (
            json_object.then_some(ResponseFormat::JsonObject),
            Some(schema_words(&schema)),
        ),
        Some(ResponseFormat::JsonObject) if !json_object => (None, Some(OBJECT_WORDS.to_owned())),
        other => (other, None),
    };
    request.response_format = format;
    if let Some(words) = words {
        match request.system.last_mut() {
            Some(Content::Text {
                text, cache: None, ..
            }) => text.extend(["\n\n", &words]),
            _ => request.system.push(Content::text(words)),
        }
    }
}

const OBJECT_WORDS: &str = "Answer with one JSON object and nothing around it.";

fn schema_words(schema: &serde_json::Value) -> String {
    format!("{OBJECT_WORDS} It must follow this JSON schema:\n{schema}")
}

/// Unsigned thinking goes back only where the model demands it; signed thinking proves itself and is the
/// dialect's to place.
fn fit_thinking(messages: &mut [Message], target: &Target<'_>) {
    let keep_all = target.dialect == Dialect::OpenaiChat
        && target.quirks.replay_reasoning == ReplayReasoning::AfterTools;
    let is_turn = |message: &Message| {
        message.role != Role::Assistant
            && message
                .content
                .iter()
                .any(|piece| !matches!(piece, Content::ToolResult(_)))
    };
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

/// Puts all instructions before the first user turn's own words, and later ones where they stood.
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

/// Neighbouring plain texts of one message become one, with a blank line between.
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
