//! The story of deliveries, after and while they run: for accounting, reports and the restoring of leases.

use async_trait::async_trait;

use super::StoreError;
use crate::attempt::{DeliveryRow, LateUsage, Outstanding};
use crate::id::ProjectId;
use crate::money::ProjectMoney;

/// Every dispatch left one row here, by attempt and epoch.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Leases that may still hold something: dispatched and not past `not_after`, or claimed and not past their
    /// deadline, deliveries that were taken back included.
    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError>;

    /// All deliveries of a project, in order of dispatch.
    async fn of_project(&self, project: ProjectId) -> Result<Vec<DeliveryRow>, StoreError>;

    /// What a taken-back delivery's call really used: replaces its estimate and counts as waste.
    async fn late(&self, late: LateUsage) -> Result<(), StoreError>;

    /// A project's money.
    async fn money(&self, project: ProjectId) -> Result<Option<ProjectMoney>, StoreError>;
}
