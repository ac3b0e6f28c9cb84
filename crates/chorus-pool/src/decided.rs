//! An [`AdmissionRequest`] that has left the queue of an [`Admission`](crate::Admission).

use chorus_core::attempt::DispatchDecision;

use crate::engine::ChoiceReason;
use crate::request::AdmissionRequest;

/// A request that has left the queue, with the decision on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Request as it was pushed.
    pub request: Box<AdmissionRequest>,
    /// [`DispatchDecision::Send`] with the reserved lease, or the cause for which no account will
    /// ever admit it.
    pub decision: DispatchDecision,
    /// Weighted tokens that were charged to tenant and project, for [`Admission::correct`](crate::Admission::correct).
    pub charged: u64,
    /// Reason for which the endpoint was chosen; none for a call that was refused.
    pub because: Option<ChoiceReason>,
}
