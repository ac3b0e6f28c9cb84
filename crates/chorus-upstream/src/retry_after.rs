//! Time until which a refused caller must wait, in every form that providers use.

use chorus_core::time::{Millis, Timestamp};
use http::HeaderMap;
use jiff::fmt::rfc2822;

/// Reads `retry-after-ms`, else `retry-after` in seconds, else as an HTTP date.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Millis> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    if let Some(millis) = text("retry-after-ms").and_then(|value| value.parse::<f64>().ok()) {
        return whole(millis);
    }
    let value = text("retry-after")?;
    match value.parse::<f64>() {
        Ok(seconds) => whole(seconds * 1000.0),
        Err(_) => Some(http_date(value)?.since(now)),
    }
}

/// Value of `x-should-retry`; none when it is absent or neither `true` nor `false`.
pub(crate) fn should_retry(headers: &HeaderMap) -> Option<bool> {
    match headers.get("x-should-retry")?.to_str().ok()? {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn whole(millis: f64) -> Option<Millis> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded right here"
    )]
    (0.0..1e12)
        .contains(&millis)
        .then(|| Millis(millis.ceil() as u64))
}

fn http_date(text: &str) -> Option<Timestamp> {
    let parsed = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp(parsed.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &str)], expected: Option<u64>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a header value"));
        }
        assert_eq!(
            retry_after(&map, Timestamp(784_111_777_000)),
            expected.map(Millis),
            "{headers:?}"
        );
    }

    #[test]
    fn every_form_is_read() {
        check(
            &[("retry-after-ms", "1500"), ("retry-after", "9")],
            Some(1500),
        );
        check(&[("retry-after", "2.5")], Some(2500));
        check(
            &[("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT")],
            Some(10_000),
        );
        check(&[("retry-after", "Sun, 06 Nov 1994 08:49:27 GMT")], Some(0));
        check(&[("retry-after", "soon")], None);
        check(&[("retry-after", "-5")], None);
        check(&[], None);
    }
}
