//! What follows from a failed call: for the attempt, and for the credential.

use std::sync::Arc;

use chorus_core::attempt::{Delivery, FailureCause, Requeue};
use chorus_core::limit::{Dimension, FailureClass, QuotaGroup, Window};
use chorus_core::port::directory::CredentialState;
use chorus_core::port::upstream::CallFailure;
use chorus_core::time::{Millis, Timestamp};

use crate::Settings;
use crate::judge::Word;

/// When something is to be tried again: full jitter, after what the provider asked for. The account itself
/// stays away for the whole time it was told, through the limiter; the task is kept back for `retry_cap` at
/// most, because other accounts may serve it.
pub(crate) struct Schedule<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) now: Timestamp,
    pub(crate) chance: &'a dyn Fn(u64) -> u64,
}

impl Schedule<'_> {
    /// After the `earlier`-th failure in a row.
    pub(crate) fn after_failure(&self, earlier: u32, retry_after: Option<Millis>) -> Timestamp {
        let bound = self
            .settings
            .retry_base
            .0
            .saturating_mul(1 << earlier.min(16))
            .min(self.settings.retry_cap.0);
        let asked = retry_after
            .unwrap_or_default()
            .0
            .min(self.settings.retry_cap.0);
        self.now + Millis(asked + (self.chance)(bound + 1))
    }

    /// As soon as another account may take it.
    pub(crate) fn soon(&self) -> Timestamp {
        self.after_failure(0, None)
    }
}

/// The word about the attempt.
pub(crate) fn word(delivery: &Delivery, failure: &CallFailure, schedule: &Schedule<'_>) -> Word {
    let class = failure.class;
    match class {
        FailureClass::RateWindow | FailureClass::Ramp | FailureClass::Concurrency => Word::again(
            Requeue::Limited { class },
            schedule.after_failure(0, failure.retry_after),
        ),
        // The credential is out of the game until then; the attempt goes elsewhere, and it is not its fault.
        FailureClass::QuotaDay | FailureClass::Spend | FailureClass::Auth => {
            Word::again(Requeue::Limited { class }, schedule.soon())
        }
        FailureClass::Request => Word::Failed(FailureCause::Request {
            message: failure.to_string(),
        }),
        FailureClass::Overload
        | FailureClass::Forbidden
        | FailureClass::Transient
        | FailureClass::MidStream => retry(delivery, failure, schedule),
    }
}

fn retry(delivery: &Delivery, failure: &CallFailure, schedule: &Schedule<'_>) -> Word {
    let class = failure.class;
    if delivery.retries >= schedule.settings.max_retries {
        return Word::Failed(FailureCause::Upstream {
            class,
            message: failure.to_string(),
        });
    }
    Word::again(
        Requeue::Retry { class },
        schedule.after_failure(delivery.retries, failure.retry_after),
    )
}

/// What may be done with the credential from now on, when the failure changes that.
pub(crate) fn credential_state(
    failure: &CallFailure,
    groups: &[Arc<QuotaGroup>],
    now: Timestamp,
) -> Option<CredentialState> {
    let reason = failure.to_string();
    match failure.class {
        FailureClass::Auth => Some(CredentialState::Refused { reason }),
        FailureClass::QuotaDay => Some(CredentialState::Parked {
            until: next_day(groups, now),
            reason,
        }),
        FailureClass::Spend => {
            let until = rolling_spend(groups, failure.retry_after, now)
                .unwrap_or_else(|| next(Window::Month, now));
            Some(CredentialState::Parked { until, reason })
        }
        FailureClass::RateWindow
        | FailureClass::Ramp
        | FailureClass::Concurrency
        | FailureClass::Overload
        | FailureClass::Forbidden
        | FailureClass::Request
        | FailureClass::Transient
        | FailureClass::MidStream => None,
    }
}

/// The latest start of a new day among the groups' own days; midnight UTC when none has one. Delays that
/// providers name for a day's quota are not to be trusted.
fn next_day(groups: &[Arc<QuotaGroup>], now: Timestamp) -> Timestamp {
    let windows = groups
        .iter()
        .flat_map(|group| &group.limits)
        .map(|limit| limit.window);
    let days = windows.filter(|window| matches!(window, Window::Day { .. }));
    days.map(|day| next(day, now))
        .max()
        .unwrap_or_else(|| next(Window::Day { offset_minutes: 0 }, now))
}

/// The end of a window of money that is shorter than a month.
fn rolling_spend(
    groups: &[Arc<QuotaGroup>],
    retry_after: Option<Millis>,
    now: Timestamp,
) -> Option<Timestamp> {
    let spend = groups
        .iter()
        .flat_map(|group| &group.limits)
        .filter(|limit| limit.dimension == Dimension::Spend);
    let window = spend.filter_map(|limit| match limit.window {
        Window::Bucket { per_ms } | Window::Sliding { per_ms } => Some(Millis(per_ms)),
        Window::Day { .. } | Window::Month | Window::Held => None,
    });
    window
        .max()
        .map(|length| now + retry_after.unwrap_or(length))
}

/// When the calendar's next period begins.
fn next(window: Window, now: Timestamp) -> Timestamp {
    window.period(now).map_or(now, |(_, next)| next)
}

#[cfg(test)]
mod tests {
    use chorus_core::id::{GroupId, Pool, ProviderId};
    use chorus_core::limit::{Limit, ReserveRule};

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn groups(dimension: Dimension, window: Window) -> Vec<Arc<QuotaGroup>> {
        let reserve = ReserveRule::Estimate;
        let limit = Limit {
            dimension,
            amount: 1,
            burst: None,
            window,
            reserve,
            cache_read_percent: 0,
            output_weight: 1,
        };
        vec![Arc::new(QuotaGroup {
            id: GroupId::new("g"),
            limits: vec![limit],
        })]
    }

    /// Until when a failure at 1970-01-01 12:00 UTC parks a credential of these groups.
    fn check(
        class: FailureClass,
        retry_after: Option<Millis>,
        groups: &[Arc<QuotaGroup>],
        expected: Option<i64>,
    ) {
        let (provider, message) = (ProviderId::new("p"), String::new());
        let failure = CallFailure {
            class,
            provider,
            status: Some(429),
            kind: None,
            message,
            retry_after,
            sent_at: None,
            levels: vec![],
        };
        let until = match credential_state(&failure, groups, Timestamp(12 * HOUR)) {
            Some(CredentialState::Parked { until, .. }) => Some(until.0),
            None => None,
            other => panic!("{class:?} gave {other:?}"),
        };
        assert_eq!(until, expected, "{class:?}");
    }

    #[test]
    fn credentials_are_parked_until_their_own_calendar_says() {
        let minute = Some(Millis(60_000));
        check(FailureClass::QuotaDay, minute, &[], Some(24 * HOUR));
        check(
            FailureClass::QuotaDay,
            None,
            &groups(
                Dimension::Requests,
                Window::Day {
                    offset_minutes: -480,
                },
            ),
            Some(32 * HOUR),
        );
        check(
            FailureClass::Spend,
            minute,
            &groups(Dimension::Spend, Window::Month),
            Some(31 * 24 * HOUR),
        );
        check(
            FailureClass::Spend,
            None,
            &groups(Dimension::Spend, Window::Sliding { per_ms: 600_000 }),
            Some(12 * HOUR + 600_000),
        );
        check(
            FailureClass::Spend,
            minute,
            &groups(Dimension::Spend, Window::Sliding { per_ms: 600_000 }),
            Some(12 * HOUR + 60_000),
        );
        check(
            FailureClass::RateWindow,
            minute,
            &groups(Dimension::Spend, Window::Month),
            None,
        );
        check(FailureClass::Overload, None, &[], None);
    }

    #[test]
    fn waits_double_up_to_their_cap_and_honour_what_was_asked() {
        let settings = Settings::of_pool(Pool::new("claude"));
        let schedule = Schedule {
            settings: &settings,
            now: Timestamp(0),
            chance: &|below| below - 1,
        };
        let waits = |earlier, asked| schedule.after_failure(earlier, asked).0;
        assert_eq!(
            [
                waits(0, None),
                waits(1, None),
                waits(4, None),
                waits(5, None),
                waits(u32::MAX, None)
            ],
            [1_000, 2_000, 16_000, 30_000, 30_000]
        );
        assert_eq!(waits(0, Some(Millis(5_000))), 6_000);
        assert_eq!(waits(0, Some(Millis(9_000_000))), 31_000);
    }
}
