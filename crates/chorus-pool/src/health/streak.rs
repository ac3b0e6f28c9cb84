//! Failures in a row, and the rest after them: doubling with jitter, ended by one probe at a time.

use chorus_core::time::{Millis, Timestamp};

/// Time after which a probe without a report is given up.
const PROBE_TIMEOUT: Millis = Millis(120_000);

/// Bounds of a [`Streak`].
#[derive(Debug, Clone, Copy)]
pub(super) struct StreakRule {
    /// Number of failures in a row that begin a rest.
    begins_after: u32,
    /// First rest.
    first: Millis,
    /// Longest rest, before jitter.
    longest: Millis,
}

impl StreakRule {
    /// Failures of an account.
    pub(super) const FAILURES: Self = Self {
        begins_after: 3,
        first: Millis(2_000),
        longest: Millis(60_000),
    };
    /// Refusals of one model: each shows that the next one is refused as well.
    pub(super) const MODEL: Self = Self {
        begins_after: 1,
        first: Millis(15_000),
        longest: Millis(1_800_000),
    };
    /// Limits reached, without a reply between them.
    pub(super) const LIMITS: Self = Self {
        begins_after: 4,
        first: Millis(2_000),
        longest: Millis(60_000),
    };
}

/// Failures in a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Streak {
    failures: u32,
    rest: Option<Rest>,
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Timestamp,
    length: Millis,
    /// Start of the probe that is under way.
    probe: Option<Timestamp>,
}

impl Streak {
    pub(super) const fn rests(&self) -> bool {
        self.rest.is_some()
    }

    pub(super) fn rests_until(&self) -> Option<Timestamp> {
        self.rest.map(|rest| rest.until)
    }

    pub(super) fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.rest {
            None => Some(now),
            Some(Rest {
                probe: Some(since), ..
            }) if since + PROBE_TIMEOUT > now => None,
            Some(rest) => Some(rest.until.max(now)),
        }
    }

    pub(super) fn started(&mut self, now: Timestamp) {
        if let Some(rest) = self.rest.as_mut().filter(|rest| rest.until <= now) {
            rest.probe = Some(now);
        }
    }

    pub(super) fn probe_dropped(&mut self) {
        if let Some(rest) = &mut self.rest {
            rest.probe = None;
        }
    }

    pub(super) fn rest_until(&mut self, until: Timestamp) {
        let length = self.rest.map_or(Millis::ZERO, |rest| rest.length);
        self.rest = Some(Rest {
            until,
            length,
            probe: None,
        });
    }

    /// Records a reply; returns true if it ended a rest.
    pub(super) fn ended_well(&mut self) -> bool {
        let rested = self.rests();
        *self = Self::default();
        rested
    }

    /// Records a failure of a call that began at `began`; returns true if a rest began. Calls from before the end
    /// of the rest are no news.
    pub(super) fn failed(
        &mut self,
        rule: StreakRule,
        began: Timestamp,
        now: Timestamp,
        salt: u64,
    ) -> bool {
        self.failures = self.failures.saturating_add(1);
        let length = match self.rest {
            None if self.failures < rule.begins_after => return false,
            None => rule.first,
            Some(rest) if began < rest.until => return false,
            Some(rest) => Millis((rest.length.0 * 2).clamp(rule.first.0, rule.longest.0)),
        };
        self.rest = Some(Rest {
            until: now + jittered(length, salt ^ u64::from(self.failures)),
            length,
            probe: None,
        });
        true
    }
}

/// The length with up to a quarter more, so that accounts that failed together are not tried together.
fn jittered(length: Millis, salt: u64) -> Millis {
    let share = salt.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56;
    Millis(length.0 + length.0 * share / 1024)
}
