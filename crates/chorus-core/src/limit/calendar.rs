//! Starts of days and months; the windows are [`Window`]'s, days those of their [`Zone`](super::Zone).

use super::Window;
use crate::time::Timestamp;

const DAY_MS: i64 = 86_400_000;

impl Window {
    /// Returns the start of the period that holds `now` and the start of the next; none for windows
    /// without a calendar.
    pub fn period(self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        match self {
            Self::Day { zone } => Some(zone.day(now)),
            Self::Month => Some(month(now)),
            Self::Bucket { .. } | Self::Sliding { .. } | Self::Held => None,
        }
    }
}

fn month(now: Timestamp) -> (Timestamp, Timestamp) {
    let days = now.0.div_euclid(DAY_MS);
    let (year, month) = year_and_month(days);
    let (next_year, next_month) = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    (
        Timestamp(first_day(year, month) * DAY_MS),
        Timestamp(first_day(next_year, next_month) * DAY_MS),
    )
}

/// Returns year and month of a day counted from 1970-01-01. Years are counted from March, so that
/// the leap day ends one.
fn year_and_month(days: i64) -> (i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month)
}

/// Returns the number of days from 1970-01-01 to the first of a month.
fn first_day(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * from_march + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limit::Zone;

    #[test]
    fn periods_begin_and_end_where_people_expect() {
        let check = |window: Window, now, start, end| {
            assert_eq!(
                window.period(Timestamp(now)),
                Some((Timestamp(start), Timestamp(end)))
            );
        };
        // 2024-02-29 12:00:00 UTC, a leap day
        let leap = 1_709_208_000_000;
        check(
            Window::Day { zone: Zone::UTC },
            leap,
            1_709_164_800_000,
            1_709_251_200_000,
        );
        check(
            Window::Day {
                zone: Zone::Offset(-480),
            },
            leap,
            1_709_193_600_000,
            1_709_280_000_000,
        );
        check(Window::Month, leap, 1_706_745_600_000, 1_709_251_200_000);
        // 2026-12-31 23:59:59.999 UTC
        check(
            Window::Month,
            1_798_761_599_999,
            1_796_083_200_000,
            1_798_761_600_000,
        );
        check(Window::Month, 0, 0, 2_678_400_000);
    }

    proptest! {
        #[test]
        fn every_moment_is_in_its_day_of_24_hours(now in -4_000_000_000_000i64..8_000_000_000_000, offset_minutes in -840i32..=840) {
            let window = Window::Day { zone: Zone::Offset(offset_minutes) };
            let (start, end) = window.period(Timestamp(now)).expect("days have a calendar");
            prop_assert!(start.0 <= now && now < end.0);
            prop_assert_eq!(end.0 - start.0, 86_400_000);
            prop_assert_eq!((start.0 + i64::from(offset_minutes) * 60_000).rem_euclid(86_400_000), 0);
            prop_assert_eq!(window.period(end), Some((end, Timestamp(end.0 + 86_400_000))));
        }

        #[test]
        fn months_follow_each_other_without_a_gap(now in -4_000_000_000_000i64..8_000_000_000_000) {
            let (start, end) = Window::Month.period(Timestamp(now)).expect("months have a calendar");
            prop_assert!(start.0 <= now && now < end.0);
            let days = (end.0 - start.0) / 86_400_000;
            prop_assert!((28..=31).contains(&days) && (end.0 - start.0) % 86_400_000 == 0);
            let (next, after) = Window::Month.period(end).expect("months have a calendar");
            prop_assert_eq!(next, end);
            prop_assert_eq!(Window::Month.period(Timestamp(end.0 - 1)), Some((start, end)));
            let year: i64 = {
                let mut at = start;
                for _ in 0..12 { at = Window::Month.period(at).expect("months have a calendar").1; }
                (at.0 - start.0) / 86_400_000
            };
            prop_assert!(year == 365 || year == 366);
            prop_assert!(after > next);
        }

        #[test]
        fn windows_without_a_calendar_have_no_period(now in any::<i32>(), per_ms in any::<u64>()) {
            for window in [Window::Held, Window::Bucket { per_ms }, Window::Sliding { per_ms }] {
                prop_assert_eq!(window.period(Timestamp(i64::from(now))), None);
            }
        }
    }
}
