//! Reports of projects made by hand: figures, sentences, and the page around them.

mod fixture;
mod limits;
mod page;
mod size;
mod waits;

use chorus_core::attempt::{DeliveryEnd, FailureCause, Outcome, Requeue};
use chorus_core::failure::FailureClass;
use chorus_core::merge::{Claim, Conflict, Deliverable, MergedFile, Resolution, ResolvedBy};
use chorus_core::money::{MicroUsd, ProjectMoney};
use chorus_core::project::{HistoryEvent, State};
use chorus_core::verdict::{Verdict, VerdictItem};

use super::{Report, build};
use fixture::{
    delivery, ended, event, finished, hash, input, ready, requeued, reworked, task, task_ref,
};

/// Sentences of a report, each with its kind and time.
fn sentences(report: &Report) -> Vec<(&str, u64, &str)> {
    report
        .happenings
        .iter()
        .map(|happening| {
            (
                happening.kind.as_str(),
                happening.at_ms,
                happening.text.as_str(),
            )
        })
        .collect()
}

/// Names of the ends of all deliveries, in order of accounts.
fn ends(report: &Report) -> Vec<&str> {
    let spans = report.accounts.iter().flat_map(|account| &account.spans);
    spans.map(|span| span.end.as_str()).collect()
}

#[test]
fn an_empty_project_has_zeroes_and_no_sentences() {
    let report = build(&input());
    assert_eq!(report.state, "submitted");
    assert_eq!(report.totals.makespan_ms, 0);
    assert_eq!(report.totals.critical_path_ms, 0);
    assert_eq!(report.totals.deliveries, 0);
    assert!(report.tasks.is_empty() && report.conflicts.is_empty() && report.verdicts.is_empty());
    assert!(report.files.is_empty() && report.defects.is_empty() && report.happenings.is_empty());
    assert_eq!(report.accounts.len(), 1, "an idle account has a lane too");
    assert!(report.accounts[0].spans.is_empty());
}

#[test]
fn times_are_counted_from_the_acceptance_of_the_project() {
    let mut input = input();
    input.add(task(1, "t1", &[]));
    input.add(task(2, "t2", &[1]));
    input.events = vec![event(1, 1_000, ready(1)), event(2, 5_000, ready(2))];
    input.deliveries = vec![
        finished(delivery(1, 0, 1_200), 1_500, 4_500),
        finished(delivery(2, 0, 5_100), 6_000, 8_000),
    ];
    let report = build(&input);
    assert_eq!(report.totals.makespan_ms, 8_000);
    assert_eq!(report.totals.call_ms, 5_000);
    assert_eq!(report.totals.critical_path_ms, 5_000);
    assert_eq!(report.totals.waited_ms, 500 + 1_000);
    let waits: Vec<_> = report.tasks.iter().map(|task| task.waited_ms).collect();
    assert_eq!(waits, [500, 1_000]);
    let levels: Vec<_> = report.tasks.iter().map(|task| task.level).collect();
    assert_eq!(levels, [0, 1]);
    assert!(report.tasks.iter().all(|task| task.critical));
    let span = &report.accounts[0].spans[0];
    assert_eq!((span.start_ms, span.end_ms), (1_500, 4_500));
}

#[test]
fn only_the_longest_chain_is_critical() {
    let mut input = input();
    input.add(task(1, "t1", &[]));
    input.add(task(2, "t2", &[]));
    input.add(task(3, "t3", &[1]));
    input.deliveries = vec![
        finished(delivery(1, 0, 0), 0, 1_000),
        finished(delivery(2, 0, 0), 0, 1_500),
        finished(delivery(3, 0, 1_000), 1_000, 3_000),
    ];
    let report = build(&input);
    assert_eq!(report.totals.critical_path_ms, 3_000);
    let critical: Vec<_> = report.tasks.iter().map(|task| task.critical).collect();
    assert_eq!(critical, [true, false, true]);
}

#[test]
fn all_deliveries_of_a_continued_answer_make_one_call_time() {
    let mut input = input();
    input.add(task(1, "t1", &[]));
    input.deliveries = vec![
        requeued(delivery(1, 0, 0), 0, 2_000, Requeue::Continue),
        finished(delivery(1, 1, 2_000), 2_100, 3_000),
    ];
    let report = build(&input);
    assert_eq!(report.tasks[0].call_ms, 2_900);
    assert_eq!(report.tasks[0].deliveries, 2);
    assert_eq!(ends(&report), ["continued", "done"]);
    assert!(
        report.happenings.is_empty(),
        "a continued answer is planned"
    );
}

#[test]
fn a_refused_key_is_no_rate_limit() {
    let mut input = input();
    input.add(task(1, "t1", &[]));
    let refused = |class| Requeue::Limited { class };
    input.deliveries = vec![
        requeued(delivery(1, 0, 0), 0, 100, refused(FailureClass::Auth)),
        requeued(
            delivery(1, 1, 100),
            100,
            200,
            refused(FailureClass::RateWindow),
        ),
        finished(delivery(1, 2, 300), 300, 900),
    ];
    let report = build(&input);
    assert_eq!(ends(&report), ["refused", "limited", "done"]);
    assert_eq!(report.totals.limited, 1);
    let kinds: Vec<_> = sentences(&report).iter().map(|found| found.0).collect();
    assert_eq!(kinds, ["refusal", "limit"]);
    let text = sentences(&report)[0].2;
    assert!(
        text.starts_with("ann@example.org refused task t1"),
        "{text}"
    );
}

#[test]
fn lost_calls_retries_and_unclaimed_deliveries_are_counted_and_described() {
    let mut input = input();
    input.add(task(1, "t1", &[]));
    let retry = Requeue::Retry {
        class: FailureClass::Overload,
    };
    input.deliveries = vec![
        ended(delivery(1, 0, 0), None, 30_000, DeliveryEnd::Unclaimed),
        ended(
            delivery(1, 1, 30_000),
            Some(30_100),
            60_000,
            DeliveryEnd::WorkerLost,
        ),
        requeued(delivery(1, 2, 60_000), 60_100, 61_000, retry),
        finished(delivery(1, 3, 62_000), 62_000, 63_000),
    ];
    let report = build(&input);
    assert_eq!(ends(&report), ["unclaimed", "lost", "retried", "done"]);
    assert_eq!((report.totals.lost, report.totals.retried), (1, 1));
    let found = sentences(&report);
    let kinds: Vec<_> = found.iter().map(|found| (found.0, found.1)).collect();
    assert_eq!(
        kinds,
        [("lost", 30_000), ("lost", 60_000), ("retry", 61_000)]
    );
    assert!(
        found[1].2.contains("task t1 on ann@example.org was lost"),
        "{found:?}"
    );
    assert_eq!(
        report.tasks[0].call_ms, 1_000,
        "only the call with the result counts"
    );
}

#[test]
fn every_end_of_a_delivery_has_its_name() {
    let mut input = input();
    let failed = Outcome::Failed {
        cause: FailureCause::Empty,
    };
    let asked = Outcome::Asked {
        question: hash("question"),
    };
    let of = |outcome| DeliveryEnd::Finished { outcome };
    input.deliveries = vec![
        delivery(1, 0, 0),
        ended(delivery(1, 1, 1), Some(1), 2, DeliveryEnd::Cancelled),
        ended(delivery(1, 2, 2), Some(2), 3, of(failed)),
        ended(delivery(1, 3, 3), Some(3), 4, of(asked)),
        requeued(delivery(1, 4, 4), 4, 5, Requeue::Drained),
        requeued(delivery(1, 5, 5), 5, 6, Requeue::LeaseGone),
    ];
    let report = build(&input);
    let expected = [
        "open",
        "cancelled",
        "failed",
        "asked",
        "handed_back",
        "handed_back",
    ];
    assert_eq!(ends(&report), expected);
    assert_eq!(
        report.accounts[0].spans[0].key, "",
        "a task that is gone has no key"
    );
}

#[test]
fn rework_replaces_tasks_and_is_described() {
    let mut input = input();
    let mut old = task(1, "t1", &[]);
    let new = reworked(2, &old);
    old.superseded_by = Some(new.id);
    input.add(old);
    input.add(new);
    let round = HistoryEvent::Reworked {
        round: 1,
        version: 2,
        tasks: vec![(task_ref(2, "t1"), "mend it".to_owned())],
    };
    input.events = vec![event(1, 9_000, round)];
    input.deliveries = vec![
        finished(delivery(1, 0, 0), 0, 1_000),
        finished(delivery(2, 0, 9_000), 9_000, 11_000),
    ];
    let report = build(&input);
    let superseded: Vec<_> = report.tasks.iter().map(|task| task.superseded).collect();
    assert_eq!(superseded, [true, false]);
    let expected = [("rework", 9_000, "round 1 of rework: t1 “Title of t1”")];
    assert_eq!(sentences(&report), expected);
    assert_eq!(
        report.totals.critical_path_ms, 3_000,
        "rework waits for the round before"
    );
}

#[test]
fn conflicts_are_paired_with_their_resolutions() {
    let mut input = input();
    let conflict = |id: &str| Conflict {
        id: id.to_owned(),
        subject: "year of the lighthouse".to_owned(),
        claims: ["1870", "1871"]
            .map(|value| Claim {
                id: value.to_owned(),
                value: value.to_owned(),
                tasks: vec!["t1".into()],
                quote: format!("built in {value}"),
            })
            .into(),
    };
    let resolution = Resolution {
        conflict: "c1".to_owned(),
        keep: Some("1870".to_owned()),
        reason: "it is nearer".to_owned(),
        by: ResolvedBy::Model,
    };
    input.events = vec![
        event(
            1,
            10,
            HistoryEvent::ConflictFound {
                conflict: conflict("c1"),
            },
        ),
        event(
            2,
            20,
            HistoryEvent::ConflictResolved {
                resolution: resolution.clone(),
            },
        ),
    ];
    input.deliverable = Some(Deliverable {
        version: 1,
        files: vec![MergedFile {
            path: "guide.md".to_owned(),
            media_type: "text/markdown".to_owned(),
            bytes: 12,
            content: hash("guide"),
        }],
        conflicts: vec![conflict("c1"), conflict("c2")],
        resolutions: vec![resolution],
    });
    input.add(task(1, "t1", &[]));
    input.plan = Some(fixture::plan(&[("t1", "guide.md")]));
    let report = build(&input);
    let place = &report.conflicts[0].places[0];
    assert_eq!(
        (
            place.claim.as_str(),
            place.titles.as_slice(),
            place.files.as_slice()
        ),
        (
            "1870",
            &["Title of t1".to_owned()][..],
            &["guide.md".to_owned()][..]
        ),
        "a claim names its chapter and its file"
    );
    let resolved: Vec<_> = report
        .conflicts
        .iter()
        .map(|pair| pair.resolution.is_some())
        .collect();
    assert_eq!(resolved, [true, false]);
    assert_eq!(report.files[0].sha256, hash("guide").to_string());
    let found = sentences(&report);
    assert_eq!(
        found[0].2,
        "conflict c1 about year of the lighthouse: “1870” against “1871”"
    );
    assert_eq!(found[1].2, "conflict c1 resolved by model: it is nearer");
}

#[test]
fn verdicts_defects_and_failures_are_shown() {
    let mut input = input();
    let item = VerdictItem {
        requirement: "r1".to_owned(),
        met: false,
        evidence: "nothing about the harbour".to_owned(),
        redo: vec!["t1".into()],
        feedback: "add it".to_owned(),
    };
    let judged = HistoryEvent::Judged {
        deliverable: hash("deliverable"),
        verdict: Verdict {
            items: vec![item.clone()],
            ..Verdict::default()
        },
        score: 500,
        round: 1,
    };
    let failed = HistoryEvent::TaskFailed {
        task: task_ref(1, "t1"),
        cause: FailureCause::Upstream {
            class: FailureClass::Overload,
            message: "no room".to_owned(),
        },
    };
    let skipped = HistoryEvent::TaskSkipped {
        task: task_ref(2, "t2"),
    };
    input.events = vec![
        event(1, 100, failed),
        event(2, 200, skipped),
        event(3, 300, judged),
        event(4, 400, HistoryEvent::BudgetExhausted),
    ];
    input.project.head.state = State::Failed {
        why: "no part was made".to_owned(),
    };
    let mut plan = fixture::plan(&[]);
    plan.requirements.push(chorus_core::plan::Requirement {
        id: "r1".to_owned(),
        text: "The harbour is described".to_owned(),
    });
    input.plan = Some(plan);
    let report = build(&input);
    assert_eq!(report.defects, ["no part was made"]);
    assert_eq!(
        (report.verdicts[0].round, report.verdicts[0].score),
        (1, 500)
    );
    assert_eq!(report.verdicts[0].items, [item]);
    assert_eq!(report.requirements[0].text, "The harbour is described");
    let found = sentences(&report);
    let kinds: Vec<_> = found.iter().map(|found| found.0).collect();
    assert_eq!(kinds, ["failed", "failed", "budget"]);
    assert_eq!(
        found[0].2,
        "task t1 “Title of t1” has no result: upstream: no room"
    );
}

#[test]
fn waste_and_cost_come_from_the_rows() {
    let mut input = input();
    input.money = ProjectMoney {
        budget: MicroUsd(1_000_000),
        spent: MicroUsd(700),
        reserved: MicroUsd::ZERO,
        wasted: MicroUsd(300),
    };
    let mut lost = ended(delivery(1, 0, 0), Some(0), 10, DeliveryEnd::WorkerLost);
    lost.cost = MicroUsd(300);
    let mut done = finished(delivery(1, 1, 20), 20, 30);
    done.cost = MicroUsd(400);
    input.deliveries = vec![lost, done];
    let report = build(&input);
    assert_eq!((report.totals.spent, report.totals.wasted), (700, 300));
    assert_eq!(
        report.totals.unconfirmed, 300,
        "nothing was heard of the lost call"
    );
    let spans = &report.accounts[0].spans;
    assert!(spans[0].unconfirmed && !spans[1].unconfirmed);
    let shares = [
        &report.money.phases,
        &report.money.accounts,
        &report.money.models,
    ];
    for shares in shares {
        let sums: Vec<_> = shares
            .iter()
            .map(|share| (share.calls, share.cost, share.wasted))
            .collect();
        assert_eq!(sums, [(2, 700, 300)]);
    }
    assert_eq!(report.accounts[0].cost, 700);
    assert_eq!(
        report.totals.input_tokens, 240,
        "only calls that reported usage are added"
    );
    assert_eq!(report.totals.output_tokens, 50);
}

#[test]
fn an_account_that_was_removed_keeps_its_lane_under_its_id() {
    let mut input = input();
    input.accounts = Vec::new();
    input.deliveries = vec![finished(delivery(1, 0, 0), 0, 10)];
    let report = build(&input);
    assert_eq!(report.accounts.len(), 1);
    let id = input.deliveries[0].assignment.account.to_string();
    assert_eq!(report.accounts[0].name, id);
}
