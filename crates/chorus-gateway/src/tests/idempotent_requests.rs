//! Repeated submissions and commands with an `Idempotency-Key`.

use chorus_core::money::MicroUsd;
use chorus_core::project::State;

use super::fixture::Fixture;

const KEY: [(&str, &str); 1] = [("idempotency-key", "guide-1")];

#[tokio::test(start_paused = true)]
async fn an_equal_submission_is_the_same_project() {
    let mut fixture = Fixture::open();
    let body = r#"{"brief": "Write it."}"#;
    let gateway = fixture.gateway();
    let first = gateway.post_with("/v1/projects", &KEY, body).await;
    let first = first.expect(201);
    assert_eq!(first.header("idempotency-replayed"), None);
    let again = gateway.post_with("/v1/projects", &KEY, body).await;
    let again = again.expect(200);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.json()["id"], first.json()["id"]);
    // A default that an operator changes is not part of the client's body.
    fixture.settings.budget = MicroUsd::from_dollars(9);
    let later = fixture
        .gateway()
        .post_with("/v1/projects", &KEY, body)
        .await;
    assert_eq!(later.expect(200).json()["id"], first.json()["id"]);
}

#[tokio::test(start_paused = true)]
async fn another_body_under_the_same_key_is_refused_with_the_earlier_project() {
    let gateway = Fixture::open().gateway();
    let body = r#"{"brief": "Write it."}"#;
    let first = gateway.post_with("/v1/projects", &KEY, body).await;
    let first = first.expect(201).json();
    for other in [
        r#"{"brief": "Write something else."}"#,
        r#"{"brief": "Write it.", "budget_usd": 5}"#,
        r#"{"brief": "Write it.", "title": "It"}"#,
        r#"{"brief": "Write it.", "assume": true}"#,
        r#"{"brief": "Write it.", "attachments": [{"name": "a", "text": "a"}]}"#,
    ] {
        let reply = gateway.post_with("/v1/projects", &KEY, other).await;
        let error = reply.expect_error(409, "idempotency_key_reused");
        assert_eq!(error["field"], "Idempotency-Key");
        assert_eq!(error["project"], first["id"], "{other}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_belongs_to_its_tenant_and_without_one_every_submission_is_new() {
    let fixture = Fixture::new();
    let body = r#"{"brief": "Write it."}"#;
    let mut ids = std::collections::BTreeSet::new();
    let gateway = fixture.gateway();
    for tenant in ["one", "two"] {
        let (_, key) = fixture
            .key(tenant, "projects:read projects:write", None)
            .await;
        let headers = [KEY[0], ("x-api-key", key.as_str())];
        for headers in [&headers[..], &headers[1..], &headers[1..]] {
            let reply = gateway.post_with("/v1/projects", headers, body).await;
            let id = reply.expect(201).json()["id"].to_string();
            assert!(ids.insert(id), "six projects are expected");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_none_is_refused() {
    let fixture = Fixture::open();
    let id = fixture.project("home").await;
    let gateway = fixture.gateway();
    let long = "k".repeat(256);
    for key in ["", long.as_str()] {
        let headers = [("idempotency-key", key)];
        for path in [
            "/v1/projects".to_owned(),
            format!("/v1/projects/{id}/pause"),
        ] {
            let reply = gateway
                .post_with(&path, &headers, r#"{"brief": "x"}"#)
                .await;
            let error = reply.expect_error(422, "invalid_field");
            assert_eq!(error["field"], "Idempotency-Key", "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_equal_command_is_committed_once_and_accepted_in_every_state() {
    let fixture = Fixture::open();
    let id = fixture.project("home").await;
    let gateway = fixture.gateway();
    let cancel = format!("/v1/projects/{id}/cancel");
    let first = gateway
        .post_with(&cancel, &KEY, "")
        .await
        .expect(202)
        .json();
    let again = gateway
        .post_with(&cancel, &KEY, "")
        .await
        .expect(202)
        .json();
    assert_eq!(first["command"], again["command"]);
    assert_eq!(
        fixture.commands(id).len(),
        2,
        "the submission and one cancel"
    );
    let event = fixture
        .commands(id)
        .into_iter()
        .find(|(event, _)| first["command"] == event.to_string());
    let (event, _) = event.expect("the command is in the outbox");
    fixture
        .decide(id, vec![], vec![], |head| {
            head.state = State::Cancelled;
            head.folded.insert(event);
        })
        .await;
    let late = gateway
        .post_with(&cancel, &KEY, "")
        .await
        .expect(202)
        .json();
    assert_eq!(late["command"], first["command"]);
    let other = [("idempotency-key", "guide-2")];
    let reply = gateway.post_with(&cancel, &other, "").await;
    reply.expect_error(409, "wrong_state");
}
