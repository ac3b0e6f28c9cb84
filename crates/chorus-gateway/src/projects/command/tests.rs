//! Tests of reading commands and of the states in which each has an effect.

use std::collections::BTreeMap;

use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::{Options, Question};
use chorus_core::id::{ProjectId, TaskId, Tenant};
use chorus_core::money::MicroUsd;
use chorus_core::project::{NewHead, OpenQuestion, PlanRef, Reopening, State, WaitingOn};
use chorus_core::time::Timestamp;

use super::*;
use crate::error_code::ErrorCode;

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
    if *state.work() == State::WaitingApproval {
        head.plan = Some(PlanRef {
            hash: ArtifactHash::of(b"plan"),
            version: 1,
            path: Millis(0),
        });
    }
    head.state = state;
    head
}

fn check_effect(head: &Head, command: &ClientCommand) -> Result<(), ApiError> {
    effect::check(head, command)
}

fn answers(id: &str) -> ClientCommand {
    ClientCommand::Answer {
        answers: BTreeMap::from([(id.to_owned(), "ten pages".to_owned())]),
        assume_rest: false,
        questions: None,
    }
}

fn code(result: Result<(), ApiError>) -> &'static str {
    result.map_or_else(|error| error.code().row().name, |()| "")
}

/// States with the commands that have an effect in each: answers, approve, reject, pause, resume, cancel, budget,
/// reopen, retry.
fn cases() -> Vec<(State, [bool; 9])> {
    const REOPENED: [bool; 9] = [false, false, false, false, false, false, false, true, false];
    let task = TaskId::new(1);
    let waiting = || State::WaitingClient {
        waits: WaitingOn::Planning,
    };
    let paused = |was: State| State::Paused { was: Box::new(was) };
    let deliverable = ArtifactHash::of(b"deliverable");
    vec![
        (
            State::Submitted,
            [false, false, false, true, false, true, true, false, false],
        ),
        (
            State::Clarifying { task },
            [false, false, false, true, false, true, true, false, false],
        ),
        (
            waiting(),
            [true, false, false, true, false, true, true, false, false],
        ),
        (
            State::Planning { task },
            [false, false, false, true, false, true, true, false, false],
        ),
        (
            State::WaitingApproval,
            [false, true, true, true, false, true, true, false, false],
        ),
        (
            State::Running,
            [false, false, false, true, false, true, true, false, false],
        ),
        (
            State::Merging { resolve: task },
            [false, false, false, true, false, true, true, false, false],
        ),
        (
            paused(State::Running),
            [false, false, false, false, true, true, true, false, false],
        ),
        (
            paused(State::WaitingApproval),
            [false, true, true, false, true, true, true, false, false],
        ),
        (State::Done { deliverable }, [false; 9]),
        (
            State::Partial {
                deliverable,
                defects: vec![],
            },
            REOPENED,
        ),
        (
            State::Failed {
                why: "no account".to_owned(),
            },
            REOPENED,
        ),
        (State::Cancelled, [false; 9]),
    ]
}

#[test]
fn each_command_has_an_effect_in_its_states_only() {
    let reject = ClientCommand::Reject {
        reason: "shorter".to_owned(),
        plan: None,
    };
    let commands = [
        answers("q1"),
        ClientCommand::Approve { plan: None },
        reject,
        ClientCommand::Pause { at: None },
        ClientCommand::Resume { at: None },
        ClientCommand::Cancel,
        ClientCommand::RaiseBudget {
            budget: MicroUsd(1),
        },
        ClientCommand::Reopen(Reopening::default()),
        ClientCommand::Retry { task: None },
    ];
    for (state, effects) in cases() {
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
            assume_rest: true,
            questions: None,
        })
    );
    assert_eq!(
        read_reject(br#"{"reason": "shorter"}"#),
        Ok(ClientCommand::Reject {
            reason: "shorter".to_owned(),
            plan: None,
        })
    );
}

#[test]
fn commands_without_parameters_ignore_the_body() {
    for body in [b"".as_slice(), b"{}", b"not JSON"] {
        assert_eq!(read_pause(body), Ok(ClientCommand::Pause { at: None }));
        assert_eq!(read_resume(body), Ok(ClientCommand::Resume { at: None }));
        assert_eq!(read_cancel(body), Ok(ClientCommand::Cancel));
    }
}
