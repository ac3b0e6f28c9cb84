//! How large plans, prompts and answers may be, given the models that a tenant's accounts can serve.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chorus_core::catalog::Catalog;
use chorus_core::id::Tenant;
use chorus_core::port::{Clock, Directory};
use chorus_core::task_kind::ModelRole;
use chorus_core::time::{Millis, Timestamp};
use chorus_orchestrator::{SizeLimits, SizePolicy};
use chorus_pool::{EndpointIndex, RoleModels};

use super::App;

/// Share of a context that a task's input may fill, in per cent; the rest is for instructions and the answer.
const INPUT_PERCENT: u64 = 60;

/// How long a measure holds: a new account is noticed as late as this.
const KEPT_FOR: Millis = Millis::from_secs(10);

/// Measures by the accounts in the directory.
pub(super) struct ByAccounts {
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    catalog: Arc<Catalog>,
    roles: RoleModels,
    max_tasks: u32,
    kept: Mutex<BTreeMap<Tenant, (Timestamp, SizeLimits)>>,
}

impl ByAccounts {
    pub(super) fn new(app: &App) -> Self {
        Self {
            directory: Arc::clone(&app.ports.directory),
            clock: Arc::clone(&app.clock),
            catalog: Arc::clone(&app.catalog),
            roles: app.config.roles.lists(),
            max_tasks: app.config.project.max_tasks,
            kept: Mutex::new(BTreeMap::new()),
        }
    }

    fn usual(&self) -> SizeLimits {
        let mut sizes = SizeLimits::default();
        sizes.limits.max_tasks = self.max_tasks;
        sizes
    }

    /// A role that nobody can serve keeps the usual sizes: its tasks will say what is missing.
    fn measured(&self, tenant: &Tenant, index: &EndpointIndex) -> SizeLimits {
        let least = |role| self.least(tenant, index, role);
        let mut sizes = self.usual();
        if let Some(worker) = least(ModelRole::Writer) {
            let limits = &mut sizes.limits;
            limits.input_tokens = limits
                .input_tokens
                .min(worker.context * INPUT_PERCENT / 100);
            limits.max_output_tokens = limits.max_output_tokens.min(worker.max_output);
        }
        let rooms = &mut sizes.rooms;
        for (role, room) in [
            (ModelRole::Planner, &mut rooms.planner),
            (ModelRole::Writer, &mut rooms.worker),
            (ModelRole::Merger, &mut rooms.merger),
            (ModelRole::Judge, &mut rooms.judge),
        ] {
            if let Some(least) = least(role) {
                room.ceiling = room.ceiling.min(least.max_output);
                room.thinking = if least.thinks {
                    room.thinking.min(least.max_output / 2)
                } else {
                    0
                };
            }
        }
        if let Some(judge) = least(ModelRole::Judge) {
            sizes.judge_tokens = sizes.judge_tokens.min(judge.context * INPUT_PERCENT / 100);
        }
        sizes
    }

    fn least(&self, tenant: &Tenant, index: &EndpointIndex, role: ModelRole) -> Option<Least> {
        let choice = index
            .choose(tenant, role, &self.roles, self.clock.now())
            .ok()?;
        let models = choice
            .models
            .iter()
            .filter_map(|slug| self.catalog.model(slug));
        models.fold(None, |least: Option<Least>, model| {
            let own = Least {
                context: u64::from(model.context),
                max_output: model.max_output,
                thinks: model.reasoning,
            };
            Some(match least {
                None => own,
                Some(least) => Least {
                    context: least.context.min(own.context),
                    max_output: least.max_output.min(own.max_output),
                    thinks: least.thinks || own.thinks,
                },
            })
        })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<Tenant, (Timestamp, SizeLimits)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SizePolicy for ByAccounts {
    async fn sizes(&self, tenant: &Tenant) -> SizeLimits {
        let now = self.clock.now();
        let known = self.kept().get(tenant).cloned();
        if let Some((since, sizes)) = &known
            && now.since(*since) < KEPT_FOR
        {
            return sizes.clone();
        }
        let accounts = match self.directory.accounts(tenant).await {
            Ok(accounts) => accounts,
            Err(error) => {
                tracing::warn!(error = %error, "the directory did not answer, older sizes are used");
                return known.map_or_else(|| self.usual(), |(_, sizes)| sizes);
            }
        };
        let mut index = EndpointIndex::new(Arc::clone(&self.catalog));
        index.set(tenant, accounts);
        let sizes = self.measured(tenant, &index);
        self.kept().insert(tenant.clone(), (now, sizes.clone()));
        sizes
    }
}

/// What the least of a role's models can do.
struct Least {
    context: u64,
    max_output: u32,
    /// Whether any of them thinks first.
    thinks: bool,
}
