//! Size limits that fit the models of a tenant: each role is limited by the weakest model that may serve it.
//!
//! Pure: the [`EndpointIndex`] says which models the tenant's accounts serve, the result is a
//! [`SizeLimits`]. The binary reads accounts from the directory and caches the result for the orchestrator.

use chorus_core::catalog::Model;
use chorus_core::id::Tenant;
use chorus_core::sizes::SizeLimits;
use chorus_core::task_kind::ModelRole;
use chorus_core::time::Timestamp;

use crate::endpoint_index::{EndpointIndex, RoleModels};

/// Share of a context that a task's input may fill, in per cent; the rest is for instructions and the answer.
const INPUT_PERCENT: u64 = 60;

/// Lowers `limits` to what every model that may serve a role of the tenant can do. A role without a usable
/// model keeps its limits: its tasks fail with a reason of their own.
#[must_use]
pub fn fitted(
    limits: SizeLimits,
    index: &EndpointIndex,
    tenant: &Tenant,
    roles: &RoleModels,
    now: Timestamp,
) -> SizeLimits {
    let mut fitted = limits;
    for role in [
        ModelRole::Planner,
        ModelRole::Writer,
        ModelRole::Merger,
        ModelRole::Judge,
    ] {
        if let Some(weakest) = Capability::weakest(index, tenant, roles, role, now) {
            weakest.limit(&mut fitted, role);
        }
    }
    fitted
}

/// Capability that all models of a role share.
#[derive(Debug, Clone, Copy)]
struct Capability {
    context: u64,
    max_output: u32,
    /// True if at least one model thinks before it answers.
    thinks: bool,
}

impl Capability {
    fn weakest(
        index: &EndpointIndex,
        tenant: &Tenant,
        roles: &RoleModels,
        role: ModelRole,
        now: Timestamp,
    ) -> Option<Self> {
        let choice = index.choose(tenant, role, roles, now).ok()?;
        let catalog = index.catalog();
        let models = choice.models.iter().filter_map(|slug| catalog.model(slug));
        models.map(Self::of).reduce(Self::common)
    }

    fn of(model: &Model) -> Self {
        Self {
            context: u64::from(model.context),
            max_output: model.max_output,
            thinks: model.reasoning,
        }
    }

    fn common(self, other: Self) -> Self {
        Self {
            context: self.context.min(other.context),
            max_output: self.max_output.min(other.max_output),
            thinks: self.thinks || other.thinks,
        }
    }

    fn limit(self, limits: &mut SizeLimits, role: ModelRole) {
        let budget = limits.answers.of_role_mut(role);
        budget.ceiling = budget.ceiling.min(self.max_output);
        budget.thinking = if self.thinks {
            budget.thinking.min(self.max_output / 2)
        } else {
            0
        };
        let input = self.context * INPUT_PERCENT / 100;
        match role {
            ModelRole::Writer => {
                let plan = &mut limits.plan;
                plan.input_tokens = plan.input_tokens.min(input);
                plan.max_output_tokens = plan.max_output_tokens.min(self.max_output);
            }
            ModelRole::Judge => limits.judge_tokens = limits.judge_tokens.min(input),
            ModelRole::Planner | ModelRole::Merger => {}
        }
    }
}

#[cfg(test)]
mod tests;
