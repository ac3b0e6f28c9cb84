//! Settlement of a report: limit signals and credential first, the lease last.

use chorus_core::id::{EventId, LeaseId};
use chorus_core::limit::{End, LimitSignals};
use chorus_core::port::directory::{CredentialState, Mark};
use chorus_core::port::retry::{until_ok, until_ok_before};
use chorus_core::record::{self, CredentialNotice};
use chorus_core::time::Millis;

use crate::leased_call::LeasedCall;
use crate::report::CallReport;
use crate::runner::CallRunner;

/// Maximum time for which signals may delay the caller's record; they are only a correction.
const OBSERVE_WITHIN: Millis = Millis(2_000);
/// Maximum time for which the end of a lease is tried; it expires by itself after that.
const END_WITHIN: Millis = Millis(60_000);

impl CallRunner {
    /// Reports the call's signals to the limiter and its credential's new state to the directory.
    ///
    /// The signals are given up after 2 s; the state is repeated until the directory answers,
    /// because the same credential would be chosen again.
    pub async fn observe(&self, call: &LeasedCall, report: &CallReport) {
        if let Some(signals) = report.signals.as_ref().filter(|one| !one.is_empty()) {
            self.observe_limits(call, signals).await;
        }
        if let Some(state) = &report.credential_change {
            let sent_at = report.signals.as_ref().map(|signals| signals.sent_at);
            let mark = Mark::of_call(sent_at.unwrap_or_else(|| self.clock.now()));
            self.change_credential(call, state, mark).await;
        }
    }

    /// Ends the call's lease as its report says.
    pub async fn end(&self, call: &LeasedCall, report: &CallReport) {
        self.end_lease(call.assignment.lease.id, &report.lease_end)
            .await;
    }

    /// Ends a lease, with a call or without. Given up after a minute: leases expire.
    pub async fn end_lease(&self, lease: LeaseId, end: &End) {
        let give_up = self.clock.now() + END_WITHIN;
        until_ok_before(&*self.clock, give_up, "end a lease", || {
            self.limits.end(lease, end.clone())
        })
        .await;
    }

    pub(crate) async fn observe_limits(&self, call: &LeasedCall, signals: &LimitSignals) {
        let lease = call.assignment.lease.id;
        let give_up = self.clock.now() + OBSERVE_WITHIN;
        let observed = until_ok_before(&*self.clock, give_up, "report limit signals", || {
            self.limits.observe(lease, signals.clone())
        });
        self.clock.deadline(give_up, observed).await;
    }

    async fn change_credential(&self, call: &LeasedCall, state: &CredentialState, mark: Mark) {
        let (account, credential) = (call.assignment.account, call.assignment.credential());
        tracing::warn!(account.id = %account, credential.id = %credential, credential.state = ?state, "a credential cannot be used for now");
        until_ok(&*self.clock, "change a credential's state", || {
            self.directory.mark_state(credential, state.clone(), mark)
        })
        .await;
        let notice = record::credential(
            EventId::new(self.clock.random_u128()),
            &call.tenant,
            &CredentialNotice {
                account,
                credential,
            },
        );
        if let Err(error) = self.bus.publish(vec![notice]).await {
            tracing::warn!(error = %error, "failed to publish the notice of a credential");
        }
    }
}
