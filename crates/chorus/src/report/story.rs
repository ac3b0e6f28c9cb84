//! All that is known of one project, gathered from its rows and artifacts.

use chorus_core::delivery::{DeliveryRow, Money};
use chorus_core::merge::Deliverable;
use chorus_core::port::directory::Account;
use chorus_core::port::projects::StoredEvent;
use chorus_core::project::Project;

/// What a report is made from.
pub(crate) struct Story {
    pub(crate) project: Project,
    /// What happened, in order.
    pub(crate) events: Vec<StoredEvent>,
    /// Every delivery, in order of dispatch.
    pub(crate) deliveries: Vec<DeliveryRow>,
    pub(crate) money: Money,
    pub(crate) deliverable: Option<Deliverable>,
    pub(crate) accounts: Vec<Account>,
    /// How near each limit came, as far as this process saw.
    pub(crate) limits: Vec<LimitUse>,
    /// Whether the providers were simulated.
    pub(crate) simulated: bool,
}

/// How near one limit came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LimitUse {
    pub(crate) group: String,
    pub(crate) dimension: String,
    pub(crate) capacity: u64,
    /// Least that was left at any time.
    pub(crate) least_left: i64,
}
