//! Safety nets that can be switched off, because a second net hides a fault in the first.
//!
//! In a run without one net the correct program still holds every invariant, and a program with a
//! planted fault does not. `cargo xtask mutants` uses this.

use std::sync::Arc;

use async_trait::async_trait;
use chorus_core::attempt::{
    Claim, Delivery, Dispatch, Dispatched, Finish, Holding, QueuedAttempt, Reclaim, Reclaimed,
};
use chorus_core::id::EventId;
use chorus_core::port::attempts::{QueuePage, QueueSelection};
use chorus_core::port::bus::Record;
use chorus_core::port::{Attempts, Outbox, StoreError};
use chorus_core::time::Millis;

/// Active safety nets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafetyNets {
    /// Unclaimed dispatches are reclaimed.
    pub unclaimed: bool,
    /// Leases expire.
    pub expiry: bool,
    /// Unfolded commands and finished attempts are sent again.
    pub resend: bool,
    /// A decision that folds a record a second time is refused.
    pub folded: bool,
}

impl SafetyNets {
    /// All nets active.
    pub const ALL: Self = Self {
        unclaimed: true,
        expiry: true,
        resend: true,
        folded: true,
    };
}

impl Default for SafetyNets {
    fn default() -> Self {
        Self::ALL
    }
}

/// A length that no run reaches.
const NEVER: Millis = Millis(u64::MAX / 4);

/// [`Attempts`] without reclaiming unclaimed dispatches.
pub(super) struct NoUnclaimed(pub(super) Arc<dyn Attempts>);

#[async_trait]
impl Attempts for NoUnclaimed {
    async fn queued(&self, limit: u32) -> Result<Vec<QueuedAttempt>, StoreError> {
        self.0.queued(limit).await
    }

    async fn read_queue(
        &self,
        selection: QueueSelection,
        limit: u32,
    ) -> Result<QueuePage, StoreError> {
        self.0.read_queue(selection, limit).await
    }

    async fn dispatch(&self, batch: Vec<Dispatch>) -> Result<Vec<Dispatched>, StoreError> {
        self.0.dispatch(batch).await
    }

    async fn claim(&self, claim: Claim) -> Result<Option<Box<Delivery>>, StoreError> {
        self.0.claim(claim).await
    }

    async fn beat(&self, held: Vec<Holding>) -> Result<Vec<Holding>, StoreError> {
        self.0.beat(held).await
    }

    async fn finish(&self, finish: Finish) -> Result<bool, StoreError> {
        self.0.finish(finish).await
    }

    async fn reclaim(&self, reclaim: Reclaim) -> Result<Vec<Reclaimed>, StoreError> {
        self.0
            .reclaim(Reclaim {
                unclaimed_for: NEVER,
                ..reclaim
            })
            .await
    }
}

/// [`Outbox`] without resending unfolded records.
pub(super) struct NoResend(pub(super) Arc<dyn Outbox>);

#[async_trait]
impl Outbox for NoResend {
    async fn unsent(&self, older_than: Millis, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.0.unsent(older_than, limit).await
    }

    async fn mark_sent(&self, ids: Vec<EventId>) -> Result<(), StoreError> {
        self.0.mark_sent(ids).await
    }

    async fn unfolded(&self, _older_than: Millis, _limit: u32) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }

    async fn forget(&self, older_than: Millis, limit: u32) -> Result<u32, StoreError> {
        self.0.forget(older_than, limit).await
    }
}
