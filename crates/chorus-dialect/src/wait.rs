//! Waits that a provider asks for, as numbers, durations and times, in fields and in sentences.
//!
//! `chorus-upstream` reads headers with [`Wait::of_text`]; [`WireError`](crate::WireError) reads
//! bodies and messages. All waits are bounded by [`LONGEST`].

use chorus_core::time::{Millis, Timestamp};
use serde_json::Value;

mod date;
mod sentence;

pub use sentence::in_sentence;

/// Bound of every wait, 32 days: the longest quota windows are months.
pub const LONGEST: Millis = Millis::from_secs(32 * 86_400);

/// Numbers from here on are times in seconds since 1970, not seconds to wait.
const FIRST_SECONDS: f64 = 1e9;
/// Numbers from here on are times in milliseconds since 1970.
const FIRST_MILLIS: f64 = 1e12;
/// Values of a body that are looked at.
const MOST_VALUES: usize = 2_000;

/// Wait of a refused caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Time from the reply on.
    For(Millis),
    /// Time of the end.
    Until(Timestamp),
}

impl Wait {
    /// Returns the wait from a time on, at most [`LONGEST`].
    pub fn from(self, now: Timestamp) -> Millis {
        let wait = match self {
            Self::For(wait) => wait,
            Self::Until(at) => at.since(now),
        };
        wait.min(LONGEST)
    }

    /// Reads a number of seconds, or a time since 1970 in seconds or milliseconds.
    pub fn of_number(number: f64) -> Option<Self> {
        match number {
            _ if !(0.0..1e16).contains(&number) => None,
            _ if number >= FIRST_MILLIS => Some(Self::Until(Timestamp(number as i64))),
            _ if number >= FIRST_SECONDS => Some(Self::Until(Timestamp((number * 1000.0) as i64))),
            _ => millis(number * 1000.0).map(Self::For),
        }
    }

    /// Reads a number as [`of_number`](Self::of_number) does, a duration such as `1m26.4s`, or a
    /// time in the form of RFC 3339 or of HTTP.
    pub fn of_text(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(number) = text.parse::<f64>() {
            return Self::of_number(number);
        }
        let date = || date::rfc3339(text).or_else(|| date::http(text));
        duration(text)
            .map(Self::For)
            .or_else(|| date().map(Self::Until))
    }
}

/// Reads a duration of numbers with units: `1h2m3.5s`, `6m0s`, `17ms`, `2 minutes 5 seconds`.
pub fn duration(text: &str) -> Option<Millis> {
    let (wait, rest) = sentence::leading_duration(text)?;
    rest.trim().is_empty().then_some(wait)
}

/// Returns whole milliseconds, rounded up; none for a number out of bounds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded right here"
)]
fn millis(number: f64) -> Option<Millis> {
    (0.0..1e15)
        .contains(&number)
        .then(|| Millis(number.ceil() as u64))
}

/// Finds a wait among the fields of a body: `retryDelay`, `retry_after_ms`,
/// `metadata.headers.X-RateLimit-Reset` and their like, at any depth.
pub fn in_fields(body: &Value) -> Option<Wait> {
    let mut open = vec![body];
    let mut reset = None;
    let mut seen = 0;
    while let Some(value) = open.pop() {
        seen += 1;
        if seen > MOST_VALUES {
            break;
        }
        match value {
            Value::Array(items) => open.extend(items.iter().rev()),
            Value::Object(map) => {
                for (name, value) in map {
                    match kind_of(name) {
                        Some(Kind::Retry(unit)) => {
                            if let Some(wait) = of_value(value, unit) {
                                return Some(wait);
                            }
                        }
                        Some(Kind::Reset) => reset = reset.or_else(|| of_value(value, 1000.0)),
                        None => {}
                    }
                    open.push(value);
                }
            }
            _ => {}
        }
    }
    reset
}

/// Kind of a field that holds a wait.
enum Kind {
    /// Time until the next try, in units of so many milliseconds.
    Retry(f64),
    /// Time until a limit is full again.
    Reset,
}

fn kind_of(name: &str) -> Option<Kind> {
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_lowercase();
    match plain.as_str() {
        "retryafterms" | "retryaftermillis" | "retryaftermilliseconds" | "retryinms" | "waitms" => {
            Some(Kind::Retry(1.0))
        }
        "retryafter" | "retryafterseconds" | "retryaftersec" | "retrydelay" | "retryin"
        | "retryinseconds" | "waitseconds" => Some(Kind::Retry(1000.0)),
        _ if plain.contains("ratelimitreset") => Some(Kind::Reset),
        "reset" | "resetat" | "resetsat" | "resettime" | "resetin" | "resetsin"
        | "resetinseconds" | "resetsinseconds" | "resetafter" | "quotaresettime" => {
            Some(Kind::Reset)
        }
        _ => None,
    }
}

fn of_value(value: &Value, unit: f64) -> Option<Wait> {
    match value {
        Value::Number(number) => of_unit(number.as_f64()?, unit),
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(number) => of_unit(number, unit),
            Err(_) => Wait::of_text(text),
        },
        Value::Object(parts) => {
            let part = |name: &str| parts.get(name).and_then(Value::as_f64);
            let nanos = part("nanos").unwrap_or(0.0);
            let millis_of_all = part("seconds")? * 1000.0 + nanos / 1e6;
            millis(millis_of_all).map(Wait::For)
        }
        _ => None,
    }
}

fn of_unit(number: f64, unit: f64) -> Option<Wait> {
    if number >= FIRST_SECONDS {
        return Wait::of_number(number);
    }
    millis(number * unit).map(Wait::For)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_durations_and_times_are_read() {
        for (text, expected) in [
            ("17", Some(Wait::For(Millis(17_000)))),
            ("2.5", Some(Wait::For(Millis(2_500)))),
            ("1m26.4s", Some(Wait::For(Millis(86_400)))),
            ("38.2s", Some(Wait::For(Millis(38_200)))),
            ("20ms", Some(Wait::For(Millis(20)))),
            (
                "1764403200",
                Some(Wait::Until(Timestamp(1_764_403_200_000))),
            ),
            (
                "1764403200123",
                Some(Wait::Until(Timestamp(1_764_403_200_123))),
            ),
            (
                "1970-01-01T00:20:00Z",
                Some(Wait::Until(Timestamp(1_200_000))),
            ),
            (
                "Thu, 01 Jan 1970 00:20:00 GMT",
                Some(Wait::Until(Timestamp(1_200_000))),
            ),
            ("soon", None),
            ("-5", None),
            ("NaN", None),
            ("1e300", None),
            ("", None),
        ] {
            assert_eq!(Wait::of_text(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_in_the_form_of_go_are_read_and_nonsense_is_not() {
        for (text, expected) in [
            ("1s", 1000),
            ("6m0s", 360_000),
            ("17ms", 17),
            ("1h2m3.5s", 3_723_500),
            ("2m59.56s", 179_560),
            ("0s", 0),
            ("1d", 86_400_000),
        ] {
            assert_eq!(duration(text), Some(Millis(expected)), "{text}");
        }
        for text in ["", "5", "s", "1.2.3s", "1w", "-1s", "1e3s", "3s later"] {
            assert_eq!(duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_wait_is_found_in_the_fields_of_a_body() {
        let check = |body: &str, expected: Option<Wait>| {
            let value = serde_json::from_str(body).expect("JSON");
            assert_eq!(in_fields(&value), expected, "{body}");
        };
        check(
            r#"{"error":{"code":429,"metadata":{"headers":{"X-RateLimit-Limit":"20","X-RateLimit-Reset":"1764403242000"}}}}"#,
            Some(Wait::Until(Timestamp(1_764_403_242_000))),
        );
        check(
            r#"{"error":{"details":[{"@type":"q"},{"retryDelay":"38.2s"}]}}"#,
            Some(Wait::For(Millis(38_200))),
        );
        check(
            r#"{"details":[{"retryDelay":{"seconds":42,"nanos":500000000}}]}"#,
            Some(Wait::For(Millis(42_500))),
        );
        check(
            r#"{"retry_after_ms":250,"retry_after":9}"#,
            Some(Wait::For(Millis(250))),
        );
        check(
            r#"{"parameters":{"retry_after":7}}"#,
            Some(Wait::For(Millis(7_000))),
        );
        check(
            r#"{"reset_at":90,"retry-after":"3"}"#,
            Some(Wait::For(Millis(3_000))),
        );
        check(r#"{"retry_after":null,"reset":{"day":1}}"#, None);
    }

    #[test]
    fn a_wait_is_counted_from_the_reply_and_bounded() {
        let now = Timestamp(1_000_000);
        assert_eq!(Wait::Until(Timestamp(1_042_000)).from(now), Millis(42_000));
        assert_eq!(Wait::Until(Timestamp(5)).from(now), Millis(0));
        assert_eq!(Wait::For(Millis(u64::MAX)).from(now), LONGEST);
    }

    proptest! {
        #[test]
        fn no_text_and_no_body_panics(text in ".{0,80}", number in any::<f64>()) {
            let _ = Wait::of_number(number);
            let _ = Wait::of_text(&text);
            let _ = in_sentence(&text);
            let _ = in_fields(&serde_json::json!({ "retry_after": number, "reset": text }));
        }
    }
}
