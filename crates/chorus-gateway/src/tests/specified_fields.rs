//! Fields of the resources and of the specification: each resource with every field set has exactly the fields that
//! `openapi.json` gives its schema.

use std::collections::BTreeSet;

use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::WaitReason;
use chorus_core::failure::FailureClass;
use chorus_core::id::{
    AccountId, AttemptId, EventId, ModelSlug, ProjectId, ProviderId, TaskId, TaskKey,
};
use chorus_core::money::MicroUsd;
use chorus_core::plan::Plan;
use chorus_core::task_kind::{ModelRole, TaskKind};
use chorus_core::time::{Millis, Timestamp};
use serde_json::{Value, json};

use crate::openapi;
use crate::resource::{
    AttentionResource, ChoiceResource, CommandAccepted, DeliverableFile, DeliverableResource,
    DeliveryList, DeliveryResource, ErrorBody, Estimate, Links, MoneyResource, PlanOfferResource,
    PlanResource, PlanTask, Problem, ProjectList, ProjectResource, QuestionResource, RoleModels,
    SummaryResource, TaskCounts, TaskError, VerdictResource, WaitResource,
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
    ];
    for (name, resource) in resources {
        let schema = &document["components"]["schemas"][name];
        assert!(schema.is_object(), "{name} has no schema");
        check(&document, schema, &resource, name);
    }
}
