//! Faults ([`Fault`]) of a run.

use chorus_core::time::Millis;

use super::server::{Illness, LimitHeaders};

/// Time of a run at which faults in mid-run begin.
pub(crate) const MID_RUN: Millis = Millis::from_secs(60);
/// Time for which a provider is overloaded.
pub(crate) const OVERLOAD: Millis = Millis::from_secs(60);
/// Age of figures in stale headers.
pub(crate) const LAG: Millis = Millis::from_secs(5);
/// Difference between the clock of a worker and that of the limiter.
pub(crate) const SKEW_MS: i64 = 2_000;
/// Longest travel of a request.
pub(crate) const TRAVEL: Millis = Millis::from_secs(2);
/// Time after which the leases of a worker that ended are given up.
pub(crate) const LOST_AFTER: Millis = Millis::from_secs(10);

/// Fault of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Nothing goes wrong.
    None,
    /// All limits are halved after a minute; headers show as much as this.
    Halved(LimitHeaders),
    /// Other callers use half of all refills after a minute.
    Others,
    /// Every second account is overloaded for a minute.
    Overload,
    /// One account of middle size is sick from the start.
    Sick(Illness),
    /// That account is not there at all; the measure for [`Fault::Sick`].
    Missing,
    /// Headers show figures of up to five seconds ago.
    Stale,
    /// After a minute, the deciding process and a quarter of the workers end.
    Killed,
    /// Clocks of workers are two seconds ahead or behind.
    Skew,
    /// Requests travel for up to two seconds.
    Travel,
}

impl Fault {
    /// All faults, in the order of tables.
    pub(crate) fn all() -> Vec<Self> {
        let sick = Illness::ALL.into_iter().map(Self::Sick);
        [
            Self::None,
            Self::Halved(LimitHeaders::All),
            Self::Halved(LimitHeaders::Remaining),
            Self::Halved(LimitHeaders::Nothing),
            Self::Others,
            Self::Overload,
            Self::Missing,
            Self::Stale,
            Self::Killed,
            Self::Skew,
            Self::Travel,
        ]
        .into_iter()
        .chain(sick)
        .collect()
    }

    /// Name in cells and tables.
    pub(crate) fn name(self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Halved(LimitHeaders::All) => "halved-told".to_owned(),
            Self::Halved(LimitHeaders::Remaining) => "halved-remaining".to_owned(),
            Self::Halved(LimitHeaders::Nothing) => "halved-untold".to_owned(),
            Self::Others => "others-half".to_owned(),
            Self::Overload => "overload".to_owned(),
            Self::Sick(illness) => format!("sick-{}", illness.as_str()),
            Self::Missing => "missing".to_owned(),
            Self::Stale => "stale".to_owned(),
            Self::Killed => "killed".to_owned(),
            Self::Skew => "skew".to_owned(),
            Self::Travel => "travel".to_owned(),
        }
    }
}
