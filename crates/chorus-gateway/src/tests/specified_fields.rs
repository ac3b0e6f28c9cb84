//! Fields of the resources and of the specification: each resource with every field set has exactly the fields that
//! `openapi.json` gives its schema.

use std::collections::BTreeSet;

use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::WaitReason;
use chorus_core::failure::FailureClass;
use chorus_core::id::{
    AccountId, AttemptId, AuditId, CredentialId, EventId, GroupId, ModelSlug, Pool, ProjectId,
    ProviderId, TaskId, TaskKey,
};
use chorus_core::limit::{Dimension, Window};
use chorus_core::money::MicroUsd;
use chorus_core::plan::Plan;
use chorus_core::port::audit::AuditAction;
use chorus_core::port::directory::MarkSource;
use chorus_core::task_kind::{ModelRole, TaskKind};
use chorus_core::time::{Millis, Timestamp};
use serde_json::{Value, json};

use crate::openapi;
use crate::resource::{
    AccountList, AccountResource, AttentionResource, AuditList, AuditResource, Bottleneck,
    ChoiceResource, CommandAccepted, CredentialCounts, CredentialResource, DeliverableFile,
    DeliverableResource, DeliveryList, DeliveryResource, EntitlementResource, ErrorBody, Estimate,
    GroupResource, ImportReport, KeyCheckResource, LimitResource, Links, MoneyResource,
    PlanOfferResource, PlanResource, PlanTask, PoolList, PoolResource, ProbeReport, Problem,
    ProjectList, ProjectResource, QuestionResource, RoleModels, RotationResource, SummaryResource,
    TaskCounts, TaskError, TaskWhy, UseList, UseResource, VerdictResource, WaitResource,
};

const AT: Timestamp = Timestamp(1);

fn hash() -> ArtifactHash {
    ArtifactHash::of(b"x")
}

fn text() -> String {
    "x".to_owned()
}

fn wait() -> WaitResource {
    WaitResource {
        code: "budget".to_owned(),
        text: text(),
        since_ms: AT,
        until_ms: Some(AT),
        tasks: 1,
        detail: WaitReason::Budget,
    }
}

fn attention() -> AttentionResource {
    AttentionResource {
        code: text(),
        why: text(),
        since_ms: AT,
        choices: vec![ChoiceResource {
            verb: text(),
            label: text(),
            command: text(),
        }],
        continues_when: Some(text()),
        until_ms: Some(AT),
        plan_offer: Some(PlanOfferResource {
            plan: hash(),
            tasks: 1,
            repaired: true,
            warnings: vec![text()],
        }),
    }
}

fn estimate() -> Estimate {
    Estimate {
        title: text(),
        tasks: 1,
        widest: 1,
        calls: 1,
        input_tokens: 1,
        output_tokens: 1,
        cost_micro_usd: (MicroUsd(1), MicroUsd(1)),
        time_ms: (Millis(1), Millis(1)),
        spent_micro_usd: MicroUsd(1),
        budget_micro_usd: MicroUsd(1),
        models: vec![RoleModels {
            role: ModelRole::Writer,
            models: vec![ModelSlug::new("deepseek/deepseek-v4-pro")],
            description: text(),
        }],
    }
}

fn project() -> ProjectResource {
    ProjectResource {
        id: ProjectId::new(1),
        title: text(),
        state: "running".to_owned(),
        phase: "work".to_owned(),
        is_terminal: false,
        created_at_ms: AT,
        version: 1,
        last_event: 1,
        tasks: TaskCounts::default(),
        money: MoneyResource::default(),
        attention: Some(attention()),
        plan: Some(hash()),
        waits: vec![wait()],
        questions: vec![QuestionResource {
            id: text(),
            text: text(),
            why: text(),
            options: vec![text()],
            default: text(),
            task: Some(TaskId::new(1)),
        }],
        assumptions: vec![text()],
        estimate: Some(estimate()),
        verdict: Some(VerdictResource {
            score: 1.0,
            defects: vec![text()],
            rounds: 1,
        }),
        defects: vec![text()],
        links: Links {
            own: text(),
            events: text(),
            plan: text(),
            deliverable: text(),
            report: text(),
        },
    }
}

fn projects() -> ProjectList {
    ProjectList {
        projects: vec![SummaryResource {
            id: ProjectId::new(1),
            title: text(),
            state: text(),
            is_terminal: false,
            created_at_ms: AT,
            spent_usd: 1.0,
        }],
        next_cursor: Some(text()),
    }
}

fn plan() -> PlanResource {
    PlanResource {
        version: 1,
        hash: Some(hash()),
        plan: Plan {
            version: 1,
            title: text(),
            assumptions: Vec::new(),
            requirements: Vec::new(),
            tasks: Vec::new(),
            files: Vec::new(),
        },
        tasks: vec![PlanTask {
            id: TaskId::new(1),
            key: TaskKey::new("t1"),
            kind: TaskKind::Work,
            title: text(),
            plan_version: 1,
            state: text(),
            parents: vec![TaskId::new(1)],
            superseded_by: Some(TaskId::new(1)),
            cost_usd: 1.0,
            is_estimated: true,
            deliveries: 1,
            is_open: true,
            wait: Some(wait()),
            error: Some(TaskError {
                code: text(),
                status: 500,
                message: text(),
                class: Some(FailureClass::RateWindow),
            }),
        }],
    }
}

fn deliveries() -> DeliveryList {
    DeliveryList {
        deliveries: vec![DeliveryResource {
            attempt: AttemptId::new(1),
            number: 1,
            task: TaskId::new(1),
            key: Some(TaskKey::new("t1")),
            kind: TaskKind::Work,
            account: AccountId::new(1),
            account_name: Some(text()),
            provider: ProviderId::new("deepseek"),
            model: ModelSlug::new("deepseek/deepseek-v4-pro"),
            dispatched_at_ms: AT,
            claimed_at_ms: Some(AT),
            ended_at_ms: AT,
            end: text(),
            is_failure: true,
            class: Some(FailureClass::RateWindow),
            message: text(),
            again_at_ms: Some(AT),
            cost_usd: 1.0,
            is_estimated: true,
        }],
        next: Some(text()),
        has_more: true,
    }
}

fn deliverable() -> DeliverableResource {
    DeliverableResource {
        project: ProjectId::new(1),
        files: vec![DeliverableFile {
            path: text(),
            media_type: text(),
            bytes: 1,
            sha256: hash(),
            href: text(),
            text: Some(text()),
        }],
        conflicts: Vec::new(),
        resolutions: Vec::new(),
    }
}

fn accepted() -> CommandAccepted {
    CommandAccepted {
        project: ProjectId::new(1),
        command: EventId::new(1),
    }
}

fn error() -> ErrorBody {
    ErrorBody {
        error: Problem {
            code: text(),
            message: text(),
            request_id: text(),
            field: Some(text()),
            project: Some(ProjectId::new(1)),
        },
    }
}

fn limit() -> LimitResource {
    LimitResource {
        dimension: Dimension::Requests,
        window: Window::Month,
        configured: 1,
        in_force: Some(1),
        room: Some(-1),
        held: Some(1),
        full_at_ms: Some(AT),
        source: Some("header".to_owned()),
        source_at_ms: Some(AT),
    }
}

fn group() -> GroupResource {
    GroupResource {
        group: GroupId::new("g"),
        models: vec![ModelSlug::new("deepseek/deepseek-v4-pro")],
        limits: vec![limit()],
        in_flight: Some(1),
        closed_until_ms: Some(AT),
    }
}

fn account() -> AccountResource {
    AccountResource {
        id: AccountId::new(1),
        name: text(),
        owner: text(),
        entitlement: EntitlementResource {
            kind: "own".to_owned(),
            attested_by: text(),
            attested_at_ms: AT,
        },
        same_owner_spill: true,
        credentials: vec![CredentialResource {
            id: CredentialId::new(1),
            provider: ProviderId::new("deepseek"),
            base_url: Some(text()),
            state: "active".to_owned(),
            reason: text(),
            until_ms: Some(AT),
            cut: true,
            replaced_by: Some(CredentialId::new(2)),
            since_ms: Some(AT),
            evidence: Some(MarkSource::Check),
            expires_ms: Some(AT),
            expiry: Some("soon".to_owned()),
            groups: vec![group()],
        }],
    }
}

fn accounts() -> AccountList {
    AccountList {
        accounts: vec![account()],
    }
}

fn pools() -> PoolList {
    PoolList {
        pools: vec![PoolResource {
            pool: Pool::new("deepseek"),
            models: vec![ModelSlug::new("deepseek/deepseek-v4-pro")],
            credentials: CredentialCounts::default(),
            slots: 1,
            open: 1,
            waiting: 1,
            oldest_ms: Some(AT),
            waits: vec![wait()],
            groups: vec![group()],
            bottleneck: Some(Bottleneck {
                group: GroupId::new("g"),
                dimension: Dimension::Requests,
                permille: 1000,
            }),
        }],
        has_levels: true,
        at_ms: AT,
    }
}

fn why() -> TaskWhy {
    TaskWhy {
        project: ProjectId::new(1),
        task: TaskId::new(1),
        key: TaskKey::new("t1"),
        title: text(),
        kind: TaskKind::Work,
        state: text(),
        is_open: true,
        deliveries: 1,
        answer: text(),
        wait: Some(wait()),
        parents: vec![TaskKey::new("t1")],
        models: vec![ModelSlug::new("deepseek/deepseek-v4-pro")],
        accounts: vec![account()],
        ahead: Some(1),
        has_levels: true,
    }
}

fn acts() -> AuditList {
    AuditList {
        entries: vec![AuditResource {
            id: AuditId::new(1),
            at_ms: AT,
            caller: text(),
            action: AuditAction::Pause,
            account: Some(AccountId::new(1)),
            account_name: text(),
            project: Some(ProjectId::new(1)),
            detail: text(),
        }],
    }
}

fn uses() -> UseList {
    UseList {
        uses: vec![UseResource {
            at_ms: AT,
            ended_at_ms: Some(AT),
            caller: Some(text()),
            project: ProjectId::new(1),
            task: TaskId::new(1),
            attempt: AttemptId::new(1),
            account: AccountId::new(1),
            account_name: Some(text()),
            credential: CredentialId::new(1),
            provider: ProviderId::new("deepseek"),
            model: ModelSlug::new("deepseek/deepseek-v4-pro"),
            input_tokens: 1,
            output_tokens: 1,
            cost_usd: 1.0,
        }],
    }
}

fn rotation() -> RotationResource {
    RotationResource {
        account: text(),
        provider: ProviderId::new("deepseek"),
        replaced: CredentialId::new(1),
        credential: CredentialId::new(2),
        is_checked: true,
    }
}

fn checks() -> ProbeReport {
    ProbeReport {
        checks: vec![KeyCheckResource {
            credential: CredentialId::new(1),
            provider: ProviderId::new("deepseek"),
            result: "accepted".to_owned(),
            reason: text(),
            is_held: true,
        }],
    }
}

/// The schema that a reference or an alternative to `null` leads to.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let choices = schema["oneOf"]
        .as_array()
        .or_else(|| schema["anyOf"].as_array());
    if let Some(first) = choices.and_then(|choices| choices.first()) {
        return resolved(document, first);
    }
    match schema["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .expect("the reference leads somewhere"),
        None => schema,
    }
}

/// Compares the fields of a value with its schema, and the fields of its parts with theirs. An object without
/// specified fields, for instance a plan, may have any.
fn check(document: &Value, schema: &Value, value: &Value, place: &str) {
    let schema = resolved(document, schema);
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for value in values {
            check(document, items, value, &format!("{place}[]"));
        }
    }
    let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object())
    else {
        return;
    };
    let specified: BTreeSet<&String> = properties.keys().collect();
    assert_eq!(fields.keys().collect::<BTreeSet<_>>(), specified, "{place}");
    for (name, value) in fields {
        check(
            document,
            &properties[name],
            value,
            &format!("{place}.{name}"),
        );
    }
}

#[test]
fn every_field_of_a_resource_is_specified_and_no_other() {
    let document = openapi::document();
    let resources = [
        ("Project", json!(project())),
        ("ProjectList", json!(projects())),
        ("Plan", json!(plan())),
        ("DeliveryList", json!(deliveries())),
        ("Deliverable", json!(deliverable())),
        ("ErrorBody", json!(error())),
        ("CommandAccepted", json!(accepted())),
        ("AccountList", json!(accounts())),
        ("PoolList", json!(pools())),
        ("TaskWhy", json!(why())),
        ("AuditList", json!(acts())),
        ("UseList", json!(uses())),
        ("Rotation", json!(rotation())),
        ("ProbeReport", json!(checks())),
        ("ImportReport", json!(ImportReport::default())),
    ];
    for (name, resource) in resources {
        let schema = &document["components"]["schemas"][name];
        assert!(schema.is_object(), "{name} has no schema");
        check(&document, schema, &resource, name);
    }
}
