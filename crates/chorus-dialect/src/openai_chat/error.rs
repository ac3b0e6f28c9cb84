//! The error body of OpenAI-compatible servers.

use serde_json::Value;

use crate::WireError;
use crate::fields::Object;

/// Reads an error body; a body that is no JSON becomes [`WireError::message`].
pub fn read_error(body: &[u8]) -> WireError {
    WireError::read(body)
}

/// Writes an error body for a client.
pub fn write_error(error: &WireError) -> Value {
    let inner = Object::new()
        .with("message", error.message.as_str())
        .with("type", error.kind.as_deref().unwrap_or("api_error"))
        .with("param", Value::Null)
        .with(
            "code",
            error.code.as_deref().map_or(Value::Null, Value::from),
        );
    Object::new().with("error", inner.build()).build()
}
