//! Commands to projects: acceptance, the record in the outbox, and states in which nothing happens.

use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::Question;
use chorus_core::project::{ClientCommand, OpenQuestion, State, WaitingOn};

use super::fixture::Fixture;

fn question(id: &str) -> OpenQuestion {
    OpenQuestion {
        question: Question {
            id: id.to_owned(),
            text: "How long?".to_owned(),
            why: "The plan depends on it.".to_owned(),
            options: vec!["ten pages".to_owned()],
            default: "ten pages".to_owned(),
        },
        task: None,
    }
}

#[tokio::test(start_paused = true)]
async fn each_command_is_durable_and_published_when_it_is_accepted() {
    let fixture = Fixture::open();
    let gateway = fixture.gateway();
    let paused = || State::Paused {
        was: Box::new(State::Running),
    };
    let plan = Some(ArtifactHash::of(b"plan"));
    let at = Some(fixture.ports.clock.now());
    let cases = [
        (
            "approve",
            "",
            State::WaitingApproval,
            ClientCommand::Approve { plan },
        ),
        (
            "reject",
            r#"{"reason": "shorter"}"#,
            State::WaitingApproval,
            ClientCommand::Reject {
                reason: "shorter".to_owned(),
                plan,
            },
        ),
        ("pause", "", State::Running, ClientCommand::Pause { at }),
        ("resume", "", paused(), ClientCommand::Resume { at }),
        ("cancel", "", State::Running, ClientCommand::Cancel),
    ];
    for (name, body, state, command) in cases {
        let id = fixture.project("home").await;
        fixture.set_state(id, state).await;
        let path = format!("/v1/projects/{id}/{name}");
        let accepted = gateway.post(&path, body).await.expect(202).json();
        assert_eq!(accepted["project"], id.to_string());
        let committed = fixture.commands(id);
        let found = committed
            .iter()
            .find(|(event, _)| accepted["command"] == event.to_string());
        assert_eq!(found.map(|(_, command)| command), Some(&command), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_reach_open_questions_only() {
    let fixture = Fixture::open();
    let gateway = fixture.gateway();
    let id = fixture.project("home").await;
    let path = format!("/v1/projects/{id}/answers");
    let early = gateway.post(&path, r#"{"assume_rest": true}"#).await;
    let error = early.expect_error(409, "wrong_state");
    assert_eq!(error["project"], id.to_string());
    assert_eq!(
        error["message"],
        "the project is submitted: it has no open question"
    );
    fixture
        .decide(id, vec![], vec![], |head| {
            head.state = State::WaitingClient {
                waits: WaitingOn::Planning,
            };
            head.open = vec![question("q1"), question("q2")];
        })
        .await;
    let project = gateway.get(&format!("/v1/projects/{id}")).await.json();
    assert_eq!(project["questions"][1]["id"], "q2");
    let wrong = gateway.post(&path, r#"{"answers": {"q7": "x"}}"#).await;
    let error = wrong.expect_error(422, "invalid_field");
    assert_eq!(error["field"], "answers.q7");
    let none = gateway.post(&path, r#"{"answers": {}}"#).await;
    assert_eq!(none.expect_error(422, "invalid_field")["field"], "answers");
    gateway
        .post(&path, r#"{"answers": {"q1": "ten"}, "assume_rest": true}"#)
        .await
        .expect(202);
    let answered = fixture.commands(id).into_iter().any(|(_, command)| {
        let ClientCommand::Answer {
            answers,
            assume_rest,
            ..
        } = command
        else {
            return false;
        };
        assume_rest && answers.get("q1").is_some_and(|answer| answer == "ten")
    });
    assert!(answered, "{:?}", fixture.commands(id));
}

#[tokio::test(start_paused = true)]
async fn commands_without_an_effect_commit_nothing() {
    let fixture = Fixture::open();
    let gateway = fixture.gateway();
    let id = fixture.project("home").await;
    let before = fixture.commands(id).len();
    let cases = [
        (
            "approve",
            "",
            "the project is submitted: no plan waits for approval",
        ),
        (
            "reject",
            r#"{"reason": "x"}"#,
            "the project is submitted: no plan waits for approval",
        ),
        (
            "resume",
            "",
            "the project is submitted: that cannot be done now",
        ),
    ];
    for (name, body, message) in cases {
        let reply = gateway
            .post(&format!("/v1/projects/{id}/{name}"), body)
            .await;
        let error = reply.expect_error(409, "wrong_state");
        assert_eq!(error["message"], message);
    }
    let deliverable = fixture.deliverable(&[]).await;
    fixture.finish(id, deliverable).await;
    for (name, body) in [
        ("answers", r#"{"assume_rest": true}"#),
        ("approve", ""),
        ("reject", r#"{"reason": "x"}"#),
        ("pause", ""),
        ("resume", ""),
        ("cancel", ""),
    ] {
        let reply = gateway
            .post(&format!("/v1/projects/{id}/{name}"), body)
            .await;
        let error = reply.expect_error(409, "wrong_state");
        let message = error["message"].as_str().expect("a message");
        assert!(message.starts_with("the project is done: "), "{message}");
    }
    assert_eq!(fixture.commands(id).len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_command_is_refused() {
    let fixture = Fixture::open();
    let gateway = fixture.gateway();
    let id = fixture.project("home").await;
    for name in ["answers", "reject"] {
        let path = format!("/v1/projects/{id}/{name}");
        gateway
            .post(&path, "{")
            .await
            .expect_error(400, "malformed_request");
        gateway
            .post(&path, "[]")
            .await
            .expect_error(422, "invalid_field");
    }
    let reject = format!("/v1/projects/{id}/reject");
    let error = gateway
        .post(&reject, r#"{"reason": "  "}"#)
        .await
        .expect_error(422, "invalid_field");
    assert_eq!(error["field"], "reason");
}
