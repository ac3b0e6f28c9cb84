//! Waits in sentences: "Please try again in 1m26.4s", "retry after 42 seconds", "You will regain
//! access on 2026-12-01 at 00:00 UTC".

use chorus_core::time::{Millis, Timestamp};

use super::{Wait, millis};

/// Words before a wait, in lower case.
const LEADS: [&str; 14] = [
    "try again in",
    "try again after",
    "retry in",
    "retry after",
    "retry-after",
    "retry_after",
    "retrying in",
    "wait for",
    "wait at least",
    "wait",
    "available in",
    "resets in",
    "reset in",
    "reset after",
];

/// Words of sentences that name the time of an end.
const ENDS: [&str; 6] = ["again", "retry", "reset", "regain", "until", "available"];

/// Bytes of a sentence that are read.
const MOST_BYTES: usize = 8_192;

/// Finds a wait in a sentence; none when it names no number.
pub fn in_sentence(text: &str) -> Option<Wait> {
    let mut end = text.len().min(MOST_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text[..end].to_ascii_lowercase();
    let spoken = LEADS.iter().find_map(|lead| {
        text.match_indices(lead)
            .find_map(|(at, _)| after_lead(&text[at + lead.len()..]))
    });
    spoken.map(Wait::For).or_else(|| {
        ENDS.iter()
            .any(|word| text.contains(word))
            .then(|| date(&text))
            .flatten()
            .map(Wait::Until)
    })
}

/// Reads the wait right behind a lead: a duration, or a bare number of seconds.
fn after_lead(text: &str) -> Option<Millis> {
    let mut text = text.trim_start_matches([' ', ':', '=', '"', '\'', '~', '(']);
    for filler in [
        "about ",
        "approximately ",
        "at least ",
        "another ",
        "around ",
    ] {
        text = text.strip_prefix(filler).unwrap_or(text);
    }
    if let Some((wait, _)) = leading_duration(text) {
        return Some(wait);
    }
    let (number, rest) = leading_number(text)?;
    let follows_word = rest
        .trim_start()
        .starts_with(|letter: char| letter.is_alphabetic());
    (!follows_word).then(|| millis(number * 1000.0)).flatten()
}

/// Reads numbers with units from the beginning of a text, and returns the rest of it.
pub(super) fn leading_duration(text: &str) -> Option<(Millis, &str)> {
    let mut rest = text;
    let mut total = 0.0;
    let mut is_found = false;
    while let Some((number, after)) = leading_number(rest.trim_start_matches([' ', ','])) {
        let unit_text = after.trim_start_matches(' ');
        let letters = unit_text
            .find(|letter: char| !letter.is_alphabetic())
            .unwrap_or(unit_text.len());
        let (unit, next) = unit_text.split_at(letters);
        let Some(size) = millis_of(unit) else {
            break;
        };
        total += number * size;
        rest = next;
        is_found = true;
    }
    let wait = is_found.then(|| millis(total)).flatten()?;
    Some((wait, rest))
}

fn leading_number(text: &str) -> Option<(f64, &str)> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    // A full stop at the end belongs to the sentence.
    let number = number.trim_end_matches('.');
    Some((number.parse().ok()?, rest))
}

fn millis_of(unit: &str) -> Option<f64> {
    match unit {
        "d" | "day" | "days" => Some(86_400_000.0),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(3_600_000.0),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(60_000.0),
        "s" | "sec" | "secs" | "second" | "seconds" => Some(1000.0),
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => Some(1.0),
        "us" | "µs" | "μs" => Some(0.001),
        "ns" => Some(0.000_001),
        _ => None,
    }
}

/// Finds a date with a time of day in a sentence; a time without a zone is in UTC.
fn date(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let is_date = |window: &[u8]| {
        window.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
    };
    let at = bytes.windows(10).position(is_date)?;
    let word = text[at..].split([' ', ',', ')', '"']).next().unwrap_or("");
    if let Some(instant) = super::date::rfc3339(word.trim_end_matches('.')) {
        return Some(instant);
    }
    let day = &text[at..at + 10];
    let rest = text[at + 10..].trim_start_matches(['t', ' ']);
    let rest = rest.strip_prefix("at ").unwrap_or(rest);
    let length = rest
        .find(|letter: char| !letter.is_ascii_digit() && letter != ':')
        .unwrap_or(rest.len());
    let clock = match &rest[..length] {
        clock if clock.len() == 5 => format!("{clock}:00"),
        clock if clock.len() == 8 => clock.to_owned(),
        _ => "00:00:00".to_owned(),
    };
    super::date::rfc3339(&format!("{day}T{clock}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(
            in_sentence(text),
            expected.map(|wait| Wait::For(Millis(wait))),
            "{text}"
        );
    }

    #[test]
    fn waits_are_read_in_the_words_of_every_provider() {
        check("Please try again in 5.289s. Visit https://x.", Some(5_289));
        check("try again in 120ms", Some(120));
        check("Please try again in 1m26.4s.", Some(86_400));
        check("Please try again in 7m54.336s. Need more?", Some(474_336));
        check("Please retry after 42 seconds.", Some(42_000));
        check("Please Retry After 42 seconds", Some(42_000));
        check("rate limited, retry after 3", Some(3_000));
        check("Please retry in 38.5s.", Some(38_500));
        check("Please wait 2 minutes and try again", Some(120_000));
        check("wait for about 1 hour 5 minutes", Some(3_900_000));
        check("Your limit resets in 2h3m", Some(7_380_000));
        check("quota will be available in 1 day", Some(86_400_000));
    }

    #[test]
    fn sentences_without_a_wait_give_none() {
        check("Please try again later.", None);
        check("try again in a moment", None);
        check("wait 3 requests", None);
        check("waiting room", None);
        check("Limit 30000, Requested 46000", None);
        check("", None);
        check("retry in ...", None);
    }

    #[test]
    fn a_date_of_the_end_is_read() {
        for (text, expected) in [
            (
                "You will regain access on 1970-01-02 at 00:00 UTC.",
                Some(86_400_000),
            ),
            ("limit reached until 1970-01-01T00:20:00Z", Some(1_200_000)),
            ("resets at 1970-01-01 00:20:30 UTC", Some(1_230_000)),
            ("since 1970-01-02 00:00 the key is old", None),
            ("retry on 1970-99-99", None),
        ] {
            let expected = expected.map(|at| Wait::Until(Timestamp(at)));
            assert_eq!(in_sentence(text), expected, "{text}");
        }
    }
}
