//! What a plan will cost and how long it will take on the accounts of a tenant, before it is begun.

use chorus_core::attempt::CallSize;
use chorus_core::id::Tenant;
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::plan::PlanEstimate;
use chorus_core::task_kind::{ModelRole, TaskKind};
use chorus_core::time::{Millis, Timestamp};

use crate::endpoint_index::{EndpointIndex, ModelChoice, RoleModels, Unserved};
use crate::estimate::Estimator;
use crate::order::{Rates, Work};

/// Money and time of a plan, each as a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prospect {
    /// The models that will work, resolve and judge.
    pub choices: Vec<ModelChoice>,
    /// Likely cost, and cost when a third of the work is done twice.
    pub cost: (MicroUsd, MicroUsd),
    /// No schedule is shorter, and time when much is done twice.
    pub time: (Millis, Millis),
}

impl EndpointIndex {
    /// What a plan of this size will take on the tenant's accounts as they are now.
    pub fn prospect(
        &self,
        tenant: &Tenant,
        roles: &RoleModels,
        plan: &PlanEstimate,
        now: Timestamp,
    ) -> Result<Prospect, Unserved> {
        let worker = self.choose(tenant, ModelRole::Writer, roles, now)?;
        let others = [ModelRole::Merger, ModelRole::Judge]
            .into_iter()
            .map(|role| self.choose(tenant, role, roles, now));
        let others = others.collect::<Result<Vec<_>, _>>()?;
        let likely = self.cost(&worker, plan);
        let shortest = self.time(tenant, &worker, plan);
        Ok(Prospect {
            choices: [worker].into_iter().chain(others).collect(),
            cost: (likely, MicroUsd(likely.0 + likely.0 / 3)),
            time: (shortest, Millis(shortest.0 * 2)),
        })
    }

    /// Cost on the dearest of the worker's models.
    fn cost(&self, worker: &ModelChoice, plan: &PlanEstimate) -> MicroUsd {
        let usage = Usage {
            input: plan.input_tokens,
            output: plan.output_tokens,
            ..Usage::default()
        };
        let models = worker
            .models
            .iter()
            .filter_map(|slug| self.catalog().model(slug));
        models
            .map(|model| model.price.cost(&usage))
            .max()
            .unwrap_or_default()
    }

    /// The longest path at the usual pace, or what the limits of all accounts can bring, whichever is longer.
    fn time(&self, tenant: &Tenant, worker: &ModelChoice, plan: &PlanEstimate) -> Millis {
        let estimator = Estimator::default();
        let endpoints: Vec<_> = worker
            .models
            .iter()
            .flat_map(|slug| {
                self.serving(tenant, slug)
                    .into_iter()
                    .map(move |endpoint| (slug, endpoint))
            })
            .collect();
        let service = |output: u64| {
            let size = CallSize {
                input: 0,
                output,
                max_tokens: u32::MAX,
            };
            let times = endpoints.iter().filter_map(|(slug, endpoint)| {
                let model = self.catalog().model(slug)?;
                Some(estimator.service(&endpoint.provider, model, TaskKind::Work, &size))
            });
            times.min().unwrap_or_default()
        };
        let rates = Rates::of(
            &endpoints
                .iter()
                .map(|(slug, endpoint)| endpoint.groups_for(slug))
                .collect::<Vec<_>>(),
        );
        let work = Work {
            calls: u64::from(plan.calls),
            input: plan.input_tokens,
            output: plan.output_tokens,
            service: service(plan.output_tokens),
        };
        service(plan.critical_output_tokens).max(rates.drain(&work))
    }
}
