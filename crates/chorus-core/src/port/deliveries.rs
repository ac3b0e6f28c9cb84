//! Rows of deliveries, running and ended: for accounting, reports and
//! [`LimitState::restore`](super::LimitState::restore).

use async_trait::async_trait;

use super::StoreError;
use crate::attempt::{ChargedCall, DeliveryRow, EndedCall, LateUsage, Outstanding};
use crate::id::{AttemptId, Epoch, ProjectId};
use crate::money::ProjectMoney;
use crate::time::Timestamp;

/// Reader of deliveries. Every dispatch leaves one row, by attempt and epoch.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Returns the leases that may still hold something: dispatched and not past `not_after`, or
    /// claimed and not past their deadline, deliveries that were taken back included.
    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError>;

    /// Returns all deliveries of a project, in order of dispatch.
    async fn of_project(&self, project: ProjectId) -> Result<Vec<DeliveryRow>, StoreError>;

    /// Returns at most `limit` deliveries of a project that the selection names, in its order.
    ///
    /// The provided implementation reads all rows; a database reads one page.
    async fn selected(
        &self,
        project: ProjectId,
        selection: Selection,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        Ok(selection.of(self.of_project(project).await?, limit))
    }

    /// Returns the calls of the latest `limit` deliveries that ended at `since` or later with an outcome
    /// that the worker reported, oldest first. A new dispatcher learns from them.
    async fn ended_since(&self, since: Timestamp, limit: u32)
    -> Result<Vec<EndedCall>, StoreError>;

    /// Returns the charges of calls of every tenant that ended at `since` or later, one page in order of
    /// their end. Deliveries that are [`outstanding`](Self::outstanding), or that made no call, are left out.
    async fn charged_since(
        &self,
        since: Timestamp,
        after: Option<EndPosition>,
        limit: u32,
    ) -> Result<ChargedPage, StoreError>;

    /// Records what the call of a taken-back delivery used: it replaces the estimate and counts as
    /// waste.
    async fn late(&self, late: LateUsage) -> Result<(), StoreError>;

    /// Returns the money of a project, none if there is no such project.
    async fn money(&self, project: ProjectId) -> Result<Option<ProjectMoney>, StoreError>;
}

/// Deliveries of one project that [`Deliveries::selected`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// Calls under way: claimed and not ended, in order of dispatch.
    Open,
    /// Ended deliveries in order of their end, from the beginning or after a position.
    Ended {
        /// Position of the last row of the previous page.
        after: Option<EndPosition>,
    },
}

/// Page of [`Deliveries::charged_since`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChargedPage {
    /// Charges of the calls on the page.
    pub calls: Vec<ChargedCall>,
    /// Position of the last row of the page; none when it was the last page.
    pub next: Option<EndPosition>,
}

/// Position of an ended delivery in the history of its project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndPosition {
    /// Time of its end.
    pub ended_at: Timestamp,
    /// Attempt of the delivery.
    pub attempt: AttemptId,
    /// Epoch of the delivery.
    pub epoch: Epoch,
}

impl EndPosition {
    /// Returns the position of a row; none before its end.
    pub fn of(row: &DeliveryRow) -> Option<Self> {
        Some(Self {
            ended_at: row.ended_at?,
            attempt: row.attempt,
            epoch: row.epoch,
        })
    }
}

impl Selection {
    /// Returns the rows of one project that are selected, at most `limit`.
    pub fn of(self, mut rows: Vec<DeliveryRow>, limit: u32) -> Vec<DeliveryRow> {
        match self {
            Self::Open => rows.retain(|row| row.claimed_at.is_some() && row.ended_at.is_none()),
            Self::Ended { after } => {
                rows.retain(|row| EndPosition::of(row).is_some_and(|at| Some(at) > after));
                rows.sort_by_key(EndPosition::of);
            }
        }
        rows.truncate(limit as usize);
        rows
    }
}
