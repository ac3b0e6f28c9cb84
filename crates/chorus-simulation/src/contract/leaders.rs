//! Cases of [`Leaders`](chorus_core::port::Leaders): named leaderships with terms.

use chorus_core::id::{BootId, Term};
use chorus_core::time::Millis;

use super::{Case, CaseContext, Outcome, cases, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        one_holder_at_a_time,
        asking_again_keeps_the_term_and_renews_it,
        an_acquisition_with_a_lost_reply_is_the_same_term,
        a_term_that_ran_out_is_followed_by_the_next,
        a_renewed_term_lasts_longer,
        a_resigned_term_is_free_at_once,
        operations_with_an_old_term_change_nothing,
        names_do_not_meet,
    ]
}

const LASTS: Millis = Millis::from_secs(10);
const ONE: BootId = BootId::new(1);
const OTHER: BootId = BootId::new(2);

async fn one_holder_at_a_time(context: CaseContext) -> Outcome {
    assert_eq!(
        context
            .ports
            .leaders
            .acquire("dispatcher", ONE, LASTS)
            .await?,
        Some(Term(1))
    );
    context.pass(Millis(9_999)).await;
    assert_eq!(
        context
            .ports
            .leaders
            .acquire("dispatcher", OTHER, LASTS)
            .await?,
        None
    );
    Ok(())
}

async fn asking_again_keeps_the_term_and_renews_it(context: CaseContext) -> Outcome {
    context
        .ports
        .leaders
        .acquire("dispatcher", ONE, LASTS)
        .await?;
    context.pass(Millis(9_999)).await;
    assert_eq!(
        context
            .ports
            .leaders
            .acquire("dispatcher", ONE, LASTS)
            .await?,
        Some(Term(1))
    );
    context.pass(Millis(9_999)).await;
    assert_eq!(
        context
            .ports
            .leaders
            .acquire("dispatcher", OTHER, LASTS)
            .await?,
        None
    );
    Ok(())
}

async fn an_acquisition_with_a_lost_reply_is_the_same_term(context: CaseContext) -> Outcome {
    let term = with_lost_reply(async || {
        context
            .ports
            .leaders
            .acquire("dispatcher", ONE, LASTS)
            .await
    })
    .await?;
    assert_eq!(term, Some(Term(1)));
    Ok(())
}

async fn a_term_that_ran_out_is_followed_by_the_next(context: CaseContext) -> Outcome {
    context
        .ports
        .leaders
        .acquire("dispatcher", ONE, LASTS)
        .await?;
    context.pass(LASTS).await;
    assert!(
        !context
            .ports
            .leaders
            .renew("dispatcher", Term(1), LASTS)
            .await?
    );
    assert_eq!(
        context
            .ports
            .leaders
            .acquire("dispatcher", OTHER, LASTS)
            .await?,
        Some(Term(2))
    );
    context.pass(LASTS).await;
    assert_eq!(
        context
            .ports
            .leaders
            .acquire("dispatcher", OTHER, LASTS)
            .await?,
        Some(Term(3)),
        "a term that was over is not taken up again"
    );
    Ok(())
}

async fn a_renewed_term_lasts_longer(context: CaseContext) -> Outcome {
    context
        .ports
        .leaders
        .acquire("dispatcher", ONE, LASTS)
        .await?;
    for _ in 0..3 {
        context.pass(Millis(9_999)).await;
        assert!(
            with_lost_reply(async || context
                .ports
                .leaders
                .renew("dispatcher", Term(1), LASTS)
                .await)
            .await?
        );
    }
    assert_eq!(
        context
            .ports
            .leaders
            .acquire("dispatcher", OTHER, LASTS)
            .await?,
        None
    );
    Ok(())
}

async fn a_resigned_term_is_free_at_once(context: CaseContext) -> Outcome {
    context
        .ports
        .leaders
        .acquire("dispatcher", ONE, LASTS)
        .await?;
    with_lost_reply(async || context.ports.leaders.resign("dispatcher", Term(1)).await).await?;
    assert!(
        !context
            .ports
            .leaders
            .renew("dispatcher", Term(1), LASTS)
            .await?
    );
    assert_eq!(
        context
            .ports
            .leaders
            .acquire("dispatcher", OTHER, LASTS)
            .await?,
        Some(Term(2))
    );
    Ok(())
}

async fn operations_with_an_old_term_change_nothing(context: CaseContext) -> Outcome {
    context
        .ports
        .leaders
        .acquire("dispatcher", ONE, LASTS)
        .await?;
    context.pass(LASTS).await;
    context
        .ports
        .leaders
        .acquire("dispatcher", OTHER, LASTS)
        .await?;
    context.ports.leaders.resign("dispatcher", Term(1)).await?;
    assert!(
        !context
            .ports
            .leaders
            .renew("dispatcher", Term(1), LASTS)
            .await?
    );
    assert!(
        context
            .ports
            .leaders
            .renew("dispatcher", Term(2), LASTS)
            .await?
    );
    Ok(())
}

async fn names_do_not_meet(context: CaseContext) -> Outcome {
    context
        .ports
        .leaders
        .acquire("dispatcher", ONE, LASTS)
        .await?;
    assert_eq!(
        context
            .ports
            .leaders
            .acquire("sweeper", OTHER, LASTS)
            .await?,
        Some(Term(1))
    );
    assert!(
        !context
            .ports
            .leaders
            .renew("unknown", Term(1), LASTS)
            .await?
    );
    Ok(())
}
