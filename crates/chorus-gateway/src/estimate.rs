//! The estimate of a plan that waits for approval.
//!
//! It is computed from the plan's artifacts and the tenant's present accounts, with the rules of
//! [`chorus_core::plan::estimate`] and the prices that [`EndpointIndex`] finds.

use std::sync::Arc;

use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::{Brief, Outline};
use chorus_core::catalog::Catalog;
use chorus_core::id::Tenant;
use chorus_core::money::{MicroUsd, ProjectMoney};
use chorus_core::plan::{self, Plan, PlanEstimate};
use chorus_core::port::projects::Loaded;
use chorus_core::port::{ArtifactStore, Deliveries, Directory, StoreError};
use chorus_core::time::Timestamp;
use chorus_pool::cost_estimate::CostEstimate;
use chorus_pool::endpoint_index::Unserved;
use chorus_pool::{EndpointIndex, RoleModels};
use serde::de::DeserializeOwned;

use crate::resource::{Estimate, RoleModels as ChosenModels};

/// Ports and settings that an estimate needs.
pub struct Sources<'a> {
    /// Store of plans, outlines and briefs.
    pub artifacts: &'a dyn ArtifactStore,
    /// Money of the project.
    pub deliveries: &'a dyn Deliveries,
    /// Accounts of the tenant.
    pub directory: &'a dyn Directory,
    /// Models and prices.
    pub catalog: &'a Arc<Catalog>,
    /// Models that the configuration gives each role.
    pub roles: &'a RoleModels,
    /// Present time.
    pub now: Timestamp,
}

/// Reason why there is no estimate.
#[derive(Debug, thiserror::Error)]
pub enum Unknown {
    /// A port failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No account can serve a role at present.
    #[error(transparent)]
    Unserved(#[from] Unserved),
    /// The plan does not exist yet, or one of its artifacts is missing or cannot be read.
    #[error("{0} is not there")]
    Missing(&'static str),
}

/// Computes the estimate of a project's newest plan.
pub async fn of(sources: &Sources<'_>, loaded: &Loaded) -> Result<Estimate, Unknown> {
    let head = &loaded.project.head;
    let plan: Plan = sources
        .read(head.plan.map(|plan| plan.hash), "the plan")
        .await?;
    let outline: Outline = sources.read(head.outline, "the outline").await?;
    let brief: Brief = sources.read(Some(head.brief), "the brief").await?;
    let size = plan::estimate(&plan, &outline, &brief.text);
    let mut index = EndpointIndex::new(Arc::clone(sources.catalog));
    index.set(
        &head.tenant,
        sources.directory.accounts(&head.tenant).await?,
    );
    let cost = index.cost_estimate(&head.tenant, sources.roles, &size, sources.now)?;
    let money = sources.deliveries.money(head.id).await?.unwrap_or_default();
    Ok(estimate(&plan, size, cost, money))
}

/// Computes the price of a plan of this size at present, likely and with much rework.
pub(crate) async fn price(
    sources: &Sources<'_>,
    tenant: &Tenant,
    size: &PlanEstimate,
) -> Result<(MicroUsd, MicroUsd), Unknown> {
    let mut index = EndpointIndex::new(Arc::clone(sources.catalog));
    index.set(tenant, sources.directory.accounts(tenant).await?);
    let cost = index.cost_estimate(tenant, sources.roles, size, sources.now)?;
    Ok(cost.cost)
}

fn estimate(plan: &Plan, size: PlanEstimate, cost: CostEstimate, money: ProjectMoney) -> Estimate {
    let models = cost.choices.into_iter();
    Estimate {
        title: plan.title.clone(),
        tasks: plan.tasks.len() as u64,
        widest: size.widest,
        calls: size.calls,
        input_tokens: size.input_tokens,
        output_tokens: size.output_tokens,
        cost_micro_usd: cost.cost,
        time_ms: cost.time,
        spent_micro_usd: money.spent,
        budget_micro_usd: money.budget,
        models: models
            .map(|choice| ChosenModels {
                description: choice.to_string(),
                role: choice.role,
                models: choice.models,
            })
            .collect(),
    }
}

impl Sources<'_> {
    async fn read<T: DeserializeOwned>(
        &self,
        hash: Option<ArtifactHash>,
        what: &'static str,
    ) -> Result<T, Unknown> {
        let hash = hash.ok_or(Unknown::Missing(what))?;
        let bytes = self
            .artifacts
            .get(hash)
            .await?
            .ok_or(Unknown::Missing(what))?;
        serde_json::from_slice(&bytes).map_err(|_| Unknown::Missing(what))
    }
}
