//! Real time, for programs that measure and wait for real processes.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::bail;

/// Interval between two evaluations of a condition.
const LOOK: Duration = Duration::from_millis(50);

/// Milliseconds of the machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]
pub fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Starts a stopwatch; the returned function gives the seconds since.
#[expect(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]
pub fn stopwatch() -> impl Fn() -> f64 {
    let began = Instant::now();
    move || began.elapsed().as_secs_f64()
}

/// Waits for this time.
#[expect(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]
pub async fn pause(long: Duration) {
    tokio::time::sleep(long).await;
}

/// Output of a future; `None` if it takes longer than `long`.
#[expect(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]
pub async fn within<T>(long: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(long, future).await.ok()
}

/// Evaluates a condition repeatedly until it gives a value. Fails with the description if it takes
/// too long.
pub async fn until<T>(
    what: &str,
    long: Duration,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let took = stopwatch();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if took() > long.as_secs_f64() {
            bail!("waited {:.0} s in vain until {what}", took());
        }
        pause(LOOK).await;
    }
}
