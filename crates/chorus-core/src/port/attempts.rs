//! Guarded transitions of attempt rows. The store's clock judges all times.
//!
//! Neighbours: [`Deliveries`](super::Deliveries) reads the rows of deliveries, and
//! [`attempt::ARROWS`](crate::attempt::ARROWS) lists the transitions.

use async_trait::async_trait;

use super::StoreError;
use crate::attempt::{
    Claim, Delivery, Dispatch, Dispatched, Finish, Holding, QueuedAttempt, Reclaim, Reclaimed,
};
use crate::id::{AttemptId, Epoch, ProjectId, Tenant};
use crate::task_kind::TaskKind;
use crate::time::{Millis, Timestamp};

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

    /// Returns one part of the queue with at most `limit` rows. A dispatcher reads the whole once and then what
    /// changed.
    async fn read_queue(
        &self,
        selection: QueueSelection,
        limit: u32,
    ) -> Result<QueuePage, StoreError>;

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

/// Part of the queue that [`Attempts::read_queue`] returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueSelection {
    /// Rows of every line that may start within [`DUE_SOON`]. Each line gets a share as in
    /// [`Attempts::queued`]: half of it the oldest rows, half those with the longest paths. The page counts the
    /// lines.
    Lines,
    /// As [`QueueSelection::Lines`], of one line with the whole limit.
    Line {
        /// Project of the line.
        project: ProjectId,
        /// Kind of its tasks.
        kind: TaskKind,
    },
    /// Rows that records announced, however late they may start. An attempt at epoch 0 brings those of its project
    /// that were created with it or later.
    Announced(Vec<Announced>),
    /// Rows that were queued at `since` or later, and rows that may start between `since` and [`DUE_SOON`] from
    /// now. A full page may lack some.
    Recent {
        /// Time by the store's clock.
        since: Timestamp,
    },
}

/// A queued attempt as a record names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Announced {
    /// The attempt, the first one when several were queued at once.
    pub attempt: AttemptId,
    /// Epoch of its next delivery.
    pub epoch: Epoch,
}

/// Rows of one reading of the queue.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueuePage {
    /// Rows, each once.
    pub rows: Vec<QueuedAttempt>,
    /// Counts of the lines that were read; none for a selection by records or times.
    pub lines: Vec<QueueLine>,
    /// Time of the reading by the store's clock.
    pub now: Timestamp,
}

/// Queued attempts of one project and kind of task, whether read or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueLine {
    /// Tenant that owns the project.
    pub tenant: Tenant,
    /// Project of the attempts.
    pub project: ProjectId,
    /// Kind of their tasks.
    pub kind: TaskKind,
    /// Number of attempts.
    pub calls: u64,
    /// Sum of the prompt tokens; zero for rows of an earlier release.
    pub input: u64,
    /// Sum of the expected produced tokens; zero for rows of an earlier release.
    pub output: u64,
}
