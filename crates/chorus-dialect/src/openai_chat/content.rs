//! Pieces of messages: text and picture parts, thinking, function calls. Requests and replies use
//! the same forms of [`Content`].

use chorus_core::llm::{CacheHint, Content, Extra, Image, ImageSource, ToolCall};
use serde_json::{Value, json};

use crate::ReadError;
use crate::fields::{Fields, Object};

/// Reads `content`: nothing, a text, or a list of parts.
pub(super) fn read(value: Option<Value>, path: &str) -> Result<Vec<Content>, ReadError> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(Vec::from_iter(
            (!text.is_empty()).then(|| Content::text(text)),
        )),
        Some(Value::Array(parts)) => parts
            .into_iter()
            .enumerate()
            .map(|(index, part)| read_part(part, &format!("{path}[{index}]")))
            .collect(),
        Some(_) => Err(ReadError::new(path, "expected a text or a list of parts")),
    }
}

fn read_part(value: Value, path: &str) -> Result<Content, ReadError> {
    let mut fields = Fields::of(value, path)?;
    match fields.text("type") {
        Some("text" | "output_text") => read_text(fields),
        Some("refusal") => Ok(Content::Refusal {
            text: fields.need("refusal")?,
        }),
        Some("image_url") => {
            let mut image = match fields.need::<Value>("image_url")? {
                Value::String(url) => Fields::of(json!({ "url": url }), path)?,
                object => Fields::of(object, fields.at("image_url"))?,
            };
            let url: String = image.need("url")?;
            Ok(Content::Image(Image {
                source: read_source(url),
                detail: image.take("detail")?,
            }))
        }
        _ => Ok(Content::Unknown {
            value: fields.into_value(),
        }),
    }
}

fn read_text(mut fields: Fields) -> Result<Content, ReadError> {
    fields.take::<Value>("type")?;
    let text = fields.need("text")?;
    let cache = fields
        .take_object("cache_control")?
        .map(read_cache)
        .transpose()?;
    Ok(Content::Text {
        text,
        cache,
        extra: fields.rest(),
    })
}

fn read_cache(mut fields: Fields) -> Result<CacheHint, ReadError> {
    Ok(CacheHint {
        ttl: fields.take("ttl")?,
    })
}

fn read_source(url: String) -> ImageSource {
    let inline = url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    match inline {
        Some((media_type, base64)) => ImageSource::Inline {
            media_type: media_type.to_owned(),
            base64: base64.to_owned(),
        },
        None => ImageSource::Url { url },
    }
}

/// Writes `content`: one plain text as text, everything else as parts. Pieces with a place of their
/// own (thinking, calls, results) are not written here.
pub(super) fn write<'a>(
    pieces: impl IntoIterator<Item = &'a Content>,
    cache_control: bool,
) -> Option<Value> {
    let pieces: Vec<&Content> = pieces.into_iter().collect();
    if let [Content::Text { text, cache, extra }] = pieces[..]
        && (cache.is_none() || !cache_control)
        && extra.is_empty()
    {
        return Some(Value::from(text.as_str()));
    }
    let parts: Vec<Value> = pieces
        .into_iter()
        .filter_map(|piece| write_part(piece, cache_control))
        .collect();
    (!parts.is_empty()).then_some(Value::Array(parts))
}

fn write_part(piece: &Content, cache_control: bool) -> Option<Value> {
    match piece {
        Content::Text { text, cache, extra } => {
            let cache = cache.as_ref().filter(|_| cache_control).map(|hint| {
                Object::new()
                    .with("type", "ephemeral")
                    .with_some("ttl", hint.ttl.as_deref())
                    .build()
            });
            let part = Object::new()
                .with("type", "text")
                .with("text", text.as_str())
                .with_some("cache_control", cache);
            Some(part.with_extra(extra, &["citations"]).build())
        }
        Content::Image(image) => Some(write_image(image)),
        Content::Unknown { value } => Some(value.clone()),
        Content::Reasoning { .. }
        | Content::ToolCall(_)
        | Content::ToolResult(_)
        | Content::Refusal { .. } => None,
    }
}

fn write_image(image: &Image) -> Value {
    let url = match &image.source {
        ImageSource::Url { url } => url.clone(),
        ImageSource::Inline { media_type, base64 } => {
            format!("data:{media_type};base64,{base64}")
        }
    };
    let inner = Object::new()
        .with("url", url)
        .with_some("detail", image.detail.as_deref());
    Object::new()
        .with("type", "image_url")
        .with("image_url", inner.build())
        .build()
}

/// Takes the thinking of a message from any field in which servers put it.
pub(super) fn take_reasoning(fields: &mut Fields) -> Result<Vec<Content>, ReadError> {
    let plain = ["reasoning_content", "reasoning", "thinking"]
        .into_iter()
        .filter_map(|name| fields.take_lenient::<String>(name));
    let plain = plain.filter(|text| !text.is_empty()).last();
    let mut pieces: Vec<Content> = fields
        .take_objects("reasoning_details")?
        .into_iter()
        .filter_map(|detail| read_detail(detail).transpose())
        .collect::<Result<_, _>>()?;
    let has_other = pieces
        .iter()
        .any(|piece| matches!(piece, Content::Reasoning { text, .. } if !text.is_empty()));
    if let Some(text) = plain.filter(|_| !has_other) {
        pieces.insert(
            0,
            Content::Reasoning {
                text,
                signature: None,
                redacted: None,
            },
        );
    }
    Ok(pieces)
}

fn read_detail(mut detail: Fields) -> Result<Option<Content>, ReadError> {
    let text: Option<String> = match detail.take("text")? {
        Some(text) => Some(text),
        None => detail.take("summary")?,
    };
    let signature: Option<String> = detail.take("signature")?;
    let redacted: Option<String> = detail.take("data")?;
    let empty = text.is_none() && signature.is_none() && redacted.is_none();
    Ok((!empty).then(|| Content::Reasoning {
        text: text.unwrap_or_default(),
        signature,
        redacted,
    }))
}

/// Writes the thinking of a message: its text in the named field, signatures and sealed thinking as
/// details.
pub(super) fn with_reasoning(object: Object, pieces: &[Content], field: &str) -> Object {
    let thinking = || {
        pieces
            .iter()
            .filter(|piece| matches!(piece, Content::Reasoning { .. }))
    };
    let text: String = thinking()
        .filter_map(|piece| {
            if let Content::Reasoning { text, .. } = piece {
                Some(text.as_str())
            } else {
                None
            }
        })
        .collect();
    let proven = thinking()
        .any(|piece| matches!(piece, Content::Reasoning { signature, redacted, .. } if signature.is_some() || redacted.is_some()));
    let details = proven.then(|| {
        Value::Array(
            thinking()
                .zip(0..)
                .filter_map(|(piece, index)| write_detail(piece, index))
                .collect(),
        )
    });
    object
        .with_some(field, (!text.is_empty()).then_some(text))
        .with_some("reasoning_details", details)
}

/// Writes one entry of `reasoning_details`.
pub(super) fn write_detail(piece: &Content, index: u32) -> Option<Value> {
    let Content::Reasoning {
        text,
        signature,
        redacted,
    } = piece
    else {
        return None;
    };
    let detail = match redacted {
        Some(data) => Object::new()
            .with("type", "reasoning.encrypted")
            .with("data", data.as_str()),
        None => Object::new()
            .with("type", "reasoning.text")
            .with("text", text.as_str())
            .with_some("signature", signature.as_deref()),
    };
    Some(detail.with("index", index).build())
}

/// Reads one entry of `tool_calls`; kinds other than functions stay as they are.
pub(super) fn read_call(mut call: Fields) -> Result<Content, ReadError> {
    if call.text("type").is_some_and(|kind| kind != "function") {
        return Ok(Content::Unknown {
            value: call.into_value(),
        });
    }
    let id = call.take("id")?.unwrap_or_default();
    let mut function = call
        .take_object("function")?
        .ok_or_else(|| ReadError::new(call.at("function"), "is missing"))?;
    let arguments = arguments_text(function.take("arguments")?);
    Ok(Content::ToolCall(ToolCall {
        id,
        name: function.need("name")?,
        arguments,
    }))
}

/// Returns the text of `arguments`, which some servers send as an object.
pub(super) fn arguments_text(arguments: Option<Value>) -> String {
    match arguments {
        None => String::new(),
        Some(Value::String(text)) => text,
        Some(object) => object.to_string(),
    }
}

/// Writes `tool_calls`; none when there are none.
pub(super) fn write_calls(pieces: &[Content]) -> Option<Value> {
    let calls: Vec<Value> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Content::ToolCall(call) => {
                Some(json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": call.arguments } }))
            }
            _ => None,
        })
        .collect();
    (!calls.is_empty()).then_some(Value::Array(calls))
}

/// Reads the content of an assistant message, in the canonical order: thinking, text, refusal,
/// calls.
pub(super) fn read_assistant(fields: &mut Fields) -> Result<Vec<Content>, ReadError> {
    let mut pieces = take_reasoning(fields)?;
    let path = fields.at("content");
    pieces.extend(read(fields.take("content")?, &path)?);
    let refusal: Option<String> = fields.take("refusal")?;
    pieces.extend(
        refusal
            .filter(|text| !text.is_empty())
            .map(|text| Content::Refusal { text }),
    );
    for call in fields.take_objects("tool_calls")? {
        pieces.push(read_call(call)?);
    }
    Ok(pieces)
}

/// Returns true if the piece is a part of `content`, with no field of its own.
const fn is_part(piece: &Content) -> bool {
    matches!(
        piece,
        Content::Text { .. } | Content::Image(_) | Content::Unknown { .. }
    )
}

/// Writes the content of an assistant message.
pub(super) fn write_assistant(pieces: &[Content], extra: &Extra, reasoning_field: &str) -> Value {
    let said = write(pieces.iter().filter(|piece| is_part(piece)), false);
    let refusal = pieces.iter().find_map(|piece| {
        if let Content::Refusal { text } = piece {
            Some(text.as_str())
        } else {
            None
        }
    });
    let calls = write_calls(pieces);
    // Servers refuse a message without any content.
    let silent = if calls.is_some() || refusal.is_some() {
        Value::Null
    } else {
        Value::from("")
    };
    let object = Object::new()
        .with("role", "assistant")
        .with("content", said.unwrap_or(silent))
        .with_some("refusal", refusal);
    with_reasoning(object, pieces, reasoning_field)
        .with_some("tool_calls", calls)
        .with_extra(extra, &[])
        .build()
}
