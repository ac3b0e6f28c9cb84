//! Times and sizes by which an [`Admission`](crate::Admission) asks the limiter.

use chorus_core::time::Millis;

/// Behaviour of [`Admission`](crate::Admission).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Time for which a reservation waits for its call to begin.
    pub lease_lasts: Millis,
    /// Maximum time between two questions to the limiter while a call waits.
    pub poll: Millis,
    /// Maximum number of decisions returned at once.
    pub batch: usize,
    /// Share of each limit that calls leave free, in thousandths.
    pub floor_permille: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease_lasts: Millis::from_secs(30),
            poll: Millis::from_secs(1),
            batch: 64,
            floor_permille: 0,
        }
    }
}
