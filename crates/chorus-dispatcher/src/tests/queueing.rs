//! Rows become dispatches: admitted, committed, published; or they are refused.

use chorus_core::attempt::{AttemptDone, AttemptState, DeliveryRow, FailureCause, Outcome};
use chorus_core::failure::FailureClass;
use chorus_core::id::LeaseId;
use chorus_core::limit::{Dimension, End, Window};
use chorus_core::money::MicroUsd;
use chorus_core::port::LimitState;
use chorus_core::port::bus::Topic;
use chorus_core::record;

use chorus_store::rows::Rows;

use super::fixture::{Fixture, OTHER_MODEL, slots};

const RICH: MicroUsd = MicroUsd::from_dollars(100);

fn dispatches() -> Topic {
    Topic::TaskDispatch("claude".into())
}

#[test]
fn queued_rows_are_dispatched_under_a_lease_and_published_at_once() {
    let mut fixture = Fixture::new(RICH, slots(8));
    fixture.start(1);
    fixture.queue(1..=3);
    fixture.run_until(1_100);
    (1..=3).for_each(|number| fixture.is(number, AttemptState::Dispatched, 0));
    assert_eq!(fixture.limits.live_leases(), 3);
    let records = fixture.records(&dispatches());
    assert_eq!(records.len(), 3);
    assert!(
        records
            .iter()
            .all(|(record, sent)| *sent && record.header("chorus-not-after-ms").is_some())
    );
}

#[test]
fn a_lost_reply_repeats_the_same_statement_until_it_answers() {
    let mut fixture = Fixture::new(RICH, slots(8));
    fixture
        .attempts
        .faults
        .lock()
        .expect("one thread")
        .lose_dispatches = 3;
    fixture.start(1);
    fixture.queue(1..=2);
    fixture.run_until(5_000);
    let faults = fixture.attempts.faults.lock().expect("one thread");
    assert_eq!(faults.asked.len(), 4);
    assert!(
        faults.asked.iter().all(|batch| *batch == faults.asked[0]),
        "another lease or record was tried"
    );
    drop(faults);
    (1..=2).for_each(|number| fixture.is(number, AttemptState::Dispatched, 0));
    assert_eq!(
        fixture.limits.live_leases(),
        2,
        "a lease in a row was given back, or one beside it is held"
    );
    assert_eq!(fixture.records(&dispatches()).len(), 2);
}

#[test]
fn what_the_budget_does_not_cover_is_refused_and_holds_nothing() {
    let mut fixture = Fixture::new(MicroUsd(100), slots(8));
    fixture.start(1);
    fixture.queue([1]);
    fixture.run_until(1_100);
    fixture.is(1, AttemptState::Failed, 0);
    assert_eq!(fixture.limits.live_leases(), 0);
    assert!(matches!(
        cause(&fixture)[..],
        [FailureCause::OverBudget { needs, budget, .. }] if needs > budget
    ));
}

#[test]
fn what_the_budget_may_cover_once_a_call_under_way_is_paid_waits() {
    let mut fixture = Fixture::new(MicroUsd(12_000), slots(8));
    fixture.start(1);
    fixture.queue(1..=2);
    fixture.run_until(1_100);
    fixture.is(1, AttemptState::Dispatched, 0);
    fixture.is(2, AttemptState::Queued, 0);
    assert_eq!(fixture.limits.live_leases(), 1);
}

#[test]
fn a_call_that_no_account_can_serve_is_refused_with_the_reason() {
    let mut limits = slots(1);
    (limits[0].dimension, limits[0].amount, limits[0].window) = (
        Dimension::InputTokens,
        500,
        Window::Bucket { per_ms: 60_000 },
    );
    let mut fixture = Fixture::new(RICH, limits);
    fixture.start(1);
    fixture.queue([1]);
    fixture.run_until(1_100);
    fixture.is(1, AttemptState::Failed, 0);
    assert!(
        matches!(&cause(&fixture)[..], [FailureCause::NoAccount { message }] if message.contains("InputTokens"))
    );
}

#[test]
fn a_request_that_a_model_refuses_goes_to_another_one_before_it_fails() {
    let mut fixture = Fixture::new(RICH, slots(8));
    fixture.start(1);
    fixture.queue([1]);
    let mut models = Vec::new();
    for second in 1..=2 {
        fixture.run_until(second * 1_000 + 100);
        models.push(model_of(&fixture, 1));
        assert!(fixture.claim_and_send(1, second * 1_000 + 10_000));
        fixture.finish(1, Some(FailureClass::Request));
    }
    fixture.run_until(4_000);
    assert_eq!(models, ["claude/sonnet", OTHER_MODEL]);
    fixture.is(1, AttemptState::Failed, 2);
    assert!(
        matches!(&cause(&fixture)[..], [FailureCause::Request { message }]
            if message.contains(OTHER_MODEL) && message.contains("the provider failed")),
        "{:?}",
        cause(&fixture)
    );
}

fn model_of(fixture: &Fixture, number: u128) -> String {
    let row = fixture.row(number);
    let key = (row.attempt.id, row.epoch);
    let model = |delivery: &DeliveryRow| delivery.assignment.model.to_string();
    let found = |rows: &Rows| rows.deliveries.get(&key).map(|row| model(&row.delivery));
    fixture.store.with_rows(found).expect("it was dispatched")
}

#[test]
fn a_cancelled_row_leaves_the_queue_and_the_next_one_goes() {
    let mut fixture = Fixture::new(RICH, slots(1));
    fixture.start(1);
    fixture.queue(1..=3);
    fixture.run_until(1_100);
    fixture.is(1, AttemptState::Dispatched, 0);
    fixture.cancel(2);
    fixture.run_until(2_500);
    fixture
        .time
        .run(fixture.limits.end(lease_of(&fixture, 1), End::Unused))
        .expect("memory answers");
    fixture.run_until(2_600);
    fixture.is(2, AttemptState::Cancelled, 0);
    fixture.is(3, AttemptState::Dispatched, 0);
}

#[test]
fn an_attempt_that_keeps_losing_its_workers_is_given_up() {
    let mut fixture = Fixture::new(RICH, slots(8));
    fixture.start(1);
    fixture.queue([1]);
    let mut claims = 0;
    for second in 1..400 {
        fixture.run_until(second * 1_000);
        if fixture.row(1).state == AttemptState::Dispatched {
            claims += usize::from(fixture.claim_and_send(1, second * 1_000 + 10_000));
        }
    }
    assert_eq!(claims, 5);
    fixture.is(1, AttemptState::Failed, 5);
    assert_eq!(cause(&fixture), [FailureCause::KillsWorkers]);
    assert_eq!(fixture.limits.live_leases(), 0);
}

fn lease_of(fixture: &Fixture, number: u128) -> LeaseId {
    fixture.store.with_rows(|rows| {
        let delivery = rows
            .deliveries
            .values()
            .find(|stored| stored.delivery.attempt.number() == number);
        delivery
            .expect("it was dispatched")
            .delivery
            .assignment
            .lease
            .id
    })
}

/// Why attempts were refused, by their published records.
fn cause(fixture: &Fixture) -> Vec<FailureCause> {
    let done = fixture
        .records(&Topic::TaskDone)
        .into_iter()
        .filter(|(_, sent)| *sent);
    let causes = done.filter_map(|(record, _)| {
        match record::read::<AttemptDone>(&record, record::DONE)
            .expect("it is ours")
            .outcome
        {
            Outcome::Failed { cause } => Some(cause),
            Outcome::Succeeded { .. } | Outcome::Asked { .. } | Outcome::Requeue { .. } => None,
        }
    });
    causes.collect()
}
