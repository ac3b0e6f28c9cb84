//! Reads JSON bodies of a known form; a refusal names the path of the wrong field.

use serde::de::DeserializeOwned;

use crate::api_error::ApiError;
use crate::error_code::ErrorCode;

/// Maximum number of characters of a parser's message that are passed on.
const MAX_MESSAGE: usize = 300;

/// Reads a whole body as one JSON value.
pub(crate) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let malformed = |error: &serde_json::Error| {
        let message: String = error.to_string().chars().take(MAX_MESSAGE).collect();
        ApiError::new(
            ErrorCode::MalformedRequest,
            format!("the body is not JSON: {message}"),
        )
    };
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let inner = error.inner();
        if !inner.is_data() {
            return malformed(inner);
        }
        let message: String = inner.to_string().chars().take(MAX_MESSAGE).collect();
        let path = error.path().to_string();
        ApiError::field(if path == "." { "body".to_owned() } else { path }, message)
    })?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{Rejection, Submission};

    #[test]
    fn a_refusal_names_the_path_of_the_wrong_field() {
        let cases = [
            (r#"{"brief": 7}"#, "brief"),
            (
                r#"{"brief": "x", "attachments": [{"name": "a", "text": "b"}, {"name": 7}]}"#,
                "attachments[1].name",
            ),
            (r#"{"brief": "x", "approve": "never"}"#, "approve"),
            (r#"{"brief": "x", "budget": 1}"#, "budget"),
            (r#"{}"#, "body"),
            ("[]", "body"),
        ];
        for (body, field) in cases {
            let error = read_json::<Submission>(body.as_bytes()).expect_err("it is refused");
            assert_eq!(error.code(), ErrorCode::InvalidField, "{body}");
            assert_eq!(error.body("").error.field.as_deref(), Some(field), "{body}");
        }
    }

    #[test]
    fn text_that_is_not_one_json_value_is_malformed() {
        for body in ["", "{", "{\"reason\": \"x\"} {}", "reason", "\"\u{0}\""] {
            let error = read_json::<Rejection>(body.as_bytes()).expect_err("it is refused");
            assert_eq!(error.code(), ErrorCode::MalformedRequest, "{body:?}");
            let message = error.body("").error.message;
            assert!(message.starts_with("the body is not JSON: "), "{message}");
        }
    }

    #[test]
    fn a_long_complaint_is_cut() {
        let body = format!("{{\"brief\": \"x\", \"{}\": 1}}", "y".repeat(10_000));
        let error = read_json::<Submission>(body.as_bytes()).expect_err("it is refused");
        assert_eq!(error.body("").error.message.chars().count(), MAX_MESSAGE);
    }
}
