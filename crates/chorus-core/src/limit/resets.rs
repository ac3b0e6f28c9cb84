//! Times at which quotas and money of a credential come back.

use serde::{Deserialize, Serialize};

use super::{Dimension, QuotaGroup, Window, Zone};
use crate::time::{Millis, Timestamp};

/// Windows by which a credential is parked, taken from the groups that a call draws on.
///
/// An [`Assignment`](crate::attempt::Assignment) carries them, so that the process that makes the
/// call need not read the directory to know until when a used-up credential rests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QuotaResets {
    /// Zones in which the days of daily quotas begin; minutes east of UTC in earlier rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Zone>,
    /// Longest rolling window of a spend limit; none when money is counted by month or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_window: Option<Millis>,
    /// Pause after which a credential without money is tried again; [`FIRST_MONEY_PAUSE`] when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money_pause: Option<Millis>,
    /// True if the groups are of this model alone: they are closed, and the credential serves other models.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_of_model: bool,
}

/// First pause after which a credential without money is tried again; each pause that did not help doubles it.
pub const FIRST_MONEY_PAUSE: Millis = Millis::from_secs(300);

/// Longest pause between two tries of a credential without money.
pub const LONGEST_MONEY_PAUSE: Millis = Millis::from_secs(2 * 3_600);

impl QuotaResets {
    /// Collects the windows of these groups.
    pub fn of<'a>(groups: impl IntoIterator<Item = &'a QuotaGroup>) -> Self {
        let mut resets = Self::default();
        for limit in groups.into_iter().flat_map(|group| &group.limits) {
            match limit.window {
                Window::Day { zone } if !resets.days.contains(&zone) => resets.days.push(zone),
                Window::Bucket { per_ms } | Window::Sliding { per_ms }
                    if limit.dimension == Dimension::Spend =>
                {
                    resets.spend_window = resets.spend_window.max(Some(Millis(per_ms)));
                }
                Window::Bucket { .. }
                | Window::Sliding { .. }
                | Window::Day { .. }
                | Window::Month
                | Window::Held => {}
            }
        }
        resets
    }

    /// Returns true if nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the latest start of a new day among the groups' days; midnight UTC without one.
    ///
    /// Delays that providers name for a daily quota are not used: they come from 25 s to 18 h for
    /// the same quota (`reference/limits.md` 1.3).
    pub fn next_day(&self, now: Timestamp) -> Timestamp {
        let next = |zone: &Zone| zone.day(now).1;
        let days = self.days.iter().map(next);
        days.max().unwrap_or_else(|| next(&Zone::UTC))
    }

    /// Returns the time at which the account is tried again: after the wait that the provider asked for or
    /// the window of a rolling limit, else after the pause. Money may be added at any time, and no provider
    /// says that it was.
    pub fn money_returns(&self, retry_after: Option<Millis>, now: Timestamp) -> Timestamp {
        let pause = self.money_pause.unwrap_or(FIRST_MONEY_PAUSE);
        now + retry_after.or(self.spend_window).unwrap_or(pause)
    }

    /// Returns the pause after one that ended without money.
    pub fn pause_after(last: Millis) -> Millis {
        Millis(last.0.saturating_mul(2)).clamp(FIRST_MONEY_PAUSE, LONGEST_MONEY_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_up_day_ends_at_midnight_where_the_provider_counts_it() {
        let zone = Zone::named("America/Los_Angeles").expect("a zone");
        let day = serde_json::json!({
            "dimension": "requests", "amount": 20, "window": {"kind": "day", "zone": zone},
        });
        let group = QuotaGroup {
            id: "g".into(),
            limits: vec![serde_json::from_value(day).expect("a limit")],
        };
        let resets = QuotaResets::of([&group]);
        // 2026-07-01 12:00 UTC, and midnight of Los Angeles, which is seven hours behind in summer.
        let next = resets.next_day(Timestamp(1_782_907_200_000));
        assert_eq!(next, Timestamp(1_782_975_600_000));
        let stored = serde_json::to_string(&resets).expect("resets are JSON");
        assert_eq!(stored, r#"{"days":["America/Los_Angeles"]}"#);
        let earlier: QuotaResets = serde_json::from_str(r#"{"days":[-480]}"#).expect("an old row");
        assert_eq!(earlier.days, [Zone::Offset(-480)]);
    }
}
