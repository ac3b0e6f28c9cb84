//! The order for one call: where it goes, under which lease, and until when.

use chorus_core::attempt::Assignment;
use chorus_core::id::{Holder, Tenant};
use chorus_core::port::upstream::{Body, Call};
use chorus_core::time::Timestamp;

/// One call, admitted and ready to be made.
///
/// The same for a delivery of a task and for a request of the gateway.
#[derive(Debug, Clone)]
pub struct LeasedCall {
    /// Lease, account, provider and model.
    pub assignment: Assignment,
    /// Tenant that owns the account.
    pub tenant: Tenant,
    /// Caller that sends the lease; a repeated `send` by the same holder is granted again.
    pub holder: Holder,
    /// Request for the provider, tailored to its route (see
    /// [`route_request`](crate::route_request())).
    pub body: Body,
    /// Prompt tokens as estimated, for providers that report no usage.
    pub prompt_tokens: u64,
    /// Wall-clock deadline at which the call is cut.
    pub cut_at: Timestamp,
    /// Expiry of the sent lease: `cut_at` and the time for which a provider may go on after it.
    pub lease_until: Timestamp,
    /// Name of the call in the provider's logs and ours.
    pub reference: String,
}

impl LeasedCall {
    /// Returns the call as the [`Upstream`](chorus_core::port::Upstream) port takes it.
    pub(crate) fn upstream_call(&self) -> Call {
        Call {
            credential: self.assignment.credential(),
            provider: self.assignment.provider.clone(),
            model: self.assignment.model.clone(),
            body: self.body.clone(),
            begin_by: self.assignment.lease.not_after,
            deadline: self.cut_at,
            reference: self.reference.clone(),
        }
    }
}
