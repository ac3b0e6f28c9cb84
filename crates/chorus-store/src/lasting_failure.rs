//! Failures to write that no retry ends: a person must act, by freeing a disk or restoring a file.
//!
//! Services retry a store without end, so a process with a user in front waits for [`LastingFailure::wait`]
//! beside its work and ends with the reason. Only writes count: an unreadable row fails the task that needs it.

use std::sync::Arc;

use chorus_core::port::StoreError;
use tokio::sync::watch;

/// The first lasting failure to write; clones share it.
#[derive(Debug, Clone)]
pub struct LastingFailure(Arc<watch::Sender<Option<String>>>);

impl Default for LastingFailure {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl LastingFailure {
    /// Records the result of a write; the first [`StoreError::Broken`] is kept.
    pub(crate) fn record<T>(&self, result: &Result<T, StoreError>) {
        if let Err(StoreError::Broken { message, .. }) = result {
            self.0.send_if_modified(|known| {
                let first = known.is_none();
                known.get_or_insert_with(|| message.clone());
                first
            });
        }
    }

    /// Waits for the first lasting failure and returns its message.
    pub async fn wait(&self) -> String {
        let mut changes = self.0.subscribe();
        let message = changes
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|message| message.clone());
        message.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_lasting_failure_is_returned_and_passing_ones_are_not() {
        let failure = LastingFailure::default();
        let broken = |message: &str| Err::<(), _>(StoreError::broken(message));
        failure.record(&Ok(()));
        failure.record::<()>(&Err(StoreError::unavailable("busy")));
        assert!(futures_util::FutureExt::now_or_never(failure.wait()).is_none());
        failure.clone().record(&broken("the disk is full"));
        failure.record(&broken("later"));
        assert_eq!(failure.wait().await, "the disk is full");
    }
}
