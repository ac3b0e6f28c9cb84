//! Models and providers at their worst: no plan reply fails a project, and no failed call loses
//! one.

use std::collections::BTreeMap;

use chorus_core::attempt::{DeliveryEnd, Outcome};
use chorus_core::id::TaskId;
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

/// Starts a small project that comes to need attention. Checks that the run ends with the code for that, and shows
/// the attention with its ways out; returns its output.
async fn stopped(faults: Vec<FaultRule>, options: &[&str], code: &str) -> (Fixture, String) {
    let mut config = quick();
    config.faults = faults;
    let fixture = Fixture::new(config).await;
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write("docs/chronicle.md", &BOOK.text());
    let output = fixture.chorus(&[&RUN, options].concat());
    let text = output_text(&output);
    assert_eq!(output.status.code(), Some(75), "{text}");
    let shown = format!("needs attention [{code}]: ");
    assert!(text.contains(&shown), "{text}");
    assert!(
        text.contains("end the project: chorus project cancel prj_"),
        "{text}"
    );
    (fixture, text)
}

/// Takes a way out with the command that the run printed, `USD` and the like replaced; the project goes on with the
/// command of the last line. Returns exit code, report and output.
fn go_on(
    fixture: &Fixture,
    shown: &str,
    label: &str,
    (placeholder, value): (&str, &str),
) -> (Option<i32>, Value, String) {
    let printed = shown.lines().find_map(|line| {
        let command = line.trim().strip_prefix(label)?;
        command.strip_prefix(": ")
    });
    let printed = printed.unwrap_or_else(|| panic!("no way out is called {label:?}: {shown}"));
    let taken = fixture.typed(&printed.replace(placeholder, value));
    assert!(taken.status.success(), "{}", output_text(&taken));
    let (_, resume) = shown
        .rsplit_once("go on with: ")
        .expect("a command to go on");
    let resume = format!("{} --out out --yes --assume", resume.trim());
    let output = fixture.typed(&resume);
    let text = output_text(&output);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{text}");
    (output.status.code(), fixture.report("out"), text)
}

/// Number of tasks that make parts and have a result, by a report.
fn results(report: &Value) -> usize {
    let tasks = report["tasks"].as_array().expect("tasks").iter();
    tasks
        .filter(|task| task["kind"] == "work" && task["state"] == "succeeded")
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_plan_reply_fails_a_project() {
    for bad in [
        Fault::Prose,
        Fault::Cyclic,
        Fault::Flood,
        Fault::Length,
        Fault::Empty,
        Fault::Refusal,
    ] {
        let (fixture, shown) = stopped(vec![fault(bad, "plan", None)], &[], "no_plan").await;
        assert!(
            shown.contains("try again: chorus project retry prj_"),
            "{shown}"
        );
        let (code, report, text) = go_on(&fixture, &shown, "start the offered plan", ("", ""));
        assert_eq!(code, Some(0), "{bad:?}: {text}");
        assert!(results(&report) > 0, "{bad:?}: nothing was made: {text}");
        assert!(
            !report["files"].as_array().expect("files").is_empty(),
            "{bad:?}: {text}"
        );
        fixture.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_names_tasks_which_are_not_there_is_mended_with_a_remark() {
    let (code, report, text) = run(vec![fault(Fault::Dangling, "plan", None)], "").await;
    assert_eq!(code, Some(0), "{text}");
    assert!(results(&report) > 0, "{text}");
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
    let unread = vec![fault(Fault::Prose, "judge", None)];
    let (fixture, shown) = stopped(unread, &[], "judge_unread").await;
    let (code, report, text) = go_on(&fixture, &shown, "go on without it", ("", ""));
    assert_eq!(code, Some(3), "{text}");
    assert_eq!(report["state"], "partial", "{text}");
    let defects = report["defects"].to_string();
    assert!(defects.contains("not all of it was judged"), "{defects}");
    assert!(!report["files"].as_array().expect("files").is_empty());
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judge_who_can_be_read_again_is_asked_again_on_demand() {
    let unread = vec![fault(Fault::Prose, "judge", Some(3))];
    let (fixture, shown) = stopped(unread, &[], "judge_unread").await;
    let (code, report, text) = go_on(&fixture, &shown, "try again", ("", ""));
    assert_eq!(
        (code, &report["state"]),
        (Some(0), &"done".into()),
        "{text}"
    );
    fixture.end().await;
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

/// Tasks with a result, each with the number of its deliveries.
async fn finished(fixture: &Fixture) -> BTreeMap<TaskId, usize> {
    let rows = fixture.deliveries(fixture.project()).await;
    let mut finished = BTreeMap::new();
    for row in &rows {
        if let Some(DeliveryEnd::Finished {
            outcome: Outcome::Succeeded { .. },
            ..
        }) = &row.end
        {
            let count = rows.iter().filter(|other| other.task == row.task).count();
            finished.insert(row.task, count);
        }
    }
    finished
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_runs_out_stops_the_project_cleanly() {
    let (fixture, shown) = stopped(Vec::new(), &["--budget", "0.04"], "budget").await;
    assert!(
        shown.contains("wait for money: the next call needs $"),
        "{shown}"
    );
    let before = finished(&fixture).await;
    assert!(
        !before.is_empty(),
        "nothing was done for the money: {shown}"
    );
    let (code, report, text) = go_on(&fixture, &shown, "raise the budget", ("USD", "5"));
    assert_eq!(
        (code, &report["state"]),
        (Some(0), &"done".into()),
        "{text}"
    );
    let after = finished(&fixture).await;
    for (task, deliveries) in &before {
        assert_eq!(
            after.get(task),
            Some(deliveries),
            "a finished task was done again: {text}"
        );
    }
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_delivered_instead_of_a_higher_budget() {
    let (fixture, shown) = stopped(Vec::new(), &["--budget", "0.04"], "budget").await;
    let (code, report, text) = go_on(&fixture, &shown, "deliver what is there", ("", ""));
    assert_eq!(
        (code, &report["state"]),
        (Some(3), &"partial".into()),
        "{text}"
    );
    let totals = &report["totals"];
    assert!(
        totals["spent"].as_i64() <= totals["budget"].as_i64(),
        "{totals}"
    );
    assert!(
        text.contains("the budget was used up before it was judged"),
        "{text}"
    );
    fixture.end().await;
}
