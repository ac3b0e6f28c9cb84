//! A worker under virtual time, with in-memory limits, bus and artifacts and a provider that follows a script.

mod bench;
mod faults;
mod pauses;
mod rows;
mod script;
mod time;

use chorus_core::attempt::{
    AttemptState, AttemptTrigger, FailureCause, Outcome, Requeue, WorkOrder,
};
use chorus_core::failure::FailureClass;
use chorus_core::limit::{Dimension, End};
use chorus_core::llm::FinishReason;
use chorus_core::port::bus::Topic;
use chorus_core::port::directory::CredentialState;
use chorus_core::port::{Attempts, Bus, LimitState};
use chorus_core::progress::{self, Progress};
use chorus_core::record;
use chorus_core::task_kind::TaskKind;
use chorus_core::time::{Millis, Timestamp};

use bench::{Bench, now, records};
use script::{Line, Scene, answer, failure, slow_answer, text};

/// Delivers once and compares the outcome with the expected one.
fn check(mut bench: Bench, seconds: u64, expected: &Outcome) -> Bench {
    bench.deliver(seconds);
    assert_eq!(&bench.outcome(), expected);
    let (slots, ..) = bench.levels();
    assert_eq!(slots, 0, "a slot was left behind");
    bench
}

fn failed(cause: FailureCause) -> Outcome {
    Outcome::Failed { cause }
}

fn again(reason: Requeue, at: i64) -> Outcome {
    again_after(reason, at, "")
}

/// A new delivery because of a failed call, with the provider's message.
fn again_after(reason: Requeue, at: i64, message: &str) -> Outcome {
    Outcome::Requeue {
        reason,
        not_before: Timestamp(at),
        order: None,
        message: message.to_owned(),
    }
}

#[test]
fn an_answer_becomes_the_result_and_is_published_at_once() {
    let mut bench = Bench::new(vec![answer("the part", FinishReason::Stop)]);
    let mut done = now(bench.bus.tail(vec![Topic::TaskDone]));
    bench.deliver(60);
    let Outcome::Succeeded { result } = bench.outcome() else {
        panic!("it succeeded")
    };
    assert_eq!(bench.artifact(result), "the part");
    let published: Vec<_> = records(&mut done).iter().map(|record| record.id).collect();
    assert_eq!(
        (published.len(), &published),
        (1, &bench.rows.with(|state| state.sent.clone()))
    );
    let finish = bench.rows.with(|state| state.finishes[0].clone());
    assert_eq!(
        (finish.usage.map(|usage| usage.output), finish.cost.0),
        (Some(10), 200)
    );
    assert_eq!(bench.levels(), (0, 99, 9_990));
    assert_eq!(bench.bus.depth(&bench.topic(), "worker.claude"), 0);
    let calls = bench.script.calls.lock().unwrap();
    assert_eq!(calls[0].reference, "att_00000000000000000000000000000003.0");
}

#[test]
fn a_doubled_record_is_denied() {
    let mut bench = Bench::new(vec![answer("once", FinishReason::Stop)]);
    let record = bench.dispatch();
    bench.publish(vec![record.clone(), record]);
    bench.work(60);
    assert_eq!(
        (
            bench.calls(),
            bench.outcomes().len(),
            bench.rows.with(|state| state.claims)
        ),
        (1, 1, 2)
    );
}

#[test]
fn lost_replies_to_claim_and_finish_are_asked_for_again() {
    let mut bench = Bench::new(vec![answer("once", FinishReason::Stop)]);
    bench.rows.with(|state| state.lost_replies = 1);
    bench.deliver(60);
    assert_eq!(
        (
            bench.calls(),
            bench.outcomes().len(),
            bench.rows.with(|state| state.claims)
        ),
        (1, 1, 2)
    );

    let mut bench = Bench::new(vec![slow_answer("once", 5_000)]);
    let rows = bench.rows.clone();
    let later = bench.clock.sleep(Millis(3_000));
    let record = bench.dispatch();
    bench.publish(vec![record]);
    bench.work_while(60, async move {
        later.await;
        rows.with(|state| state.lost_replies = 2);
    });
    assert_eq!((bench.calls(), bench.outcomes().len()), (1, 1));
    assert!(
        bench.rows.with(|state| state.late.is_empty()),
        "a finish that was done is no waste"
    );
}

#[test]
fn without_its_lease_no_call_is_made() {
    let mut bench = Bench::new(Vec::new());
    let record = bench.dispatch();
    let lease = bench.rows.with(|state| {
        state
            .assignment
            .clone()
            .expect("it was dispatched")
            .lease
            .id
    });
    now(bench.limits.end(lease, End::Unused));
    bench.publish(vec![record]);
    bench.work(60);
    assert_eq!(bench.outcome(), again(Requeue::LeaseGone, 0));
    assert_eq!((bench.calls(), bench.levels()), (0, (0, 100, 10_000)));
}

#[test]
fn a_rate_limit_is_a_new_delivery_that_waits_as_long_as_asked() {
    let refusal = failure(FailureClass::RateWindow, Some(429), Some(Millis(7_000)));
    let limited = Requeue::Limited {
        class: FailureClass::RateWindow,
    };
    // 50 ms for the call, 7 s as asked, half of the first jitter.
    let bench = check(
        Bench::new(vec![Scene::Refuse(refusal)]),
        60,
        &again_after(limited, 50 + 7_000 + 500, "anthropic answered 429: no"),
    );
    bench.rows.with(|state| {
        assert_eq!(
            (state.row.state, state.row.retries, state.row.epoch.0),
            (AttemptState::Queued, 0, 1)
        );
    });
}

#[test]
fn a_broken_stream_is_tried_again_and_its_tokens_are_paid() {
    let lines = vec![
        Line::Say(text("twelve bytes")),
        Line::Break(failure(FailureClass::MidStream, None, None)),
    ];
    let retry = Requeue::Retry {
        class: FailureClass::MidStream,
    };
    let bench = check(
        Bench::new(vec![Scene::Answer(lines)]),
        60,
        &again_after(retry, 550, "anthropic answered nothing: no"),
    );
    let finish = bench.rows.with(|state| state.finishes[0].clone());
    assert_eq!(
        finish.usage.map(|usage| (usage.input, usage.output)),
        Some((100, 3))
    );
    assert_eq!(bench.levels().2, 10_000 - 3);
}

#[test]
fn after_the_last_retry_the_attempt_fails() {
    let bench = Bench::new(vec![Scene::Refuse(failure(
        FailureClass::Overload,
        Some(529),
        None,
    ))]);
    bench.rows.with(|state| state.row.retries = 8);
    let message = failure(FailureClass::Overload, Some(529), None).to_string();
    check(
        bench,
        60,
        &failed(FailureCause::Upstream {
            class: FailureClass::Overload,
            message,
        }),
    );
}

#[test]
fn a_fenced_call_is_cut_and_keeps_its_slot_for_the_grace() {
    let mut bench = Bench::new(vec![slow_answer("never seen", 100_000)]);
    let record = bench.dispatch();
    bench.publish(vec![record]);
    let (rows, clock, limits) = (
        bench.rows.clone(),
        bench.clock.clone(),
        bench.limits.clone(),
    );
    bench.work_while(60, async move {
        clock.sleep(Millis(7_000)).await;
        rows.reclaim(chorus_core::attempt::Reclaim {
            unclaimed_for: Millis(0),
            silent_for: Millis(0),
            alone_since: None,
            limit: 1,
        })
        .await
        .expect("no silence");
        clock.sleep(Millis(4_000)).await;
        let held = |limits: &chorus_limits::Memory| {
            limits
                .all_levels()
                .iter()
                .flat_map(|group| &group.limits)
                .find(|level| level.dimension == Dimension::Concurrency)
                .map(|level| level.held)
        };
        assert_eq!(
            held(&limits),
            Some(1),
            "the provider may still be generating"
        );
        clock.sleep(Millis(20_000)).await;
        assert_eq!(held(&limits), Some(0));
    });
    assert!(bench.outcomes().is_empty());
    let late = bench.rows.with(|state| state.late.clone());
    assert_eq!(
        late.iter()
            .map(|late| (late.epoch.0, late.usage.output))
            .collect::<Vec<_>>(),
        [(0, 3)]
    );
}

#[test]
fn a_cancellation_is_noticed_before_the_next_heartbeat() {
    let mut bench = Bench::new(vec![slow_answer("never seen", 100_000)]);
    bench.settings.beat = Millis::from_secs(1_000);
    let record = bench.dispatch();
    bench.publish(vec![record]);
    let (rows, clock, bus) = (bench.rows.clone(), bench.clock.clone(), bench.bus.clone());
    bench.work_while(60, async move {
        clock.sleep(Millis(2_000)).await;
        let attempt = rows.with(|state| {
            let row = &state.row;
            state.row = row
                .step(AttemptTrigger::NotWanted, row.epoch, clock.now())
                .expect("a running attempt can be cancelled");
            state.row.attempt.clone()
        });
        let ids = || chorus_core::id::EventId::new(77);
        now(bus.publish(record::cancelled(
            ids,
            &attempt.tenant,
            attempt.project,
            &[attempt.id],
        )));
        clock.sleep(Millis(100)).await;
        assert_eq!(rows.with(|state| state.late.len()), 1);
    });
}

#[test]
fn a_silent_store_never_stops_a_call_and_gets_its_reply_in_the_end() {
    let mut bench = Bench::new(vec![slow_answer("kept", 60_000)]);
    bench
        .rows
        .with(|state| state.silent = Some((Timestamp(1_000), Timestamp(300_000))));
    bench.deliver(400);
    let Outcome::Succeeded { result } = bench.outcome() else {
        panic!("it succeeded")
    };
    assert_eq!(
        (bench.calls(), bench.artifact(result).as_str()),
        (1, "kept")
    );
}

#[test]
fn a_cut_answer_goes_on_until_it_is_whole() {
    let scenes = vec![
        answer("one ", FinishReason::Length),
        answer("two ", FinishReason::Length),
        answer("three ", FinishReason::Length),
        answer("four", FinishReason::Stop),
    ];
    let mut bench = Bench::new(scenes);
    for _ in 0..4 {
        bench.deliver(60);
    }
    let Some(Outcome::Succeeded { result }) = bench.outcomes().pop() else {
        panic!("it succeeded")
    };
    assert_eq!(bench.artifact(result), "one two three four");
    bench
        .rows
        .with(|state| assert_eq!((state.row.continues, state.row.retries), (3, 0)));
    let order: WorkOrder =
        serde_json::from_str(&bench.artifact(bench.rows.with(|state| state.row.attempt.order)))
            .unwrap();
    assert_eq!(
        (order.so_far.as_str(), order.request.messages.len()),
        ("one two three ", 3)
    );
}

#[test]
fn an_answer_that_is_cut_for_ever_fails() {
    let bench = Bench::new(vec![answer("and ", FinishReason::Length)]);
    bench.rows.with(|state| state.row.continues = 16);
    check(bench, 60, &failed(FailureCause::Endless));
}

#[test]
fn a_stream_that_never_ends_is_cut_by_its_size() {
    let bench = check(
        Bench::new(vec![Scene::Answer(vec![Line::Repeat(text("and on "), 10)])]),
        600,
        &failed(FailureCause::Endless),
    );
    assert!(
        bench
            .rows
            .with(|state| state.finishes[0].usage)
            .is_some_and(|usage| usage.output >= 400)
    );
}

#[test]
fn a_call_is_cut_at_its_deadline() {
    let retry = Requeue::Retry {
        class: FailureClass::MidStream,
    };
    check(
        Bench::new(vec![slow_answer("too slow", 3_000_000)]),
        700,
        &again_after(
            retry,
            600_000 + 500,
            "anthropic answered nothing: did not end before the call's deadline",
        ),
    );
}

#[test]
fn answers_without_a_result_fail_with_their_reason() {
    check(
        Bench::new(vec![answer(" ", FinishReason::Stop)]),
        60,
        &failed(FailureCause::Empty),
    );
    check(
        Bench::new(vec![answer("I must not", FinishReason::Refusal)]),
        60,
        &failed(FailureCause::Refused {
            message: "I must not".into(),
        }),
    );
}

#[test]
fn a_request_that_a_model_refuses_is_queued_for_another_one() {
    let class = FailureClass::Request;
    let refusal = failure(class, Some(400), None);
    let mut bench = Bench::new(vec![Scene::Refuse(refusal.clone())]);
    bench.deliver(60);
    let Outcome::Requeue {
        reason, message, ..
    } = bench.outcome()
    else {
        panic!("it is queued again");
    };
    assert_eq!(reason, Requeue::Retry { class });
    assert_eq!(message, refusal.to_string());
}

#[test]
fn a_question_is_asked_by_work_alone() {
    let mut bench = Bench::new(vec![answer("QUESTION: which year?", FinishReason::Stop)]);
    bench.deliver(60);
    let Outcome::Asked { question } = bench.outcome() else {
        panic!("it asked")
    };
    assert_eq!(bench.artifact(question), "which year?");
    let mut bench = Bench::of(
        TaskKind::Judge,
        vec![answer("QUESTION: which year?", FinishReason::Stop)],
    );
    bench.deliver(60);
    assert!(matches!(bench.outcome(), Outcome::Succeeded { .. }));
}

#[test]
fn a_stopping_worker_lets_a_call_end_within_its_time() {
    let mut bench = Bench::new(vec![slow_answer("in time", 15_000)]);
    bench.deliver(1);
    assert!(matches!(bench.outcome(), Outcome::Succeeded { .. }));
}

#[test]
fn a_stopping_worker_hands_back_what_does_not_end() {
    let mut bench = Bench::new(vec![slow_answer("too late", 60_000)]);
    bench.deliver(1);
    assert_eq!(bench.outcome(), again(Requeue::Drained, 21_000));
    assert_eq!(bench.levels().0, 1, "the provider may still be generating");
}

#[test]
fn a_dead_credential_is_taken_out_before_the_attempt_is_queued_again() {
    let mut bench = Bench::new(vec![Scene::Refuse(failure(
        FailureClass::Auth,
        Some(401),
        None,
    ))]);
    let mut control = now(bench.bus.tail(vec![Topic::Control]));
    bench.deliver(60);
    assert_eq!(
        bench.outcome(),
        again_after(
            Requeue::Limited {
                class: FailureClass::Auth
            },
            550,
            "anthropic answered 401: no"
        )
    );
    assert!(matches!(
        bench.credential_state(),
        CredentialState::Refused { .. }
    ));
    assert_eq!(records(&mut control).len(), 1);
}

#[test]
fn spent_money_parks_the_credential_until_it_is_tried_again() {
    let bench = Bench::new(vec![Scene::Refuse(failure(
        FailureClass::Spend,
        Some(429),
        None,
    ))]);
    let bench = check(
        bench,
        60,
        &again_after(
            Requeue::Limited {
                class: FailureClass::Spend,
            },
            550,
            "anthropic answered 429: no",
        ),
    );
    let CredentialState::Parked { until, .. } = bench.credential_state() else {
        panic!("it is parked")
    };
    assert_eq!(until, Timestamp(300_050));
}

#[test]
fn a_missing_order_fails_the_attempt_and_frees_the_lease() {
    let bench = Bench::new(Vec::new());
    let nowhere = chorus_core::artifact::ArtifactHash::of(b"nowhere");
    bench.rows.with(|state| state.row.attempt.order = nowhere);
    let message = format!("work order {nowhere} is not there");
    let bench = check(
        bench,
        60,
        &failed(FailureCause::MissingArtifact { message }),
    );
    assert_eq!(bench.levels(), (0, 100, 10_000));
}

#[test]
fn progress_is_published_now_and_then_and_once_at_the_end() {
    let thought = |delta: &str| {
        Line::Say(chorus_core::llm::StreamEvent::Reasoning {
            index: 0,
            delta: delta.into(),
        })
    };
    let mut lines: Vec<Line> = (0..20)
        .flat_map(|_| [thought("hm "), Line::Wait(100)])
        .collect();
    let Scene::Answer(rest) = answer("{}", FinishReason::Stop) else {
        panic!("an answer")
    };
    lines.extend(rest);
    let mut bench = Bench::of(TaskKind::Plan, vec![Scene::Answer(lines)]);
    let mut events = now(bench.bus.tail(vec![Topic::Event]));
    bench.deliver(60);
    let reported: Vec<Progress> = records(&mut events)
        .iter()
        .map(|record| record::read(record, progress::SCHEMA).unwrap())
        .collect();
    assert!(
        (5..=10).contains(&reported.len()),
        "{} records in two seconds",
        reported.len()
    );
    let thoughts: String = reported
        .iter()
        .map(|progress| progress.reasoning.as_str())
        .collect();
    assert_eq!(thoughts, "hm ".repeat(20));
    assert_eq!(
        reported
            .iter()
            .filter(|progress| progress.has_ended)
            .count(),
        1
    );
    assert_eq!(
        reported
            .last()
            .map(|progress| (progress.text_chars, progress.reasoning_chars)),
        Some((2, 60))
    );
}

#[test]
fn a_full_worker_takes_nothing_more() {
    let mut bench = Bench::new(vec![slow_answer("first", 15_000)]);
    bench.settings.slots = 1;
    let record = bench.dispatch();
    let mut doubled = record.clone();
    doubled.key = "another partition".into();
    bench.publish(vec![record, doubled]);
    let (rows, clock) = (bench.rows.clone(), bench.clock.clone());
    bench.work_while(60, async move {
        clock.sleep(Millis(10_000)).await;
        assert_eq!(rows.with(|state| state.claims), 1);
    });
    assert_eq!(bench.rows.with(|state| state.claims), 2);
}
