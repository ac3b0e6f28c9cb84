//! Query parameters: the known ones, each at most once.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::fault::Fault;

/// The parameters of one request.
#[derive(Debug)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads them; a parameter that the route does not know is refused, for it was meant to do something.
    pub(crate) fn read(text: Option<&str>, known: &[&str]) -> Result<Self, Fault> {
        let mut found = BTreeMap::new();
        for pair in text
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name), decoded(value));
            if !known.contains(&name.as_str()) {
                let words = if known.is_empty() {
                    "none is taken here".to_owned()
                } else {
                    format!("expected one of: {}", known.join(", "))
                };
                return Err(Fault::field(
                    format!("{name:.64}"),
                    format!("unknown parameter, {words}"),
                ));
            }
            if found.insert(name.clone(), value).is_some() {
                return Err(Fault::field(name, "it is given twice"));
            }
        }
        Ok(Self(found))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A whole number in a range.
    pub(crate) fn number(
        &self,
        name: &str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Fault> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let words = || {
            format!(
                "it must be a whole number from {} to {}",
                range.start(),
                range.end()
            )
        };
        number.map(Some).ok_or_else(|| Fault::field(name, words()))
    }

    /// One of some words.
    pub(crate) fn word<'w>(&self, name: &str, words: &[&'w str]) -> Result<Option<&'w str>, Fault> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let word = words.iter().find(|word| **word == text).copied();
        word.map(Some)
            .ok_or_else(|| Fault::field(name, format!("expected one of: {}", words.join(", "))))
    }
}

/// The text behind `+` and `%XX`; what is no such escape stays as it is.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| {
                text.get(at + 1..at + 3)
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            })
            .flatten();
        plain.push(escape.unwrap_or(if bytes[at] == b'+' { b' ' } else { bytes[at] }));
        at += if escape.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_unknown_ones_are_named() {
        let query = Query::read(Some("limit=%31%30&cursor=a+b%"), &["limit", "cursor"])
            .expect("both are known");
        assert_eq!(
            (query.number("limit", 1..=100), query.text("cursor")),
            (Ok(Some(10)), Some("a b%"))
        );
        assert!(query.number("limit", 1..=9).is_err());
        assert!(query.number("cursor", 1..=9).is_err());
        assert_eq!(query.word("other", &["zip"]), Ok(None));
        assert!(query.word("cursor", &["zip"]).is_err());
        for wrong in ["limits=1", "limit=1&limit=2"] {
            assert!(
                Query::read(Some(wrong), &["limit", "cursor"]).is_err(),
                "{wrong}"
            );
        }
    }
}
