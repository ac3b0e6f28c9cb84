//! Reading of JSON objects field by field, so that fields without a name here are left over, and
//! writing of objects in order. Every codec of this crate uses it.

use chorus_core::llm::Extra;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Reason why a body does not follow its dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ReadError {
    /// Place in the body, for instance `messages[2].content`.
    pub path: String,
    /// Description of the value found there and of the expected one.
    pub message: String,
}

impl ReadError {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

/// Parses a whole body; blank lines and a byte order mark before it are skipped.
pub(crate) fn parse(body: &[u8]) -> Result<Fields, ReadError> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let value = serde_json::from_slice(body)
        .map_err(|error| ReadError::new("body", format!("not JSON: {error}")))?;
    Fields::of(value, "")
}

/// Fields of one object that have not been taken yet.
#[derive(Debug)]
pub(crate) struct Fields {
    path: String,
    map: Map<String, Value>,
}

impl Fields {
    pub(crate) fn of(value: Value, path: impl Into<String>) -> Result<Self, ReadError> {
        let path = path.into();
        match value {
            Value::Object(map) => Ok(Self { path, map }),
            other => Err(ReadError::new(
                or_body(&path),
                format!("expected an object, found {}", name_of(&other)),
            )),
        }
    }

    /// Takes a field; `null` is the same as absent.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, ReadError> {
        match self.map.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let found = name_of(&value);
                serde_json::from_value(value).map(Some).map_err(|error| {
                    ReadError::new(self.at(name), format!("found {found}: {error}"))
                })
            }
        }
    }

    /// Takes a field that must be there.
    pub(crate) fn need<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, ReadError> {
        self.take(name)?
            .ok_or_else(|| ReadError::new(self.at(name), "is missing"))
    }

    /// Takes a field; none when it is absent or has the wrong type.
    pub(crate) fn take_lenient<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        self.take(name).ok().flatten()
    }

    /// Takes an object; none when it is absent.
    pub(crate) fn take_object(&mut self, name: &str) -> Result<Option<Self>, ReadError> {
        let path = self.at(name);
        self.take::<Value>(name)?
            .map(|value| Self::of(value, path))
            .transpose()
    }

    /// Takes a list of objects; empty when it is absent.
    pub(crate) fn take_objects(&mut self, name: &str) -> Result<Vec<Self>, ReadError> {
        let path = self.at(name);
        let items: Vec<Value> = self.take(name)?.unwrap_or_default();
        items
            .into_iter()
            .enumerate()
            .map(|(index, item)| Self::of(item, format!("{path}[{index}]")))
            .collect()
    }

    /// Returns the fields that are left.
    pub(crate) const fn fields(&self) -> &Map<String, Value> {
        &self.map
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// Returns a field and leaves it in place.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.map.get(name)
    }

    /// Returns the text of a field and leaves it in place.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.map.get(name).and_then(Value::as_str)
    }

    /// Returns the path of a field, for messages.
    pub(crate) fn at(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Returns the fields that were not taken, without those that are `null`.
    pub(crate) fn rest(self) -> Extra {
        self.map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect()
    }

    /// Returns the whole object as it stands.
    pub(crate) fn into_value(self) -> Value {
        Value::Object(self.map)
    }
}

/// An object being written, in the order of the calls.
#[derive(Debug, Default)]
pub(crate) struct Object(Map<String, Value>);

impl Object {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds fields that are carried through, except those in `foreign` and those already written.
    pub(crate) fn with_extra(mut self, extra: &Extra, foreign: &[&str]) -> Self {
        for (name, value) in extra {
            if !foreign.contains(&name.as_str()) && !self.0.contains_key(name) {
                self.0.insert(name.clone(), value.clone());
            }
        }
        self
    }

    pub(crate) fn build(self) -> Value {
        Value::Object(self.0)
    }
}

fn or_body(path: &str) -> &str {
    if path.is_empty() { "body" } else { path }
}

const fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
