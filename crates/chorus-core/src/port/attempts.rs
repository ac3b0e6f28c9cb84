//! Guarded transitions of attempt rows. The store's clock judges all times.
//!
//! Neighbours: [`Deliveries`](super::Deliveries) reads the rows of deliveries, and
//! [`attempt::ARROWS`](crate::attempt::ARROWS) lists the transitions.

use async_trait::async_trait;

use super::StoreError;
use crate::attempt::{
    Claim, Delivery, Dispatch, Dispatched, Finish, Holding, QueuedAttempt, Reclaim, Reclaimed,
};
use crate::time::Millis;

/// Time for which attempts are read before their `not_before`.
pub const DUE_SOON: Millis = Millis::from_secs(2);

/// Transitions of attempts. Each is one guarded statement, zero changed rows mean a lost race, and
/// each can be repeated with the same arguments.
#[async_trait]
pub trait Attempts: Send + Sync {
    /// Returns at most `limit` queued attempts that may start within [`DUE_SOON`]. Attempts of one project
    /// and kind of task are a line: each line is read oldest first, and gets an equal share of `limit` but
    /// eight at least, so that a long line hides no other.
    async fn queued(&self, limit: u32) -> Result<Vec<QueuedAttempt>, StoreError>;

    /// `Queued -> Dispatched` or `Queued -> Failed` for each of the batch, with the outbox record
    /// and the budget's reservation, all in one transaction. Returns one [`Dispatched`] each, in
    /// order.
    async fn dispatch(&self, batch: Vec<Dispatch>) -> Result<Vec<Dispatched>, StoreError>;

    /// `Dispatched -> Running` at the claim's epoch. Returns the delivery, none when the claim is
    /// denied.
    async fn claim(&self, claim: Claim) -> Result<Option<Box<Delivery>>, StoreError>;

    /// Prolongs these holdings and returns those that the worker no longer holds.
    async fn beat(&self, held: Vec<Holding>) -> Result<Vec<Holding>, StoreError>;

    /// `Running -> Succeeded | Asked | Failed | Queued` (epoch + 1 when queued), with the row of
    /// the delivery, the money and the outbox record. Returns false when the row has moved on, and
    /// true when the same finish was applied before.
    async fn finish(&self, finish: Finish) -> Result<bool, StoreError>;

    /// `Dispatched -> Queued` and `Running -> Queued` for what is overdue by [`Reclaim`], epoch +
    /// 1.
    async fn reclaim(&self, reclaim: Reclaim) -> Result<Vec<Reclaimed>, StoreError>;
}
