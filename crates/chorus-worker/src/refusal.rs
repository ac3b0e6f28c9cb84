//! What follows from a failed call: for the attempt, and for the credential.

use std::sync::Arc;

use chorus_core::attempt::{Delivery, FailureCause, Requeue};
use chorus_core::failure::{self, CredentialReaction, RequeueReaction};
use chorus_core::limit::{Dimension, QuotaGroup, Window};
use chorus_core::port::directory::CredentialState;
use chorus_core::port::upstream::CallFailure;
use chorus_core::time::{Millis, Timestamp};

use crate::Settings;
use crate::judge::Word;

/// Facts on which the next try is scheduled.
pub(crate) struct Schedule<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) now: Timestamp,
    pub(crate) chance: &'a dyn Fn(u64) -> u64,
}

/// The word about the attempt, as the failure's row says.
pub(crate) fn word(delivery: &Delivery, failure: &CallFailure, schedule: &Schedule<'_>) -> Word {
    let (class, rule) = (failure.class, failure.class.rule());
    let retry_at = || {
        let chance = (schedule.chance)(failure::CHANCE + 1);
        let asked = failure.retry_after;
        failure::retry_at(rule, delivery.retries, asked, schedule.now, chance)
    };
    let upstream = || FailureCause::Upstream {
        class,
        message: failure.to_string(),
    };
    match rule.requeue {
        RequeueReaction::NotCounted => Word::again(Requeue::Limited { class }, retry_at()),
        RequeueReaction::CountedAsRetry if delivery.retries >= schedule.settings.max_retries => {
            Word::Failed(upstream())
        }
        RequeueReaction::CountedAsRetry => Word::again(Requeue::Retry { class }, retry_at()),
        RequeueReaction::AttemptFails => Word::Failed(FailureCause::Request {
            message: failure.to_string(),
        }),
    }
}

/// Returns the credential's next state, when the failure changes it.
pub(crate) fn credential_state(
    failure: &CallFailure,
    groups: &[Arc<QuotaGroup>],
    now: Timestamp,
) -> Option<CredentialState> {
    let reason = failure.to_string();
    match failure.class.rule().credential {
        CredentialReaction::Unchanged => None,
        CredentialReaction::Refused => Some(CredentialState::Refused { reason }),
        CredentialReaction::ParkedUntilDay => Some(CredentialState::Parked {
            until: next_day(groups, now),
            reason,
        }),
        CredentialReaction::ParkedUntilMoney => {
            let until = rolling_spend(groups, failure.retry_after, now)
                .unwrap_or_else(|| next(Window::Month, now));
            Some(CredentialState::Parked { until, reason })
        }
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
    use chorus_core::failure::FailureClass;
    use chorus_core::id::{GroupId, ProviderId};
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
}
