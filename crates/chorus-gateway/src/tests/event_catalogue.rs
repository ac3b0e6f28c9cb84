//! The catalogue of events in `docs/api.md` and the enumeration in `openapi.json`, compared with
//! [`HistoryEvent`].

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::FailureCause;
use chorus_core::id::{AttemptId, EventId, TaskId, TaskKey};
use chorus_core::merge::{Conflict, Resolution, ResolvedBy};
use chorus_core::money::MicroUsd;
use chorus_core::plan::PlanEstimate;
use chorus_core::project::{Attention, HistoryEvent, Reopening, TaskRef};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Timestamp;
use chorus_core::verdict::Verdict;

use crate::openapi;

const DOCUMENT: &str = include_str!("../../../../docs/api.md");

/// Compiles only if every variant is named here; each needs a sample in [`samples`].
fn is_sampled(event: &HistoryEvent) -> bool {
    match event {
        HistoryEvent::Submitted
        | HistoryEvent::Clarified { .. }
        | HistoryEvent::QuestionsAsked { .. }
        | HistoryEvent::Answered { .. }
        | HistoryEvent::Planned { .. }
        | HistoryEvent::ApprovalAsked
        | HistoryEvent::Approved
        | HistoryEvent::Rejected { .. }
        | HistoryEvent::TaskReady { .. }
        | HistoryEvent::TaskSucceeded { .. }
        | HistoryEvent::TaskFailed { .. }
        | HistoryEvent::TaskAsked { .. }
        | HistoryEvent::TaskAnswered { .. }
        | HistoryEvent::TaskSkipped { .. }
        | HistoryEvent::ConflictFound { .. }
        | HistoryEvent::ConflictResolved { .. }
        | HistoryEvent::Merged { .. }
        | HistoryEvent::Judged { .. }
        | HistoryEvent::Reworked { .. }
        | HistoryEvent::Paused
        | HistoryEvent::Resumed
        | HistoryEvent::BudgetExhausted
        | HistoryEvent::BudgetRaised { .. }
        | HistoryEvent::NeedsAttention { .. }
        | HistoryEvent::AttentionEnded
        | HistoryEvent::CommandRefused { .. }
        | HistoryEvent::Reopened { .. }
        | HistoryEvent::TaskHeld { .. }
        | HistoryEvent::Done { .. }
        | HistoryEvent::Partial { .. }
        | HistoryEvent::Failed { .. }
        | HistoryEvent::Cancelled => true,
    }
}

/// Number of variants in [`is_sampled`].
const VARIANTS: usize = 32;

fn task() -> TaskRef {
    TaskRef {
        id: TaskId::new(1),
        key: TaskKey::new("t1"),
        kind: TaskKind::Work,
        title: "Chapter 1".to_owned(),
    }
}

fn samples() -> Vec<HistoryEvent> {
    let mut samples = project_samples();
    samples.extend(attention_samples());
    samples.extend(task_samples());
    samples
}

fn project_samples() -> Vec<HistoryEvent> {
    let deliverable = ArtifactHash::of(b"deliverable");
    let estimate = PlanEstimate {
        calls: 1,
        input_tokens: 1,
        output_tokens: 1,
        critical_output_tokens: 1,
        widest: 1,
    };
    vec![
        HistoryEvent::Submitted,
        HistoryEvent::Clarified {
            assumptions: vec![],
        },
        HistoryEvent::QuestionsAsked {
            questions: vec![],
            task: None,
        },
        HistoryEvent::Answered { answers: vec![] },
        HistoryEvent::Planned {
            version: 1,
            plan: ArtifactHash::of(b"plan"),
            title: "Guide".to_owned(),
            tasks: 1,
            fallback: false,
            repaired: false,
            warnings: vec![],
            estimate,
        },
        HistoryEvent::ApprovalAsked,
        HistoryEvent::Approved,
        HistoryEvent::Rejected {
            reason: String::new(),
        },
        HistoryEvent::Merged {
            deliverable,
            files: vec![],
            missing: vec![],
        },
        HistoryEvent::Judged {
            deliverable,
            verdict: Verdict::default(),
            score: 1000,
            round: 0,
        },
        HistoryEvent::Reworked {
            round: 1,
            version: 2,
            tasks: vec![],
        },
        HistoryEvent::Paused,
        HistoryEvent::Resumed,
        HistoryEvent::BudgetExhausted,
        HistoryEvent::Done { deliverable },
        HistoryEvent::Partial {
            deliverable,
            defects: vec![],
        },
        HistoryEvent::Failed { why: String::new() },
        HistoryEvent::Cancelled,
    ]
}

fn attention_samples() -> Vec<HistoryEvent> {
    vec![
        HistoryEvent::BudgetRaised {
            budget: MicroUsd(1),
        },
        HistoryEvent::NeedsAttention {
            why: Attention::NoResult {
                message: String::new(),
            },
            since: Timestamp(0),
        },
        HistoryEvent::AttentionEnded,
        HistoryEvent::CommandRefused {
            command: "pause".to_owned(),
            id: EventId::new(1),
            code: "overtaken".to_owned(),
            why: String::new(),
        },
        HistoryEvent::Reopened {
            with: Reopening::default(),
        },
    ]
}

fn task_samples() -> Vec<HistoryEvent> {
    let attempt = AttemptId::new(1);
    let question = || "How long?".to_owned();
    vec![
        HistoryEvent::TaskReady {
            task: task(),
            attempt,
            number: 1,
            why: String::new(),
        },
        HistoryEvent::TaskSucceeded {
            task: task(),
            attempt,
            result: ArtifactHash::of(b"result"),
        },
        HistoryEvent::TaskFailed {
            task: task(),
            cause: FailureCause::OverBudget {
                needs: MicroUsd(30_000),
                spent: MicroUsd(80_000),
                budget: MicroUsd(100_000),
            },
        },
        HistoryEvent::TaskHeld {
            task: task(),
            cause: FailureCause::Empty,
        },
        HistoryEvent::TaskAsked {
            task: task(),
            question: question(),
        },
        HistoryEvent::TaskAnswered {
            task: task(),
            question: question(),
            answer: String::new(),
            assumed: false,
        },
        HistoryEvent::TaskSkipped { task: task() },
        HistoryEvent::ConflictFound {
            conflict: Conflict {
                id: "c1".to_owned(),
                subject: String::new(),
                claims: vec![],
            },
        },
        HistoryEvent::ConflictResolved {
            resolution: Resolution {
                conflict: "c1".to_owned(),
                keep: None,
                reason: String::new(),
                by: ResolvedBy::Vote,
            },
        },
    ]
}

/// Names of the fields of each type of event.
fn written() -> BTreeMap<String, BTreeSet<String>> {
    samples()
        .iter()
        .map(|event| {
            assert!(is_sampled(event));
            let value = serde_json::to_value(event).expect("events are plain");
            let mut fields = value.as_object().expect("an object").clone();
            let name = fields.remove("type").expect("a type");
            let name = name.as_str().expect("a text").to_owned();
            (name, fields.into_iter().map(|(field, _)| field).collect())
        })
        .collect()
}

#[test]
fn the_document_lists_every_event_with_its_fields() {
    let (_, after) = DOCUMENT
        .split_once("### Catalogue of events")
        .expect("the catalogue");
    let table = after.split("\n### ").next().expect("a section");
    let quoted = |cell: &str| -> BTreeSet<String> {
        let parts = cell.split('`').skip(1).step_by(2);
        parts.map(str::to_owned).collect()
    };
    let documented: BTreeMap<String, BTreeSet<String>> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| {
            let (name, rest) = row.split_once('`').expect("a name in backticks");
            let fields = rest.split('|').nth(1).expect("a cell of fields");
            (name.to_owned(), quoted(fields))
        })
        .collect();
    let written = written();
    assert_eq!(written.len(), VARIANTS);
    assert_eq!(documented, written);
}

#[test]
fn the_specification_lists_every_event() {
    let document = openapi::document();
    let event = &document["components"]["schemas"]["Event"]["properties"]["event"];
    let listed: BTreeSet<String> = event["properties"]["type"]["enum"]
        .as_array()
        .expect("names")
        .iter()
        .map(|name| name.as_str().expect("a text").to_owned())
        .collect();
    assert_eq!(listed, written().into_keys().collect());
}
