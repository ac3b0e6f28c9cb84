//! Zones in which providers count days: fixed offsets and IANA names with daylight saving.
//!
//! The rules come from the database that is compiled in, so that every process of an installation counts
//! alike. [`Window`](super::Window) has the windows, `calendar` their periods.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{LazyLock, OnceLock};

use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

const DAY_MS: i64 = 86_400_000;

static NAMED: LazyLock<BTreeMap<String, NamedZone>> = LazyLock::new(|| {
    let database = TimeZoneDatabase::bundled();
    let zone = |name: &str| NamedZone {
        name: name.to_owned(),
        rules: OnceLock::new(),
    };
    database
        .available()
        .map(|name| (name.as_str().to_owned(), zone(name.as_str())))
        .collect()
});

/// Zone in which a day begins at midnight.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ZoneText", into = "ZoneText")]
pub enum Zone {
    /// Minutes east of UTC, all year long.
    Offset(i32),
    /// Name of the IANA database, for instance `America/Los_Angeles`.
    Named(&'static NamedZone),
}

/// Named zone of the compiled-in database; [`Zone::named`] finds it.
pub struct NamedZone {
    name: String,
    rules: OnceLock<TimeZone>,
}

/// Stored form of a [`Zone`]: a number of minutes or a name.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ZoneText {
    Offset(i32),
    Named(String),
}

/// Name of a zone that the compiled-in database lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no time zone of the IANA database, expected a name such as America/Los_Angeles")]
pub struct UnknownZone;

impl Zone {
    /// Zone without an offset.
    pub const UTC: Self = Self::Offset(0);

    /// Returns the zone with this IANA name.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        NAMED.get(name).map(Self::Named).ok_or(UnknownZone)
    }

    /// Returns the IANA name; none for a fixed offset.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Offset(_) => None,
            Self::Named(zone) => Some(&zone.name),
        }
    }

    /// Returns the start of the day that holds `now`, and the start of the next.
    pub fn day(self, now: Timestamp) -> (Timestamp, Timestamp) {
        match self {
            Self::Offset(minutes) => day_at(minutes, now),
            Self::Named(zone) => zone.day(now).unwrap_or_else(|| day_at(0, now)),
        }
    }

    /// Returns the starts of five days: the one before `now`, that of `now`, and three more.
    ///
    /// The script in Redis counts days of named zones by them.
    pub fn days_around(self, now: Timestamp) -> [Timestamp; 5] {
        let (start, next) = self.day(now);
        let (before, _) = self.day(Timestamp(start.0 - 1));
        let (_, second) = self.day(next);
        let (_, third) = self.day(second);
        [before, start, next, second, third]
    }
}

impl NamedZone {
    fn day(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let at = jiff::Timestamp::from_millisecond(now.0).ok()?;
        let local = at.to_zoned_datetime(self.rules().clone());
        let start = local.start_of_day().ok()?;
        let mut next = start.tomorrow().ok()?.start_of_day().ok()?;
        // A day that a zone leaves out begins where the one before does.
        while next.timestamp() <= at {
            next = next.tomorrow().ok()?.start_of_day().ok()?;
        }
        let millis = |zoned: &jiff::ZonedDateTime| Timestamp(zoned.timestamp().as_millisecond());
        Some((millis(&start), millis(&next)))
    }

    fn rules(&self) -> &TimeZone {
        self.rules.get_or_init(|| {
            TimeZoneDatabase::bundled()
                .get(&self.name)
                .unwrap_or(TimeZone::UTC)
        })
    }
}

fn day_at(offset_minutes: i32, now: Timestamp) -> (Timestamp, Timestamp) {
    let offset = i64::from(offset_minutes) * 60_000;
    let start = now.0.saturating_add(offset).div_euclid(DAY_MS) * DAY_MS - offset;
    (Timestamp(start), Timestamp(start + DAY_MS))
}

impl PartialEq for NamedZone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for NamedZone {}

impl fmt::Debug for NamedZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offset(0) => f.write_str("UTC"),
            Self::Offset(minutes) => {
                let sign = if *minutes < 0 { '-' } else { '+' };
                let minutes = minutes.unsigned_abs();
                write!(f, "UTC{sign}{}:{:02}", minutes / 60, minutes % 60)
            }
            Self::Named(zone) => f.write_str(&zone.name),
        }
    }
}

impl TryFrom<ZoneText> for Zone {
    type Error = UnknownZone;

    fn try_from(text: ZoneText) -> Result<Self, UnknownZone> {
        match text {
            ZoneText::Offset(minutes) => Ok(Self::Offset(minutes)),
            ZoneText::Named(name) => Self::named(&name),
        }
    }
}

impl From<Zone> for ZoneText {
    fn from(zone: Zone) -> Self {
        match zone {
            Zone::Offset(minutes) => Self::Offset(minutes),
            Zone::Named(zone) => Self::Named(zone.name.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(text: &str) -> i64 {
        let instant: jiff::Timestamp = text.parse().expect("an instant");
        instant.as_millisecond()
    }

    /// Compares the day of a zone that holds an instant.
    fn check(zone: &str, now: &str, start: &str, hours: i64) {
        let zone = Zone::named(zone).expect("a zone");
        let (begin, end) = zone.day(Timestamp(at(now)));
        assert_eq!(begin.0, at(start), "{zone} {now}");
        assert_eq!((end.0 - begin.0) / HOUR, hours, "{zone} {now}");
    }

    #[test]
    fn a_day_of_los_angeles_begins_at_its_midnight_and_may_last_23_or_25_hours() {
        const ZONE: &str = "America/Los_Angeles";
        check(ZONE, "2026-01-15T07:59:59.999Z", "2026-01-14T08:00:00Z", 24);
        check(ZONE, "2026-01-15T08:00:00Z", "2026-01-15T08:00:00Z", 24);
        check(ZONE, "2026-03-08T12:00:00Z", "2026-03-08T08:00:00Z", 23);
        check(ZONE, "2026-03-09T07:00:00Z", "2026-03-09T07:00:00Z", 24);
        check(ZONE, "2026-11-01T12:00:00Z", "2026-11-01T07:00:00Z", 25);
        check(ZONE, "2026-11-02T07:59:00Z", "2026-11-01T07:00:00Z", 25);
        check(ZONE, "2026-11-02T08:00:00Z", "2026-11-02T08:00:00Z", 24);
        // Midnight does not exist on this day.
        check(
            "America/Sao_Paulo",
            "2018-11-04T12:00:00Z",
            "2018-11-04T03:00:00Z",
            23,
        );
    }

    #[test]
    fn a_zone_is_stored_as_its_minutes_or_its_name_and_an_unknown_one_is_refused() {
        let read =
            |text: &str| serde_json::from_str::<Zone>(text).map_err(|error| error.to_string());
        let pacific = Zone::named("America/Los_Angeles").expect("a zone");
        assert_eq!(read("-480"), Ok(Zone::Offset(-480)));
        assert_eq!(read("\"America/Los_Angeles\""), Ok(pacific));
        let text = serde_json::to_string(&[pacific, Zone::Offset(60)]).expect("zones are JSON");
        assert_eq!(text, "[\"America/Los_Angeles\",60]");
        let refused = read("\"America/Los_Angels\"").expect_err("no zone");
        assert!(refused.contains("no time zone"), "{refused}");
    }

    proptest! {
        #[test]
        fn days_of_every_zone_follow_each_other_without_a_gap(
            now in 0i64..4_000_000_000_000,
            place in any::<prop::sample::Index>(),
        ) {
            let names: Vec<&String> = NAMED.keys().collect();
            let zone = Zone::named(names[place.index(names.len())]).expect("a zone");
            let (start, end) = zone.day(Timestamp(now));
            prop_assert!(start.0 <= now && now < end.0, "{zone}");
            prop_assert_eq!(zone.day(Timestamp(end.0 - 1)).1, end);
            prop_assert_eq!(zone.day(end).0, end);
            let days = zone.days_around(Timestamp(now));
            prop_assert!(days.is_sorted() && days[1] == start && days[2] == end);
        }
    }
}
