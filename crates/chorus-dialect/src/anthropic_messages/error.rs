//! The error body of Anthropic Messages.

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
        .with("type", error.kind.as_deref().unwrap_or("api_error"))
        .with("message", error.message.as_str());
    Object::new()
        .with("type", "error")
        .with("error", inner.build())
        .build()
}
