//! One process for each role over real PostgreSQL, Kafka and Redis, if the run has them.

mod town;

use std::time::Duration;

use chorus_simulation::real;

use crate::books::Book;
use crate::stage::{quick, said};
use town::{Ended, Town, until};

const BOOK: Book = Book {
    seed: 11,
    chapters: 4,
    contradiction: true,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_brief_that_is_handed_to_the_gateway_is_finished_by_one_process_for_each_role() {
    let Some(town) = Town::new(quick(), "[drain]\nseconds = 5\n").await else {
        return;
    };
    let gateway = town.start(&["gateway"]);
    let others = [
        town.start(&["orchestrator"]),
        town.start(&["dispatcher"]),
        town.start(&["worker", "--pool", "deepseek"]),
    ];
    for process in others.iter().chain([&gateway]) {
        until("it is ready", || process.get("/readyz").0 == 200).await;
    }
    let finished = town.run_on_server(&gateway, BOOK);
    assert!(finished.status.success(), "{}", said(&finished));
    assert!(!town.stage.hashes("out").is_empty());
    let worker = others[2].get("/metrics").1;
    assert!(
        worker.contains(r#"chorus_finishes_total{outcome="succeeded"}"#),
        "{worker}"
    );
    assert!(
        worker.contains(r#"chorus_upstream_calls_total{provider="deepseek",model="deepseek/deepseek-v4-pro",outcome="ok"}"#),
        "{worker}"
    );
    for process in others.into_iter().chain([gateway]) {
        process.ends_in_order(Duration::from_secs(25));
    }
    real::record_run("distributed", "one process for each role", 1);
    town.stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_stop_hands_its_calls_back_and_the_project_completes() {
    let mut slow = quick();
    // A call takes seconds, and the grace is zero.
    slow.speed = 0.15;
    let Some(town) = Town::new(slow, "[drain]\nseconds = 0\n").await else {
        return;
    };
    let gateway = town.start(&["gateway"]);
    let steady = [town.start(&["orchestrator"]), town.start(&["dispatcher"])];
    let leaver = town.start(&["worker"]);
    let client = town.client(
        &gateway,
        Book {
            chapters: 2,
            ..BOOK
        },
    );
    until("the worker holds a call", || {
        leaver.figure("chorus_upstream_calls_under_way") > 0.0
    })
    .await;
    let successor = town.start(&["worker"]);
    leaver.ends_in_order(Duration::from_secs(20));
    let finished = client.wait_with_output().expect("the client ends");
    assert!(finished.status.success(), "{}", said(&finished));
    let handed_back = town
        .deliveries()
        .await
        .iter()
        .filter(|row| town::was_handed_back(row))
        .count();
    assert!(
        handed_back > 0,
        "the worker wrote down what it did not finish"
    );
    for process in steady.into_iter().chain([successor, gateway]) {
        process.ends_in_order(Duration::from_secs(25));
    }
    real::record_run("distributed", "a worker that is told to stop", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_the_missing_dependency_of_those_that_need_it() {
    let Some(town) = Town::new(quick(), "").await else {
        return;
    };
    // No process listens on port 1.
    let without_redis =
        |role: &[&str]| town.start_with(role, &[("CHORUS_LIMITS_URL", "redis://127.0.0.1:1")]);
    let dispatcher = without_redis(&["dispatcher"]);
    let (status, body) = dispatcher.get("/readyz");
    assert_eq!(status, 503, "{body}");
    assert!(
        body.contains(r#""name":"limits","there":false"#)
            && body.contains(r#""name":"database","there":true"#),
        "{body}"
    );
    assert_eq!(dispatcher.get("/healthz").0, 200, "it lives all the same");
    let gateway = without_redis(&["gateway"]);
    let (status, body) = gateway.get("/readyz");
    assert_eq!(
        status, 200,
        "a gateway accepts work without the ledger: {body}"
    );
    for process in [dispatcher, gateway] {
        process.ends_in_order(Duration::from_secs(25));
    }
    real::record_run("distributed", "readiness", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_lacks_migrations_is_refused_until_they_are_asked_for() {
    let Some(town) = Town::unmigrated(quick()).await else {
        return;
    };
    let refused = town.stage.chorus(&["orchestrator"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(
        said(&refused).contains("chorus migrate"),
        "{}",
        said(&refused)
    );
    let first = town.stage.chorus(&["migrate"]);
    assert!(
        first.status.success() && said(&first).contains("applied 0001_begin"),
        "{}",
        said(&first)
    );
    let again = town.stage.chorus(&["migrate"]);
    assert!(
        again.status.success()
            && said(&again).contains("up to date")
            && said(&again).contains("all topics are there"),
        "{}",
        said(&again)
    );
    town.start(&["orchestrator"])
        .ends_in_order(Duration::from_secs(25));
    real::record_run("distributed", "migrations", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_project_runs_on_that_tenants_own_accounts() {
    let Some(town) = Town::unmigrated(quick()).await else {
        return;
    };
    town.stage.write("accounts.toml", &town.stage.accounts(3));
    for command in [
        &["migrate"][..],
        &[
            "account",
            "import",
            "accounts.toml",
            "--tenant",
            "acme",
            "--no-check",
        ],
    ] {
        let done = town.stage.chorus(command);
        assert!(done.status.success(), "{}", said(&done));
    }
    let others = town.stage.chorus(&["account", "list"]);
    assert!(
        said(&others).contains("No accounts yet"),
        "{}",
        said(&others)
    );
    let serving = town.start(&["serve"]);
    until("it is ready", || serving.get("/readyz").0 == 200).await;
    let finished = town
        .client_of(
            "acme",
            &serving,
            Book {
                chapters: 2,
                ..BOOK
            },
        )
        .wait_with_output()
        .expect("the client ends");
    assert!(finished.status.success(), "{}", said(&finished));
    assert!(!town.stage.hashes("out").is_empty());
    let removed = town.stage.chorus(&[
        "account",
        "remove",
        "one@example.com",
        "--tenant",
        "elsewhere",
    ]);
    assert_eq!(
        removed.status.code(),
        Some(1),
        "accounts of other tenants are not there: {}",
        said(&removed)
    );
    serving.ends_in_order(Duration::from_secs(25));
    real::record_run("distributed", "accounts of a tenant", 1);
    town.stage.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let Some(town) = Town::new(quick(), "").await else {
        return;
    };
    let worker = town.start(&["worker", "--pool", "deepseek"]);
    worker.signal();
    until("the first signal was taken", || {
        worker.has_said("stopping in order")
    })
    .await;
    worker.signal();
    let ended = worker.ended(Duration::from_secs(20));
    assert!(
        matches!(ended, Ended::Code(130 | 0)),
        "{ended:?}: at once, unless it was done already"
    );
    real::record_run("distributed", "signals", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_shared_services_lack_until_they_were_migrated() {
    let Some(town) = Town::unmigrated(quick()).await else {
        return;
    };
    let sick = town.stage.chorus(&["doctor"]);
    assert_eq!(sick.status.code(), Some(1), "{}", said(&sick));
    for line in [
        "it answers, and lacks 0001_begin",
        "chorus.task.done.v1 is missing",
        "run `chorus migrate`",
    ] {
        assert!(
            said(&sick).contains(line),
            "{line:?} is not in\n{}",
            said(&sick)
        );
    }
    let migrated = town.stage.chorus(&["migrate"]);
    assert!(migrated.status.success(), "{}", said(&migrated));
    let well = town.stage.chorus(&["doctor"]);
    assert_eq!(well.status.code(), Some(0), "{}", said(&well));
    for line in [
        "answers and has every topic",
        "limits         well   Redis",
        "Nothing is wrong",
        "start `chorus orchestrator`, or",
    ] {
        assert!(
            said(&well).contains(line),
            "{line:?} is not in\n{}",
            said(&well)
        );
    }
    town.stage.write("accounts.toml", &town.stage.accounts(3));
    let imported = town.stage.chorus(&[
        "account",
        "import",
        "accounts.toml",
        "--tenant",
        "acme",
        "--no-check",
    ]);
    assert!(imported.status.success(), "{}", said(&imported));
    let orchestrator = town.start(&["orchestrator"]);
    let says = |tenant: &str, line: &str| {
        said(&town.stage.chorus(&["doctor", "--tenant", tenant])).contains(line)
    };
    until("it knows who reads", || {
        says("local", "read by orchestrator (1)\n")
    })
    .await;
    until("it knows whom a tenant's projects wait for", || {
        says("acme", "nobody reads as worker.deepseek: projects")
    })
    .await;
    let worker = town.start(&["worker", "--pool", "deepseek"]);
    until("it knows that nobody is missing", || {
        says("acme", "read by orchestrator (1), worker.deepseek (1)\n")
    })
    .await;
    for process in [orchestrator, worker] {
        process.ends_in_order(Duration::from_secs(25));
    }
    real::record_run("distributed", "the doctor", 1);
}
