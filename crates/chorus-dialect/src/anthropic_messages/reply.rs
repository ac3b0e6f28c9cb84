//! A whole reply of Anthropic Messages.

use chorus_core::llm::{Reply, Usage};
use serde_json::{Value, json};

use super::{block, stop};
use crate::fields::{Object, parse};
use crate::{ReadError, finish};

/// Reads a reply body; an error names the field that does not fit.
pub fn read_reply(body: &[u8]) -> Result<Reply, ReadError> {
    let mut fields = parse(body)?;
    if !fields.has("content") {
        return Err(ReadError::new("content", "is missing"));
    }
    let word: Option<String> = fields.take("stop_reason")?;
    let counted: Option<Value> = fields.take("usage")?;
    fields.take::<Value>("type")?;
    fields.take::<Value>("role")?;
    Ok(Reply {
        id: fields.take("id")?.unwrap_or_default(),
        model: fields.take("model")?.unwrap_or_default(),
        content: block::read_all(fields.take("content")?, "content")?,
        finish: word.as_deref().map(finish::read),
        usage: counted.map(|value| {
            let mut usage = Usage::default();
            stop::merge_usage(&mut usage, &value);
            usage
        }),
        extra: fields.rest(),
    })
}

/// Writes a [`Reply`] as a body for a client.
pub fn write_reply(reply: &Reply) -> Value {
    let sequence = reply
        .extra
        .get("stop_sequence")
        .cloned()
        .unwrap_or(Value::Null);
    let reason = reply
        .finish
        .as_ref()
        .map(|reason| stop::write(reason, !sequence.is_null()));
    Object::new()
        .with("id", reply.id.as_str())
        .with("type", "message")
        .with("role", "assistant")
        .with("model", reply.model.as_str())
        .with(
            "content",
            reply
                .content
                .iter()
                .filter_map(block::write)
                .collect::<Vec<_>>(),
        )
        .with(
            "stop_reason",
            reason.map_or(Value::Null, |word| json!(word)),
        )
        .with("stop_sequence", sequence)
        .with("usage", stop::write_usage(&reply.usage.unwrap_or_default()))
        .with_extra(
            &reply.extra,
            &[
                "choice",
                "message",
                "created",
                "system_fingerprint",
                "service_tier",
                "provider",
                "object",
            ],
        )
        .build()
}
