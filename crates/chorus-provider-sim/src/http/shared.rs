//! The engine behind a lock, with the clock and the journal file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use tokio::time::Instant;

use crate::engine::Providers;

/// Engine, clock and journal file. The lock is never held across an await.
pub(super) struct Shared {
    inner: Mutex<Inner>,
    started: Instant,
    started_ms: u64,
}

struct Inner {
    providers: Providers,
    file: Option<File>,
}

impl Shared {
    /// Opens the journal file, if one is configured.
    pub(super) fn new(providers: Providers, journal: Option<&Path>) -> io::Result<Self> {
        let file = journal
            .map(|path| OpenOptions::new().create(true).append(true).open(path))
            .transpose()?;
        Ok(Self {
            inner: Mutex::new(Inner { providers, file }),
            started: Instant::now(),
            started_ms: wall_clock_ms(),
        })
    }

    /// Runs `act` on the engine at the current time. New journal lines are on disk on return.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Providers, u64) -> T) -> T {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut inner.providers, self.now_ms());
        let lines = inner.providers.take_fresh_lines();
        if let Some(file) = &mut inner.file
            && let Err(error) = lines
                .iter()
                .try_for_each(|line| file.write_all(line.as_bytes()))
        {
            tracing::error!(%error, "the journal's file cannot be written; lines are missing from it");
        }
        result
    }

    fn now_ms(&self) -> u64 {
        self.started_ms + u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulated providers stand outside of Chorus and have a clock of their own"
)]
fn wall_clock_ms() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
