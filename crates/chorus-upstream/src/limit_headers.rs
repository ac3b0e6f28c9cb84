//! Levels of limits in the headers of a reply, by the rows of the provider.
//!
//! Anthropic reports when a limit will be *full* again, as a point in time, and rounds tokens to thousands;
//! OpenAI and providers like it report durations in the form of Go (`6m0s`, `17ms`).

use chorus_core::catalog::{LimitHeaders, ResetForm};
use chorus_core::limit::ObservedLevel;
use chorus_core::time::Timestamp;
use chorus_dialect::wait::duration;
use http::HeaderMap;

/// Reads all levels that the headers report.
pub(crate) fn observed(
    rows: &[LimitHeaders],
    headers: &HeaderMap,
    now: Timestamp,
) -> Vec<ObservedLevel> {
    rows.iter()
        .filter_map(|row| level(row, headers, now))
        .collect()
}

fn level(row: &LimitHeaders, headers: &HeaderMap, now: Timestamp) -> Option<ObservedLevel> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    let number = |name: &str| text(name).and_then(|value| value.parse::<u64>().ok());
    let (limit, remaining) = (number(&row.limit), number(&row.remaining));
    let known = limit.is_some() || remaining.is_some();
    let reset = row.reset.as_deref().and_then(text);
    known.then_some(ObservedLevel {
        dimension: row.dimension,
        limit,
        remaining,
        full_at: reset.and_then(|reset| full_at(row.reset_form, reset, now)),
        rounded_to: row.rounded_to,
    })
}

fn full_at(form: ResetForm, text: &str, now: Timestamp) -> Option<Timestamp> {
    match form {
        ResetForm::Duration => Some(now + duration(text)?),
        ResetForm::Rfc3339 => {
            let at = text.parse::<jiff::Timestamp>().ok()?;
            Some(Timestamp(at.as_millisecond()))
        }
    }
}

#[cfg(test)]
mod tests {
    use chorus_core::limit::Dimension;

    use super::*;

    /// Compares the levels that a provider of the catalogue reports.
    fn check(provider: &str, headers: &[(&'static str, &str)], expected: &[ObservedLevel]) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a header value"));
        }
        let catalog = crate::catalog::load();
        let row = catalog.provider(&provider.into()).expect("a row");
        let levels = observed(&row.limit_headers, &map, Timestamp(1_000_000));
        assert_eq!(levels, expected, "{provider}");
    }

    #[test]
    fn anthropics_levels_are_read_with_their_rounding() {
        check(
            "anthropic",
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
    fn openais_and_mistrals_levels_are_read() {
        check(
            "openai",
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
            "mistral",
            &[("x-ratelimit-remaining-req-minute", "3")],
            &[ObservedLevel {
                dimension: Dimension::Requests,
                limit: None,
                remaining: Some(3),
                full_at: None,
                rounded_to: 1,
            }],
        );
        check("deepseek", &[("x-ratelimit-remaining-tokens", "3")], &[]);
    }
}
