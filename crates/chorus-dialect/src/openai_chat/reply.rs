//! A whole reply of OpenAI chat completions.

use chorus_core::catalog::Quirks;
use chorus_core::llm::{Content, Extra, Reply};
use serde_json::{Value, json};

use super::{content, finish, usage};
use crate::fields::{Fields, Object, parse};
use crate::{ReadError, think};

/// Reads a reply body; blank lines before it, which keep a connection open, are skipped.
pub fn read_reply(body: &[u8], quirks: &Quirks) -> Result<Reply, ReadError> {
    let mut fields = parse(body)?;
    let mut choices = fields.take_objects("choices")?;
    if choices.is_empty() {
        return Err(ReadError::new("choices", "is missing or empty"));
    }
    let mut choice = choices.remove(0);
    let mut message = choice
        .take_object("message")?
        .ok_or_else(|| ReadError::new("choices[0].message", "is missing"))?;
    let mut pieces = content::read_assistant(&mut message)?;
    if quirks.reasoning_field.as_deref() == Some("inline") {
        pieces = pieces.into_iter().flat_map(split_thinking).collect();
    }
    let refused = pieces
        .iter()
        .any(|piece| matches!(piece, Content::Refusal { .. }));
    let reason: Option<String> = choice.take("finish_reason")?;
    let counted: Option<Value> = fields.take("usage")?;
    message.take::<Value>("role")?;
    choice.take::<Value>("index")?;
    fields.take::<Value>("object")?;
    let id = fields.take("id")?.unwrap_or_default();
    let model = fields.take("model")?.unwrap_or_default();
    let mut extra = fields.rest();
    keep(&mut extra, "choice", choice);
    keep(&mut extra, "message", message);
    Ok(Reply {
        id,
        model,
        content: pieces,
        finish: reason.map(|reason| finish::read(&reason, refused)),
        usage: counted.as_ref().and_then(usage::read),
        extra,
    })
}

/// Carries the remaining fields of an inner object under its name.
fn keep(extra: &mut Extra, name: &str, fields: Fields) {
    let rest = fields.rest();
    if !rest.is_empty() {
        extra.insert(name.to_owned(), Value::from_iter(rest));
    }
}

fn split_thinking(piece: Content) -> Vec<Content> {
    match piece {
        Content::Text { text, cache, extra } => {
            let (thinking, text) = think::split(&text);
            let thinking = thinking.map(|text| Content::Reasoning {
                text,
                signature: None,
                redacted: None,
            });
            let text = (!text.is_empty()).then_some(Content::Text { text, cache, extra });
            thinking.into_iter().chain(text).collect()
        }
        other => vec![other],
    }
}

/// Writes a [`Reply`] as a body for a client; thinking goes into `reasoning_field`.
pub fn write_reply(reply: &Reply, reasoning_field: &str) -> Value {
    let inner = |name: &str| match reply.extra.get(name) {
        Some(Value::Object(map)) => map.clone().into_iter().collect(),
        _ => Extra::new(),
    };
    let message = content::write_assistant(&reply.content, &inner("message"), reasoning_field);
    let choice = Object::new()
        .with("index", 0)
        .with("message", message)
        .with(
            "finish_reason",
            reply
                .finish
                .as_ref()
                .map_or(Value::Null, |reason| json!(finish::write(reason))),
        )
        .with_extra(&inner("choice"), &[]);
    Object::new()
        .with("id", reply.id.as_str())
        .with("object", "chat.completion")
        .with(
            "created",
            reply
                .extra
                .get("created")
                .cloned()
                .unwrap_or_else(|| json!(0)),
        )
        .with("model", reply.model.as_str())
        .with("choices", vec![choice.build()])
        .with_some("usage", reply.usage.as_ref().map(usage::write))
        .with_extra(
            &reply.extra,
            &["choice", "message", "stop_sequence", "container"],
        )
        .build()
}
