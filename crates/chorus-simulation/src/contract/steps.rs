//! The machine of attempts: every statement on a row in every state does what the table of arrows allows.
//!
//! Each pair of states is tried by every trigger that leads to the second one. The expected row is computed
//! here from [`chorus_core::attempt::ARROWS`], not by the rules that the stores share.

use chorus_core::attempt::{
    self, AttemptArrow, AttemptState, AttemptTrigger, Counter, Dispatch, DispatchDecision,
    Dispatched, EpochRule, FailureCause, Holding, NewAttempt, Outcome as DeliveryOutcome, Reclaim,
    Requeue,
};
use chorus_core::failure::FailureClass;
use chorus_core::id::{Epoch, ProjectId};
use chorus_core::port::StoreError;
use chorus_core::port::bus::Topic;
use chorus_core::port::projects::Commit;
use chorus_core::time::Millis;
use chorus_store::rows::AttemptRow;

use super::context::{AMPLE, CLAIMABLE};
use super::{Case, CaseContext, Outcome, cases, fixtures};

pub(super) fn cases() -> Vec<Case> {
    cases![
        every_pair_of_states_is_an_arrow_or_refused,
        a_statement_at_another_epoch_is_refused_in_every_state,
    ]
}

/// Longer than any lease or heartbeat of these cases lasts.
const LONG: Millis = Millis::from_secs(3600);

/// One attempt of a project of its own.
struct Subject {
    project: ProjectId,
    attempt: NewAttempt,
    holding: Holding,
}

async fn every_pair_of_states_is_an_arrow_or_refused(context: CaseContext) -> Outcome {
    let mut pairs = 0;
    for from in AttemptState::ALL {
        for to in AttemptState::ALL {
            pairs += 1;
            for trigger in leading_to(to) {
                check(&context, from, trigger, Epoch(0)).await?;
            }
        }
    }
    assert_eq!(pairs, 49);
    Ok(())
}

async fn a_statement_at_another_epoch_is_refused_in_every_state(context: CaseContext) -> Outcome {
    for from in AttemptState::ALL {
        for trigger in AttemptTrigger::ALL
            .into_iter()
            .filter(|trigger| names_an_epoch(*trigger))
        {
            check(&context, from, trigger, Epoch(1)).await?;
        }
    }
    Ok(())
}

/// Tries one statement on a new attempt in this state; the row must be as the table demands.
async fn check(
    context: &CaseContext,
    from: AttemptState,
    trigger: AttemptTrigger,
    epoch: Epoch,
) -> Outcome {
    let subject = bring_to(context, from).await?;
    let before = row(context, &subject).await?;
    assert_eq!(before.state, from, "the attempt was brought to {from:?}");
    let succeeded = perform(context, &subject, trigger, epoch).await?;
    let after = row(context, &subject).await?;
    let arrow = attempt::step(from, trigger)
        .filter(|arrow| arrow.epoch == EpochRule::Any || before.epoch == epoch);
    let attempted = format!("{trigger:?} at epoch {} on {from:?}", epoch.0);
    match arrow {
        Some(arrow) => {
            assert!(succeeded, "{attempted} is an arrow and was refused");
            check_step(&before, &after, arrow, &attempted);
        }
        None => {
            assert!(!succeeded, "{attempted} is no arrow and succeeded");
            assert_eq!(after, before, "{attempted} is no arrow");
        }
    }
    Ok(())
}

fn check_step(before: &AttemptRow, after: &AttemptRow, arrow: &AttemptArrow, attempted: &str) {
    let epoch = match arrow.epoch {
        EpochRule::Kept | EpochRule::Any => before.epoch,
        EpochRule::Next => before.epoch.next(),
    };
    assert_eq!((after.state, after.epoch), (arrow.to, epoch), "{attempted}");
    let counters = |row: &AttemptRow| [row.lost, row.retries, row.continues];
    let mut expected = counters(before);
    match arrow.counter {
        Counter::None => {}
        Counter::WorkerLost => expected[0] += 1,
        Counter::Retries => expected[1] += 1,
        Counter::Continues => expected[2] += 1,
    }
    assert_eq!(counters(after), expected, "{attempted}");
    let running = after.state == AttemptState::Running;
    assert_eq!(after.holder.is_some(), running, "{attempted}");
    assert_eq!(after.heartbeat_at.is_some(), running, "{attempted}");
}

/// The triggers that lead to this state from any state.
fn leading_to(to: AttemptState) -> Vec<AttemptTrigger> {
    let leads = |trigger: &AttemptTrigger| {
        attempt::ARROWS
            .iter()
            .any(|arrow| arrow.trigger == *trigger && arrow.to == to)
    };
    AttemptTrigger::ALL.into_iter().filter(leads).collect()
}

/// Returns true if the trigger's statement carries the epoch that it expects.
fn names_an_epoch(trigger: AttemptTrigger) -> bool {
    use AttemptTrigger as T;
    match trigger {
        T::Admitted
        | T::Refused
        | T::Claimed
        | T::Result
        | T::Question
        | T::NoResult
        | T::RateLimited
        | T::Drained
        | T::LeaseGone
        | T::Retry
        | T::Cut => true,
        T::Unclaimed | T::WorkerLost | T::NotWanted => false,
    }
}

/// A new attempt in this state, at epoch 0.
async fn bring_to(context: &CaseContext, state: AttemptState) -> Result<Subject, StoreError> {
    use AttemptState as S;
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    let mut subject = Subject {
        project,
        holding: Holding {
            attempt: attempt.id,
            epoch: Epoch(0),
            holder: context.ids.holder(),
        },
        attempt,
    };
    match state {
        S::Queued => {}
        S::Dispatched => {
            context.send(&subject.attempt, Epoch(0)).await?;
        }
        S::Running | S::Succeeded | S::Asked | S::Failed => {
            subject.holding = context.run(&subject.attempt, Epoch(0)).await?;
        }
        S::Cancelled => {
            cancel(context, &subject).await?;
        }
    }
    let ended_by = match state {
        S::Queued | S::Dispatched | S::Running | S::Cancelled => return Ok(subject),
        S::Succeeded => AttemptTrigger::Result,
        S::Asked => AttemptTrigger::Question,
        S::Failed => AttemptTrigger::NoResult,
    };
    assert!(perform(context, &subject, ended_by, Epoch(0)).await?);
    // Later statements are another worker's: a repeated finish of the same one is answered with true.
    subject.holding.holder = context.ids.holder();
    Ok(subject)
}

/// Carries out the trigger's statement; returns true if the port reports success.
async fn perform(
    context: &CaseContext,
    subject: &Subject,
    trigger: AttemptTrigger,
    epoch: Epoch,
) -> Result<bool, StoreError> {
    use AttemptTrigger as T;
    match trigger {
        T::Admitted => dispatch(context, context.dispatch(&subject.attempt, epoch)).await,
        T::Refused => {
            let refusal = Dispatch {
                decision: DispatchDecision::Refuse(FailureCause::KillsWorkers),
                record: fixtures::record(&context.ids, Topic::TaskDone, "key"),
                ..context.dispatch(&subject.attempt, epoch)
            };
            dispatch(context, refusal).await
        }
        T::Claimed => {
            let claim = context.claim(&subject.attempt, epoch);
            Ok(context.ports.attempts.claim(claim).await?.is_some())
        }
        T::Unclaimed => reclaim(context, subject, Millis::ZERO, LONG + LONG).await,
        T::WorkerLost => reclaim(context, subject, LONG + LONG, Millis::ZERO).await,
        T::NotWanted => cancel(context, subject).await,
        T::Result
        | T::Question
        | T::NoResult
        | T::RateLimited
        | T::Drained
        | T::LeaseGone
        | T::Retry
        | T::Cut => {
            let holding = Holding {
                epoch,
                ..subject.holding.clone()
            };
            let outcome = outcome(context, trigger).expect("a worker's trigger has an outcome");
            assert_eq!(AttemptTrigger::from(&outcome), trigger);
            context
                .ports
                .attempts
                .finish(context.finish(&holding, outcome))
                .await
        }
    }
}

async fn dispatch(context: &CaseContext, dispatch: Dispatch) -> Result<bool, StoreError> {
    let answers = context.ports.attempts.dispatch(vec![dispatch]).await?;
    Ok(answers == [Dispatched::Done])
}

async fn reclaim(
    context: &CaseContext,
    subject: &Subject,
    unclaimed_for: Millis,
    silent_for: Millis,
) -> Result<bool, StoreError> {
    context.pass(CLAIMABLE + LONG).await;
    let reclaim = Reclaim {
        unclaimed_for,
        silent_for,
        alone_since: None,
        limit: 1000,
    };
    let taken = context.ports.attempts.reclaim(reclaim).await?;
    Ok(taken
        .iter()
        .any(|taken| taken.attempt == subject.attempt.id))
}

/// Cancels the attempt by a decision; returns true if its row changed, since a decision is accepted anyway.
async fn cancel(context: &CaseContext, subject: &Subject) -> Result<bool, StoreError> {
    let before = row(context, subject).await?;
    let commit = Commit {
        cancel: vec![subject.attempt.id],
        ..context.decision(subject.project).await?
    };
    context.decide(commit).await?;
    Ok(row(context, subject).await? != before)
}

/// The outcome that a worker records by this trigger; none for the triggers of others.
fn outcome(context: &CaseContext, trigger: AttemptTrigger) -> Option<DeliveryOutcome> {
    use AttemptTrigger as T;
    let class = FailureClass::RateWindow;
    let reason = match trigger {
        T::Result => return Some(fixtures::succeeded()),
        T::Question => {
            return Some(DeliveryOutcome::Asked {
                question: chorus_core::artifact::ArtifactHash::of(b"question"),
            });
        }
        T::NoResult => {
            return Some(DeliveryOutcome::Failed {
                cause: FailureCause::Empty,
            });
        }
        T::RateLimited => Requeue::Limited { class },
        T::Drained => Requeue::Drained,
        T::LeaseGone => Requeue::LeaseGone,
        T::Retry => Requeue::Retry { class },
        T::Cut => Requeue::Continue,
        T::Admitted | T::Refused | T::Claimed | T::Unclaimed | T::WorkerLost | T::NotWanted => {
            return None;
        }
    };
    Some(fixtures::requeue(reason, context.now()))
}

async fn row(context: &CaseContext, subject: &Subject) -> Result<AttemptRow, StoreError> {
    let mut rows = context.ports.rows.rows().await?;
    let row = rows.attempts.remove(&subject.attempt.id);
    Ok(row.expect("the attempt was committed"))
}
