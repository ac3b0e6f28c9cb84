//! Golden error bodies: one row for each provider and class, with the wait that it names.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chorus_core::catalog::Catalog;
use chorus_core::limit::Dimension;
use chorus_core::time::Millis;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::catalog::load;

const ERRORS: &str = include_str!("../../tests/golden/errors.json");
const NOW: Timestamp = Timestamp(1_700_000_000_000);

static CATALOG: LazyLock<Catalog> = LazyLock::new(load);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    provider: String,
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: serde_json::Value,
    class: FailureClass,
    #[serde(default)]
    wait_ms: Option<u64>,
    /// Limits that the body names, as dimension, amount, what is left, and window in milliseconds.
    #[serde(default)]
    levels: Vec<(Dimension, u64, Option<u64>, u64)>,
}

/// An exchange with a reply of this status and these headers.
pub(crate) fn exchange(
    provider: &str,
    status: u16,
    headers: &BTreeMap<String, String>,
) -> Exchange {
    let row = CATALOG.provider(&provider.into()).expect("a row").clone();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a header name");
        map.insert(name, HeaderValue::from_str(value).expect("a header value"));
    }
    Exchange {
        provider: Arc::new(row),
        secret: Secret::new("sk-test-0123456789"),
        has_own_address: false,
        wire_name: "m".to_owned(),
        sent_at: Some(NOW),
        status: Some(status),
        headers: map,
        levels: Vec::new(),
    }
}

fn rows() -> Vec<Row> {
    serde_json::from_str(ERRORS).expect("rows")
}

#[test]
fn every_golden_error_has_its_class_and_its_wait() {
    let mut wrong = Vec::new();
    for row in rows() {
        let exchange = exchange(&row.provider, row.status, &row.headers);
        let error = exchange.read_error(row.body.to_string().as_bytes());
        let failure = exchange.refused(&error, NOW);
        let expected = (row.class, row.wait_ms.map(Millis));
        if (failure.class, failure.retry_after) != expected {
            wrong.push(format!("{failure:?} instead of {expected:?}"));
        }
        assert!(!failure.message.is_empty(), "{row:?}");
        let levels = failure.levels.iter().map(|level| {
            let (limit, window) = (level.limit.unwrap_or(0), level.window.map_or(0, |it| it.0));
            (level.dimension, limit, level.remaining, window)
        });
        assert_eq!(levels.collect::<Vec<_>>(), row.levels, "{}", row.body);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_error_inside_a_stream_keeps_the_class_and_the_limits_that_it_names() {
    for row in rows().into_iter().filter(|row| row.status == 200) {
        let mut exchange = exchange(&row.provider, 200, &row.headers);
        exchange.levels.push(ObservedLevel {
            dimension: Dimension::Spend,
            limit: Some(1),
            remaining: None,
            full_at: None,
            rounded_to: 1,
            window: None,
        });
        let error = exchange.read_error(row.body.to_string().as_bytes());
        let failure = exchange.in_stream(Some(&error), ("event", "m"), NOW);
        assert_eq!(failure.class, row.class, "{}", row.body);
        assert_eq!(failure.levels[0].dimension, Dimension::Spend);
    }
}

#[test]
fn every_real_provider_has_golden_errors() {
    let rows = rows();
    for provider in load().providers {
        let of = rows
            .iter()
            .filter(|row| provider.id.as_str() == row.provider);
        let classes: std::collections::BTreeSet<FailureClass> = of.map(|row| row.class).collect();
        if !provider.id.as_str().starts_with("sim-") {
            assert!(classes.len() >= 2, "{}: {classes:?}", provider.id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_of_a_golden_error_is_classified_without_a_panic(which in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
        let rows = rows();
        let row = which.get(&rows);
        let body = row.body.to_string();
        let bytes = &body.as_bytes()[..cut.index(body.len())];
        let exchange = exchange(&row.provider, row.status, &row.headers);
        let failure = exchange.refused(&exchange.read_error(bytes), NOW);
        prop_assert!(failure.message.chars().count() <= 1_200);
        let in_stream = exchange.in_stream(None, ("unreadable_event", "m"), NOW);
        prop_assert_eq!(in_stream.class, FailureClass::MidStream);
    }
}
