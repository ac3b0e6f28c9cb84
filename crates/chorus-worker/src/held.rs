//! The deliveries this worker holds, and the way to tell one of them to stop.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chorus_core::attempt::Holding;
use chorus_core::id::AttemptId;
use futures_channel::oneshot;

/// Why a call is cut off on our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The row has another holder, or none.
    NotOurs,
    /// The worker stops.
    Drained,
}

/// Held deliveries; each stays until its last word is written.
#[derive(Default)]
pub(crate) struct Held {
    entries: Mutex<BTreeMap<Holding, Option<oneshot::Sender<Stop>>>>,
}

impl Held {
    /// Holds one more; the receiver hears when its call shall stop.
    pub(crate) fn add(&self, holding: Holding) -> oneshot::Receiver<Stop> {
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(holding, Some(sender));
        receiver
    }

    /// It is over.
    pub(crate) fn remove(&self, holding: &Holding) {
        self.lock().remove(holding);
    }

    /// All that are held, in order.
    pub(crate) fn all(&self) -> Vec<Holding> {
        self.lock().keys().cloned().collect()
    }

    /// Whether one of these attempts is held.
    pub(crate) fn any_of(&self, attempts: &[AttemptId]) -> bool {
        self.lock()
            .keys()
            .any(|holding| attempts.contains(&holding.attempt))
    }

    /// Tells one delivery to stop; nothing when it is not held any more.
    pub(crate) fn stop(&self, holding: &Holding, why: Stop) {
        if let Some(sender) = self.lock().get_mut(holding).and_then(Option::take) {
            // A delivery that is past its call does not listen any more, which is right.
            let _ = sender.send(why);
        }
    }

    /// Tells all of them.
    pub(crate) fn stop_all(&self, why: Stop) {
        for holding in self.all() {
            self.stop(&holding, why);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Holding, Option<oneshot::Sender<Stop>>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
