//! The forms of JSON in which servers report errors.
//!
//! Seen in the wild: `{"error":{…}}`, `{"error":"…"}`, `{"errors":[…]}`, `[{"error":…}]`,
//! `{"code":429,"msg":"…"}`, `{"detail":[{"msg":"…"}]}`, `{"base_resp":{"status_code":1002}}`,
//! `{"error":"invalid_grant","error_description":"…"}`, and errors as JSON inside a message.

use serde_json::{Map, Value};

use super::WireError;

/// Fields that hold the message, the likeliest first.
const MESSAGES: [&str; 16] = [
    "message",
    "msg",
    "detail",
    "error_description",
    "error_message",
    "errorMessage",
    "error_msg",
    "errorMsg",
    "status_msg",
    "statusMessage",
    "err_msg",
    "description",
    "reason",
    "title",
    "text",
    "error",
];
const CODES: [&str; 7] = [
    "code",
    "error_code",
    "errorCode",
    "err_code",
    "status_code",
    "statusCode",
    "http_status",
];
const KINDS: [&str; 5] = ["type", "status", "error_type", "errorType", "__type"];
/// Fields with text that joins [`WireError::details`].
const DETAILS: [&str; 4] = ["details", "metadata", "param", "failed_generation"];
/// Objects that hold the error itself.
const INNER: [&str; 5] = ["error", "errors", "base_resp", "fault", "response"];

/// Depth of errors within errors that is followed.
const DEEPEST: u8 = 4;
const LONGEST_DETAILS: usize = 4_000;

/// Returns true if a whole body with status 200 reports an error instead of a reply.
pub(super) fn reports_error(body: &Value) -> bool {
    let Value::Object(map) = body else {
        return matches!(body, Value::Array(items) if items.first().is_some_and(reports_error));
    };
    if has_error(map) {
        return true;
    }
    let choice = map.get("choices").and_then(|choices| choices.get(0));
    if choice.and_then(Value::as_object).is_some_and(has_error) {
        return true;
    }
    let is_reply = map.contains_key("choices")
        || map.contains_key("content")
        || map.get("object").is_some_and(|object| object != "error");
    !is_reply && !map.is_empty()
}

/// Returns true if an event of a stream reports an error: it has one, or it has no choices but a
/// code and a message.
pub(super) fn is_error_event(event: &Map<String, Value>) -> bool {
    let choices = event.get("choices");
    let choice = choices.and_then(|choices| choices.get(0)?.as_object());
    let has_any = |names: &[&str]| names.iter().any(|name| event.contains_key(*name));
    has_error(event)
        || choice.is_some_and(has_error)
        || choices.is_none() && event.get("error").is_some_and(|error| !error.is_null())
        || choices.is_none() && !event.contains_key("type") && has_any(&CODES) && has_any(&MESSAGES)
}

/// Returns true if the field `error` holds an error: an empty one counts in a body without a reply
/// only.
fn has_error(map: &Map<String, Value>) -> bool {
    map.get("error").is_some_and(|error| !is_blank(error))
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_blank),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// Reads a body that reports an error; waits are not read here, the message is not shortened.
pub(super) fn read(value: &Value) -> WireError {
    let mut error = WireError::default();
    collect(value, &mut error, 0);
    if error.message.trim().is_empty() {
        error.message = match value {
            Value::Object(map) if map.contains_key("error") && !has_error(map) => {
                "an error without any text".to_owned()
            }
            other => other.to_string(),
        };
    }
    error
}

/// Takes what is known from the innermost error outwards, so that the inner text wins.
fn collect(value: &Value, error: &mut WireError, depth: u8) {
    match value {
        Value::Array(items) => {
            if let Some(first) = items.first().filter(|_| depth < DEEPEST) {
                collect(first, error, depth + 1);
            }
        }
        Value::String(text) => collect_text(text, error, depth),
        Value::Object(map) => collect_object(map, error, depth),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Reads a text that may itself be an error in JSON.
fn collect_text(text: &str, error: &mut WireError, depth: u8) {
    let begin = text.find('{').filter(|_| depth < DEEPEST);
    let nested = begin.and_then(|at| super::first_value(&text.as_bytes()[at..]));
    if let Some(nested @ Value::Object(_)) = nested {
        collect(&nested, error, depth + 1);
    }
    if error.message.is_empty() {
        text.clone_into(&mut error.message);
    }
}

fn collect_object(map: &Map<String, Value>, error: &mut WireError, depth: u8) {
    if depth < DEEPEST {
        let choice = map.get("choices").and_then(|choices| choices.get(0));
        let inner = INNER.iter().filter_map(|name| map.get(*name));
        for value in inner.chain(choice).filter(|value| !is_blank(value)) {
            if matches!(value, Value::Object(_) | Value::Array(_)) {
                collect(value, error, depth + 1);
            }
        }
    }
    let raw = map.get("metadata").and_then(|more| more.get("raw"));
    let raw = raw.and_then(Value::as_str).filter(|text| !text.is_empty());
    for name in MESSAGES {
        if !error.message.is_empty() {
            break;
        }
        match map.get(name) {
            Some(Value::String(text)) => collect_text(text, error, depth + 1),
            Some(inner @ (Value::Object(_) | Value::Array(_))) if depth < DEEPEST => {
                collect(inner, error, depth + 1);
            }
            _ => {}
        }
    }
    if let Some(raw) = raw {
        let mut upstream = WireError::default();
        collect_text(raw, &mut upstream, depth + 1);
        error.message = format!("{}: {}", error.message, upstream.message);
    }
    collect_names(map, error);
}

fn collect_names(map: &Map<String, Value>, error: &mut WireError) {
    let nested = map.get("details").and_then(|more| more.get("error_code"));
    let codes = || CODES.iter().filter_map(|name| map.get(*name));
    if error.code.is_none() {
        error.code = text(nested).or_else(|| codes().find_map(|value| text(Some(value))));
    }
    if error.kind.is_none() {
        let kinds = KINDS.iter().filter_map(|name| map.get(*name)?.as_str());
        // The outer `"type": "error"` of Anthropic says nothing.
        error.kind = kinds
            .filter(|kind| *kind != "error" && !kind.is_empty())
            .map(str::to_owned)
            .next();
    }
    if error.status.is_none() {
        let numbers = codes().chain(map.get("status"));
        error.status = numbers
            .filter_map(number)
            .find(|code| (400..600).contains(code));
    }
    // An OAuth error has its name in `error` and its text beside it.
    if let Some(Value::String(name)) = map.get("error")
        && error.kind.is_none()
        && !name.contains(' ')
        && *name != error.message
    {
        error.kind = Some(name.clone());
    }
    for value in DETAILS.iter().filter_map(|name| map.get(*name)) {
        if !is_blank(value) && error.details.len() < LONGEST_DETAILS {
            let more = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            error.details.extend(more.chars().take(LONGEST_DETAILS));
        }
    }
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Number(number) => u16::try_from(number.as_u64()?).ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
