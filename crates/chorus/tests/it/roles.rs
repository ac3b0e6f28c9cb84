//! One process for each role over real PostgreSQL, Kafka and Redis, if the run has them.

mod cluster;

use std::time::Duration;

use chorus_simulation::real;

use crate::chronicle::Chronicle;
use crate::fixture::{output_text, quick};
use cluster::{Cluster, Ended, until};

const BOOK: Chronicle = Chronicle {
    seed: 11,
    chapters: 4,
    contradiction: true,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_brief_that_is_handed_to_the_gateway_is_finished_by_one_process_for_each_role() {
    let Some(cluster) = Cluster::new(quick(), "[drain]\nseconds = 5\n").await else {
        return;
    };
    let gateway = cluster.start(&["gateway"]);
    let others = [
        cluster.start(&["orchestrator"]),
        cluster.start(&["dispatcher"]),
        cluster.start(&["worker", "--pool", "deepseek"]),
    ];
    for process in others.iter().chain([&gateway]) {
        until("it is ready", || process.get("/readyz").0 == 200).await;
    }
    let finished = cluster.run_on_server(&gateway, BOOK);
    assert!(finished.status.success(), "{}", output_text(&finished));
    assert!(!cluster.fixture.hashes("out").is_empty());
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
    cluster.fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_stopped_hands_its_calls_back_and_the_project_completes() {
    let mut slow = quick();
    // A call takes seconds, and the grace is zero.
    slow.speed = 0.15;
    let Some(cluster) = Cluster::new(slow, "[drain]\nseconds = 0\n").await else {
        return;
    };
    let gateway = cluster.start(&["gateway"]);
    let steady = [
        cluster.start(&["orchestrator"]),
        cluster.start(&["dispatcher"]),
    ];
    let leaver = cluster.start(&["worker"]);
    let client = cluster.client(
        &gateway,
        Chronicle {
            chapters: 2,
            ..BOOK
        },
    );
    until("the worker holds a call", || {
        leaver.figure("chorus_upstream_calls_under_way") > 0.0
    })
    .await;
    let successor = cluster.start(&["worker"]);
    leaver.ends_in_order(Duration::from_secs(20));
    let finished = client.wait_with_output().expect("the client ends");
    assert!(finished.status.success(), "{}", output_text(&finished));
    let handed_back = cluster
        .deliveries()
        .await
        .iter()
        .filter(|row| cluster::was_handed_back(row))
        .count();
    assert!(
        handed_back > 0,
        "the worker wrote down what it did not finish"
    );
    for process in steady.into_iter().chain([successor, gateway]) {
        process.ends_in_order(Duration::from_secs(25));
    }
    real::record_run("distributed", "a worker that is stopped", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_the_missing_dependency_of_those_that_need_it() {
    let Some(cluster) = Cluster::new(quick(), "").await else {
        return;
    };
    // No process listens on port 1.
    let without_redis =
        |role: &[&str]| cluster.start_with(role, &[("CHORUS_LIMITS_URL", "redis://127.0.0.1:1")]);
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
    let Some(cluster) = Cluster::unmigrated(quick()).await else {
        return;
    };
    let refused = cluster.fixture.chorus(&["orchestrator"]);
    assert_eq!(refused.status.code(), Some(1), "{}", output_text(&refused));
    assert!(
        output_text(&refused).contains("chorus migrate"),
        "{}",
        output_text(&refused)
    );
    let first = cluster.fixture.chorus(&["migrate"]);
    assert!(
        first.status.success() && output_text(&first).contains("applied 0001_begin"),
        "{}",
        output_text(&first)
    );
    let again = cluster.fixture.chorus(&["migrate"]);
    assert!(
        again.status.success()
            && output_text(&again).contains("up to date")
            && output_text(&again).contains("all topics are there"),
        "{}",
        output_text(&again)
    );
    cluster
        .start(&["orchestrator"])
        .ends_in_order(Duration::from_secs(25));
    real::record_run("distributed", "migrations", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_project_runs_on_that_tenants_own_accounts() {
    let Some(cluster) = Cluster::unmigrated(quick()).await else {
        return;
    };
    cluster
        .fixture
        .write("accounts.toml", &cluster.fixture.accounts(3));
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
        let done = cluster.fixture.chorus(command);
        assert!(done.status.success(), "{}", output_text(&done));
    }
    let others = cluster.fixture.chorus(&["account", "list"]);
    assert!(
        output_text(&others).contains("No accounts yet"),
        "{}",
        output_text(&others)
    );
    let serving = cluster.start(&["serve"]);
    until("it is ready", || serving.get("/readyz").0 == 200).await;
    let finished = cluster
        .client_of(
            "acme",
            &serving,
            Chronicle {
                chapters: 2,
                ..BOOK
            },
        )
        .wait_with_output()
        .expect("the client ends");
    assert!(finished.status.success(), "{}", output_text(&finished));
    assert!(!cluster.fixture.hashes("out").is_empty());
    let removed = cluster.fixture.chorus(&[
        "account",
        "remove",
        "one@example.com",
        "--tenant",
        "elsewhere",
    ]);
    assert_eq!(
        removed.status.code(),
        Some(64),
        "accounts of other tenants are not there: {}",
        output_text(&removed)
    );
    serving.ends_in_order(Duration::from_secs(25));
    real::record_run("distributed", "accounts of a tenant", 1);
    cluster.fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once() {
    let Some(cluster) = Cluster::new(quick(), "").await else {
        return;
    };
    let worker = cluster.start(&["worker", "--pool", "deepseek"]);
    worker.signal();
    until("the first signal was taken", || {
        worker.has_output("stopping in order")
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
async fn the_doctor_reports_what_shared_services_lack_until_they_are_migrated() {
    let Some(cluster) = Cluster::unmigrated(quick()).await else {
        return;
    };
    let sick = cluster.fixture.chorus(&["doctor"]);
    assert_eq!(sick.status.code(), Some(1), "{}", output_text(&sick));
    for line in [
        "it answers, and lacks 0001_begin",
        "chorus.task.done.v1 is missing",
        "run `chorus migrate`",
    ] {
        assert!(
            output_text(&sick).contains(line),
            "{line:?} is not in\n{}",
            output_text(&sick)
        );
    }
    let migrated = cluster.fixture.chorus(&["migrate"]);
    assert!(migrated.status.success(), "{}", output_text(&migrated));
    let well = cluster.fixture.chorus(&["doctor"]);
    assert_eq!(well.status.code(), Some(0), "{}", output_text(&well));
    for line in [
        "answers and has every topic",
        "limits         well   Redis",
        "Nothing is wrong",
        "start `chorus orchestrator`, or",
    ] {
        assert!(
            output_text(&well).contains(line),
            "{line:?} is not in\n{}",
            output_text(&well)
        );
    }
    cluster
        .fixture
        .write("accounts.toml", &cluster.fixture.accounts(3));
    let imported = cluster.fixture.chorus(&[
        "account",
        "import",
        "accounts.toml",
        "--tenant",
        "acme",
        "--no-check",
    ]);
    assert!(imported.status.success(), "{}", output_text(&imported));
    let orchestrator = cluster.start(&["orchestrator"]);
    let reports = |tenant: &str, line: &str| {
        output_text(&cluster.fixture.chorus(&["doctor", "--tenant", tenant])).contains(line)
    };
    until("it knows who reads", || {
        reports("local", "read by orchestrator (1)\n")
    })
    .await;
    until("it knows whom a tenant's projects wait for", || {
        reports("acme", "nobody reads as worker.deepseek: projects")
    })
    .await;
    let worker = cluster.start(&["worker", "--pool", "deepseek"]);
    until("it knows that no reader is missing", || {
        reports("acme", "read by orchestrator (1), worker.deepseek (1)\n")
    })
    .await;
    for process in [orchestrator, worker] {
        process.ends_in_order(Duration::from_secs(25));
    }
    real::record_run("distributed", "the doctor", 1);
}
