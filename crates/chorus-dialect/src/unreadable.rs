//! Events of a stream that are no JSON of their dialect.

use chorus_core::llm::StreamEvent;

use crate::{ReadError, WireError};

/// Letters of a text that are shown.
const MOST_LETTERS: usize = 120;

/// Returns the error of an unreadable event. Text that is no JSON is a server's own message and is
/// shown; a part of JSON may be a model's text and is not.
pub(crate) fn event(data: &str, error: &ReadError) -> (StreamEvent, Option<WireError>) {
    let is_prose = !data.trim_start().starts_with(['{', '[', '"']);
    let found = is_prose.then(|| WireError::read(data.as_bytes()));
    let message = match &found {
        Some(found) => {
            let text: String = found.message.chars().take(MOST_LETTERS).collect();
            format!("an event of the stream is no JSON: {text}")
        }
        None => format!(
            "an event of the stream, {} bytes, cannot be read: {error}",
            data.len()
        ),
    };
    let kind = "unreadable_event".to_owned();
    (StreamEvent::Error { kind, message }, found)
}
