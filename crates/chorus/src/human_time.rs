//! Times and lengths of time as people read them: local clock time, and the two largest units of a length.

use chorus_core::time::{Millis, Timestamp};
use jiff::tz::TimeZone;

/// Local clock time as `HH:MM:SS`.
pub(crate) fn clock(at: Timestamp) -> String {
    zoned(at, "%H:%M:%S")
}

/// Local date and time as `YYYY-MM-DD HH:MM`.
pub(crate) fn date(at: Timestamp) -> String {
    zoned(at, "%Y-%m-%d %H:%M")
}

fn zoned(at: Timestamp, format: &str) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(
        |_| "?".to_owned(),
        |at| {
            at.to_zoned_datetime(TimeZone::system())
                .strftime(format)
                .to_string()
        },
    )
}

/// The end of a wait: `until 23:51:02 (8 min 3 s)`, with the date where it is more than half a day away.
pub(crate) fn until(at: Timestamp, now: Timestamp) -> String {
    if at <= now {
        return "from now on".to_owned();
    }
    let left = at.since(now);
    let shown = if left > Millis::from_secs(43_200) {
        date(at)
    } else {
        clock(at)
    };
    format!("until {shown} ({})", length(left))
}

/// A length of time in its two largest units: `40 s`, `8 min 3 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn length(length: Millis) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = length.0.div_ceil(1_000);
    let Some(at) = UNITS.iter().position(|(size, _)| seconds >= *size) else {
        return "0 s".to_owned();
    };
    let (size, unit) = UNITS[at];
    let large = format!("{} {unit}", seconds / size);
    let rest = UNITS
        .get(at + 1)
        .map(|(smaller, unit)| (seconds % size / smaller, unit));
    match rest {
        Some((count, unit)) if count > 0 => format!("{large} {count} {unit}"),
        _ => large,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_its_two_largest_units() {
        for (millis, text) in [
            (0, "0 s"),
            (1, "1 s"),
            (40_000, "40 s"),
            (483_000, "8 min 3 s"),
            (480_000, "8 min"),
            (7_500_000, "2 h 5 min"),
            (174_070_000, "2 d"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(length(Millis(millis)), text, "{millis}");
        }
    }
}
