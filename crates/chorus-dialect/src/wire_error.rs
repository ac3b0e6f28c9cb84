//! An error in the terms of a dialect's body; [`FailureClass`](chorus_core::failure::FailureClass)
//! classifies it elsewhere, by the catalogue's rules.

use chorus_core::time::Millis;
use serde_json::Value;

/// Contents of an error body.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WireError {
    /// The error's `type`, or Google's `status`.
    pub kind: Option<String>,
    /// The error's `code`, also where it hides in `details`.
    pub code: Option<String>,
    /// Message for people.
    pub message: String,
    /// All other fields of the body, as text: some providers hide the quota's name there.
    pub details: String,
    /// Time for which the body asks the caller to stay away.
    pub retry_after: Option<Millis>,
}

impl WireError {
    /// Reads the error bodies of OpenAI, Anthropic, Google and similar servers; prose becomes the
    /// message.
    pub(crate) fn read(body: &[u8]) -> Self {
        let first = match serde_json::from_slice::<Value>(body) {
            Ok(Value::Array(mut items)) if !items.is_empty() => items.swap_remove(0),
            Ok(other) => other,
            Err(_) => return Self::prose(&String::from_utf8_lossy(body)),
        };
        let error = match first.get("error") {
            Some(Value::String(text)) => return Self::prose(text),
            Some(error) => error,
            None => &first,
        };
        Self::of_object(error)
    }

    fn of_object(error: &Value) -> Self {
        let details = error.get("details");
        let nested_code = details.and_then(|details| details.get("error_code"));
        let message = text(error.get("message"))
            .or_else(|| text(error.get("detail")))
            .unwrap_or_default();
        Self {
            kind: text(error.get("type")).or_else(|| text(error.get("status"))),
            code: text(nested_code).or_else(|| text(error.get("code"))),
            retry_after: hidden_delay(error).or_else(|| spoken_delay(&message)),
            message: if message.is_empty() {
                shortened(&error.to_string())
            } else {
                shortened(&message)
            },
            details: details.map(Value::to_string).unwrap_or_default(),
        }
    }

    fn prose(text: &str) -> Self {
        Self {
            message: shortened(text.trim()),
            ..Self::default()
        }
    }
}

/// Reads Google's `RetryInfo.retryDelay`, for instance `38.2s`.
fn hidden_delay(error: &Value) -> Option<Millis> {
    let details = error.get("details")?.as_array()?;
    details
        .iter()
        .find_map(|detail| seconds(detail.get("retryDelay")?.as_str()?))
}

/// Reads a delay in the message: "Please try again in 5.289s" or "in 120ms".
fn spoken_delay(message: &str) -> Option<Millis> {
    let (_, rest) = message.split_once("try again in ")?;
    seconds(rest.split_whitespace().next()?.trim_end_matches('.'))
}

fn seconds(text: &str) -> Option<Millis> {
    let (number, scale) = match text.strip_suffix("ms") {
        Some(number) => (number, 1.0),
        None => (text.strip_suffix('s')?, 1000.0),
    };
    let millis = number.parse::<f64>().ok()? * scale;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded right here"
    )]
    (0.0..1e12)
        .contains(&millis)
        .then(|| Millis(millis.ceil() as u64))
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 2_000;
    if text.chars().count() <= LONGEST {
        text.to_owned()
    } else {
        text.chars().take(LONGEST).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        body: &str,
        kind: Option<&str>,
        code: Option<&str>,
        message: &str,
        retry_after: Option<u64>,
    ) {
        let error = WireError::read(body.as_bytes());
        assert_eq!(
            (
                error.kind.as_deref(),
                error.code.as_deref(),
                error.message.as_str()
            ),
            (kind, code, message)
        );
        assert_eq!(error.retry_after, retry_after.map(Millis));
    }

    #[test]
    fn each_family_of_error_bodies_is_read() {
        check(
            r#"{"error":{"message":"Rate limit. Please try again in 5.289s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
            Some("tokens"),
            Some("rate_limit_exceeded"),
            "Rate limit. Please try again in 5.289s.",
            Some(5289),
        );
        check(
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
            Some("rate_limit_error"),
            Some("enforced_spend_limit_reached"),
            "m",
            None,
        );
        check(
            r#"[{"error":{"code":429,"message":"q","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"38.2s"}]}}]"#,
            Some("RESOURCE_EXHAUSTED"),
            Some("429"),
            "q",
            Some(38_200),
        );
    }

    #[test]
    fn prose_and_odd_forms_become_the_message() {
        check(
            "<html>bad gateway</html>\n",
            None,
            None,
            "<html>bad gateway</html>",
            None,
        );
        check(
            r#"{"error":"model not loaded"}"#,
            None,
            None,
            "model not loaded",
            None,
        );
        check(r#"{"detail":"Not Found"}"#, None, None, "Not Found", None);
        check("", None, None, "", None);
    }
}
