//! Stored form of a [`Window`], as rows and account files have it.

use serde::{Deserialize, Serialize};

use super::{ObservedLevel, UnknownZone, Window, Zone};
use crate::time::Millis;

/// Row of a [`Window`]. A day has `zone`, or `offset_minutes` as rows of earlier releases do.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum WindowRow {
    Bucket {
        per_ms: u64,
    },
    Sliding {
        per_ms: u64,
    },
    Day {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offset_minutes: Option<i32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<Zone>,
    },
    Month,
    Held,
}

impl TryFrom<WindowRow> for Window {
    type Error = UnknownZone;

    fn try_from(row: WindowRow) -> Result<Self, UnknownZone> {
        Ok(match row {
            WindowRow::Bucket { per_ms } => Self::Bucket { per_ms },
            WindowRow::Sliding { per_ms } => Self::Sliding { per_ms },
            WindowRow::Day {
                offset_minutes,
                zone,
            } => Self::Day {
                zone: zone.unwrap_or_else(|| Zone::Offset(offset_minutes.unwrap_or(0))),
            },
            WindowRow::Month => Self::Month,
            WindowRow::Held => Self::Held,
        })
    }
}

impl From<Window> for WindowRow {
    fn from(window: Window) -> Self {
        match window {
            Window::Bucket { per_ms } => Self::Bucket { per_ms },
            Window::Sliding { per_ms } => Self::Sliding { per_ms },
            Window::Day {
                zone: Zone::Offset(minutes),
            } => Self::Day {
                offset_minutes: Some(minutes),
                zone: None,
            },
            Window::Day { zone } => Self::Day {
                offset_minutes: None,
                zone: Some(zone),
            },
            Window::Month => Self::Month,
            Window::Held => Self::Held,
        }
    }
}

impl Window {
    /// Returns the length of the window; a day and a month have their usual one, and a slot has none.
    pub const fn length(self) -> Option<Millis> {
        match self {
            Self::Bucket { per_ms } | Self::Sliding { per_ms } => Some(Millis(per_ms)),
            Self::Day { .. } => Some(Millis(86_400_000)),
            Self::Month => Some(Millis(31 * 86_400_000)),
            Self::Held => None,
        }
    }
}

/// Longest window between which a rate is converted: a day's quota is no rate of a minute.
const LONGEST_RATE: Millis = Millis(60_000);

impl ObservedLevel {
    /// Returns the level as a limit of this window shows it; none where it speaks about another limit.
    ///
    /// A rate of a minute corrects the amount of a second in the same proportion; what is left of the
    /// minute says nothing about the second.
    pub fn for_window(self, window: Window) -> Option<Self> {
        let (Some(shown), Some(own)) = (self.window, window.length()) else {
            return Some(self);
        };
        if shown == own {
            return Some(self);
        }
        let is_rate = matches!(window, Window::Bucket { .. } | Window::Sliding { .. });
        if !is_rate || shown.max(own) > LONGEST_RATE || shown == Millis::ZERO {
            return None;
        }
        let scaled = |amount: u64| {
            let scaled = u128::from(amount) * u128::from(own.0) / u128::from(shown.0);
            u64::try_from(scaled).unwrap_or(u64::MAX).max(1)
        };
        Some(Self {
            limit: self.limit.map(scaled),
            remaining: None,
            full_at: None,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Dimension;

    #[test]
    fn a_level_of_a_minute_corrects_the_rate_of_a_second_and_no_day() {
        let level = ObservedLevel {
            dimension: Dimension::Requests,
            limit: Some(300),
            remaining: Some(0),
            full_at: None,
            rounded_to: 1,
            window: Some(Millis(60_000)),
        };
        let second = level.for_window(Window::Sliding { per_ms: 1_000 });
        let shown = second.map(|level| (level.limit, level.remaining));
        assert_eq!(shown, Some((Some(5), None)));
        assert_eq!(level.for_window(Window::Day { zone: Zone::UTC }), None);
        assert_eq!(
            level.for_window(Window::Bucket { per_ms: 86_400_000 }),
            None
        );
        let minute = Window::Bucket { per_ms: 60_000 };
        assert_eq!(level.for_window(minute), Some(level));
        let unknown = ObservedLevel {
            window: None,
            ..level
        };
        assert_eq!(unknown.for_window(Window::Month), Some(unknown));
    }

    #[test]
    fn rows_of_earlier_releases_are_read_and_written_as_they_were() {
        for row in [
            r#"{"kind":"bucket","per_ms":60000}"#,
            r#"{"kind":"sliding","per_ms":1000}"#,
            r#"{"kind":"day","offset_minutes":-480}"#,
            r#"{"kind":"day","zone":"America/Los_Angeles"}"#,
            r#"{"kind":"month"}"#,
            r#"{"kind":"held"}"#,
        ] {
            let window: Window = serde_json::from_str(row).expect(row);
            assert_eq!(serde_json::to_string(&window).expect("JSON"), row);
        }
        let day: Window = serde_json::from_str(r#"{"kind":"day"}"#).expect("a day");
        assert_eq!(day, Window::Day { zone: Zone::UTC });
        for wrong in [
            r#"{"kind":"day","zone":"Pacific"}"#,
            r#"{"kind":"day","per_ms":1}"#,
            r#"{"kind":"week"}"#,
        ] {
            assert!(serde_json::from_str::<Window>(wrong).is_err(), "{wrong}");
        }
    }
}
