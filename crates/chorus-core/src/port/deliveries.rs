//! Rows of deliveries, running and ended: for accounting, reports and
//! [`LimitState::restore`](super::LimitState::restore).

use async_trait::async_trait;

use super::StoreError;
use crate::attempt::{DeliveryRow, EndedCall, LateUsage, Outstanding};
use crate::id::ProjectId;
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

    /// Returns the calls of the latest `limit` deliveries that ended at `since` or later with an outcome
    /// that the worker reported, oldest first. A new dispatcher learns from them.
    async fn ended_since(&self, since: Timestamp, limit: u32)
    -> Result<Vec<EndedCall>, StoreError>;

    /// Records what the call of a taken-back delivery used: it replaces the estimate and counts as
    /// waste.
    async fn late(&self, late: LateUsage) -> Result<(), StoreError>;

    /// Returns the money of a project, none if there is no such project.
    async fn money(&self, project: ProjectId) -> Result<Option<ProjectMoney>, StoreError>;
}
