//! Limits as headers tell them.
//!
//! Anthropic tells when a limit will be *full* again, as a point in time, and rounds tokens to thousands;
//! OpenAI and its kin tell lengths of time as Go writes them (`6m0s`, `17ms`).

use chorus_core::catalog::LimitHeaders;
use chorus_core::limit::{Dimension, ObservedLevel};
use chorus_core::time::{Millis, Timestamp};
use http::HeaderMap;

/// All levels that an answer's headers tell of.
pub(crate) fn observed(
    form: LimitHeaders,
    headers: &HeaderMap,
    now: Timestamp,
) -> Vec<ObservedLevel> {
    match form {
        LimitHeaders::Anthropic => ANTHROPIC
            .iter()
            .filter_map(|row| anthropic(headers, row))
            .collect(),
        LimitHeaders::Openai => OPENAI
            .iter()
            .filter_map(|row| level(headers, row, |reset| Some(now + go_duration(reset)?)))
            .collect(),
        LimitHeaders::Mistral => MISTRAL
            .iter()
            .filter_map(|row| level(headers, row, |_| None))
            .collect(),
        LimitHeaders::None => Vec::new(),
    }
}

/// The names of one limit's three headers.
struct Row {
    dimension: Dimension,
    limit: &'static str,
    remaining: &'static str,
    reset: &'static str,
    rounded_to: u64,
}

const ANTHROPIC: &[Row] = &[
    Row {
        dimension: Dimension::Requests,
        limit: "anthropic-ratelimit-requests-limit",
        remaining: "anthropic-ratelimit-requests-remaining",
        reset: "anthropic-ratelimit-requests-reset",
        rounded_to: 1,
    },
    Row {
        dimension: Dimension::InputTokens,
        limit: "anthropic-ratelimit-input-tokens-limit",
        remaining: "anthropic-ratelimit-input-tokens-remaining",
        reset: "anthropic-ratelimit-input-tokens-reset",
        rounded_to: 1000,
    },
    Row {
        dimension: Dimension::OutputTokens,
        limit: "anthropic-ratelimit-output-tokens-limit",
        remaining: "anthropic-ratelimit-output-tokens-remaining",
        reset: "anthropic-ratelimit-output-tokens-reset",
        rounded_to: 1000,
    },
];

const OPENAI: &[Row] = &[
    Row {
        dimension: Dimension::Requests,
        limit: "x-ratelimit-limit-requests",
        remaining: "x-ratelimit-remaining-requests",
        reset: "x-ratelimit-reset-requests",
        rounded_to: 1,
    },
    Row {
        dimension: Dimension::TotalTokens,
        limit: "x-ratelimit-limit-tokens",
        remaining: "x-ratelimit-remaining-tokens",
        reset: "x-ratelimit-reset-tokens",
        rounded_to: 1,
    },
];

const MISTRAL: &[Row] = &[
    Row {
        dimension: Dimension::Requests,
        limit: "x-ratelimit-limit-req-minute",
        remaining: "x-ratelimit-remaining-req-minute",
        reset: "",
        rounded_to: 1,
    },
    Row {
        dimension: Dimension::TotalTokens,
        limit: "x-ratelimit-limit-tokens-minute",
        remaining: "x-ratelimit-remaining-tokens-minute",
        reset: "",
        rounded_to: 1,
    },
];

fn anthropic(headers: &HeaderMap, row: &Row) -> Option<ObservedLevel> {
    level(headers, row, |reset| {
        Some(Timestamp(
            reset.parse::<jiff::Timestamp>().ok()?.as_millisecond(),
        ))
    })
}

fn level(
    headers: &HeaderMap,
    row: &Row,
    full_at: impl FnOnce(&str) -> Option<Timestamp>,
) -> Option<ObservedLevel> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    let number = |name: &str| text(name).and_then(|value| value.parse::<u64>().ok());
    let (limit, remaining) = (number(row.limit), number(row.remaining));
    let known = limit.is_some() || remaining.is_some();
    let full_at = text(row.reset).and_then(full_at);
    known.then_some(ObservedLevel {
        dimension: row.dimension,
        limit,
        remaining,
        full_at,
        rounded_to: row.rounded_to,
    })
}

/// A length of time as Go writes it: `1h2m3.5s`, `6m0s`, `17ms`.
fn go_duration(text: &str) -> Option<Millis> {
    let mut rest = text;
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(letters);
        total += number.parse::<f64>().ok()? * millis_of(unit)?;
        rest = next;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded right here"
    )]
    (!text.is_empty() && (0.0..1e15).contains(&total)).then(|| Millis(total.ceil() as u64))
}

fn millis_of(unit: &str) -> Option<f64> {
    match unit {
        "h" => Some(3_600_000.0),
        "m" => Some(60_000.0),
        "s" => Some(1000.0),
        "ms" => Some(1.0),
        "us" | "µs" => Some(0.001),
        "ns" => Some(0.000_001),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: LimitHeaders, headers: &[(&'static str, &str)], expected: &[ObservedLevel]) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a header value"));
        }
        assert_eq!(observed(form, &map, Timestamp(1_000_000)), expected);
    }

    #[test]
    fn go_durations_are_read_and_nonsense_is_not() {
        for (text, expected) in [
            ("1s", 1000),
            ("6m0s", 360_000),
            ("17ms", 17),
            ("1h2m3.5s", 3_723_500),
            ("2m59.56s", 179_560),
            ("0s", 0),
        ] {
            assert_eq!(go_duration(text), Some(Millis(expected)), "{text}");
        }
        for text in ["", "5", "s", "1.2.3s", "1d", "-1s", "1e3s"] {
            assert_eq!(go_duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn anthropics_levels_are_told_with_their_rounding() {
        check(
            LimitHeaders::Anthropic,
            &[
                ("anthropic-ratelimit-requests-limit", "50"),
                ("anthropic-ratelimit-requests-remaining", "49"),
                ("anthropic-ratelimit-requests-reset", "1970-01-01T00:20:00Z"),
                ("anthropic-ratelimit-input-tokens-limit", "30000"),
                ("anthropic-ratelimit-input-tokens-remaining", "29000"),
                ("anthropic-ratelimit-tokens-remaining", "1"),
            ],
            &[
                ObservedLevel {
                    dimension: Dimension::Requests,
                    limit: Some(50),
                    remaining: Some(49),
                    full_at: Some(Timestamp(1_200_000)),
                    rounded_to: 1,
                },
                ObservedLevel {
                    dimension: Dimension::InputTokens,
                    limit: Some(30_000),
                    remaining: Some(29_000),
                    full_at: None,
                    rounded_to: 1000,
                },
            ],
        );
    }

    #[test]
    fn openais_and_mistrals_levels_are_told() {
        check(
            LimitHeaders::Openai,
            &[
                ("x-ratelimit-limit-tokens", "500000"),
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "6m0s"),
            ],
            &[ObservedLevel {
                dimension: Dimension::TotalTokens,
                limit: Some(500_000),
                remaining: Some(0),
                full_at: Some(Timestamp(1_360_000)),
                rounded_to: 1,
            }],
        );
        check(
            LimitHeaders::Mistral,
            &[("x-ratelimit-remaining-req-minute", "3")],
            &[ObservedLevel {
                dimension: Dimension::Requests,
                limit: None,
                remaining: Some(3),
                full_at: None,
                rounded_to: 1,
            }],
        );
        check(
            LimitHeaders::None,
            &[("x-ratelimit-remaining-tokens", "3")],
            &[],
        );
    }
}
