//! Asking again: an error of a port means that the deed may have been done, so the same words are repeated
//! until somebody answers.

use std::fmt::Display;
use std::future::Future;

use chorus_core::port::Clock;
use chorus_core::time::{Millis, Timestamp};

const FIRST_WAIT: u64 = 100;
const LONGEST_WAIT: u64 = 5_000;

/// Repeats the question until it is answered, however long that takes.
pub(crate) async fn until_answered<T, E, F>(
    clock: &dyn Clock,
    what: &str,
    ask: impl FnMut() -> F,
) -> T
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    match until(clock, Timestamp(i64::MAX), what, ask).await {
        Some(answer) => answer,
        None => unreachable!("the end of time has not come"),
    }
}

/// Repeats the question until it is answered or the time is over.
pub(crate) async fn until<T, E, F>(
    clock: &dyn Clock,
    end: Timestamp,
    what: &str,
    mut ask: impl FnMut() -> F,
) -> Option<T>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let mut bound = FIRST_WAIT;
    loop {
        match ask().await {
            Ok(answer) => return Some(answer),
            Err(error) => tracing::warn!(error = %error, "{what} was not answered, asking again"),
        }
        let wait = Millis(bound / 2 + clock.random_below(bound / 2 + 1));
        if clock.now() + wait >= end {
            return None;
        }
        clock.sleep(wait).await;
        bound = (bound * 2).min(LONGEST_WAIT);
    }
}
