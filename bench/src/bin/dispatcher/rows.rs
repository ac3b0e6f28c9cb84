//! Accounts, projects and queued attempts of the measurement.

use std::sync::Arc;

use bytes::Bytes;
use chorus_bench::time::now_ms;
use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{CallSize, NewAttempt};
use chorus_core::brief::Options;
use chorus_core::catalog::{Catalog, Model, Price, Quirks};
use chorus_core::id::{
    AccountId, AttemptId, CredentialId, EventId, ModelSlug, ProjectId, ProviderId, TaskId, Tenant,
    Version,
};
use chorus_core::limit::{Dimension, Limit, QuotaGroup, ReserveRule, Window};
use chorus_core::money::MicroUsd;
use chorus_core::port::Projects;
use chorus_core::port::bus::{Record, Topic};
use chorus_core::port::directory::{Entitlement, GroupOf, NewAccount, NewCredential, SealedSecret};
use chorus_core::port::projects::{Commit, Committed, NewProject};
use chorus_core::project::{Head, NewHead};
use chorus_core::task_kind::{ModelRole, TaskKind};
use chorus_core::time::{Millis, Timestamp};
use chorus_pool::RoleModels;
use chorus_store::sql::Store;
use uuid::Uuid;

/// Pool of the one model.
pub(crate) const POOL: &str = "claude";

const MODEL: &str = "claude/bench";
const PROVIDER: &str = "anthropic";

/// Attempts in one commit.
const AT_ONCE: u32 = 1_000;

/// Catalogue of one model.
pub(crate) fn catalog() -> Arc<Catalog> {
    let model = Model {
        slug: MODEL.into(),
        pool: POOL.into(),
        routes: [(ProviderId::new(PROVIDER), "bench".to_owned())].into(),
        context: 200_000,
        max_output: 8_000,
        price: Price::default(),
        strength: 80,
        reasoning: false,
        quirks: Quirks::default(),
    };
    Arc::new(Catalog {
        providers: Vec::new(),
        models: vec![model],
    })
}

/// The model serves the writer.
pub(crate) fn roles() -> RoleModels {
    [(ModelRole::Writer, vec![vec![ModelSlug::new(MODEL)]])].into()
}

/// Accounts of a tenant with so many slots each.
pub(crate) fn accounts(tenant: &Tenant, count: u32, slots: u64) -> Vec<NewAccount> {
    (0..count)
        .map(|number| {
            let name = format!("{number}@{tenant}.example");
            let group = QuotaGroup {
                id: format!("{PROVIDER}/{name}").as_str().into(),
                limits: vec![limit(Dimension::Concurrency, slots, Window::Held)],
            };
            NewAccount {
                id: AccountId::new(Uuid::now_v7().as_u128()),
                tenant: tenant.clone(),
                name: name.clone(),
                owner: name.clone(),
                entitlement: Entitlement {
                    kind: "own".into(),
                    attested_by: name,
                    attested_at: Timestamp(0),
                },
                same_owner_spill: false,
                credentials: vec![NewCredential {
                    id: CredentialId::new(Uuid::now_v7().as_u128()),
                    provider: PROVIDER.into(),
                    base_url: None,
                    secret: SealedSecret {
                        sealed: String::new(),
                        key_id: "k".into(),
                    },
                    fingerprint: Uuid::new_v4().to_string(),
                    earlier_fingerprints: Vec::new(),
                    expires_at: None,
                    groups: vec![GroupOf {
                        group,
                        models: Vec::new(),
                    }],
                }],
            }
        })
        .collect()
}

const fn limit(dimension: Dimension, amount: u64, window: Window) -> Limit {
    Limit {
        dimension,
        amount,
        burst: None,
        window,
        reserve: ReserveRule::Estimate,
        cache_read_percent: 0,
        output_weight: 1,
    }
}

/// Writer of projects and attempts.
pub(crate) struct Queued {
    store: Arc<Store>,
    versions: std::collections::BTreeMap<ProjectId, u64>,
}

impl Queued {
    pub(crate) const fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            versions: std::collections::BTreeMap::new(),
        }
    }

    /// Submits a project.
    pub(crate) async fn project(&mut self, tenant: &Tenant) -> anyhow::Result<ProjectId> {
        let id = ProjectId::new(Uuid::now_v7().as_u128());
        let record = Record {
            id: EventId::new(Uuid::now_v7().as_u128()),
            topic: Topic::ProjectCmd,
            key: id.to_string(),
            headers: Vec::new(),
            payload: Bytes::new(),
        };
        let new = NewProject {
            id,
            tenant: tenant.clone(),
            idempotency_key: id.to_string(),
            body: ArtifactHash::of(b"body"),
            budget: MicroUsd::from_dollars(1_000_000),
            head: head(id, tenant),
            record,
        };
        self.store.submit(new).await?;
        self.versions.insert(id, 0);
        Ok(id)
    }

    /// Queues attempts of a project.
    pub(crate) async fn attempts(
        &mut self,
        tenant: &Tenant,
        project: ProjectId,
        count: u32,
    ) -> anyhow::Result<()> {
        let mut left = count;
        while left > 0 {
            let now = left.min(AT_ONCE);
            left -= now;
            let version = self.versions.entry(project).or_default();
            let commit = Commit {
                project,
                expected: Version(*version),
                head: head(project, tenant),
                tasks: Vec::new(),
                attempts: (0..now).map(|_| attempt(tenant, project)).collect(),
                cancel: Vec::new(),
                events: Vec::new(),
                outbox: Vec::new(),
                budget: None,
                folded: Vec::new(),
            };
            *version += 1;
            let committed = self.store.commit(commit).await?;
            anyhow::ensure!(matches!(committed, Committed::Done(_)), "another writer");
        }
        Ok(())
    }
}

fn head(id: ProjectId, tenant: &Tenant) -> Head {
    Head::new(NewHead {
        id,
        tenant: tenant.clone(),
        title: "a project".into(),
        created_at: Timestamp(now_ms()),
        brief: ArtifactHash::of(b"brief"),
        options: Options {
            assume: true,
            approve: false,
        },
    })
}

fn attempt(tenant: &Tenant, project: ProjectId) -> NewAttempt {
    NewAttempt {
        id: AttemptId::new(Uuid::now_v7().as_u128()),
        task: TaskId::new(Uuid::now_v7().as_u128()),
        project,
        tenant: tenant.clone(),
        plan_version: 1,
        kind: TaskKind::Work,
        number: 1,
        order: ArtifactHash::of(b"order"),
        size: CallSize {
            input: 1_000,
            output: 200,
            max_tokens: 800,
        },
        priority: 100,
        path: Millis(1_000),
        not_before: Timestamp(0),
    }
}
