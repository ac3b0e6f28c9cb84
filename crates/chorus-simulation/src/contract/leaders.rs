//! Named leaderships.

use chorus_core::id::{BootId, Term};
use chorus_core::time::Millis;

use super::{Case, Outcome, Stage, cases, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        one_holder_at_a_time,
        asking_again_keeps_the_term_and_renews_it,
        the_acquisition_whose_reply_was_lost_is_the_same_term,
        a_term_that_ran_out_is_followed_by_the_next,
        a_renewed_term_lasts_longer,
        a_resigned_term_is_free_at_once,
        words_about_an_old_term_change_nothing,
        names_do_not_meet,
    ]
}

const LASTS: Millis = Millis::from_secs(10);
const ONE: BootId = BootId::new(1);
const OTHER: BootId = BootId::new(2);

async fn one_holder_at_a_time(stage: Stage) -> Outcome {
    assert_eq!(
        stage
            .ports
            .leaders
            .acquire("dispatcher", ONE, LASTS)
            .await?,
        Some(Term(1))
    );
    stage.pass(Millis(9_999)).await;
    assert_eq!(
        stage
            .ports
            .leaders
            .acquire("dispatcher", OTHER, LASTS)
            .await?,
        None
    );
    Ok(())
}

async fn asking_again_keeps_the_term_and_renews_it(stage: Stage) -> Outcome {
    stage
        .ports
        .leaders
        .acquire("dispatcher", ONE, LASTS)
        .await?;
    stage.pass(Millis(9_999)).await;
    assert_eq!(
        stage
            .ports
            .leaders
            .acquire("dispatcher", ONE, LASTS)
            .await?,
        Some(Term(1))
    );
    stage.pass(Millis(9_999)).await;
    assert_eq!(
        stage
            .ports
            .leaders
            .acquire("dispatcher", OTHER, LASTS)
            .await?,
        None
    );
    Ok(())
}

async fn the_acquisition_whose_reply_was_lost_is_the_same_term(stage: Stage) -> Outcome {
    let term =
        with_lost_reply(async || stage.ports.leaders.acquire("dispatcher", ONE, LASTS).await)
            .await?;
    assert_eq!(term, Some(Term(1)));
    Ok(())
}

async fn a_term_that_ran_out_is_followed_by_the_next(stage: Stage) -> Outcome {
    stage
        .ports
        .leaders
        .acquire("dispatcher", ONE, LASTS)
        .await?;
    stage.pass(LASTS).await;
    assert!(
        !stage
            .ports
            .leaders
            .renew("dispatcher", Term(1), LASTS)
            .await?
    );
    assert_eq!(
        stage
            .ports
            .leaders
            .acquire("dispatcher", OTHER, LASTS)
            .await?,
        Some(Term(2))
    );
    stage.pass(LASTS).await;
    assert_eq!(
        stage
            .ports
            .leaders
            .acquire("dispatcher", OTHER, LASTS)
            .await?,
        Some(Term(3)),
        "a term that was over is not taken up again"
    );
    Ok(())
}

async fn a_renewed_term_lasts_longer(stage: Stage) -> Outcome {
    stage
        .ports
        .leaders
        .acquire("dispatcher", ONE, LASTS)
        .await?;
    for _ in 0..3 {
        stage.pass(Millis(9_999)).await;
        assert!(
            with_lost_reply(async || stage
                .ports
                .leaders
                .renew("dispatcher", Term(1), LASTS)
                .await)
            .await?
        );
    }
    assert_eq!(
        stage
            .ports
            .leaders
            .acquire("dispatcher", OTHER, LASTS)
            .await?,
        None
    );
    Ok(())
}

async fn a_resigned_term_is_free_at_once(stage: Stage) -> Outcome {
    stage
        .ports
        .leaders
        .acquire("dispatcher", ONE, LASTS)
        .await?;
    with_lost_reply(async || stage.ports.leaders.resign("dispatcher", Term(1)).await).await?;
    assert!(
        !stage
            .ports
            .leaders
            .renew("dispatcher", Term(1), LASTS)
            .await?
    );
    assert_eq!(
        stage
            .ports
            .leaders
            .acquire("dispatcher", OTHER, LASTS)
            .await?,
        Some(Term(2))
    );
    Ok(())
}

async fn words_about_an_old_term_change_nothing(stage: Stage) -> Outcome {
    stage
        .ports
        .leaders
        .acquire("dispatcher", ONE, LASTS)
        .await?;
    stage.pass(LASTS).await;
    stage
        .ports
        .leaders
        .acquire("dispatcher", OTHER, LASTS)
        .await?;
    stage.ports.leaders.resign("dispatcher", Term(1)).await?;
    assert!(
        !stage
            .ports
            .leaders
            .renew("dispatcher", Term(1), LASTS)
            .await?
    );
    assert!(
        stage
            .ports
            .leaders
            .renew("dispatcher", Term(2), LASTS)
            .await?
    );
    Ok(())
}

async fn names_do_not_meet(stage: Stage) -> Outcome {
    stage
        .ports
        .leaders
        .acquire("dispatcher", ONE, LASTS)
        .await?;
    assert_eq!(
        stage.ports.leaders.acquire("sweeper", OTHER, LASTS).await?,
        Some(Term(1))
    );
    assert!(!stage.ports.leaders.renew("nobody", Term(1), LASTS).await?);
    Ok(())
}
