//! Input of a report: rows and artifacts of one project.

use chorus_core::attempt::DeliveryRow;
use chorus_core::merge::Deliverable;
use chorus_core::money::ProjectMoney;
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
    /// Deliverable; none before the first merge.
    pub deliverable: Option<Deliverable>,
    /// Accounts of the tenant, for names and lanes.
    pub accounts: Vec<Account>,
    /// Use of each limit, as far as this process observed it.
    pub limits: Vec<LimitUse>,
    /// True if the providers were simulated.
    pub simulated: bool,
}

/// Use of one limit of an account.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitUse {
    /// Id of the quota group.
    pub group: String,
    /// Name of the limited dimension.
    pub dimension: String,
    /// Capacity of the limit, in units of the dimension.
    pub capacity: u64,
    /// Minimum that was left at any time; negative when the limit was exceeded.
    pub least_left: i64,
}
