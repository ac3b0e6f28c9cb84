//! The times and sizes of a dispatcher.

use chorus_core::time::Millis;
use chorus_pool::admission;

/// How a dispatcher behaves. The defaults suit a server; a laptop takes shorter times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long a leader's term lasts without renewal.
    pub term_lasts: Millis,
    /// How often the term is renewed.
    pub renew: Millis,
    /// How often one that stands by asks for the term.
    pub stand_by: Millis,
    /// How often queued rows are read anew when no record wakes the dispatcher.
    pub poll: Millis,
    /// Least time between two readings of the queued rows.
    pub wake_gap: Millis,
    /// Most queued rows read at once; more wait in the store.
    pub queue_size: u32,
    /// How admission behaves; its `lease_lasts` is the time that a worker has for claiming.
    pub admission: admission::Settings,
    /// A running attempt whose last beat is this old has lost its worker.
    pub beat_stale: Millis,
    /// A dispatch is taken back this long after its lease's `not_after`.
    pub unclaimed_after: Millis,
    /// How often the reconciler looks.
    pub sweep: Millis,
    /// A committed record that was not marked sent for this long is sent by the reconciler.
    pub unsent_after: Millis,
    /// A command or finished attempt that nobody folded for this long is sent again.
    pub unfolded_after: Millis,
    /// How often records that are done with are collected.
    pub collect: Millis,
    /// How long records are kept after they were sent and folded: longer than any record stays on the bus.
    pub keep_records: Millis,
    /// Most rows or records in one statement of the reconciler.
    pub sweep_size: u32,
    /// How often accounts are read anew.
    pub accounts: Millis,
    /// How often finished deliveries are read, to learn what calls really use.
    pub learn: Millis,
    /// A statement that takes longer than this counts as an outage of the store.
    pub slow_statement: Millis,
    /// An attempt that lost so many workers is not tried again.
    pub lost_limit: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            term_lasts: Millis::from_secs(15),
            renew: Millis::from_secs(5),
            stand_by: Millis::from_secs(2),
            poll: Millis::from_secs(1),
            wake_gap: Millis(10),
            queue_size: 2_000,
            admission: admission::Settings::default(),
            beat_stale: Millis::from_secs(20),
            unclaimed_after: Millis::from_secs(1),
            sweep: Millis::from_secs(2),
            unsent_after: Millis::from_secs(2),
            unfolded_after: Millis::from_secs(15),
            collect: Millis::from_secs(60),
            keep_records: Millis::from_secs(7 * 24 * 3600),
            sweep_size: 500,
            accounts: Millis::from_secs(5),
            learn: Millis::from_secs(2),
            slow_statement: Millis::from_secs(2),
            // A process that dies takes all its calls with it, so those of the innocent count too.
            lost_limit: 5,
        }
    }
}

impl Settings {
    /// One whole lease: nothing is taken away before the store has answered for so long.
    pub fn whole_lease(&self) -> Millis {
        self.beat_stale.max(self.admission.lease_lasts)
    }
}
