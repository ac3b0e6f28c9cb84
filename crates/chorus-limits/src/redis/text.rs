//! Numbers and limits as the script reads them: every number is a whole one that a double holds exactly,
//! and the limits of a group are one text, so that comparing texts recognises an unchanged
//! configuration.

use std::collections::BTreeMap;
use std::fmt::Write;

use chorus_core::limit::{Dimension, Limit, QuotaGroup, ReserveRule, Window, Zone};
use chorus_core::time::Timestamp;
use serde_json::{Value, json};

/// Maximum amount; larger ones are cut, because the script multiplies by at most a thousand.
const MOST: u64 = 1 << 42;
/// Maximum time, 140,000 years away.
const FARTHEST: i64 = 1 << 52;

/// Returns an amount that the script can count with.
pub(super) fn amount(amount: u64) -> u64 {
    amount.min(MOST)
}

/// Returns a time that the script can count with.
pub(super) fn time(at: Timestamp) -> i64 {
    at.0.clamp(-FARTHEST, FARTHEST)
}

/// Returns the text of all limits of a [`QuotaGroup`].
pub(super) fn config(group: &QuotaGroup) -> String {
    let mut text = String::with_capacity(group.limits.len() * 24);
    for limit in &group.limits {
        if !text.is_empty() {
            text.push(';');
        }
        write_limit(&mut text, limit);
    }
    text
}

fn write_limit(text: &mut String, limit: &Limit) {
    let (kind, length) = match limit.window {
        Window::Bucket { per_ms } => ('b', amount(per_ms.max(1)).to_string()),
        Window::Sliding { per_ms } => ('s', amount(per_ms.max(1)).to_string()),
        Window::Day {
            zone: Zone::Offset(minutes),
        } => ('d', minutes.to_string()),
        Window::Day { zone } => ('d', zone.to_string()),
        Window::Month => ('m', "0".to_owned()),
        Window::Held => ('h', "0".to_owned()),
    };
    let burst = limit
        .burst
        .map_or_else(|| "-".to_owned(), |burst| amount(burst).to_string());
    let Limit {
        cache_read_percent,
        output_weight,
        ..
    } = limit;
    let (dimension, reserve) = (dimension(limit.dimension), reserve(limit.reserve));
    let most = amount(limit.amount);
    write!(
        text,
        "{dimension}:{most}:{burst}:{kind}:{length}:{reserve}:{cache_read_percent}:{output_weight}"
    )
    .expect("a string takes whatever is written");
}

/// Returns the starts of days around `now` in every named zone of these groups; the script counts by them.
pub(super) fn days<'a>(groups: impl IntoIterator<Item = &'a QuotaGroup>, now: Timestamp) -> Value {
    let zones = groups
        .into_iter()
        .flat_map(|group| &group.limits)
        .filter_map(|limit| match limit.window {
            Window::Day { zone } => zone.name().map(|name| (name, zone)),
            _ => None,
        });
    let days: BTreeMap<_, _> = zones
        .map(|(name, zone)| (name, zone.days_around(now).map(|day| day.0.to_string())))
        .collect();
    if days.is_empty() {
        return Value::Null;
    }
    json!(days)
}

/// Returns the letter of a dimension; [`read_dimension`] reverses it.
pub(super) const fn dimension(dimension: Dimension) -> char {
    match dimension {
        Dimension::Requests => 'q',
        Dimension::InputTokens => 'i',
        Dimension::OutputTokens => 'o',
        Dimension::TotalTokens => 't',
        Dimension::Spend => 's',
        Dimension::Concurrency => 'c',
    }
}

/// Returns the dimension of a letter.
pub(super) fn read_dimension(letter: &str) -> Option<Dimension> {
    const ALL: [Dimension; 6] = [
        Dimension::Requests,
        Dimension::InputTokens,
        Dimension::OutputTokens,
        Dimension::TotalTokens,
        Dimension::Spend,
        Dimension::Concurrency,
    ];
    ALL.into_iter()
        .find(|one| letter.chars().eq([dimension(*one)]))
}

/// Returns dimension and window of a limit's text.
pub(super) fn read_limit(text: &str) -> Option<(Dimension, Window)> {
    let parts: Vec<&str> = text.split(':').collect();
    let [dimension, _, _, kind, length, ..] = parts[..] else {
        return None;
    };
    let window = match kind {
        "b" => Window::Bucket {
            per_ms: length.parse().ok()?,
        },
        "s" => Window::Sliding {
            per_ms: length.parse().ok()?,
        },
        "d" => Window::Day {
            zone: match length.parse() {
                Ok(minutes) => Zone::Offset(minutes),
                Err(_) => Zone::named(length).ok()?,
            },
        },
        "m" => Window::Month,
        "h" => Window::Held,
        _ => return None,
    };
    Some((read_dimension(dimension)?, window))
}

const fn reserve(rule: ReserveRule) -> char {
    match rule {
        ReserveRule::Estimate => 'e',
        ReserveRule::AsProduced => 'p',
        ReserveRule::InputPlusMax => 'i',
        ReserveRule::MaxOfBoth => 'm',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_one_text_and_numbers_that_a_double_cannot_hold_are_cut() {
        let limit = |dimension, amount, burst, window| Limit {
            dimension,
            amount,
            burst,
            window,
            reserve: ReserveRule::MaxOfBoth,
            cache_read_percent: 100,
            output_weight: 5,
        };
        let day = limit(
            Dimension::TotalTokens,
            u64::MAX,
            Some(7),
            Window::Day {
                zone: Zone::Offset(-480),
            },
        );
        let slots = limit(Dimension::Concurrency, 3, None, Window::Held);
        let text = config(&QuotaGroup {
            id: "g".into(),
            limits: vec![day, slots],
        });
        assert_eq!(text, "t:4398046511104:7:d:-480:m:100:5;c:3:-:h:0:m:100:5");
        let read: Vec<_> = text.split(';').map(read_limit).collect();
        let expected = [
            (
                Dimension::TotalTokens,
                Window::Day {
                    zone: Zone::Offset(-480),
                },
            ),
            (Dimension::Concurrency, Window::Held),
        ];
        assert_eq!(read, expected.map(Some));
        assert_eq!(time(Timestamp(i64::MAX)), 1 << 52);
    }

    #[test]
    fn a_named_zone_goes_to_the_script_with_the_days_around_now() {
        let zone = Zone::named("America/Los_Angeles").expect("a zone");
        let day = Limit {
            dimension: Dimension::Requests,
            amount: 20,
            burst: None,
            window: Window::Day { zone },
            reserve: ReserveRule::Estimate,
            cache_read_percent: 0,
            output_weight: 1,
        };
        let group = QuotaGroup {
            id: "g".into(),
            limits: vec![day],
        };
        let text = config(&group);
        assert_eq!(text, "q:20:-:d:America/Los_Angeles:e:0:1");
        assert_eq!(
            read_limit(&text),
            Some((Dimension::Requests, Window::Day { zone }))
        );
        // Noon of the day before clocks go forward.
        let days = days([&group], Timestamp(1_772_913_600_000));
        let starts = days["America/Los_Angeles"].as_array().expect("five days");
        assert_eq!(starts[1], "1772870400000");
        assert_eq!(starts[3], "1773039600000");
        assert_eq!(super::days([], Timestamp(0)), Value::Null);
    }
}
