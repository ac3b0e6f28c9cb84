//! Dates in the forms of RFC 3339 and of HTTP, from 1970 on. No clock and no zones but offsets.

use chorus_core::time::Timestamp;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Reads `2026-12-01T00:00:00Z`, with a fraction or an offset too; without a zone it is in UTC.
pub(super) fn rfc3339(text: &str) -> Option<Timestamp> {
    let (day, rest) = text.trim().split_at_checked(10)?;
    let mut parts = day.split('-').map(number);
    let date = (parts.next()??, parts.next()??, parts.next()??);
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, zone) = rest.split_at(rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len()));
    let offset = match zone {
        "" | "Z" | "z" => 0,
        other => {
            let sign = if other.starts_with('-') { -1 } else { 1 };
            let (hours, minutes) = other[1..].split_once(':')?;
            sign * (number(hours)? * 60 + number(minutes)?)
        }
    };
    Some(Timestamp(instant(date, clock)? - offset * 60_000))
}

/// Reads `Sun, 06 Nov 1994 08:49:47 GMT`.
pub(super) fn http(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.split_once(',')?;
    let mut words = rest.split_whitespace();
    let day = number(words.next()?)?;
    let name = words.next()?.to_ascii_lowercase();
    let month = MONTHS.iter().zip(1..).find(|(known, _)| **known == name)?.1;
    let year = number(words.next()?)?;
    let at = instant((year, month, day), words.next()?)?;
    matches!(words.next()?, "GMT" | "UTC" | "+0000").then_some(Timestamp(at))
}

/// Milliseconds since 1970 of a date and a time of day.
fn instant((year, month, day): (i64, i64, i64), clock: &str) -> Option<i64> {
    let is_date = (1970..=9999).contains(&year) && (1..=12).contains(&month);
    let mut parts = clock.split(':');
    let (hours, minutes) = (number(parts.next()?)?, number(parts.next()?)?);
    let (seconds, fraction) = match parts.next().unwrap_or("0").split_once('.') {
        Some((seconds, fraction)) => (number(seconds)?, format!("{fraction:0<3}")),
        None => (
            number(clock.split(':').nth(2).unwrap_or("0"))?,
            "000".to_owned(),
        ),
    };
    let millis = number(fraction.get(..3)?)?;
    if !is_date || !(1..=31).contains(&day) || hours > 24 || minutes > 59 || seconds > 60 {
        return None;
    }
    // Days since 1970 in the Gregorian calendar, with years that begin in March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469;
    Some((days * 86_400 + hours * 3_600 + minutes * 60 + seconds) * 1000 + millis)
}

/// Reads digits alone, at most nine of them.
fn number(text: &str) -> Option<i64> {
    let is_number = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_to_the_millisecond_and_nonsense_is_not() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-29T08:45:00Z", Some(1_795_941_900_000)),
            ("2024-02-29t12:00:00.25z", Some(1_709_208_000_250)),
            ("2024-02-29T12:00:00+07:00", Some(1_709_182_800_000)),
            ("2000-03-01 00:00", Some(951_868_800_000)),
            ("1970-99-99T00:00:00Z", None),
            ("1970-01-01", None),
            ("", None),
            ("ü970-01-01T00:00:00Z", None),
        ] {
            assert_eq!(rfc3339(text), expected.map(Timestamp), "{text}");
        }
        let http_date = "Sun, 06 Nov 1994 08:49:47 GMT";
        assert_eq!(http(http_date), Some(Timestamp(784_111_787_000)));
        assert_eq!(http("Sun, 06 Now 1994 08:49:47 GMT"), None);
    }
}
