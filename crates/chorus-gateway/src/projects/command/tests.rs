//! Tests of reading commands and of the states in which each has an effect.

use std::collections::BTreeMap;

use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::{Options, Question};
use chorus_core::id::{ProjectId, TaskId, Tenant};
use chorus_core::project::{NewHead, OpenQuestion, WaitingOn};
use chorus_core::time::Timestamp;

use super::*;

fn head(state: State) -> Head {
    let mut head = Head::new(NewHead {
        id: ProjectId::new(1),
        tenant: Tenant::new("home"),
        title: String::new(),
        created_at: Timestamp(0),
        brief: ArtifactHash::of(b"brief"),
        options: Options {
            assume: false,
            approve: true,
        },
    });
    if let State::WaitingClient { .. } = state {
        head.open = vec![OpenQuestion {
            question: Question {
                id: "q1".to_owned(),
                text: "How long?".to_owned(),
                why: String::new(),
                options: vec![],
                default: String::new(),
            },
            task: None,
        }];
    }
    head.state = state;
    head
}

fn answers(id: &str) -> ClientCommand {
    ClientCommand::Answer {
        answers: BTreeMap::from([(id.to_owned(), "ten pages".to_owned())]),
        assume_rest: false,
    }
}

fn code(result: Result<(), ApiError>) -> &'static str {
    result.map_or_else(|error| error.code().row().name, |()| "")
}

#[test]
fn each_command_has_an_effect_in_its_states_only() {
    let task = TaskId::new(1);
    let waiting = || State::WaitingClient {
        waits: WaitingOn::Planning,
    };
    let paused = |was: State| State::Paused { was: Box::new(was) };
    let deliverable = ArtifactHash::of(b"deliverable");
    let reject = ClientCommand::Reject {
        reason: "shorter".to_owned(),
    };
    let commands = [
        answers("q1"),
        ClientCommand::Approve,
        reject,
        ClientCommand::Pause,
        ClientCommand::Resume,
        ClientCommand::Cancel,
    ];
    // answers, approve, reject, pause, resume, cancel
    let cases = [
        (State::Submitted, [false, false, false, true, false, true]),
        (
            State::Clarifying { task },
            [false, false, false, true, false, true],
        ),
        (waiting(), [true, false, false, true, false, true]),
        (
            State::Planning { task },
            [false, false, false, true, false, true],
        ),
        (
            State::WaitingApproval,
            [false, true, true, true, false, true],
        ),
        (State::Running, [false, false, false, true, false, true]),
        (
            State::Merging { resolve: task },
            [false, false, false, true, false, true],
        ),
        (
            paused(State::Running),
            [false, false, false, false, true, true],
        ),
        (
            paused(State::WaitingApproval),
            [false, true, true, false, true, true],
        ),
        (State::Done { deliverable }, [false; 6]),
        (
            State::Partial {
                deliverable,
                defects: vec![],
            },
            [false; 6],
        ),
        (
            State::Failed {
                why: "no account".to_owned(),
            },
            [false; 6],
        ),
        (State::Cancelled, [false; 6]),
    ];
    for (state, effects) in cases {
        let head = head(state);
        for (command, effect) in commands.iter().zip(effects) {
            let expected = if effect { "" } else { "wrong_state" };
            assert_eq!(
                code(check_effect(&head, command)),
                expected,
                "{command:?} in {}",
                head.state.as_str()
            );
        }
    }
}

#[test]
fn a_refusal_names_state_reason_and_project() {
    let head = head(State::WaitingApproval);
    let error = check_effect(&head, &answers("q1")).expect_err("nothing is asked");
    let problem = error.body("").error;
    assert_eq!(
        problem.message,
        "the project is waiting approval: it has no open question"
    );
    assert_eq!(problem.project, Some(head.id));
}

#[test]
fn an_answer_to_a_question_that_is_not_open_is_named() {
    let head = head(State::WaitingClient {
        waits: WaitingOn::Planning,
    });
    let error = check_effect(&head, &answers("q7")).expect_err("q7 is not asked");
    assert_eq!(error.code(), ErrorCode::InvalidField);
    assert_eq!(error.body("").error.field.as_deref(), Some("answers.q7"));
}

#[test]
fn bodies_become_commands_or_name_the_wrong_field() {
    let cases: [(ReadCommand, &str, &str); 9] = [
        (read_answers, r#"{"answers": {}}"#, "answers"),
        (read_answers, r#"{"answers": {"q1": 7}}"#, "answers.q1"),
        (read_answers, r#"{"assume_rest": "yes"}"#, "assume_rest"),
        (read_answers, r#"{"answer": {}}"#, "answer"),
        (read_answers, "{}", "answers"),
        (read_reject, "{}", "body"),
        (read_reject, r#"{"reason": " \n"}"#, "reason"),
        (read_reject, r#"{"reason": null}"#, "reason"),
        (read_reject, r#"{"reason": "x", "why": "y"}"#, "why"),
    ];
    for (read, body, field) in cases {
        let error = read(body.as_bytes()).expect_err("it is refused");
        assert_eq!(error.code(), ErrorCode::InvalidField, "{body}");
        assert_eq!(error.body("").error.field.as_deref(), Some(field), "{body}");
    }
    assert_eq!(
        read_answers(br#"{"answers": {"q1": "ten pages"}}"#),
        Ok(answers("q1"))
    );
    assert_eq!(
        read_answers(br#"{"assume_rest": true}"#),
        Ok(ClientCommand::Answer {
            answers: BTreeMap::new(),
            assume_rest: true
        })
    );
    assert_eq!(
        read_reject(br#"{"reason": "shorter"}"#),
        Ok(ClientCommand::Reject {
            reason: "shorter".to_owned()
        })
    );
}

#[test]
fn commands_without_parameters_ignore_the_body() {
    for body in [b"".as_slice(), b"{}", b"not JSON"] {
        assert_eq!(read_approve(body), Ok(ClientCommand::Approve));
        assert_eq!(read_pause(body), Ok(ClientCommand::Pause));
        assert_eq!(read_resume(body), Ok(ClientCommand::Resume));
        assert_eq!(read_cancel(body), Ok(ClientCommand::Cancel));
    }
}
