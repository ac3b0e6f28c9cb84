//! A lease in the ledger: what it drew from which limit, and which part of its life it is in.

use chorus_core::id::{GroupId, Holder};
use chorus_core::limit::{Dimension, Lease};
use chorus_core::time::Timestamp;

/// A lease with its life.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The grant, as it is repeated to whoever asks again.
    pub(crate) lease: Lease,
    /// What it drew, in the order of the lease's charges.
    pub(crate) parts: Vec<Part>,
    /// Every group it draws on, once.
    pub(crate) groups: Vec<GroupId>,
    /// Where it stands.
    pub(crate) life: Life,
}

/// An amount drawn from one limit.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The group.
    pub(crate) group: GroupId,
    /// The dimension.
    pub(crate) dimension: Dimension,
    /// Which of the group's limits of that dimension.
    pub(crate) nth: usize,
    /// How much was set aside.
    pub(crate) set_aside: i64,
    /// How much is charged and since when; none while it is only set aside.
    pub(crate) charged: Option<(Timestamp, i64)>,
}

/// The life of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Life {
    /// Until its `not_after`; then everything is given back.
    Reserved,
    /// The call runs; at `until` the slot is freed and the charge stays.
    Sent {
        /// Who makes the call; unknown after a restore, until it asks.
        holder: Option<Holder>,
        /// The call's deadline.
        until: Timestamp,
    },
    /// We hung up; the provider may go on until this time.
    Aborted {
        /// When the slot is freed.
        until: Timestamp,
    },
    /// It expired after it was sent: a late word corrects the charge, once.
    Expired {
        /// When it is forgotten.
        until: Timestamp,
    },
    /// It ended, or expired before it was sent: nothing changes any more.
    Over {
        /// Whether a call was made on it.
        sent: bool,
        /// When it is forgotten.
        until: Timestamp,
    },
}

impl Entry {
    /// When time alone changes it.
    pub(crate) fn due(&self) -> Timestamp {
        match self.life {
            Life::Reserved => Timestamp(self.lease.not_after.0.saturating_add(1)),
            Life::Sent { until, .. }
            | Life::Aborted { until }
            | Life::Expired { until }
            | Life::Over { until, .. } => until,
        }
    }

    /// Whether it holds anything.
    pub(crate) fn is_live(&self) -> bool {
        matches!(
            self.life,
            Life::Reserved | Life::Sent { .. } | Life::Aborted { .. }
        )
    }
}
