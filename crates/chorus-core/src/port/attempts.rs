//! The doing: guarded arrows on attempt rows. Times are judged by the store's clock.

use async_trait::async_trait;

use super::StoreError;
use crate::attempt::{
    Claim, Delivery, Dispatch, Dispatched, Finish, Holding, QueuedAttempt, Reclaim, Reclaimed,
};

/// Every arrow is one guarded statement; zero rows means a lost race. All of them can be repeated.
#[async_trait]
pub trait Attempts: Send + Sync {
    /// Queued attempts, oldest first, at most `limit`; those with `not_before` in the future too.
    async fn queued(&self, limit: u32) -> Result<Vec<QueuedAttempt>, StoreError>;

    /// `Queued -> Dispatched` or `Queued -> Failed`, each with its outbox record and the budget's reservation,
    /// all of the batch in one transaction; one answer each, in order.
    async fn dispatch(&self, batch: Vec<Dispatch>) -> Result<Vec<Dispatched>, StoreError>;

    /// `Dispatched -> Running` at the record's epoch; the delivery, or none when the claim is denied.
    async fn claim(&self, claim: Claim) -> Result<Option<Box<Delivery>>, StoreError>;

    /// Says that these are still held; returns those that are not ours any more.
    async fn beat(&self, held: Vec<Holding>) -> Result<Vec<Holding>, StoreError>;

    /// `Running -> Succeeded | Asked | Failed | Queued` (epoch + 1 when queued), with the delivery's story,
    /// the money and the outbox record; false when the row has moved on. Repeating a finish that was done
    /// returns true.
    async fn finish(&self, finish: Finish) -> Result<bool, StoreError>;

    /// `Dispatched -> Queued` and `Running -> Queued` for what is overdue, epoch + 1.
    async fn reclaim(&self, reclaim: Reclaim) -> Result<Vec<Reclaimed>, StoreError>;
}
