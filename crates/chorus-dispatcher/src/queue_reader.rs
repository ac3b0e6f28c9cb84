//! Reads the queue in parts: the whole of it when a term begins and now and then, otherwise what was announced, what
//! was queued or came due lately, and lines of which few rows are left in the [`Backlog`].
//!
//! The [`term`](crate::term) asks it when a reading is due, and pushes what it returns to the admission.

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::id::{AttemptId, Epoch};
use chorus_core::port::StoreError;
use chorus_core::port::attempts::{Announced, QueuePage, QueueSelection};
use chorus_core::time::{Millis, Timestamp};

use crate::backlog::{Backlog, Changes, LineName};
use crate::context::Context;

/// Pause after a reading of the rows, as a multiple of its duration.
const READING_PAUSE: u64 = 4;

/// Time by which a transaction may be committed after the time that its rows carry.
const LATE_COMMIT: Millis = Millis::from_secs(5);

/// Maximum number of announcements in one reading.
const ANNOUNCED_AT_ONCE: usize = 512;

/// Bounds of the rows of one line in one reading.
const LEAST_OF_LINE: u32 = 64;
/// As [`LEAST_OF_LINE`], the maximum.
const MOST_OF_LINE: u32 = 2_048;

/// State of the readings of one term.
#[derive(Debug)]
pub(crate) struct QueueReader {
    announced: BTreeMap<AttemptId, Epoch>,
    /// Attempts of the backlog that may have left the queue.
    doubted: BTreeSet<AttemptId>,
    /// Attempts that are read again with the next recent rows.
    again: BTreeMap<AttemptId, Epoch>,
    whole_at: Timestamp,
    recent_at: Timestamp,
    /// Time up to which recent rows were read, by the store's clock.
    recent_since: Option<Timestamp>,
    /// End and duration of the last reading: long ones leave the loop four times as long to other work.
    last: Timestamp,
    took: Millis,
}

impl QueueReader {
    /// A reader that begins with the whole queue.
    pub(crate) const fn new() -> Self {
        Self {
            announced: BTreeMap::new(),
            doubted: BTreeSet::new(),
            again: BTreeMap::new(),
            whole_at: Timestamp(i64::MIN),
            recent_at: Timestamp(i64::MIN),
            recent_since: None,
            last: Timestamp(i64::MIN),
            took: Millis::ZERO,
        }
    }

    /// Has an attempt read that a record announced at this epoch.
    pub(crate) fn announce(&mut self, attempt: AttemptId, epoch: Epoch) {
        let known = self.announced.entry(attempt).or_insert(epoch);
        *known = epoch.max(*known);
    }

    /// Has an attempt read again later, because it may be queued still although nothing announces it.
    pub(crate) fn again(&mut self, attempt: AttemptId, epoch: Epoch) {
        // At epoch 0 the announcement would bring the attempts that were created after it.
        self.again.insert(attempt, epoch.max(Epoch(1)));
    }

    /// Has the rows of attempts looked at that may have left the queue.
    pub(crate) fn doubt(&mut self, attempts: impl IntoIterator<Item = AttemptId>) {
        self.doubted.extend(attempts);
    }

    /// Has the whole queue read, because something changed that is not known in detail.
    pub(crate) fn read_whole(&mut self) {
        self.whole_at = Timestamp(i64::MIN);
    }

    /// Returns the time of the next reading.
    pub(crate) fn next_at(&self, context: &Context, backlog: &Backlog) -> Timestamp {
        let pause = Millis(self.took.0 * READING_PAUSE);
        let soonest = self.last.max(Timestamp(0)) + context.settings.wake_gap.max(pause);
        let has_news = !self.announced.is_empty() || !self.doubted.is_empty();
        if self.last == Timestamp(i64::MIN) {
            return self.last;
        }
        if has_news || backlog.low_line().is_some() {
            return soonest;
        }
        self.recent_at.min(self.whole_at).max(soonest)
    }

    /// Reads what is due. A failed statement is repeated by a later reading of the whole.
    pub(crate) async fn read(&mut self, context: &Context, backlog: &mut Backlog) -> Changes {
        let began = context.now();
        let mut changes = Changes::default();
        if let Err(problem) = self.read_parts(context, backlog, &mut changes).await {
            tracing::debug!(error = %problem, "the queue is read again as a whole");
            self.whole_at = self.whole_at.min(context.now() + context.settings.poll);
        }
        self.last = context.now();
        self.took = self.last.since(began);
        changes
    }

    async fn read_parts(
        &mut self,
        context: &Context,
        backlog: &mut Backlog,
        changes: &mut Changes,
    ) -> Result<(), StoreError> {
        let now = context.now();
        if now >= self.recent_at {
            for (attempt, epoch) in std::mem::take(&mut self.again) {
                self.announce(attempt, epoch);
            }
        }
        if now >= self.whole_at {
            self.whole_at = now + context.settings.whole_queue;
            self.recent_at = now + context.settings.poll;
            let page = read(context, QueueSelection::Lines).await?;
            self.doubt(backlog.missing_in(&page.rows));
            self.recent_since = Some(page.now);
            backlog.compare(page, changes);
        } else if now >= self.recent_at {
            self.recent_at = now + context.settings.poll;
            let since = self
                .recent_since
                .map_or(Timestamp(0), |since| since - LATE_COMMIT);
            let page = read(context, QueueSelection::Recent { since }).await?;
            self.recent_since = Some(page.now);
            if page.rows.len() >= context.settings.queue_size as usize / 2 {
                self.read_whole();
            }
            backlog.compare(page, changes);
        }
        self.read_announced(context, backlog, changes).await?;
        if let Some(line) = backlog.low_line() {
            self.read_line(context, backlog, line, changes).await?;
        }
        Ok(())
    }

    /// Reads announced and doubted attempts; doubted ones that are not queued leave the backlog.
    async fn read_announced(
        &mut self,
        context: &Context,
        backlog: &mut Backlog,
        changes: &mut Changes,
    ) -> Result<(), StoreError> {
        let doubted: Vec<AttemptId> = self
            .doubted
            .iter()
            .copied()
            .take(ANNOUNCED_AT_ONCE)
            .collect();
        let left = ANNOUNCED_AT_ONCE - doubted.len();
        let named = self.announced.iter().take(left);
        let mut asked: Vec<Announced> = named
            .map(|(attempt, epoch)| Announced {
                attempt: *attempt,
                epoch: *epoch,
            })
            .collect();
        let announced = asked.len();
        asked.extend(doubted.iter().map(|attempt| Announced {
            attempt: *attempt,
            epoch: Epoch(1),
        }));
        if asked.is_empty() {
            return Ok(());
        }
        let page = read(context, QueueSelection::Announced(asked.clone())).await?;
        if page.rows.len() >= context.settings.queue_size as usize {
            self.read_whole();
        }
        let queued: BTreeSet<AttemptId> = page.rows.iter().map(|row| row.attempt.id).collect();
        backlog.compare(page, changes);
        for one in &asked[..announced] {
            self.announced.remove(&one.attempt);
        }
        for attempt in doubted {
            self.doubted.remove(&attempt);
            if !queued.contains(&attempt) {
                changes.gone.extend(backlog.lease_of(attempt));
            }
        }
        Ok(())
    }

    async fn read_line(
        &mut self,
        context: &Context,
        backlog: &mut Backlog,
        (project, kind): LineName,
        changes: &mut Changes,
    ) -> Result<(), StoreError> {
        let of_all =
            context.settings.queue_size / u32::try_from(backlog.lines()).unwrap_or(u32::MAX).max(1);
        let limit = of_all.clamp(LEAST_OF_LINE, MOST_OF_LINE);
        let selection = QueueSelection::Line { project, kind };
        let read = context.attempts.read_queue(selection, limit);
        let page = context.statement("read a line of the queue", read).await?;
        let (is_empty, before) = (page.lines.is_empty(), changes.fresh.len());
        backlog.compare(page, changes);
        if changes.fresh.len() == before {
            backlog.nothing_due((project, kind), is_empty);
        }
        Ok(())
    }
}

async fn read(context: &Context, selection: QueueSelection) -> Result<QueuePage, StoreError> {
    let limit = context.settings.queue_size;
    let read = context.attempts.read_queue(selection, limit);
    context.statement("read the queue", read).await
}
