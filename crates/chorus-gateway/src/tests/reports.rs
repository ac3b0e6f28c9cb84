//! Projects, plans and reports as their clients read them.

use chorus_core::attempt::FailureCause;
use chorus_core::failure::FailureClass;
use chorus_core::id::{TaskId, TaskKey};
use chorus_core::money::MicroUsd;
use chorus_core::plan::ParentPolicy;
use chorus_core::project::{PlanRef, State, Subject, Task, TaskState};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Millis;
use serde_json::json;

use super::fixture::Fixture;

fn task(number: u128, kind: TaskKind, state: TaskState) -> Task {
    Task {
        id: TaskId::new(number),
        key: TaskKey::new(format!("t{number}")),
        kind,
        plan_version: 1,
        title: format!("Task {number}"),
        parents: vec![],
        children: vec![],
        policy: ParentPolicy::default(),
        output_tokens: 0,
        path: Millis::ZERO,
        about: Subject::Itself,
        answers: vec![],
        rework: None,
        superseded_by: None,
        state,
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_has_its_tasks_once_there_is_one() {
    let fixture = Fixture::open();
    let id = fixture.project("home").await;
    let gateway = fixture.gateway();
    let path = format!("/v1/projects/{id}/plan");
    let error = gateway.get(&path).await.expect_error(409, "not_ready");
    assert_eq!(
        error["message"],
        format!("{id} has no plan yet: it is submitted")
    );
    let plan = json!({
        "version": 1, "title": "Guide", "requirements": [], "tasks": [], "files": []
    });
    let plan: Result<chorus_core::plan::Plan, _> = serde_json::from_value(plan);
    let plan = serde_json::to_vec(&plan.expect("a plan")).expect("plain structs");
    let hash = fixture.artifact(&plan).await;
    let failed = |cause| TaskState::Failed { cause };
    let tasks = vec![
        task(1, TaskKind::Plan, TaskState::Cancelled),
        task(
            2,
            TaskKind::Work,
            failed(FailureCause::OverBudget {
                needs: MicroUsd(30_000),
                spent: MicroUsd(80_000),
                budget: MicroUsd(100_000),
            }),
        ),
        task(
            3,
            TaskKind::Judge,
            failed(FailureCause::Upstream {
                class: FailureClass::Overload,
                message: "try later".to_owned(),
            }),
        ),
    ];
    fixture
        .decide(id, vec![], tasks, |head| {
            head.state = State::Running;
            head.plan = Some(PlanRef {
                hash,
                version: 3,
                path: Millis::ZERO,
            });
        })
        .await;
    let body = gateway.get(&path).await.expect(200).json();
    assert_eq!(body["version"], 3);
    assert_eq!(body["plan"]["title"], "Guide");
    let states: Vec<&str> = body["tasks"]
        .as_array()
        .expect("tasks")
        .iter()
        .map(|task| task["state"].as_str().expect("a state"))
        .collect();
    assert_eq!(states, ["cancelled", "failed", "failed"]);
    assert_eq!(body["tasks"][0].get("error"), None);
    assert_eq!(
        body["tasks"][1]["error"],
        json!({ "code": "over_budget", "status": 402, "message": "the budget does not cover it: it needs $0.03, $0.08 of $0.10 are spent or reserved" })
    );
    assert_eq!(
        body["tasks"][2]["error"],
        json!({
            "code": "upstream_overloaded",
            "status": 503,
            "message": "the provider is overloaded: try later",
            "class": "overload",
        })
    );
    let project = gateway.get(&format!("/v1/projects/{id}")).await.json();
    assert_eq!(project["phase"], "work");
    let counts = &project["tasks"];
    assert_eq!(
        (&counts["total"], &counts["failed"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(counts["phases"]["work"], json!({ "ended": 1, "total": 1 }));
}

#[tokio::test(start_paused = true)]
async fn a_report_is_json_or_a_page_that_may_load_nothing() {
    let fixture = Fixture::open();
    let id = fixture.project("home").await;
    let gateway = fixture.gateway();
    let path = format!("/v1/projects/{id}/report");
    let report = gateway.get(&path).await.expect(200);
    assert_eq!(report.header("content-type"), Some("application/json"));
    assert_eq!(
        report.json()["project"],
        id.to_string(),
        "{}",
        report.text()
    );
    let by_header = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    for page in [
        gateway.get(&format!("{path}?format=html")).await,
        gateway.get_with(&path, &by_header).await,
    ] {
        let page = page.expect(200);
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(
            page.text().starts_with("<!doctype html>"),
            "{:.40}",
            page.text()
        );
    }
    let wrong = gateway.get(&format!("{path}?format=zip")).await;
    wrong.expect_error(422, "invalid_field");
}
