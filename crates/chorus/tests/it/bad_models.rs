//! Models and providers at their worst: no plan reply fails a project, and no failed call loses
//! one.

use chorus_provider_sim::config::Config;
use chorus_provider_sim::engine::fault::{Fault, FaultRule};
use serde_json::Value;

use crate::chronicle::Chronicle;
use crate::fixture::{Fixture, output_text, quick};

const BOOK: Chronicle = Chronicle {
    seed: 21,
    chapters: 3,
    contradiction: false,
};

const RUN: [&str; 8] = [
    "run", "brief.md", "--attach", "docs", "--out", "out", "--yes", "--assume",
];

/// A fault in calls of one kind, `times` times (`None` for always).
fn fault(fault: Fault, kind: &str, times: Option<u32>) -> FaultRule {
    FaultRule {
        kind: Some(kind.to_owned()),
        times,
        ..FaultRule::always(fault)
    }
}

/// Runs a small project under faults; returns exit code, report and output.
async fn run(faults: Vec<FaultRule>, settings: &str) -> (Option<i32>, Value, String) {
    let mut config = quick();
    config.faults = faults;
    let fixture = Fixture::new(config).await;
    fixture.configure(settings);
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write("docs/chronicle.md", &BOOK.text());
    let output = fixture.chorus(&RUN);
    let outcome = (
        output.status.code(),
        fixture.report("out"),
        output_text(&output),
    );
    fixture.end().await;
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn no_plan_reply_fails_a_project() {
    for bad in [
        Fault::Prose,
        Fault::Cyclic,
        Fault::Dangling,
        Fault::Flood,
        Fault::Length,
        Fault::Empty,
        Fault::Refusal,
    ] {
        let (code, report, output_text) = run(vec![fault(bad, "plan", None)], "").await;
        assert!(matches!(code, Some(0 | 3)), "{bad:?}: {output_text}");
        let works = report["tasks"]
            .as_array()
            .expect("tasks")
            .iter()
            .filter(|task| task["kind"] == "work" && task["state"] == "succeeded");
        assert!(
            works.count() > 0,
            "{bad:?}: nothing was made: {output_text}"
        );
        assert!(
            !report["files"].as_array().expect("files").is_empty(),
            "{bad:?}: {output_text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_plan_that_is_followed_by_a_good_one_leaves_no_trace_but_the_calls() {
    let (code, report, output_text) = run(vec![fault(Fault::Cyclic, "plan", Some(1))], "").await;
    assert_eq!(code, Some(0), "{output_text}");
    assert!(output_text.contains("try 2"), "{output_text}");
    assert_eq!(report["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_replies_nothing_refuses_or_dies_is_asked_again() {
    for bad in [
        Fault::Empty,
        Fault::Refusal,
        Fault::Die,
        Fault::Cut,
        Fault::Overloaded,
        Fault::ServerError,
        Fault::RateLimit,
        Fault::Garbage,
    ] {
        let (code, report, output_text) = run(vec![fault(bad, "work", Some(2))], "").await;
        assert_eq!(code, Some(0), "{bad:?}: {output_text}");
        assert!(
            report["totals"]["deliveries"].as_u64()
                > Some(report["tasks"].as_array().expect("tasks").len() as u64),
            "{bad:?}: nothing went wrong"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_ends_is_cut_at_its_deadline_and_asked_again() {
    let (code, report, output_text) = run(
        vec![fault(Fault::Hang, "work", Some(1))],
        "[worker]\ncall_timeout_seconds = 2\n",
    )
    .await;
    assert_eq!(code, Some(0), "{output_text}");
    assert_eq!(report["totals"]["retried"], 1, "{output_text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_never_answers_well_leaves_the_rest_unharmed() {
    let always_empty = FaultRule {
        contains: Some("section=\"d1.2\"".to_owned()),
        ..fault(Fault::Empty, "work", None)
    };
    let (code, report, output_text) = run(vec![always_empty], "").await;
    assert_eq!(code, Some(3), "{output_text}");
    assert_eq!(report["state"], "partial");
    assert!(!report["defects"].as_array().expect("defects").is_empty());
    assert!(!report["files"].as_array().expect("files").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judge_who_cannot_be_read_does_not_stand_for_consent() {
    let (code, report, output_text) = run(vec![fault(Fault::Prose, "judge", None)], "").await;
    assert_eq!(code, Some(3), "{output_text}");
    assert_eq!(report["state"], "partial", "{output_text}");
    assert!(!report["files"].as_array().expect("files").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_dies_is_put_aside_and_the_other_account_goes_on() {
    let dead = FaultRule {
        organisation: Some("org-one".to_owned()),
        ..FaultRule::always(Fault::DeadKey)
    };
    let (code, _, output_text) = run(vec![dead], "").await;
    assert_eq!(code, Some(0), "{output_text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dead_key_does_not_stop_the_other_account_of_its_owner() {
    let dead = FaultRule {
        organisation: Some("org-one".to_owned()),
        ..FaultRule::always(Fault::DeadKey)
    };
    let config = Config {
        faults: vec![dead],
        ..quick()
    };
    let fixture = Fixture::bare(config, "").await;
    let accounts = fixture.accounts(4);
    let of_one_owner = accounts.replace("@example.com\"\n", "@example.com\"\nowner = \"me\"\n");
    fixture.write("accounts.toml", &of_one_owner);
    let imported = fixture.chorus(&["account", "import", "accounts.toml"]);
    assert!(imported.status.success(), "{}", output_text(&imported));
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write("docs/chronicle.md", &BOOK.text());
    let output = fixture.chorus(&RUN);
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    let report = fixture.report("out");
    assert_eq!(report["state"], "done");
    assert_eq!(
        report["totals"]["limited"], 0,
        "a refused key is no rate limit: {}",
        report["totals"]
    );
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_runs_out_stops_the_project_cleanly() {
    let fixture = Fixture::new(quick()).await;
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write("docs/chronicle.md", &BOOK.text());
    let output = fixture.chorus(&[
        "run", "brief.md", "--attach", "docs", "--out", "out", "--yes", "--assume", "--budget",
        "0.02",
    ]);
    let output_text = output_text(&output);
    assert!(matches!(output.status.code(), Some(1 | 3)), "{output_text}");
    let report = fixture.report("out");
    assert!(
        report["totals"]["spent"].as_i64() <= report["totals"]["budget"].as_i64(),
        "{}",
        report["totals"]
    );
    assert!(
        output_text.contains("budget does not cover"),
        "{output_text}"
    );
    fixture.end().await;
}
