//! Valid values for cases, each with ids of its own.

use std::cell::Cell;

use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{Assignment, CallSize, NewAttempt, Outcome, Requeue};
use chorus_core::brief::Options;
use chorus_core::id::{
    AccountId, AttemptId, CredentialId, Epoch, EventId, GroupId, Holder, KeyId, LeaseId, ModelSlug,
    Pool, ProjectId, ProviderId, Seq, TaskId, TaskKey, Tenant,
};
use chorus_core::limit::{Charge, Dimension, Lease, QuotaGroup, QuotaResets, Zone};
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::plan::ParentPolicy;
use chorus_core::port::bus::{Record, Topic};
use chorus_core::port::directory::{Entitlement, GroupOf, NewAccount, NewCredential, SealedSecret};
use chorus_core::port::keys::{KeyHash, NewKey, Scopes};
use chorus_core::port::projects::{NewProject, StoredEvent};
use chorus_core::project::{Head, HistoryEvent, NewHead, Subject, Task, TaskState};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::{Millis, Timestamp};

/// Source of fresh numbers, in ascending order.
#[derive(Debug, Default)]
pub struct Ids(Cell<u128>);

impl Ids {
    /// Returns a number that was not drawn before.
    pub fn number(&self) -> u128 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }

    /// Returns a holder that was not drawn before.
    pub fn holder(&self) -> Holder {
        Holder::new(format!("boot/{}", self.number()))
    }

    /// Returns the id of a new record.
    pub fn event(&self) -> EventId {
        EventId::new(self.number())
    }
}

/// A project with an idempotency key of its own.
pub fn project(ids: &Ids, tenant: &Tenant, now: Timestamp, budget: MicroUsd) -> NewProject {
    let id = ProjectId::new(ids.number());
    NewProject {
        id,
        tenant: tenant.clone(),
        idempotency_key: format!("key of {id}"),
        body: ArtifactHash::of(id.to_string().as_bytes()),
        budget,
        head: head(id, tenant, now),
        record: record(ids, Topic::ProjectCmd, &id.to_string()),
    }
}

/// The [`Head`] of a submitted project.
pub fn head(id: ProjectId, tenant: &Tenant, now: Timestamp) -> Head {
    Head::new(NewHead {
        id,
        tenant: tenant.clone(),
        title: format!("Project {id}"),
        created_at: now,
        brief: ArtifactHash::of(b"brief"),
        options: Options {
            assume: true,
            approve: false,
        },
    })
}

/// A pending task without parents.
pub fn task(id: TaskId, title: &str) -> Task {
    Task {
        id,
        key: TaskKey::new("t1"),
        kind: TaskKind::Work,
        plan_version: 1,
        title: title.to_owned(),
        parents: vec![],
        children: vec![],
        policy: ParentPolicy::All,
        output_tokens: 500,
        path: Millis::from_secs(9),
        about: Subject::Itself,
        answers: vec![],
        rework: None,
        superseded_by: None,
        state: TaskState::Pending {
            succeeded: 0,
            ended: 0,
        },
    }
}

/// A new attempt at a task of its own.
pub fn attempt(ids: &Ids, project: ProjectId, now: Timestamp) -> NewAttempt {
    NewAttempt {
        id: AttemptId::new(ids.number()),
        task: TaskId::new(ids.number()),
        project,
        tenant: Tenant::new("tenant"),
        kind: TaskKind::Work,
        plan_version: 1,
        number: 1,
        order: ArtifactHash::of(b"order"),
        size: CallSize {
            input: 1200,
            output: 400,
            max_tokens: 2000,
        },
        priority: 3,
        path: Millis::from_secs(20),
        not_before: now,
    }
}

/// An [`Assignment`] under a new lease.
pub fn assignment(ids: &Ids, not_after: Timestamp, estimate: MicroUsd) -> Assignment {
    let charges = vec![Charge {
        group: GroupId::new("anthropic/org-1/sonnet"),
        dimension: Dimension::Requests,
        amount: 1,
    }];
    Assignment {
        lease: Lease {
            id: LeaseId::new(ids.number()),
            credential: CredentialId::new(77),
            charges,
            granted_at: Timestamp(not_after.0 - 30_000),
            not_after,
        },
        account: AccountId::new(78),
        provider: ProviderId::new("anthropic"),
        model: ModelSlug::new("anthropic/claude-sonnet"),
        pool: Pool::new("claude"),
        estimate,
        resets: QuotaResets {
            days: vec![Zone::Offset(-480)],
            spend_window: None,
            ..QuotaResets::default()
        },
    }
}

/// A record of any topic.
pub fn record(ids: &Ids, topic: Topic, key: &str) -> Record {
    let id = ids.event();
    let headers = vec![
        ("chorus-schema".to_owned(), "test/1".to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    Record {
        id,
        topic,
        key: key.to_owned(),
        headers,
        payload: Bytes::from(format!("{{\"of\":\"{id}\"}}")),
    }
}

/// The record of a dispatch.
pub fn dispatch_record(ids: &Ids, attempt: &NewAttempt, epoch: Epoch) -> Record {
    let mut record = record(
        ids,
        Topic::TaskDispatch(Pool::new("claude")),
        &attempt.task.to_string(),
    );
    record
        .headers
        .push(("chorus-epoch".to_owned(), epoch.0.to_string()));
    record
}

/// An event with this sequence number.
pub fn event(project: ProjectId, seq: u64, at: Timestamp) -> StoredEvent {
    StoredEvent {
        project,
        seq: Seq(seq),
        at,
        event: HistoryEvent::Submitted,
    }
}

/// Usage of a call.
pub fn usage() -> Usage {
    Usage {
        input: 1100,
        cache_read: 40,
        cache_write: 0,
        output: 390,
        reasoning: 12,
        is_estimated: false,
    }
}

/// Outcome with a result.
pub fn succeeded() -> Outcome {
    Outcome::Succeeded {
        result: ArtifactHash::of(b"result"),
    }
}

/// Outcome that requests another delivery at `not_before`, with the order unchanged.
pub fn requeue(reason: Requeue, not_before: Timestamp) -> Outcome {
    Outcome::Requeue {
        reason,
        not_before,
        order: None,
        message: String::new(),
    }
}

/// An API key with all scopes that never expires.
pub fn key(ids: &Ids, tenant: &Tenant, text: &str) -> NewKey {
    NewKey {
        id: KeyId::new(ids.number()),
        tenant: tenant.clone(),
        name: format!("name of {text}"),
        hash: KeyHash::of(text),
        scopes: Scopes::all(),
        expires_at: None,
    }
}

/// An account with one credential for each of these secrets.
pub fn account(ids: &Ids, tenant: &Tenant, name: &str, secrets: &[&str]) -> NewAccount {
    NewAccount {
        id: AccountId::new(ids.number()),
        tenant: tenant.clone(),
        name: name.to_owned(),
        owner: format!("owner of {name}"),
        entitlement: Entitlement {
            kind: "own".to_owned(),
            attested_by: "operator".to_owned(),
            attested_at: Timestamp(5),
        },
        same_owner_spill: true,
        credentials: secrets
            .iter()
            .map(|secret| credential(ids, secret))
            .collect(),
    }
}

fn credential(ids: &Ids, secret: &str) -> NewCredential {
    let group = QuotaGroup {
        id: GroupId::new(format!("anthropic/{secret}")),
        limits: vec![],
    };
    NewCredential {
        id: CredentialId::new(ids.number()),
        provider: ProviderId::new("anthropic"),
        base_url: None,
        secret: SealedSecret {
            sealed: format!("sealed {secret}"),
            key_id: "key-1".to_owned(),
        },
        fingerprint: format!("fingerprint of {secret}"),
        earlier_fingerprints: Vec::new(),
        expires_at: None,
        groups: vec![GroupOf {
            group,
            models: vec![ModelSlug::new("anthropic/claude-sonnet")],
        }],
    }
}
