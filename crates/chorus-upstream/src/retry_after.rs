//! Time until which a refused caller must wait, in every header that providers use.

use chorus_core::time::{Millis, Timestamp};
use chorus_dialect::wait::{LONGEST, Wait};
use http::HeaderMap;

/// Reads `retry-after-ms`, else `retry-after` in seconds, as a duration or as an HTTP date.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Millis> {
    let millis = ["retry-after-ms", "x-ms-retry-after-ms"]
        .iter()
        .find_map(|name| text(headers, name)?.parse::<f64>().ok());
    if let Some(wait) = millis.and_then(|millis| Wait::of_number(millis / 1000.0)) {
        return Some(wait.from(now));
    }
    let value = text(headers, "retry-after").or_else(|| text(headers, "x-retry-after"))?;
    Some(Wait::of_text(value)?.from(now))
}

/// Reads the time of reset of an exhausted limit: the latest of the `ratelimit-reset` headers of
/// limits with nothing left, else the earliest of all.
///
/// A refusal that has a wait of its own does not need it: a reset is the time at which the limit is
/// full again, later than the call needs.
pub(crate) fn reset_after(headers: &HeaderMap, now: Timestamp) -> Option<Millis> {
    let resets: Vec<(bool, Millis)> = headers
        .iter()
        .filter_map(|(name, value)| {
            let name = name.as_str();
            if !name.contains("ratelimit") || !name.contains("reset") {
                return None;
            }
            let wait = Wait::of_text(value.to_str().ok()?)?.from(now);
            let reset = if name.contains("reset-after") {
                "reset-after"
            } else {
                "reset"
            };
            let left = text(headers, &name.replace(reset, "remaining"));
            let is_exhausted = left.is_some_and(|left| left.parse() == Ok(0.0));
            Some((is_exhausted, wait.min(LONGEST)))
        })
        .collect();
    let exhausted = resets.iter().filter(|(is_exhausted, _)| *is_exhausted);
    exhausted
        .map(|(_, wait)| *wait)
        .max()
        .or_else(|| resets.iter().map(|(_, wait)| *wait).min())
}

/// Value of `x-should-retry`; none when it is absent or neither `true` nor `false`.
pub(crate) fn should_retry(headers: &HeaderMap) -> Option<bool> {
    match text(headers, "x-should-retry")? {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(784_111_777_000);

    fn map(headers: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a header value"));
        }
        map
    }

    fn check(headers: &[(&'static str, &str)], expected: Option<u64>) {
        let found = retry_after(&map(headers), NOW);
        assert_eq!(found, expected.map(Millis), "{headers:?}");
    }

    fn check_reset(headers: &[(&'static str, &str)], expected: Option<u64>) {
        let found = reset_after(&map(headers), NOW);
        assert_eq!(found, expected.map(Millis), "{headers:?}");
    }

    #[test]
    fn every_form_is_read() {
        check(
            &[("retry-after-ms", "1500"), ("retry-after", "9")],
            Some(1500),
        );
        check(&[("retry-after", "2.5")], Some(2500));
        check(&[("retry-after", "1m26.4s")], Some(86_400));
        check(
            &[("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT")],
            Some(10_000),
        );
        check(&[("retry-after", "Sun, 06 Nov 1994 08:49:27 GMT")], Some(0));
        check(&[("retry-after", "soon")], None);
        check(&[("retry-after", "-5")], None);
        check(&[("retry-after", "999999999")], Some(LONGEST.0));
        check(&[], None);
    }

    #[test]
    fn the_reset_of_an_exhausted_limit_is_a_wait() {
        check_reset(
            &[
                ("x-ratelimit-remaining-requests", "12"),
                ("x-ratelimit-reset-requests", "2s"),
                ("x-ratelimit-remaining-tokens", "0"),
                ("x-ratelimit-reset-tokens", "6m0s"),
            ],
            Some(360_000),
        );
        check_reset(&[("x-ratelimit-reset", "1784111819000")], Some(LONGEST.0));
        check_reset(&[("x-ratelimit-reset-after", "3")], Some(3_000));
        check_reset(&[("ratelimit-reset", "30")], Some(30_000));
        check_reset(&[("x-ratelimit-limit", "30")], None);
    }
}
