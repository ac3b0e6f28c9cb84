//! Pools over HTTP: accounts, slots, queue and limits of each, with the limit to raise first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::{Extension, Json};
use chorus_core::attempt::{AttemptWait, QueuedAttempt, WaitReason};
use chorus_core::id::{AttemptId, GroupId, ModelSlug, Pool, ProviderId};
use chorus_core::limit::Dimension;
use chorus_core::port::attempts::{QueueLine, QueueSelection};
use chorus_core::port::directory::{Account, CredentialState, GroupOf};
use chorus_core::task_kind::ModelRole;
use chorus_core::time::Timestamp;

use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::caller::Caller;
use crate::levels;
use crate::query::Query;
use crate::resource::{
    AccountNames, AccountResource, Bottleneck, CredentialCounts, GroupResource, PoolList,
    PoolResource, WaitResource,
};

/// Maximum number of queued calls whose reasons are read; all are counted.
const MAX_QUEUED: u32 = 10_000;

/// `GET /v1/pools`
pub(crate) async fn list(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<PoolList>, ApiError> {
    Query::read(query.as_deref(), &[])?;
    let facts = Facts::read(&state, &caller).await?;
    let pools = facts.pools();
    Ok(Json(PoolList {
        pools: pools.iter().map(|pool| facts.resource(pool)).collect(),
        has_levels: facts.has_levels,
        at_ms: facts.now,
    }))
}

/// Facts about all pools of a tenant.
struct Facts<'a> {
    state: &'a AppState,
    accounts: Vec<Account>,
    shown: Vec<AccountResource>,
    has_levels: bool,
    /// Counts of the tenant's queued calls, and a part of them.
    lines: Vec<QueueLine>,
    queued: Vec<QueuedAttempt>,
    waits: BTreeMap<AttemptId, AttemptWait>,
    slots: BTreeMap<Pool, u32>,
    open: BTreeMap<Pool, u32>,
    now: Timestamp,
}

impl<'a> Facts<'a> {
    async fn read(state: &'a AppState, caller: &Caller) -> Result<Self, ApiError> {
        let (ports, now) = (&state.ports, state.ports.clock.now());
        let accounts = ports.directory.accounts(&caller.tenant).await?;
        let shown = accounts.iter();
        let mut shown: Vec<AccountResource> = shown
            .map(|account| AccountResource::new(account, now))
            .collect();
        let has_levels = levels::add_to_accounts(state, &accounts, &mut shown).await;
        let page = ports.attempts.read_queue(QueueSelection::Lines, MAX_QUEUED);
        let (mut queued, mut lines) = page.await.map(|page| (page.rows, page.lines))?;
        queued.retain(|row| row.attempt.tenant == caller.tenant);
        lines.retain(|line| line.tenant == caller.tenant);
        let projects: BTreeSet<_> = queued.iter().map(|row| row.attempt.project).collect();
        let mut waits = BTreeMap::new();
        for project in projects {
            let of_project = ports.waits.waits_of(project, MAX_QUEUED).await?;
            waits.extend(of_project.into_iter().map(|wait| (wait.attempt, wait)));
        }
        let mut slots = BTreeMap::new();
        for announced in ports.workers.announced().await? {
            *slots.entry(announced.worker.pool).or_insert(0) += announced.worker.slots;
        }
        let mut open = BTreeMap::new();
        for taken in ports.workers.taken_slots().await? {
            *open.entry(taken.pool).or_insert(0) += taken.deliveries;
        }
        Ok(Self {
            state,
            accounts,
            shown,
            has_levels,
            lines,
            queued,
            waits,
            slots,
            open,
            now,
        })
    }

    /// Pools with a model that an account serves, with a queued call, or with a worker.
    fn pools(&self) -> BTreeSet<Pool> {
        let catalog = &self.state.settings.catalog;
        let served = catalog.models.iter().filter(|model| {
            let mut accounts = self.accounts.iter();
            accounts.any(|account| serves(account, &model.slug, &model.routes))
        });
        let served = served.map(|model| model.pool.clone());
        let queued = self.lines.iter();
        let queued = queued.flat_map(|line| self.pools_of(line.kind.role()));
        served.chain(queued).collect()
    }

    /// Pools of the models that serve a role.
    fn pools_of(&self, role: ModelRole) -> BTreeSet<Pool> {
        let settings = &self.state.settings;
        let tiers = settings.roles.get(&role).into_iter().flatten();
        let models = tiers
            .flatten()
            .filter_map(|slug| settings.catalog.model(slug));
        models.map(|model| model.pool.clone()).collect()
    }

    fn resource(&self, pool: &Pool) -> PoolResource {
        let catalog = &self.state.settings.catalog;
        let models: Vec<_> = catalog
            .models
            .iter()
            .filter(|model| model.pool == *pool)
            .filter(|model| {
                let mut accounts = self.accounts.iter();
                accounts.any(|account| serves(account, &model.slug, &model.routes))
            })
            .collect();
        let names: BTreeSet<&ModelSlug> = models.iter().map(|model| &model.slug).collect();
        let providers: BTreeSet<&ProviderId> = models
            .iter()
            .flat_map(|model| model.routes.keys())
            .collect();
        let queued: Vec<&QueuedAttempt> = self
            .queued
            .iter()
            .filter(|row| self.pools_of(row.attempt.kind.role()).contains(pool))
            .collect();
        let waiting = self.lines.iter();
        let waiting = waiting.filter(|line| self.pools_of(line.kind.role()).contains(pool));
        let waits = queued.iter();
        let waits: Vec<AttemptWait> = waits
            .filter_map(|row| self.waits.get(&row.attempt.id).cloned())
            .collect();
        let account_names: AccountNames = self
            .accounts
            .iter()
            .map(|account| (account.id, account.name.clone()))
            .collect();
        PoolResource {
            pool: pool.clone(),
            models: names.iter().map(|slug| (*slug).clone()).collect(),
            credentials: self.counts(&names, &providers),
            slots: self.slots.get(pool).copied().unwrap_or(0),
            open: self.open.get(pool).copied().unwrap_or(0),
            waiting: waiting.map(|line| line.calls).sum(),
            oldest_ms: queued.iter().map(|row| row.created_at).min(),
            waits: WaitResource::gather(&waits, &account_names),
            groups: self.groups(&names, &providers),
            bottleneck: bottleneck(&waits),
        }
    }

    fn counts(
        &self,
        models: &BTreeSet<&ModelSlug>,
        providers: &BTreeSet<&ProviderId>,
    ) -> CredentialCounts {
        let mut counts = CredentialCounts::default();
        let credentials = self
            .accounts
            .iter()
            .flat_map(|account| &account.credentials);
        let of_pool = credentials.filter(|credential| {
            providers.contains(&credential.provider)
                && credential.groups.iter().any(|of| draws(of, models))
        });
        for credential in of_pool {
            let count = match &credential.state {
                state if state.is_callable(self.now) => &mut counts.active,
                CredentialState::Active | CredentialState::Parked { .. } => &mut counts.parked,
                CredentialState::Paused { .. } => &mut counts.paused,
                CredentialState::Refused { .. } => &mut counts.refused,
                CredentialState::Draining { .. } => &mut counts.draining,
            };
            *count += 1;
        }
        counts
    }

    /// Groups of the pool's models, each once.
    fn groups(
        &self,
        models: &BTreeSet<&ModelSlug>,
        providers: &BTreeSet<&ProviderId>,
    ) -> Vec<GroupResource> {
        let mut found: BTreeMap<GroupId, GroupResource> = BTreeMap::new();
        let credentials = self.shown.iter().flat_map(|account| &account.credentials);
        for credential in credentials.filter(|of| providers.contains(&of.provider)) {
            for group in &credential.groups {
                let draws = group.models.is_empty()
                    || group.models.iter().any(|model| models.contains(model));
                if draws && !group.limits.is_empty() {
                    found
                        .entry(group.group.clone())
                        .or_insert_with(|| group.clone());
                }
            }
        }
        found.into_values().collect()
    }
}

fn draws(of: &GroupOf, models: &BTreeSet<&ModelSlug>) -> bool {
    of.models.is_empty() || of.models.iter().any(|model| models.contains(model))
}

/// Returns true if a credential of the account may call the model.
fn serves(account: &Account, model: &ModelSlug, routes: &BTreeMap<ProviderId, impl Sized>) -> bool {
    account.credentials.iter().any(|credential| {
        let mut groups = credential.groups.iter();
        routes.contains_key(&credential.provider)
            && (credential.groups.is_empty()
                || groups.any(|of| of.models.is_empty() || of.models.contains(model)))
    })
}

/// The limit that holds up most of the waiting calls.
fn bottleneck(waits: &[AttemptWait]) -> Option<Bottleneck> {
    let mut counts: BTreeMap<(GroupId, Dimension), u64> = BTreeMap::new();
    for wait in waits {
        if let WaitReason::Limit {
            group: Some(group),
            dimension: Some(dimension),
            ..
        } = &wait.reason
        {
            *counts.entry((group.clone(), *dimension)).or_default() += 1;
        }
    }
    let ((group, dimension), count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    let permille = count * 1000 / waits.len() as u64;
    Some(Bottleneck {
        group,
        dimension,
        permille: u32::try_from(permille).unwrap_or(1000),
    })
}
