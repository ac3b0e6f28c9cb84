//! Headers of every provider as golden texts, and the levels that are read from them.

use serde::Deserialize;

use super::*;

/// Headers of one reply, with the levels in the form `dimension limit remaining window full_in rounded`.
#[derive(Deserialize)]
struct Golden {
    provider: String,
    fact: String,
    headers: std::collections::BTreeMap<String, String>,
    levels: Vec<String>,
}

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn shown(level: &ObservedLevel) -> String {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let dimension = serde_json::to_value(level.dimension).expect("a dimension is JSON");
    format!(
        "{} {} {} {} {} {}",
        dimension.as_str().unwrap_or_default(),
        number(level.limit),
        number(level.remaining),
        number(level.window.map(|window| window.0)),
        number(level.full_at.map(|at| at.since(NOW).0)),
        level.rounded_to
    )
}

#[test]
fn headers_of_every_provider_are_read_as_its_row_says() {
    let golden: Vec<Golden> =
        serde_json::from_str(include_str!("../../tests/golden/limit_headers.json"))
            .expect("a list of headers");
    let catalog = crate::catalog::load();
    for case in golden {
        let row = catalog
            .provider(&case.provider.as_str().into())
            .expect("a row");
        let mut map = HeaderMap::new();
        for (name, value) in &case.headers {
            let name: http::HeaderName = name.parse().expect("a header name");
            map.insert(name, value.parse().expect("a header value"));
        }
        let levels: Vec<String> = observed(&row.limit_headers, &map, NOW)
            .iter()
            .map(shown)
            .collect();
        assert_eq!(levels, case.levels, "{}: {}", case.provider, case.fact);
    }
}

#[test]
fn a_reset_tells_the_window_and_a_coarse_one_tells_none() {
    let check = |limit, missing, wait, expected: Option<u64>| {
        let found = window_of(limit, missing, Millis(wait));
        assert_eq!(found, expected.map(Millis), "{limit} {missing} {wait}");
    };
    check(14_400, 30, 179_560, Some(86_400_000));
    check(500, 1, 120, Some(60_000));
    check(200, 1, 432_000, Some(86_400_000));
    check(60, 60, 1_000, Some(1_000));
    check(500, 1, 1_000, None);
    check(500, 0, 0, None);
    check(500, 1, 0, None);
}
