//! All that is known of one project, gathered from its rows and artifacts.

use chorus_core::attempt::DeliveryRow;
use chorus_core::merge::Deliverable;
use chorus_core::money::ProjectMoney;
use chorus_core::port::directory::Account;
use chorus_core::port::projects::StoredEvent;
use chorus_core::project::Project;

/// What a report is made from.
pub struct ReportInput {
    /// The project with its tasks.
    pub project: Project,
    /// What happened, in order.
    pub events: Vec<StoredEvent>,
    /// Every delivery, in order of dispatch.
    pub deliveries: Vec<DeliveryRow>,
    /// Its money.
    pub money: ProjectMoney,
    /// What was delivered, if anything.
    pub deliverable: Option<Deliverable>,
    /// Accounts, for their names.
    pub accounts: Vec<Account>,
    /// How near each limit came, as far as this process saw.
    pub limits: Vec<LimitUse>,
    /// Whether the providers were simulated.
    pub simulated: bool,
}

/// How near one limit came.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitUse {
    /// The quota group.
    pub group: String,
    /// What is limited.
    pub dimension: String,
    /// How much there may be.
    pub capacity: u64,
    /// Least that was left at any time.
    pub least_left: i64,
}
