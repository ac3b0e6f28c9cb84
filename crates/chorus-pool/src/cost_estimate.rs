//! Cost and duration of a plan on the accounts of a tenant, estimated before the plan is begun.
//!
//! The tokens come from core's [`PlanEstimate`], the models from [`EndpointIndex::choose`], the pace from
//! [`Estimator`] and the limits of the accounts.

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

/// Cost and duration of a plan, each as a pair of a likely and a cautious value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostEstimate {
    /// Models of the writer, the merger and the judge, in this order.
    pub choices: Vec<ModelChoice>,
    /// Likely cost, and the cost if a third of the work is done twice.
    pub cost: (MicroUsd, MicroUsd),
    /// Lower bound of the duration, and twice that for rework.
    pub time: (Millis, Millis),
}

impl EndpointIndex {
    /// Estimates a plan on the tenant's accounts as they are now. Fails if the writer, the merger or the judge
    /// has no model.
    pub fn cost_estimate(
        &self,
        tenant: &Tenant,
        roles: &RoleModels,
        plan: &PlanEstimate,
        now: Timestamp,
    ) -> Result<CostEstimate, Unserved> {
        let writer = self.choose(tenant, ModelRole::Writer, roles, now)?;
        let others = [ModelRole::Merger, ModelRole::Judge]
            .into_iter()
            .map(|role| self.choose(tenant, role, roles, now));
        let others = others.collect::<Result<Vec<_>, _>>()?;
        let likely = self.cost(&writer, plan);
        let shortest = self.time(tenant, &writer, plan);
        Ok(CostEstimate {
            choices: [writer].into_iter().chain(others).collect(),
            cost: (likely, MicroUsd(likely.0 + likely.0 / 3)),
            time: (shortest, Millis(shortest.0 * 2)),
        })
    }

    /// Cost on the most expensive of the writer's models.
    fn cost(&self, writer: &ModelChoice, plan: &PlanEstimate) -> MicroUsd {
        let usage = Usage {
            input: plan.input_tokens,
            output: plan.output_tokens,
            ..Usage::default()
        };
        let models = writer
            .models
            .iter()
            .filter_map(|slug| self.catalog().model(slug));
        models
            .map(|model| model.price.cost(&usage))
            .max()
            .unwrap_or_default()
    }

    /// The larger of two durations: the longest path at the usual pace, and all tokens at the rate that the
    /// limits of all accounts allow.
    fn time(&self, tenant: &Tenant, writer: &ModelChoice, plan: &PlanEstimate) -> Millis {
        let estimator = Estimator::default();
        let endpoints: Vec<_> = writer
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
