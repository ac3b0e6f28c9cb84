//! The part of Chorus that one process runs.

use chorus_core::id::Pool;

/// The part of Chorus that one process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProcessRole {
    /// HTTP API for clients.
    Gateway,
    /// Planning, merging and judging of projects.
    Orchestrator,
    /// Admission and dispatch of calls.
    Dispatcher,
    /// Workers of these pools; of all pools when the list is empty.
    Worker(Vec<Pool>),
    /// Everything in one process: `chorus serve`.
    All,
}

impl ProcessRole {
    /// Name of the command that starts a process of this role.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Orchestrator => "orchestrator",
            Self::Dispatcher => "dispatcher",
            Self::Worker(_) => "worker",
            Self::All => "serve",
        }
    }
}
