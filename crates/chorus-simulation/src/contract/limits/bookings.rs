//! Bookings of waiting calls, and the levels that operators see.

use std::sync::Arc;

use chorus_core::limit::{
    Demand, Dimension, End, LevelSource, Obstacle, ObstacleKind, QuotaGroup, Reserved,
};
use chorus_core::port::limit_state::BOOKING_LASTS;
use chorus_core::time::Millis;

use super::context::{LimiterContext, group};

/// Uses up all tokens of a group with five slots, so that a call of `input` tokens waits and books.
async fn booked(context: &mut LimiterContext, input: u64) -> Demand {
    context.group = group("org/booked", 6_000, 5);
    context.sent(6_000, 60_000).await;
    context.pass(500);
    let mut demand = context.demand(input);
    (demand.books, demand.interactive) = (true, true);
    assert_eq!(
        context.answer(&demand).await.asks_again_at(),
        Some(Some(context.now() + Millis(input * 10)))
    );
    demand
}

fn kind(answer: &Reserved) -> Option<ObstacleKind> {
    match answer {
        Reserved::Wait {
            obstacle: Some(Obstacle { kind, .. }),
            ..
        } => Some(*kind),
        _ => None,
    }
}

async fn bookings(context: &LimiterContext) -> u32 {
    let levels = context.limits.levels(&[Arc::clone(&context.group)]).await;
    levels.expect("it answers")[0].bookings
}

pub(super) async fn tasks_leave_what_an_interactive_call_has_booked(mut context: LimiterContext) {
    let person = booked(&mut context, 3_000).await;
    let task = context.demand(10);
    context.pass(4_000);
    let answer = context.answer(&task).await;
    assert_eq!(
        answer.asks_again_at(),
        Some(Some(context.now() + Millis(1_000))),
        "a booking that is not renewed ends"
    );
    assert_eq!(kind(&answer), Some(ObstacleKind::InteractiveCall));
    assert!(matches!(
        context.answer(&person).await,
        Reserved::Wait { .. }
    ));
    context.pass(26_000);
    assert!(matches!(
        context.answer(&person).await,
        Reserved::Granted(_)
    ));
    assert_eq!(bookings(&context).await, 0, "a grant ends the booking");
}

pub(super) async fn a_booking_goes_at_once_when_its_call_is_withdrawn(mut context: LimiterContext) {
    let person = booked(&mut context, 3_000).await;
    context.pass(4_000);
    let task = context.demand(10);
    assert!(matches!(context.answer(&task).await, Reserved::Wait { .. }));
    assert_eq!(bookings(&context).await, 1);
    let withdrawn = context.limits.withdraw(person.lease).await;
    withdrawn.expect("it answers");
    assert_eq!(bookings(&context).await, 0);
    assert!(matches!(context.answer(&task).await, Reserved::Granted(_)));
    let unknown = context.limits.withdraw(context.demand(1).lease).await;
    unknown.expect("an unknown call has no booking");
}

pub(super) async fn a_booking_ends_when_it_is_not_renewed(mut context: LimiterContext) {
    booked(&mut context, 3_000).await;
    context.pass(BOOKING_LASTS.0 - 1);
    assert_eq!(bookings(&context).await, 1);
    let task = context.demand(10);
    assert!(matches!(context.answer(&task).await, Reserved::Wait { .. }));
    context.pass(1);
    assert_eq!(bookings(&context).await, 0);
    assert!(matches!(context.answer(&task).await, Reserved::Granted(_)));
}

pub(super) async fn an_interactive_call_does_not_heed_the_booking_of_a_task(
    mut context: LimiterContext,
) {
    let mut task = booked(&mut context, 3_000).await;
    context
        .limits
        .withdraw(task.lease)
        .await
        .expect("it answers");
    task.interactive = false;
    assert!(matches!(context.answer(&task).await, Reserved::Wait { .. }));
    context.pass(4_000);
    let mut small = context.demand(10);
    assert_eq!(
        kind(&context.answer(&small).await),
        Some(ObstacleKind::BookedCall)
    );
    small.interactive = true;
    assert!(matches!(context.answer(&small).await, Reserved::Granted(_)));
}

pub(super) async fn levels_show_what_is_left_held_and_booked(mut context: LimiterContext) {
    let person = booked(&mut context, 3_000).await;
    let known = Arc::clone(&context.group);
    let unknown: Arc<QuotaGroup> = group("org/unused", 900, 3);
    let levels = context.limits.levels(&[known, unknown]).await;
    let levels = levels.expect("it answers");
    let seen = &levels[0];
    assert_eq!(
        (seen.in_flight, seen.bookings, seen.at, seen.closed),
        (1, 1, context.now(), None)
    );
    let tokens = &seen.limits[0];
    assert_eq!(
        (tokens.dimension, tokens.amount, tokens.room, tokens.held),
        (Dimension::InputTokens, 6_000, 0, 0)
    );
    assert_eq!(tokens.full_at, Some(context.now() + Millis(60_000)));
    assert_eq!(tokens.source, LevelSource::Own);
    assert_eq!((seen.limits[1].room, seen.limits[1].held), (4, 1));
    assert_eq!(
        (levels[1].limits[0].room, levels[1].limits[0].source),
        (900, LevelSource::Configured),
        "a group that was never drawn on is shown as it would begin"
    );
    context
        .limits
        .end(person.lease, End::Unused)
        .await
        .expect("it answers");
}
