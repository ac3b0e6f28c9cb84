//! Times at which quotas and money of a credential come back.

use serde::{Deserialize, Serialize};

use super::{Dimension, QuotaGroup, Window};
use crate::time::{Millis, Timestamp};

/// Windows by which a credential is parked, taken from the groups that a call draws on.
///
/// An [`Assignment`](crate::attempt::Assignment) carries them, so that the process that makes the
/// call need not read the directory to know until when a used-up credential rests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QuotaResets {
    /// Minutes east of UTC at which the days of daily quotas begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<i32>,
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
                Window::Day { offset_minutes } if !resets.days.contains(&offset_minutes) => {
                    resets.days.push(offset_minutes);
                }
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
        let start = |offset_minutes| next(Window::Day { offset_minutes }, now);
        let days = self.days.iter().map(|offset| start(*offset));
        days.max().unwrap_or_else(|| start(0))
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

/// Start of the calendar's next period.
fn next(window: Window, now: Timestamp) -> Timestamp {
    window.period(now).map_or(now, |(_, next)| next)
}
