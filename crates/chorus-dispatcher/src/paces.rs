//! Measured paces of the models of each role, by which the paths that the plan predicted are corrected.

use std::collections::BTreeMap;

use chorus_core::attempt::QueuedAttempt;
use chorus_core::id::Tenant;
use chorus_core::project::PLANNED_PACE;
use chorus_core::task_kind::ModelRole;
use chorus_core::time::{Millis, Timestamp};
use chorus_pool::{Admission, RoleModels};

/// Time for which a pace is used before it is looked up again.
const FRESH: Millis = Millis::from_secs(10);

/// Paces by tenant and role, with the time at which each was looked up.
#[derive(Debug)]
pub(crate) struct Paces {
    roles: RoleModels,
    known: BTreeMap<(Tenant, ModelRole), (f64, Timestamp)>,
}

impl Paces {
    /// No pace yet.
    pub(crate) const fn new(roles: RoleModels) -> Self {
        Self {
            roles,
            known: BTreeMap::new(),
        }
    }

    /// Returns the time to the end of the project by the measured pace of the models that write it.
    pub(crate) fn path(
        &mut self,
        row: &QueuedAttempt,
        admission: &Admission,
        now: Timestamp,
    ) -> Millis {
        // The path consists of work, whatever the kind of its first task.
        let pace = self.pace(&row.attempt.tenant, ModelRole::Writer, admission, now);
        let path = row.attempt.path.0 as f64 * pace / PLANNED_PACE;
        Millis(path as u64)
    }

    fn pace(
        &mut self,
        tenant: &Tenant,
        role: ModelRole,
        admission: &Admission,
        now: Timestamp,
    ) -> f64 {
        let key = (tenant.clone(), role);
        if let Some((pace, at)) = self.known.get(&key)
            && now.since(*at) < FRESH
        {
            return *pace;
        }
        let index = admission.index();
        let choice = index.choose(tenant, role, &self.roles, now);
        let models = choice.map(|choice| choice.models).unwrap_or_default();
        let routes = models.iter().filter_map(|slug| {
            let model = index.catalog().model(slug)?;
            let served = index.serving(tenant, slug);
            let provider = &served.first()?.provider;
            Some(admission.estimator().pace(provider, &model.slug))
        });
        let fastest = routes.fold(f64::INFINITY, f64::min);
        let pace = if fastest.is_finite() {
            fastest
        } else {
            PLANNED_PACE
        };
        self.known.insert(key, (pace, now));
        pace
    }
}
