//! Limits that the text of a refusal names: "Limit 30000, Used 29000, Requested 4000", "rate limit of 50
//! requests per minute", the violations of Google's `QuotaFailure`.

use chorus_core::limit::{Dimension, ObservedLevel};
use chorus_core::time::Millis;
use serde_json::Value;

const SECOND: Millis = Millis(1_000);
const MINUTE: Millis = Millis(60_000);
const DAY: Millis = Millis(86_400_000);

/// Parts of names of limits in lower case without blanks, the most special first.
const DIMENSIONS: [(&str, Dimension); 8] = [
    ("inputtoken", Dimension::InputTokens),
    ("outputtoken", Dimension::OutputTokens),
    ("token", Dimension::TotalTokens),
    ("(tpm)", Dimension::TotalTokens),
    ("(tpd)", Dimension::TotalTokens),
    ("request", Dimension::Requests),
    ("(rpm)", Dimension::Requests),
    ("(rpd)", Dimension::Requests),
];

/// Parts of names of windows in lower case without blanks.
const WINDOWS: [(&str, Millis); 7] = [
    ("perday", DAY),
    ("(tpd)", DAY),
    ("(rpd)", DAY),
    ("permin", MINUTE),
    ("(tpm)", MINUTE),
    ("(rpm)", MINUTE),
    ("persec", SECOND),
];

/// Depth of a body that is searched for violations.
const DEEPEST: u8 = 8;

/// Finds the limit in the sentence of a refusal; none where dimension, window or amount are missing.
pub(super) fn in_sentence(text: &str) -> Option<ObservedLevel> {
    let text = text.to_lowercase();
    if let Some((name, amounts)) = text.split_once("limit of ") {
        let limit = leading_number(amounts)?;
        let of = amounts.split(['.', ';', '(']).next().unwrap_or(name);
        return level(of, limit, Some(0));
    }
    let (name, amounts) = text.split_once(": limit ")?;
    let limit = leading_number(amounts)?;
    let used = amounts
        .split_once("used ")
        .and_then(|(_, used)| leading_number(used));
    // The name of the limit stands after the last "on": the model's name may hold any word.
    let name = name.rsplit_once(" on ").map_or(name, |(_, name)| name);
    level(name, limit, used.map(|used| limit.saturating_sub(used)))
}

/// Finds the violations of Google's `QuotaFailure` anywhere in a body.
pub(super) fn in_fields(value: &Value) -> Vec<ObservedLevel> {
    let mut levels = Vec::new();
    collect(value, &mut levels, 0);
    levels
}

fn collect(value: &Value, levels: &mut Vec<ObservedLevel>, depth: u8) {
    if depth == DEEPEST {
        return;
    }
    match value {
        Value::Array(items) => {
            for item in items {
                collect(item, levels, depth + 1);
            }
        }
        Value::Object(map) => {
            levels.extend(violation(map));
            for inner in map.values() {
                collect(inner, levels, depth + 1);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn violation(map: &serde_json::Map<String, Value>) -> Option<ObservedLevel> {
    let name = map.get("quotaId")?.as_str()?.to_lowercase();
    let limit = match map.get("quotaValue")? {
        Value::String(text) => text.parse().ok()?,
        other => other.as_u64()?,
    };
    level(&name, limit, Some(0))
}

fn level(name: &str, limit: u64, remaining: Option<u64>) -> Option<ObservedLevel> {
    let name = name.replace([' ', '_', '-'], "");
    let dimension = DIMENSIONS.iter().find(|(part, _)| name.contains(part))?.1;
    let window = WINDOWS.iter().find(|(part, _)| name.contains(part))?.1;
    Some(ObservedLevel {
        dimension,
        limit: Some(limit),
        remaining,
        full_at: None,
        rounded_to: 1,
        window: Some(window),
    })
}

/// Reads a number with or without commas between thousands.
fn leading_number(text: &str) -> Option<u64> {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != ',')
        .unwrap_or(text.len());
    text[..end].replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Option<(Dimension, Millis, u64, Option<u64>)>) {
        let found = in_sentence(text);
        let found = found.map(|level| {
            let window = level.window.expect("a window");
            (
                level.dimension,
                window,
                level.limit.expect("an amount"),
                level.remaining,
            )
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn limit_and_use_are_read_from_the_sentences_of_refusals() {
        use Dimension::{InputTokens, Requests, TotalTokens};
        check(
            "Rate limit reached for m in organization o on tokens per min (TPM): Limit 30000, Used 29000, Requested 4000. Please try again in 5.289s.",
            Some((TotalTokens, MINUTE, 30_000, Some(1_000))),
        );
        check(
            "Rate limit reached for input-tokens-model on requests per day (RPD): Limit 200, Used 201, Requested 1.",
            Some((Requests, DAY, 200, Some(0))),
        );
        check(
            "Request too large for m on tokens per minute (TPM): Limit 6000, Requested 7000",
            Some((TotalTokens, MINUTE, 6_000, None)),
        );
        check(
            "This request would exceed your organization's rate limit of 30,000 input tokens per minute (org: x).",
            Some((InputTokens, MINUTE, 30_000, Some(0))),
        );
        check("Requests rate limit exceeded", None);
        check("on tokens per min: Limit many", None);
        check("rate limit of 50 apples per minute", None);
    }

    #[test]
    fn violations_of_quotas_are_read_from_the_details() {
        let body = serde_json::json!([{"error": {"details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [
                {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "20"},
                {"quotaId": "GenerateContentInputTokensPerModelPerMinute-FreeTier", "quotaValue": 250_000},
                {"quotaId": "Unknown", "quotaValue": "3"},
            ]},
        ]}}]);
        let found: Vec<_> = in_fields(&body)
            .into_iter()
            .map(|level| (level.dimension, level.window, level.limit, level.remaining))
            .collect();
        let expected = [
            (Dimension::Requests, Some(DAY), Some(20), Some(0)),
            (Dimension::InputTokens, Some(MINUTE), Some(250_000), Some(0)),
        ];
        assert_eq!(found, expected);
    }

    proptest! {
        #[test]
        fn no_sentence_panics(text in "(rate limit of |: limit |used |on |[a-z0-9,. ü]{0,9}){0,9}") {
            let _ = in_sentence(&text);
        }
    }
}
