//! Levels of limits in the headers of a reply, by the rows of the provider.
//!
//! Anthropic reports when a limit will be *full* again, as a point in time, and rounds tokens to thousands;
//! OpenAI and providers like it report durations in the form of Go (`6m0s`, `17ms`). The reset also tells the
//! window where the row names none: thirty missing of 14,400 that are back in three minutes count a day.

use chorus_core::catalog::{Joins, LimitHeaders, ResetForm};
use chorus_core::limit::ObservedLevel;
use chorus_core::time::{Millis, Timestamp};
use chorus_dialect::wait::duration;
use http::HeaderMap;

/// Windows that a reset can tell: a second, a minute, an hour, a day.
const WINDOWS: [u64; 4] = [1_000, 60_000, 3_600_000, 86_400_000];

/// Reads all levels that the headers report, one for each dimension and window.
pub(crate) fn observed(
    rows: &[LimitHeaders],
    headers: &HeaderMap,
    now: Timestamp,
) -> Vec<ObservedLevel> {
    let read = |joins: Joins| {
        rows.iter()
            .filter(move |row| row.joins == joins)
            .filter_map(|row| level(row, headers, now))
    };
    let mut levels: Vec<ObservedLevel> = read(Joins::Own).collect();
    for added in read(Joins::Added) {
        if let Some(own) = same_limit(&mut levels, &added) {
            own.limit = own.limit.zip(added.limit).map(|(own, more)| own + more);
            own.remaining = own
                .remaining
                .zip(added.remaining)
                .map(|(own, more)| own + more);
        }
    }
    for stricter in read(Joins::Stricter) {
        match same_limit(&mut levels, &stricter) {
            Some(own) if is_stricter(&stricter, own) => *own = stricter,
            Some(_) => {}
            None => levels.push(stricter),
        }
    }
    for shown in read(Joins::Nearest) {
        let nearest = levels
            .iter_mut()
            .filter_map(|own| Some((distance(own.limit?, shown.limit?), own)))
            .min_by_key(|(distance, _)| *distance);
        match nearest {
            Some((distance, own)) if distance > SAME && is_stricter(&shown, own) => {
                let dimension = own.dimension;
                *own = ObservedLevel { dimension, ..shown };
            }
            _ => {}
        }
    }
    levels
}

/// Distance of two equal amounts, as [`distance`] counts it.
const SAME: u64 = 1_000;

/// Returns the greater amount by the smaller one, in parts per thousand.
fn distance(one: u64, other: u64) -> u64 {
    one.max(other).saturating_mul(1_000) / one.min(other).max(1)
}

fn same_limit<'a>(
    levels: &'a mut [ObservedLevel],
    other: &ObservedLevel,
) -> Option<&'a mut ObservedLevel> {
    let is_same = |level: &&mut ObservedLevel| {
        let windows = level.window.zip(other.window);
        level.dimension == other.dimension && windows.is_none_or(|(one, other)| one == other)
    };
    levels.iter_mut().find(is_same)
}

/// Returns true if less is left of the first, or its amount is smaller where neither shows what is left.
fn is_stricter(one: &ObservedLevel, other: &ObservedLevel) -> bool {
    match (one.remaining, other.remaining) {
        (Some(one), Some(other)) => one < other,
        _ => one.limit < other.limit,
    }
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
    let full_at = reset.and_then(|reset| full_at(row.reset_form, reset, now));
    let missing = limit
        .zip(remaining)
        .and_then(|(limit, remaining)| Some((limit, limit.checked_sub(remaining)?)));
    let reported = || {
        let (limit, missing) = missing?;
        window_of(limit, missing, full_at?.since(now))
    };
    known.then(|| ObservedLevel {
        dimension: row.dimension,
        limit,
        remaining,
        full_at,
        rounded_to: row.rounded_to,
        window: row.per_ms.map(Millis).or_else(reported),
    })
}

/// Returns the window of a limit that gets back what is missing in `wait`, as far as one fits within a fifth.
fn window_of(limit: u64, missing: u64, wait: Millis) -> Option<Millis> {
    if missing == 0 {
        return None;
    }
    let whole = u128::from(wait.0) * u128::from(limit) / u128::from(missing);
    let fits = |window: &&u64| {
        let window = u128::from(**window);
        whole.abs_diff(window) * 5 <= window
    };
    WINDOWS.iter().find(fits).copied().map(Millis)
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
mod tests;
