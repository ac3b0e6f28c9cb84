//! What no repetition will mend: a person must act (free a disk, mend a file).
//!
//! Services ask a store again until it answers, so they alone would wait without end and without a word. Whoever
//! goes with a person listens here, to end with the reason instead. Only writing counts: what cannot be read is
//! some task's own trouble.

use std::sync::Arc;

use chorus_core::port::StoreError;
use tokio::sync::watch;

/// Lasting trouble with writing; clones share it.
#[derive(Debug, Clone)]
pub struct Trouble(Arc<watch::Sender<Option<String>>>);

impl Default for Trouble {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Trouble {
    /// Notes how writing ended; the first lasting failure is kept.
    pub(crate) fn note<T>(&self, outcome: &Result<T, StoreError>) {
        if let Err(StoreError::Broken { message: why, .. }) = outcome {
            self.0.send_if_modified(|known| {
                let first = known.is_none();
                known.get_or_insert_with(|| why.clone());
                first
            });
        }
    }

    /// Returns when writing failed for good, with the reason.
    pub async fn lasting(&self) -> String {
        let mut told = self.0.subscribe();
        let why = told
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|why| why.clone());
        why.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_lasting_failure_is_told_and_passing_ones_are_not() {
        let trouble = Trouble::default();
        let broken = |why: &str| Err::<(), _>(StoreError::broken(why));
        trouble.note(&Ok(()));
        trouble.note::<()>(&Err(StoreError::unavailable("busy")));
        assert!(futures_util::FutureExt::now_or_never(trouble.lasting()).is_none());
        trouble.clone().note(&broken("the disk is full"));
        trouble.note(&broken("later"));
        assert_eq!(trouble.lasting().await, "the disk is full");
    }
}
