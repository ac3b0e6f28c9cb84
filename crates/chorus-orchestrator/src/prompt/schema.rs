//! Words for JSON schemas in the subset that strict modes of all providers share: every property required, none added.

use serde_json::{Map, Value, json};

/// An object with exactly these properties.
pub(super) fn object(properties: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> = properties
        .iter()
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false})
}

/// A list of such elements.
pub(super) fn list(items: &Value) -> Value {
    json!({"type": "array", "items": items})
}

/// A text.
pub(super) fn text() -> Value {
    json!({"type": "string"})
}

/// A text or nothing.
pub(super) fn text_or_null() -> Value {
    json!({"type": ["string", "null"]})
}

/// A list of texts.
pub(super) fn texts() -> Value {
    list(&text())
}

/// A question to the client.
pub(super) fn question() -> Vec<(&'static str, Value)> {
    vec![
        ("text", text()),
        ("why", text()),
        ("options", texts()),
        ("default", text()),
    ]
}
