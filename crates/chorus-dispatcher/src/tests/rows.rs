//! Rows of a project, its attempts and its account, as the [`Fixture`](super::fixture::Fixture) stores them.

use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{CallSize, NewAttempt};
use chorus_core::brief::Options;
use chorus_core::id::{AccountId, AttemptId, CredentialId, EventId, TaskId, Tenant};
use chorus_core::limit::{Limit, QuotaGroup};
use chorus_core::money::MicroUsd;
use chorus_core::port::bus::{Record, Topic};
use chorus_core::port::directory::{Entitlement, GroupOf, NewAccount, NewCredential, SealedSecret};
use chorus_core::port::projects::NewProject;
use chorus_core::project::{Head, NewHead};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::{Millis, Timestamp};

use super::fixture::PROJECT;

/// A queued attempt of this number at the task of that number.
pub(super) fn attempt(number: u128) -> NewAttempt {
    NewAttempt {
        id: AttemptId::new(number),
        task: TaskId::new(number),
        project: PROJECT,
        tenant: Tenant::new("home"),
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

/// Head of the project as it is submitted.
pub(super) fn head() -> Head {
    Head::new(NewHead {
        id: PROJECT,
        tenant: Tenant::new("home"),
        title: "a project".into(),
        created_at: Timestamp(0),
        brief: ArtifactHash::of(b"brief"),
        options: Options {
            assume: true,
            approve: false,
        },
    })
}

/// The project with this budget.
pub(super) fn project(budget: MicroUsd) -> NewProject {
    let record = Record {
        id: EventId::new(u128::MAX),
        topic: Topic::ProjectCmd,
        key: PROJECT.to_string(),
        headers: Vec::new(),
        payload: Bytes::new(),
    };
    NewProject {
        id: PROJECT,
        tenant: Tenant::new("home"),
        idempotency_key: "once".into(),
        body: ArtifactHash::of(b"body"),
        budget,
        head: head(),
        record,
    }
}

/// One account with these limits.
pub(super) fn account(limits: Vec<Limit>) -> NewAccount {
    let group = QuotaGroup {
        id: "anthropic/org".into(),
        limits,
    };
    NewAccount {
        id: AccountId::new(1),
        tenant: Tenant::new("home"),
        name: "ann@example.org".into(),
        owner: "ann".into(),
        entitlement: Entitlement {
            kind: "own".into(),
            attested_by: "ann".into(),
            attested_at: Timestamp(0),
        },
        same_owner_spill: false,
        credentials: vec![NewCredential {
            id: CredentialId::new(1),
            provider: "anthropic".into(),
            base_url: None,
            secret: SealedSecret {
                sealed: String::new(),
                key_id: "k".into(),
            },
            fingerprint: "f".into(),
            earlier_fingerprints: Vec::new(),
            expires_at: None,
            groups: vec![GroupOf {
                group,
                models: Vec::new(),
            }],
        }],
    }
}
