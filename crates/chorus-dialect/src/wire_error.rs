//! An error in the terms of a body, wherever the body stands: under a status, in an envelope with
//! 200, in an event of a stream, on a web page.
//!
//! [`FailureClass`](chorus_core::failure::FailureClass) classifies it elsewhere, by the
//! catalogue's rules. `fields` reads the forms of JSON, `page` reads HTML, `meaning` derives a
//! status where the server gave none, `quota` reads limits; [`wait`](crate::wait) reads the waits.

mod fields;
mod meaning;
mod page;
mod quota;

use chorus_core::limit::ObservedLevel;
use chorus_core::llm::StreamEvent;
use serde_json::{Map, Value};

use crate::sse;
use crate::wait::{self, Wait};

/// [`WireError::kind`] of a web page.
pub const WEB_PAGE: &str = "web_page";

/// Contents of an error body.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WireError {
    /// The error's `type`, or Google's `status`; [`WEB_PAGE`] for a page.
    pub kind: Option<String>,
    /// The error's `code`, also where it hides in `details`.
    pub code: Option<String>,
    /// HTTP status that the body itself reports.
    pub status: Option<u16>,
    /// Message for people, in one line of at most 1,000 characters.
    pub message: String,
    /// Other fields of the body, as text: some providers hide the quota's name there.
    pub details: String,
    /// Wait that the body asks for.
    pub wait: Option<Wait>,
    /// Limits that the body names, with what it tells of their use.
    pub levels: Vec<ObservedLevel>,
}

impl WireError {
    /// Reads the error bodies of OpenAI, Anthropic, Google and similar servers; prose becomes the
    /// message, a web page its title.
    pub(crate) fn read(body: &[u8]) -> Self {
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        let begin = body.trim_ascii_start();
        if begin.starts_with(b"<") {
            return Self::of_page(begin);
        }
        if let Some(value) = first_value(begin) {
            return Self::of_value(&value);
        }
        // An error in the form of an event, with or without the header of a stream.
        let mut lines = sse::Parser::new();
        let mut events = lines.push(begin);
        events.extend(lines.close());
        let value = events
            .iter()
            .find_map(|event| first_value(event.data.as_bytes()));
        match value {
            Some(value) => Self::of_value(&value),
            None => Self::of_prose(&String::from_utf8_lossy(begin)),
        }
    }

    /// Reads the error of a whole JSON body with status 200; none for a body that reports none,
    /// such as a reply.
    pub fn in_reply(body: &Value) -> Option<Self> {
        fields::reports_error(body).then(|| Self::of_value(body))
    }

    /// Reads the error of a JSON object that is neither a reply nor a part of one, such as a list of
    /// models; none when it reports none.
    pub fn in_list(body: &Map<String, Value>) -> Option<Self> {
        fields::is_error_event(body).then(|| Self::of_value(&Value::Object(body.clone())))
    }

    /// Returns true if the data of an event report an error instead of a piece of a reply.
    pub(crate) fn is_in_event(data: &Map<String, Value>) -> bool {
        fields::is_error_event(data)
    }

    /// Returns the error as an event of a canonical stream.
    pub(crate) fn event(&self) -> StreamEvent {
        let kind = self.kind.as_ref().or(self.code.as_ref());
        StreamEvent::Error {
            kind: kind.map_or_else(|| "error".to_owned(), Clone::clone),
            message: self.message.clone(),
        }
    }

    /// Returns the HTTP status that the error means: the one in the body, else the one that its
    /// kind, its code or its words stand for. A web page is not the provider: its words say
    /// nothing about the key or the money of an account.
    pub fn meant_status(&self) -> Option<u16> {
        let is_page = self.kind.as_deref() == Some(WEB_PAGE);
        let meant = meaning::status(self).filter(|status| !is_page || *status >= 429);
        self.status.or(meant)
    }

    pub(crate) fn of_value(value: &Value) -> Self {
        let mut error = fields::read(value);
        error.wait = wait::in_fields(value)
            .or_else(|| wait::in_sentence(&error.message))
            .or_else(|| wait::in_sentence(&error.details));
        error.levels = quota::in_fields(value);
        if error.levels.is_empty() {
            error.levels.extend(quota::in_sentence(&error.message));
        }
        error.message = cleaned(&error.message);
        error
    }

    fn of_prose(text: &str) -> Self {
        Self {
            wait: wait::in_sentence(text),
            message: cleaned(text),
            ..Self::default()
        }
    }

    fn of_page(body: &[u8]) -> Self {
        let text = page::text(&String::from_utf8_lossy(body));
        Self {
            kind: Some(WEB_PAGE.to_owned()),
            wait: wait::in_sentence(&text),
            message: cleaned(&format!("a web page answered: {text}")),
            ..Self::default()
        }
    }
}

/// Returns the first JSON object or list of a body; what is glued behind it is ignored.
fn first_value(body: &[u8]) -> Option<Value> {
    if !matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return None;
    }
    serde_json::Deserializer::from_slice(body)
        .into_iter::<Value>()
        .next()?
        .ok()
}

/// Returns a text in one line without control characters, of at most 1,000 characters.
pub(crate) fn cleaned(text: &str) -> String {
    const LONGEST: usize = 1_000;
    let mut line = String::new();
    let mut length = 0;
    for letter in text.trim().chars() {
        let blank = letter.is_whitespace() || letter.is_control();
        if blank && line.ends_with(' ') {
            continue;
        }
        if length == LONGEST {
            line.push('…');
            break;
        }
        line.push(if blank { ' ' } else { letter });
        length += 1;
    }
    line
}

#[cfg(test)]
mod tests;
