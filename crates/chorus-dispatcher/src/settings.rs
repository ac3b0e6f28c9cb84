//! Times and sizes of a dispatcher.

use chorus_core::time::{Millis, Timestamp};
use chorus_pool::admission;

/// Behaviour of a [`Dispatcher`](crate::Dispatcher). The defaults suit a server; one machine takes shorter times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Time for which a term lasts without renewal.
    pub term_lasts: Millis,
    /// Time between two renewals of the term.
    pub renew: Millis,
    /// Time between two requests for the term while another process leads.
    pub stand_by: Millis,
    /// Time between two readings of what was queued or came due lately, when no record causes one.
    pub poll: Millis,
    /// Time between two readings of the whole queue.
    pub whole_queue: Millis,
    /// Minimum time between two readings of the queued rows.
    pub wake_gap: Millis,
    /// Maximum number of queued rows read at once; others are counted and wait in the store.
    pub queue_size: u32,
    /// Behaviour of admission; its `lease_lasts` is the time that a worker has to claim a delivery.
    pub admission: admission::Settings,
    /// Age of the last heartbeat at which a running attempt has lost its worker.
    pub beat_stale: Millis,
    /// Time at which every earlier process on the same data had ended, for a process that works alone: no
    /// earlier claim is held by a living worker. None where other processes may run.
    pub alone_since: Option<Timestamp>,
    /// Time after a lease's `not_after` at which an unclaimed dispatch is taken back.
    pub unclaimed_after: Millis,
    /// Time between two rounds of the reconciler.
    pub sweep: Millis,
    /// Age at which a committed record that was not marked as sent is published by the reconciler.
    pub unsent_after: Millis,
    /// Age at which a command or finished attempt that was not folded is published again.
    pub unfolded_after: Millis,
    /// Time between two collections of old records.
    pub collect: Millis,
    /// Time for which records are kept after they were sent and folded; longer than any record stays on the bus.
    pub keep_records: Millis,
    /// Maximum number of rows or records in one statement of the reconciler.
    pub sweep_size: u32,
    /// Time between two readings of the accounts.
    pub accounts: Millis,
    /// Time for which a project waits without a call before its orchestrator is sent the reason.
    pub long_wait: Millis,
    /// Duration from which a statement counts as an outage of the store.
    pub slow_statement: Millis,
    /// Number of lost workers after which an attempt fails.
    pub lost_limit: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            term_lasts: Millis::from_secs(15),
            renew: Millis::from_secs(5),
            stand_by: Millis::from_secs(2),
            poll: Millis::from_secs(1),
            whole_queue: Millis::from_secs(60),
            wake_gap: Millis(10),
            queue_size: 20_000,
            admission: admission::Settings::default(),
            beat_stale: Millis::from_secs(20),
            alone_since: None,
            unclaimed_after: Millis::from_secs(1),
            sweep: Millis::from_secs(2),
            unsent_after: Millis::from_secs(2),
            unfolded_after: Millis::from_secs(15),
            collect: Millis::from_secs(60),
            keep_records: Millis::from_secs(7 * 24 * 3600),
            sweep_size: 500,
            accounts: Millis::from_secs(5),
            long_wait: Millis::from_secs(60),
            slow_statement: Millis::from_secs(2),
            // A process that stops takes all its calls with it, so attempts that did no harm are counted too.
            lost_limit: 5,
        }
    }
}

impl Settings {
    /// Duration of one whole lease: nothing is taken back before the store has answered for this long.
    pub fn whole_lease(&self) -> Millis {
        self.beat_stale.max(self.admission.lease_lasts)
    }
}
