//! Content blocks, the same in requests and replies: the wire form of [`Content`].

use chorus_core::llm::{CacheHint, Content, Image, ImageSource, ToolCall, ToolResult};
use serde_json::{Value, json};

use crate::ReadError;
use crate::fields::{Fields, Object};

/// Reads `content`: nothing, a text, or a list of blocks.
pub(super) fn read_all(value: Option<Value>, path: &str) -> Result<Vec<Content>, ReadError> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(Vec::from_iter(
            (!text.is_empty()).then(|| Content::text(text)),
        )),
        Some(Value::Array(blocks)) => blocks
            .into_iter()
            .enumerate()
            .map(|(index, block)| read(block, &format!("{path}[{index}]")))
            .collect(),
        Some(_) => Err(ReadError::new(path, "expected a text or a list of blocks")),
    }
}

fn read(value: Value, path: &str) -> Result<Content, ReadError> {
    let mut fields = Fields::of(value, path)?;
    let content = match fields.text("type") {
        Some("text") => {
            fields.take::<Value>("type")?;
            let text = fields.need("text")?;
            let cache = fields
                .take_object("cache_control")?
                .map(|mut hint| hint.take("ttl"))
                .transpose()?;
            Content::Text {
                text,
                cache: cache.map(|ttl| CacheHint { ttl }),
                extra: fields.rest(),
            }
        }
        Some("thinking") => {
            let signature: Option<String> = fields.take("signature")?;
            Content::Reasoning {
                text: fields.need("thinking")?,
                signature: signature.filter(|proof| !proof.is_empty()),
                redacted: None,
            }
        }
        Some("redacted_thinking") => Content::Reasoning {
            text: String::new(),
            signature: None,
            redacted: Some(fields.need("data")?),
        },
        Some("tool_use") => {
            let input = fields.take::<Value>("input")?.unwrap_or_else(|| json!({}));
            Content::ToolCall(ToolCall {
                id: fields.need("id")?,
                name: fields.need("name")?,
                arguments: input.to_string(),
            })
        }
        Some("tool_result") => {
            let path = fields.at("content");
            let content = read_all(fields.take("content")?, &path)?;
            let is_error = fields.take("is_error")?.unwrap_or(false);
            Content::ToolResult(ToolResult {
                call_id: fields.need("tool_use_id")?,
                content,
                is_error,
            })
        }
        Some("image") => match read_source(&fields) {
            Some(source) => Content::Image(Image {
                source,
                detail: None,
            }),
            None => Content::Unknown {
                value: fields.into_value(),
            },
        },
        Some(_) => Content::Unknown {
            value: fields.into_value(),
        },
        None => return Err(ReadError::new(fields.at("type"), "is missing")),
    };
    Ok(content)
}

fn read_source(block: &Fields) -> Option<ImageSource> {
    let source = block.get("source")?;
    let text = |name: &str| source.get(name).and_then(Value::as_str).map(str::to_owned);
    match source.get("type")?.as_str()? {
        "base64" => Some(ImageSource::Inline {
            media_type: text("media_type")?,
            base64: text("data")?,
        }),
        "url" => Some(ImageSource::Url { url: text("url")? }),
        _ => None,
    }
}

/// Writes one piece; none for a piece that Anthropic refuses, an empty text.
pub(super) fn write(piece: &Content) -> Option<Value> {
    match piece {
        Content::Text { text, .. } | Content::Refusal { text } if text.is_empty() => None,
        Content::Text { text, cache, extra } => {
            let cache = cache.as_ref().map(|hint| {
                Object::new()
                    .with("type", "ephemeral")
                    .with_some("ttl", hint.ttl.as_deref())
                    .build()
            });
            let block = Object::new()
                .with("type", "text")
                .with("text", text.as_str())
                .with_some("cache_control", cache);
            Some(block.with_extra(extra, &["annotations"]).build())
        }
        Content::Refusal { text } => Some(json!({ "type": "text", "text": text })),
        Content::Reasoning {
            redacted: Some(data),
            ..
        } => Some(json!({ "type": "redacted_thinking", "data": data })),
        Content::Reasoning {
            text, signature, ..
        } => Some(
            json!({ "type": "thinking", "thinking": text, "signature": signature.as_deref().unwrap_or("") }),
        ),
        Content::ToolCall(call) => Some(
            json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": input_of(&call.arguments) }),
        ),
        Content::ToolResult(result) => {
            let said = match &result.content[..] {
                [
                    Content::Text {
                        text,
                        cache: None,
                        extra,
                    },
                ] if extra.is_empty() => Value::from(text.as_str()),
                pieces => pieces.iter().filter_map(write).collect(),
            };
            let block = Object::new()
                .with("type", "tool_result")
                .with("tool_use_id", result.call_id.as_str())
                .with("content", said);
            Some(
                block
                    .with_some("is_error", result.is_error.then_some(true))
                    .build(),
            )
        }
        Content::Image(image) => {
            let source = match &image.source {
                ImageSource::Url { url } => json!({ "type": "url", "url": url }),
                ImageSource::Inline { media_type, base64 } => {
                    json!({ "type": "base64", "media_type": media_type, "data": base64 })
                }
            };
            Some(json!({ "type": "image", "source": source }))
        }
        Content::Unknown { value } => Some(value.clone()),
    }
}

/// Returns the arguments as an object, the only form that Anthropic takes; arguments that were cut
/// off stand as they are under one name.
fn input_of(arguments: &str) -> Value {
    match serde_json::from_str(arguments) {
        Ok(Value::Object(map)) => Value::Object(map),
        _ if arguments.trim().is_empty() => json!({}),
        _ => json!({ "arguments": arguments }),
    }
}
