//! Query parameters of a route: each known one at most once, every other one refused.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::api_error::ApiError;

/// Decoded parameters of one request, by name.
#[derive(Debug)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads the query; an unknown parameter is refused, because it was meant to have an effect.
    pub(crate) fn read(text: Option<&str>, known: &[&str]) -> Result<Self, ApiError> {
        let mut found = BTreeMap::new();
        for pair in text
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name), decoded(value));
            if !known.contains(&name.as_str()) {
                let expected = if known.is_empty() {
                    "none is taken here".to_owned()
                } else {
                    format!("expected one of: {}", known.join(", "))
                };
                return Err(ApiError::field(
                    format!("{name:.64}"),
                    format!("unknown parameter, {expected}"),
                ));
            }
            if found.insert(name.clone(), value).is_some() {
                return Err(ApiError::field(name, "it is given twice"));
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
    ) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let message = || {
            format!(
                "it must be a whole number from {} to {}",
                range.start(),
                range.end()
            )
        };
        number
            .map(Some)
            .ok_or_else(|| ApiError::field(name, message()))
    }

    /// One of a set of values.
    pub(crate) fn choice<'v>(
        &self,
        name: &str,
        values: &[&'v str],
    ) -> Result<Option<&'v str>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let value = values.iter().find(|value| **value == text).copied();
        value
            .map(Some)
            .ok_or_else(|| ApiError::field(name, format!("expected one of: {}", values.join(", "))))
    }
}

/// Decodes `+` and `%XX`; a `%` without two hex digits stays as it is.
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
        assert_eq!(query.choice("other", &["zip"]), Ok(None));
        assert!(query.choice("cursor", &["zip"]).is_err());
        for wrong in ["limits=1", "limit=1&limit=2"] {
            assert!(
                Query::read(Some(wrong), &["limit", "cursor"]).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_refused_parameter_is_named_with_what_is_expected() {
        let error = |text: &str, known: &[&str]| {
            let error = Query::read(Some(text), known).expect_err("it is refused");
            let problem = error.body("").error;
            (problem.field.unwrap_or_default(), problem.message)
        };
        let field = "limits".to_owned();
        assert_eq!(
            error("limits=1", &["limit", "cursor"]),
            (
                field.clone(),
                "unknown parameter, expected one of: limit, cursor".to_owned()
            )
        );
        assert_eq!(
            error("limits", &[]),
            (field, "unknown parameter, none is taken here".to_owned())
        );
        assert_eq!(
            error("after=1&%61fter=2", &["after"]),
            ("after".to_owned(), "it is given twice".to_owned()),
            "names are compared once decoded"
        );
    }

    #[test]
    fn escapes_are_decoded_and_broken_ones_kept() {
        let cases = [
            ("a%20b", "a b"),
            ("a+b", "a b"),
            ("%C3%9C", "Ü"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%ff", "\u{fffd}"),
            ("100%é", "100%é"),
        ];
        for (text, plain) in cases {
            assert_eq!(decoded(text), plain, "{text}");
        }
    }
}
