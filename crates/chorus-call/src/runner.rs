//! The run of one call: send the lease, make the call, read the reply.

use std::sync::Arc;

use chorus_core::catalog::Catalog;
use chorus_core::limit::{End, LimitSignals, ObservedLevel, Sent};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::retry::until_ok;
use chorus_core::port::upstream::{Body, Response};
use chorus_core::port::{Bus, Clock, Directory, LimitState, Upstream};
use chorus_core::time::Timestamp;
use futures_util::future::join;

use crate::cut::Cut;
use crate::leased_call::LeasedCall;
use crate::observer::{CallObserver, beside};
use crate::outcome::{Exchange, Facts, Received};
use crate::report::{CallReport, Ending};
use crate::stream::StreamReader;

/// Settings of all calls of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Characters for each token that was asked for, beyond which a reply counts as never ending.
    pub chars_per_token: u32,
}

/// Maker of leased calls, over the ports that a call needs.
pub struct CallRunner {
    /// Leases: `send`, `observe`, `end`.
    pub limits: Arc<dyn LimitState>,
    /// Providers.
    pub upstream: Arc<dyn Upstream>,
    /// States of credentials.
    pub directory: Arc<dyn Directory>,
    /// Notices of changed credentials.
    pub bus: Arc<dyn Bus>,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
    /// Rows of providers and models.
    pub catalog: Arc<Catalog>,
    /// Settings of all calls.
    pub settings: Settings,
}

impl CallRunner {
    /// Sends the lease and makes the call; returns when the reply has ended or the cut came.
    ///
    /// A limiter that does not answer is asked again until the cut. Nothing is settled yet: the
    /// caller calls [`observe`](Self::observe), writes its record and calls [`end`](Self::end).
    pub async fn run(
        &self,
        call: &LeasedCall,
        cut: &mut Cut<'_>,
        observer: &mut dyn CallObserver,
    ) -> CallReport {
        if let Some(report) = self.start(call, cut).await {
            return report;
        }
        observer.on_start();
        let started = self.clock.now();
        let exchange = self.exchange(call, cut, observer).await;
        let now = self.clock.now();
        let assignment = &call.assignment;
        let facts = Facts {
            call,
            provider: self.catalog.provider(&assignment.provider),
            model: self.catalog.model(&assignment.model),
            now,
            took: now.since(started),
        };
        facts.report(exchange)
    }

    /// Marks the lease as sent; returns a report when no call may be made.
    async fn start(&self, call: &LeasedCall, cut: &mut Cut<'_>) -> Option<CallReport> {
        let sending = until_ok(&*self.clock, "send a lease", || self.send(call));
        // A lease that was sent, or may have been, gives its slot back at once without a call.
        let uncalled = End::Refused {
            counts_request: false,
        };
        let (ending, lease_end) = match cut.or(sending).await {
            Ok(Sent::Sent) if self.may_begin(call) => return None,
            Ok(Sent::Sent) => (Ending::LeaseGone, uncalled),
            Ok(Sent::Gone) => (Ending::LeaseGone, End::Unused),
            Err(by) => (Ending::NotStarted(by), uncalled),
        };
        Some(CallReport::not_started(ending, lease_end))
    }

    /// Returns true until the lease's time to begin is over. The slot of a silent worker is counted from there, so the
    /// upstream checks it once more before the request.
    fn may_begin(&self, call: &LeasedCall) -> bool {
        let now = self.clock.now();
        now < call.cut_at && now <= call.assignment.lease.not_after
    }

    /// A limiter that has lost its state is asked again until it was restored or the lease's time
    /// is over.
    async fn send(&self, call: &LeasedCall) -> Result<Sent, LimiterError> {
        let lease = &call.assignment.lease;
        let sent = self.limits.send(lease, &call.holder, call.lease_until);
        match sent.await {
            Err(LimiterError::StateLost) if self.clock.now() > lease.not_after => Ok(Sent::Gone),
            other => other,
        }
    }

    async fn exchange(
        &self,
        call: &LeasedCall,
        cut: &mut Cut<'_>,
        observer: &mut dyn CallObserver,
    ) -> Exchange {
        let sending = self.upstream.send(call.upstream_call());
        let response = match cut.or(beside(&mut *observer, sending)).await {
            Err(by) => return Exchange::CutUnanswered(by),
            Ok(Err(failure)) => return Exchange::Refused(Box::new(failure)),
            Ok(Ok(response)) => response,
        };
        let Response {
            sent_at,
            request_id,
            levels,
            body,
        } = response;
        let mut reader = StreamReader {
            observer,
            cut,
            provider: &call.assignment.provider,
            prompt_tokens: call.prompt_tokens,
            max_chars: self.max_chars(call),
        };
        let observed = self.observe_levels(call, sent_at, levels);
        let ((reply, stop), ()) = join(reader.read(body), observed).await;
        let received = Received {
            reply,
            sent_at,
            request_id,
        };
        Exchange::Accepted(Box::new(received), stop)
    }

    /// Reports the levels of a reply's headers at its first byte, beside the reading of the reply.
    async fn observe_levels(
        &self,
        call: &LeasedCall,
        sent_at: Timestamp,
        levels: Vec<ObservedLevel>,
    ) {
        let signals = LimitSignals {
            sent_at,
            failure: None,
            retry_after: None,
            levels,
        };
        if !signals.is_empty() {
            self.observe_limits(call, &signals).await;
        }
    }

    /// Bound of a canonical reply; some providers let thinking go beyond `max_tokens`.
    fn max_chars(&self, call: &LeasedCall) -> Option<u64> {
        let Body::Canonical(request) = &call.body else {
            return None;
        };
        let model = self.catalog.model(&call.assignment.model);
        let thinking = model
            .filter(|model| model.reasoning)
            .map_or(0, |model| model.max_output);
        let asked = request.sampling.max_tokens.unwrap_or(0);
        let tokens = asked.saturating_add(thinking).max(1);
        Some(u64::from(tokens) * u64::from(self.settings.chars_per_token))
    }
}
