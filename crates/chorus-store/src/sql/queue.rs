//! Readings of the queue: lines with their counts, windows of lines, rows that were announced, queued or came due.

use std::collections::BTreeMap;

use chorus_core::attempt::QueuedAttempt;
use chorus_core::id::{AttemptId, Epoch, Tenant};
use chorus_core::port::StoreError;
use chorus_core::port::attempts::{Announced, DUE_SOON, QueueLine, QueuePage, QueueSelection};
use chorus_core::time::Timestamp;
use sqlx::any::AnyRow;

use super::Store;
use super::attempt_rows::attempt;
use super::cells::Cells;
use super::fault::Fault;
use super::tx::Statement;
use crate::rows::AttemptRow;
use crate::rows::wait::share;

/// Counts of every line, from one index.
const COUNTS: &str = "SELECT l.line, l.project, p.tenant, l.calls, l.input, l.output FROM \
    (SELECT line, MIN(project) AS project, CAST(COUNT(*) AS BIGINT) AS calls, CAST(SUM(size_input) AS BIGINT) AS input, \
    CAST(SUM(size_output) AS BIGINT) AS output FROM attempts WHERE state = 'queued' GROUP BY line) l \
    JOIN projects p ON p.id = l.project ORDER BY l.line";

/// As [`COUNTS`], of one line.
const COUNT: &str = "SELECT l.line, l.project, p.tenant, l.calls, l.input, l.output FROM \
    (SELECT line, MIN(project) AS project, CAST(COUNT(*) AS BIGINT) AS calls, CAST(SUM(size_input) AS BIGINT) AS input, \
    CAST(SUM(size_output) AS BIGINT) AS output FROM attempts WHERE state = 'queued' AND line = $1 GROUP BY line) l \
    JOIN projects p ON p.id = l.project";

const OLDEST: &str = "SELECT * FROM attempts WHERE state = 'queued' AND line = $1 \
    AND not_before <= $2 ORDER BY created_at, id LIMIT $3";

const LONGEST: &str = "SELECT * FROM attempts WHERE state = 'queued' AND line = $1 \
    AND not_before <= $2 ORDER BY path DESC, created_at, id LIMIT $3";

/// Attempts in one statement; the last one is repeated in an incomplete batch.
const BATCH: usize = 16;

const NAMED: &str = "SELECT * FROM attempts WHERE state = 'queued' AND id IN \
    ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";

const CREATED_WITH: &str = "SELECT * FROM attempts WHERE state = 'queued' AND project = (SELECT project FROM attempts WHERE id = $1) \
    AND created_at >= (SELECT created_at FROM attempts WHERE id = $1) ORDER BY created_at, id LIMIT $2";

const QUEUED_SINCE: &str = "SELECT * FROM attempts WHERE state = 'queued' AND queued_at >= $1 \
    ORDER BY queued_at DESC, id DESC LIMIT $2";

const DUE_SINCE: &str = "SELECT * FROM attempts WHERE state = 'queued' AND not_before >= $1 AND not_before <= $2 \
    ORDER BY not_before DESC, id DESC LIMIT $3";

/// Rows of one reading, each once.
#[derive(Default)]
struct Found(BTreeMap<AttemptId, QueuedAttempt>);

impl Found {
    fn add(&mut self, rows: &[AnyRow]) -> Result<(), Fault> {
        for row in rows {
            let row = attempt(row)?.queued();
            self.0.insert(row.attempt.id, row);
        }
        Ok(())
    }
}

impl Store {
    pub(super) async fn queue_page(
        &self,
        selection: QueueSelection,
        limit: u32,
    ) -> Result<QueuePage, StoreError> {
        let now = self.now().await?;
        let mut found = Found::default();
        let lines = match selection {
            QueueSelection::Lines => {
                let lines = self.counts(sqlx::query(COUNTS)).await?;
                let share = share(limit, lines.len());
                for line in &lines {
                    let name = AttemptRow::line_of(line.project, line.kind);
                    self.window(&mut found, &name, now, share).await?;
                }
                lines
            }
            QueueSelection::Line { project, kind } => {
                let name = AttemptRow::line_of(project, kind);
                self.window(&mut found, &name, now, limit).await?;
                self.counts(sqlx::query(COUNT).bind(name)).await?
            }
            QueueSelection::Announced(announced) => {
                self.announced(&mut found, &announced, limit).await?;
                Vec::new()
            }
            QueueSelection::Recent { since } => {
                let half = i64::from(limit / 2);
                let queued = sqlx::query(QUEUED_SINCE).bind(since.0).bind(half);
                found.add(&self.read(queued).await?)?;
                let due = sqlx::query(DUE_SINCE)
                    .bind(since.0)
                    .bind((now + DUE_SOON).0);
                found.add(&self.read(due.bind(half)).await?)?;
                Vec::new()
            }
        };
        let mut rows: Vec<QueuedAttempt> = found.0.into_values().collect();
        rows.sort_by_key(|row| (row.created_at, row.attempt.id));
        Ok(QueuePage { rows, lines, now })
    }

    async fn counts(&self, statement: Statement<'_>) -> Result<Vec<QueueLine>, Fault> {
        let rows = self.read(statement).await?;
        let lines = rows.iter().map(|row| {
            let cells = Cells::new("attempts", "line", row);
            let name = cells.text("line")?;
            let amount = |column| {
                let number: i64 = cells.number(column)?;
                Ok::<_, Fault>(u64::try_from(number).unwrap_or(0))
            };
            // A line of an earlier release has no kind: its rows are found by announcements and times.
            let kind = name
                .rsplit_once('/')
                .map(|(_, kind)| serde_json::Value::from(kind));
            let Some(kind) = kind.and_then(|kind| serde_json::from_value(kind).ok()) else {
                return Ok(None);
            };
            Ok(Some(QueueLine {
                tenant: Tenant::new(cells.text("tenant")?),
                project: cells.parsed("project")?,
                kind,
                calls: amount("calls")?,
                input: amount("input")?,
                output: amount("output")?,
            }))
        });
        lines.filter_map(Result::transpose).collect()
    }

    /// Reads the rows of a line that may start soon, half by age and half by path.
    async fn window(
        &self,
        found: &mut Found,
        line: &str,
        now: Timestamp,
        share: u32,
    ) -> Result<(), Fault> {
        let halves = [(OLDEST, share.div_ceil(2)), (LONGEST, share / 2)];
        for (text, limit) in halves {
            let statement = sqlx::query(text)
                .bind(line.to_owned())
                .bind((now + DUE_SOON).0)
                .bind(i64::from(limit));
            found.add(&self.read(statement).await?)?;
        }
        Ok(())
    }

    async fn announced(
        &self,
        found: &mut Found,
        announced: &[Announced],
        limit: u32,
    ) -> Result<(), Fault> {
        let (new, again): (Vec<&Announced>, Vec<&Announced>) =
            announced.iter().partition(|one| one.epoch == Epoch(0));
        for batch in again.chunks(BATCH) {
            let mut statement = sqlx::query(NAMED);
            for one in (0..BATCH).filter_map(|at| batch.get(at).or_else(|| batch.last())) {
                statement = statement.bind(one.attempt.to_string());
            }
            found.add(&self.read(statement).await?)?;
        }
        for one in new {
            if found.0.contains_key(&one.attempt) {
                // An earlier record of the same project has brought it.
                continue;
            }
            let statement = sqlx::query(CREATED_WITH)
                .bind(one.attempt.to_string())
                .bind(i64::from(limit));
            found.add(&self.read(statement).await?)?;
        }
        Ok(())
    }
}
