//! Input of a report: rows and artifacts of one project.

use chorus_core::attempt::DeliveryRow;
use chorus_core::limit::{Dimension, Window};
use chorus_core::merge::Deliverable;
use chorus_core::money::{MicroUsd, ProjectMoney};
use chorus_core::plan::Plan;
use chorus_core::port::directory::Account;
use chorus_core::port::projects::StoredEvent;
use chorus_core::project::Project;

/// Rows and artifacts that a [`Report`](crate::Report) is built from.
pub struct ReportInput {
    /// Project with its tasks.
    pub project: Project,
    /// Events of the project, in order.
    pub events: Vec<StoredEvent>,
    /// Every delivery, in order of dispatch.
    pub deliveries: Vec<DeliveryRow>,
    /// Budget, spent, reserved and wasted money.
    pub money: ProjectMoney,
    /// Newest plan; none before the first.
    pub plan: Option<Plan>,
    /// Price of the first plan, likely and with much rework; none where no account could serve it.
    pub estimate: Option<(MicroUsd, MicroUsd)>,
    /// Deliverable; none before the first merge.
    pub deliverable: Option<Deliverable>,
    /// Accounts of the tenant, for names and lanes.
    pub accounts: Vec<Account>,
    /// Limits as providers have shown them; empty where this process has no ledger.
    pub limits: Vec<LimitInForce>,
    /// True if the providers were simulated.
    pub simulated: bool,
}

/// A limit as it is in force, which a provider's headers may have changed.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitInForce {
    /// Id of the quota group.
    pub group: String,
    /// Limited dimension.
    pub dimension: Dimension,
    /// Window in which the amount comes back.
    pub window: Window,
    /// Capacity of the limit, in units of the dimension.
    pub capacity: u64,
}
