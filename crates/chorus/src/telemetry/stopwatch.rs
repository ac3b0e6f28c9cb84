//! Durations for metrics. No decision depends on them, so they are not the `Clock` port's time.

use std::time::Instant;

/// A running stopwatch.
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "durations of milliseconds and less, which the Clock port does not tell"
    )]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
