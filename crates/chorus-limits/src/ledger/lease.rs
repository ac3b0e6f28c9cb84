//! A lease in the [`Ledger`](super::Ledger): the amounts it drew from each limit, and its state.

use chorus_core::id::Holder;
use chorus_core::limit::{Dimension, Lease};
use chorus_core::time::Timestamp;

use super::group_key::GroupKey;
use super::meter::Mark;

/// A [`Lease`] with its state.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Grant, returned again to a repeated demand.
    pub(crate) lease: Lease,
    /// Amounts drawn, in the order of the lease's charges.
    pub(crate) parts: Vec<Part>,
    /// Groups that the lease draws on, each once.
    pub(crate) groups: Vec<GroupKey>,
    /// State of the lease.
    pub(crate) life: Life,
    /// Time at which the lease was sent; the time of the restore for a restored one.
    pub(crate) sent_at: Option<Timestamp>,
    /// True if the process that made the call has ended.
    pub(crate) process_ended: bool,
}

/// An amount drawn from one limit.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// Group of the limit.
    pub(crate) group: GroupKey,
    /// Dimension of the limit.
    pub(crate) dimension: Dimension,
    /// Number among the group's limits of that dimension, from 0.
    pub(crate) nth: usize,
    /// Amount reserved.
    pub(crate) set_aside: i64,
    /// Time and amount of the charge; none while the amount is only reserved.
    pub(crate) charged: Option<(Timestamp, i64)>,
    /// Sums of the meter when the call was sent; none before, and when they are not known any more.
    pub(crate) mark: Option<Mark>,
}

/// State of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Life {
    /// Reserved until its `not_after`; then everything is given back.
    Reserved,
    /// Sent: at `until` the slot is freed and the charge stays.
    Sent {
        /// Holder that sent the lease; unknown after a restore until it sends again.
        holder: Option<Holder>,
        /// Expiry of the sent lease.
        until: Timestamp,
    },
    /// Aborted on our side; the provider may go on until this time.
    Aborted {
        /// Time at which the slot is freed.
        until: Timestamp,
    },
    /// Expired after it was sent: a late [`End::Used`](chorus_core::limit::End::Used) corrects the charge once.
    Expired {
        /// Time at which the lease is forgotten.
        until: Timestamp,
    },
}

/// Lease that ended, or that expired before it was sent: nothing changes any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// True if a call was made on the lease.
    pub(crate) sent: bool,
    /// Time at which the lease is forgotten.
    pub(crate) until: Timestamp,
}

impl Entry {
    /// Returns the time at which the lease changes by itself.
    pub(crate) fn due(&self) -> Timestamp {
        match self.life {
            Life::Reserved => Timestamp(self.lease.not_after.0.saturating_add(1)),
            Life::Sent { until, .. } | Life::Aborted { until } | Life::Expired { until } => until,
        }
    }

    /// Returns true if the lease holds a slot or an amount.
    pub(crate) fn is_live(&self) -> bool {
        matches!(
            self.life,
            Life::Reserved | Life::Sent { .. } | Life::Aborted { .. }
        )
    }
}
