//! Rows of one project, made by hand. All times are milliseconds after the project was accepted.

use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{Assignment, DeliveryEnd, DeliveryRow, Outcome, Requeue};
use chorus_core::brief::Options;
use chorus_core::id::{
    AccountId, AttemptId, CredentialId, Epoch, LeaseId, ProjectId, Seq, TaskId, Tenant,
};
use chorus_core::limit::{Lease, QuotaGroup};
use chorus_core::llm::Usage;
use chorus_core::money::{MicroUsd, ProjectMoney};
use chorus_core::plan::{Part, Plan, PlannedFile};
use chorus_core::port::directory::{Account, Credential, CredentialState, Entitlement, GroupOf};
use chorus_core::port::projects::StoredEvent;
use chorus_core::project::{
    Head, HistoryEvent, NewHead, Project, Rework, Subject, Task, TaskRef, TaskState,
};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::{Millis, Timestamp};

use crate::ReportInput;

/// Time at which the project was accepted.
const START: Timestamp = Timestamp(1_000_000);

pub(super) fn hash(text: &str) -> ArtifactHash {
    ArtifactHash::of(text.as_bytes())
}

fn at(millis: u64) -> Timestamp {
    START + Millis(millis)
}

/// A project without tasks, with one idle account.
pub(super) fn input() -> ReportInput {
    let head = Head::new(NewHead {
        id: ProjectId::new(1),
        tenant: Tenant::new("home"),
        title: "A guide".to_owned(),
        created_at: START,
        brief: hash("brief"),
        options: Options {
            assume: true,
            approve: false,
        },
    });
    ReportInput {
        project: Project {
            head,
            tasks: std::collections::BTreeMap::new(),
        },
        events: Vec::new(),
        deliveries: Vec::new(),
        money: ProjectMoney::default(),
        plan: None,
        estimate: None,
        deliverable: None,
        accounts: vec![account()],
        limits: Vec::new(),
        simulated: true,
    }
}

impl ReportInput {
    pub(super) fn add(&mut self, task: Task) {
        self.project.tasks.insert(task.id, task);
    }
}

pub(super) fn account() -> Account {
    let group = QuotaGroup {
        id: "anthropic/org".into(),
        limits: Vec::new(),
    };
    Account {
        id: AccountId::new(1),
        name: "ann@example.org".to_owned(),
        owner: "ann".to_owned(),
        entitlement: Entitlement {
            kind: "own".to_owned(),
            attested_by: "ann".to_owned(),
            attested_at: START,
        },
        same_owner_spill: false,
        credentials: vec![Credential {
            id: CredentialId::new(1),
            provider: "anthropic".into(),
            base_url: None,
            groups: vec![GroupOf {
                group,
                models: Vec::new(),
            }],
            state: CredentialState::Active,
            mark: None,
            expires_at: None,
        }],
    }
}

pub(super) fn task(id: u128, key: &str, parents: &[u128]) -> Task {
    Task {
        id: TaskId::new(id),
        key: key.into(),
        kind: TaskKind::Work,
        plan_version: 1,
        title: format!("Title of {key}"),
        parents: parents.iter().copied().map(TaskId::new).collect(),
        children: Vec::new(),
        policy: chorus_core::plan::ParentPolicy::default(),
        output_tokens: 400,
        path: Millis::ZERO,
        about: Subject::default(),
        answers: Vec::new(),
        rework: None,
        superseded_by: None,
        state: TaskState::Succeeded {
            attempt: AttemptId::new(id),
            result: hash("result"),
        },
    }
}

/// A task of the next plan version that replaces another one.
pub(super) fn reworked(id: u128, old: &Task) -> Task {
    Task {
        id: TaskId::new(id),
        plan_version: old.plan_version + 1,
        rework: Some(Rework {
            replaces: old.id,
            feedback: "mend it".to_owned(),
            earlier: Vec::new(),
            previous: None,
            is_reader: false,
        }),
        ..old.clone()
    }
}

pub(super) fn task_ref(id: u128, key: &str) -> TaskRef {
    TaskRef {
        id: TaskId::new(id),
        key: key.into(),
        kind: TaskKind::Work,
        title: format!("Title of {key}"),
    }
}

pub(super) fn event(seq: u64, millis: u64, event: HistoryEvent) -> StoredEvent {
    StoredEvent {
        project: ProjectId::new(1),
        seq: Seq(seq),
        at: at(millis),
        event,
    }
}

/// The first attempt of a task was queued.
pub(super) fn ready(task: u128) -> HistoryEvent {
    HistoryEvent::TaskReady {
        task: task_ref(task, "t"),
        attempt: AttemptId::new(task),
        number: 1,
        why: String::new(),
    }
}

/// A delivery that was dispatched and has not ended.
pub(super) fn delivery(task: u128, epoch: u32, dispatched: u64) -> DeliveryRow {
    let lease = Lease {
        id: LeaseId::new(u128::from(epoch)),
        credential: CredentialId::new(1),
        charges: Vec::new(),
        granted_at: at(dispatched),
        not_after: at(dispatched + 30_000),
    };
    DeliveryRow {
        attempt: AttemptId::new(task),
        epoch: Epoch(epoch),
        task: TaskId::new(task),
        kind: TaskKind::Work,
        assignment: Assignment {
            lease,
            account: AccountId::new(1),
            provider: "anthropic".into(),
            model: "claude/sonnet".into(),
            pool: "claude".into(),
            estimate: MicroUsd(100),
            resets: chorus_core::limit::QuotaResets::default(),
        },
        dispatched_at: at(dispatched),
        claimed_at: None,
        deadline: None,
        ended_at: None,
        end: None,
        usage: None,
        cost: MicroUsd::ZERO,
    }
}

pub(super) fn ended(
    row: DeliveryRow,
    claimed: Option<u64>,
    until: u64,
    end: DeliveryEnd,
) -> DeliveryRow {
    DeliveryRow {
        claimed_at: claimed.map(at),
        ended_at: Some(at(until)),
        end: Some(end),
        ..row
    }
}

/// A delivery with a result and its usage.
pub(super) fn finished(row: DeliveryRow, claimed: u64, until: u64) -> DeliveryRow {
    let outcome = Outcome::Succeeded {
        result: hash("result"),
    };
    DeliveryRow {
        usage: Some(Usage {
            input: 200,
            cache_read: 40,
            output: 50,
            ..Usage::default()
        }),
        ..ended(row, Some(claimed), until, DeliveryEnd::Finished { outcome })
    }
}

pub(super) fn requeued(row: DeliveryRow, claimed: u64, until: u64, reason: Requeue) -> DeliveryRow {
    let outcome = Outcome::Requeue {
        reason,
        not_before: at(until),
        order: None,
        message: String::new(),
    };
    ended(row, Some(claimed), until, DeliveryEnd::Finished { outcome })
}

/// A plan with files of one part of each of these tasks.
pub(super) fn plan(parts: &[(&str, &str)]) -> Plan {
    let file = |(key, path): &(&str, &str)| PlannedFile {
        path: (*path).to_owned(),
        media_type: "text/markdown".to_owned(),
        parts: vec![Part::Task {
            task: (*key).into(),
        }],
    };
    Plan {
        version: 1,
        title: "A guide".to_owned(),
        assumptions: Vec::new(),
        requirements: Vec::new(),
        tasks: Vec::new(),
        files: parts.iter().map(file).collect(),
    }
}
