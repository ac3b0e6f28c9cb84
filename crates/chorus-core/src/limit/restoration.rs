//! State of the limits as rows of deliveries show it, for
//! [`LimitState::restore`](crate::port::LimitState::restore).

use std::sync::Arc;

use super::{Charge, Lease, QuotaGroup};
use crate::llm::Usage;
use crate::money::MicroUsd;
use crate::time::Timestamp;

/// Outstanding leases, and the calls that ended before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Restoration {
    /// All leases that may still hold something.
    pub leases: Vec<HeldLease>,
    /// Calls that ended, as far back as the windows of their groups reach, in any order; none when they
    /// are not known, so that every rate starts empty.
    pub past: Option<Vec<PastCall>>,
}

impl From<Vec<HeldLease>> for Restoration {
    fn from(leases: Vec<HeldLease>) -> Self {
        Self { leases, past: None }
    }
}

/// Lease that is restored after the limiter's state was lost.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldLease {
    /// Lease as it was granted.
    pub lease: Lease,
    /// Groups that the lease draws on, with their limits.
    pub groups: Vec<Arc<QuotaGroup>>,
    /// Expiry of the sent lease; none while it is only reserved.
    pub sent_until: Option<Timestamp>,
    /// True if the process that made the call has ended: no one ends the lease before its expiry.
    pub process_ended: bool,
}

/// Call that ended before the limiter's state was lost.
#[derive(Debug, Clone, PartialEq)]
pub struct PastCall {
    /// Groups that the call drew on, with their limits.
    pub groups: Vec<Arc<QuotaGroup>>,
    /// Time at which the call was sent.
    pub sent_at: Timestamp,
    /// Time at which the call ended.
    pub ended_at: Timestamp,
    /// Amounts that the call used.
    pub used: PastUse,
}

/// Amounts that a [`PastCall`] used.
#[derive(Debug, Clone, PartialEq)]
pub enum PastUse {
    /// Usage as the provider or the worker counted it.
    Known {
        /// Tokens used.
        usage: Usage,
        /// Money spent, in micro-dollars.
        cost: MicroUsd,
    },
    /// Refused by the provider, which counts the request.
    Refused,
    /// Not known: the amounts that were reserved count.
    Unknown {
        /// Amounts reserved, one for each limit.
        charges: Vec<Charge>,
    },
}
