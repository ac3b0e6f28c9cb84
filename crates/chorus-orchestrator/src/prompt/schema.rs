//! Builders of JSON schemas in the subset that the strict modes of all providers share: every property is required,
//! no other is allowed.

use serde_json::{Map, Value, json};

/// Schema of an object with exactly these properties.
pub(super) fn object(properties: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> = properties
        .iter()
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false})
}

/// Schema of a list of such elements.
pub(super) fn list(items: &Value) -> Value {
    json!({"type": "array", "items": items})
}

/// Schema of a string.
pub(super) fn text() -> Value {
    json!({"type": "string"})
}

/// Schema of a string or null.
pub(super) fn text_or_null() -> Value {
    json!({"type": ["string", "null"]})
}

/// Schema of a list of strings.
pub(super) fn texts() -> Value {
    list(&text())
}

/// Properties of a question to the client.
pub(super) fn question() -> Vec<(&'static str, Value)> {
    vec![
        ("text", text()),
        ("why", text()),
        ("options", texts()),
        ("default", text()),
    ]
}
