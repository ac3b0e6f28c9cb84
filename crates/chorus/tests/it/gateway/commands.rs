//! Commands: durable before the reply, idempotent under a key, and refused where they have no
//! effect.

use std::collections::BTreeMap;

use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::Question;
use chorus_core::id::EventId;
use chorus_core::project::{ClientCommand, OpenQuestion, State, WaitingOn};
use serde_json::json;

use super::fixture::{GatewayFixture, PLAN, on_each_store};
use super::wire::Client;

fn question(id: &str) -> OpenQuestion {
    let text = |text: &str| text.to_owned();
    let question = Question {
        id: text(id),
        text: text("Who reads it?"),
        why: String::new(),
        options: vec![],
        default: text("all"),
    };
    OpenQuestion {
        question,
        task: None,
    }
}

#[tokio::test]
async fn a_command_is_one_under_its_key_also_after_it_had_its_effect() {
    on_each_store("commands", async |fixture| {
        let (one, other, key, id) = (
            fixture.gateway().await,
            fixture.gateway().await,
            fixture.key("home").await,
            fixture.project("home").await,
        );
        let path = |verb: &str| format!("/v1/projects/{id}/{verb}");
        let clients = [Client::new(&one.base, &key), Client::new(&other.base, &key)]
            .map(|client| client.with("idempotency-key", "c1"));
        fixture
            .decide(id, vec![], false, |head| {
                head.state = State::WaitingApproval;
            })
            .await;
        let mut taken = Vec::new();
        for client in clients.iter().cycle().take(4) {
            let reply = client.post(&path("approve"), "").await;
            assert_eq!(reply.status, 202, "{reply:?}");
            taken.push(reply.json()["command"].clone());
        }
        taken.dedup();
        assert_eq!(taken.len(), 1);
        let approved = ClientCommand::Approve {
            plan: Some(ArtifactHash::of(PLAN.as_bytes())),
        };
        assert_eq!(
            fixture
                .commands(id)
                .await
                .iter()
                .filter(|command| **command == approved)
                .count(),
            1
        );
        let event: EventId = taken[0].as_str().expect("an id").parse().expect("an id");
        fixture
            .decide(id, vec![], false, |head| {
                head.folded.insert(event);
                head.state = State::Running;
            })
            .await;
        assert_eq!(
            clients[0].post(&path("approve"), "").await.json()["command"],
            taken[0],
            "its repetition is no refusal"
        );
        let fresh = Client::new(&one.base, &key)
            .post(&path("approve"), "")
            .await;
        assert_eq!(
            fresh.refusal(),
            (409, "wrong_state".to_owned(), String::new())
        );
        let another = clients[0].post(&path("pause"), "").await;
        assert_eq!(
            another.status, 202,
            "the same key for another command is another command"
        );
        assert!(matches!(
            fixture.commands(id).await.last(),
            Some(ClientCommand::Pause { at: Some(_) })
        ));
        one.stop().await;
        other.stop().await;
    })
    .await;
}

#[tokio::test]
async fn answers_name_open_questions() {
    let fixture = GatewayFixture::sqlite().await;
    let (gateway, key, id) = (
        fixture.gateway().await,
        fixture.key("home").await,
        fixture.project("home").await,
    );
    let client = Client::new(&gateway.base, &key);
    let path = format!("/v1/projects/{id}/answers");
    let none = client.post(&path, r#"{"assume_rest":true}"#).await;
    assert_eq!(
        none.refusal(),
        (409, "wrong_state".to_owned(), String::new())
    );
    fixture
        .decide(id, vec![], false, |head| {
            head.state = State::WaitingClient {
                waits: WaitingOn::Planning,
            };
            head.open = vec![question("q1"), question("q2")];
        })
        .await;
    let shown = client.get(&format!("/v1/projects/{id}")).await.json();
    assert_eq!(
        (&shown["phase"], &shown["questions"][1]["id"]),
        (&json!("plan"), &json!("q2"))
    );
    for (body, field) in [
        (json!({}), "answers"),
        (json!({"answers": {"q3": "boys"}}), "answers.q3"),
        (json!({"answers": {"q1": 3}}), "answers.q1"),
        (json!({"answer": {"q1": "boys"}}), "answer"),
    ] {
        assert_eq!(
            client.post(&path, &body.to_string()).await.refusal(),
            (422, "invalid_field".to_owned(), field.to_owned()),
            "{body}"
        );
    }
    let taken = client.post(&path, r#"{"answers":{"q1":"boys"}}"#).await;
    assert_eq!(taken.status, 202);
    let answers = BTreeMap::from([("q1".to_owned(), "boys".to_owned())]);
    assert_eq!(
        fixture.commands(id).await.last(),
        Some(&ClientCommand::Answer {
            answers,
            assume_rest: false,
            questions: None,
        })
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_command_that_can_do_nothing_as_the_project_stands_is_refused() {
    let fixture = GatewayFixture::sqlite().await;
    let (gateway, key) = (fixture.gateway().await, fixture.key("home").await);
    let client = Client::new(&gateway.base, &key);
    let paused = |was: State| State::Paused { was: Box::new(was) };
    let deliverable = fixture.deliverable(&[]).await;
    let cases: [(State, &[&str]); 6] = [
        (State::Submitted, &["pause", "cancel"]),
        (
            State::WaitingApproval,
            &["approve", "reject", "pause", "cancel"],
        ),
        (State::Running, &["pause", "cancel"]),
        (paused(State::Running), &["resume", "cancel"]),
        (
            paused(State::WaitingApproval),
            &["approve", "reject", "resume", "cancel"],
        ),
        (State::Done { deliverable }, &[]),
    ];
    for (state, fit) in cases {
        let id = fixture.project("home").await;
        fixture
            .decide(id, vec![], false, |head| head.state = state.clone())
            .await;
        for verb in ["approve", "reject", "pause", "resume", "cancel"] {
            let reply = client
                .post(
                    &format!("/v1/projects/{id}/{verb}"),
                    r#"{"reason":"shorter"}"#,
                )
                .await;
            assert_eq!(
                reply.status.as_u16(),
                if fit.contains(&verb) { 202 } else { 409 },
                "{verb} while {}",
                state.as_str()
            );
        }
    }
    let id = fixture.project("home").await;
    let unreasoned = client
        .post(&format!("/v1/projects/{id}/reject"), r#"{"reason":" "}"#)
        .await;
    assert_eq!(
        unreasoned.refusal(),
        (422, "invalid_field".to_owned(), "reason".to_owned())
    );
    gateway.stop().await;
}
