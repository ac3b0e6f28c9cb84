//! Settings of an orchestrator, and its question to the deployment about size limits.

use async_trait::async_trait;
use chorus_core::id::Tenant;
use chorus_core::sizes::SizeLimits;
use chorus_core::time::Millis;

/// Behaviour of an orchestrator; the defaults fit most installations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Maximum number of records that were taken and not yet acknowledged; beyond it the subscription pauses.
    pub records: usize,
    /// Maximum number of records of one project that are folded in one commit.
    pub batch: usize,
    /// Maximum number of projects kept in memory between records.
    pub cached: usize,
    /// Maximum number of bytes of artifacts kept in memory for one project.
    pub cached_bytes: usize,
    /// Time that folds under way have to end after the orchestrator was asked to stop.
    pub drain: Millis,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            records: 1_000,
            batch: 64,
            cached: 64,
            cached_bytes: 8 << 20,
            drain: Millis::from_secs(5),
        }
    }
}

/// Size limits of a tenant at this moment. They follow the models that the tenant's accounts serve, and accounts
/// come and go while an orchestrator runs; [`fold`](crate::fold) asks once for each batch.
#[async_trait]
pub trait SizePolicy: Send + Sync {
    /// Returns the limits of a tenant. Never fails: older or configured limits serve where none are known.
    async fn limits(&self, tenant: &Tenant) -> SizeLimits;
}

/// The same limits for every tenant.
#[async_trait]
impl SizePolicy for SizeLimits {
    async fn limits(&self, _: &Tenant) -> SizeLimits {
        self.clone()
    }
}
