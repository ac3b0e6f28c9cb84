//! Readings of the queue: lines with their counts, windows of lines, rows that were announced, queued or came due.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chorus_core::attempt::{AttemptState, QueuedAttempt};
use chorus_core::id::{AttemptId, Epoch, ProjectId};
use chorus_core::port::attempts::{Announced, DUE_SOON, QueueLine, QueuePage, QueueSelection};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Timestamp;

use super::State;
use crate::rows::AttemptRow;
use crate::rows::wait::share;

type Lines<'a> = BTreeMap<(ProjectId, TaskKind), Vec<&'a AttemptRow>>;

impl State {
    pub(super) fn queue_page(
        &self,
        selection: &QueueSelection,
        limit: u32,
        now: Timestamp,
    ) -> QueuePage {
        let mut lines: Lines<'_> = BTreeMap::new();
        for row in self.queued_rows() {
            let key = (row.attempt.project, row.attempt.kind);
            lines.entry(key).or_default().push(row);
        }
        let (rows, lines) = match selection {
            QueueSelection::Lines => {
                let share = share(limit, lines.len());
                let rows = lines.values().flat_map(|line| window(line, share, now));
                (rows.collect(), lines)
            }
            QueueSelection::Line { project, kind } => {
                lines.retain(|key, _| *key == (*project, *kind));
                let rows = lines.values().flat_map(|line| window(line, limit, now));
                (rows.collect(), lines)
            }
            QueueSelection::Announced(announced) => {
                let of = |one: &Announced| self.announced(*one, limit);
                (announced.iter().flat_map(of).collect(), Lines::new())
            }
            QueueSelection::Recent { since } => {
                let is_recent = |row: &&AttemptRow| {
                    let due = row.attempt.not_before;
                    row.queued_at >= *since || (due >= *since && due <= now + DUE_SOON)
                };
                (self.queued_rows().filter(is_recent).collect(), Lines::new())
            }
        };
        let rows: BTreeMap<AttemptId, QueuedAttempt> = Vec::into_iter(rows)
            .map(|row: &AttemptRow| (row.attempt.id, row.queued()))
            .collect();
        let mut rows: Vec<QueuedAttempt> = rows.into_values().collect();
        rows.sort_by_key(|row| (row.created_at, row.attempt.id));
        QueuePage {
            rows,
            lines: lines.into_iter().map(count).collect(),
            now,
        }
    }

    fn queued_rows(&self) -> impl Iterator<Item = &AttemptRow> {
        let rows = self.rows.attempts.values();
        rows.filter(|row| row.state == AttemptState::Queued)
    }

    fn announced(&self, announced: Announced, limit: u32) -> Vec<&AttemptRow> {
        let Some(named) = self.rows.attempts.get(&announced.attempt) else {
            return Vec::new();
        };
        let is_meant = |row: &&AttemptRow| {
            if announced.epoch == Epoch(0) {
                row.attempt.project == named.attempt.project && row.created_at >= named.created_at
            } else {
                row.attempt.id == named.attempt.id
            }
        };
        let mut rows: Vec<&AttemptRow> = self.queued_rows().filter(is_meant).collect();
        rows.sort_by_key(|row| (row.created_at, row.attempt.id));
        rows.truncate(limit as usize);
        rows
    }
}

/// The rows of a line that may start soon, half by age and half by path.
fn window<'a>(line: &[&'a AttemptRow], share: u32, now: Timestamp) -> Vec<&'a AttemptRow> {
    let due = |row: &&&'a AttemptRow| row.attempt.not_before <= now + DUE_SOON;
    let mut rows: Vec<&AttemptRow> = line.iter().filter(due).copied().collect();
    rows.sort_by_key(|row| (row.created_at, row.attempt.id));
    let mut read: Vec<&AttemptRow> = rows
        .iter()
        .take(share.div_ceil(2) as usize)
        .copied()
        .collect();
    rows.sort_by_key(|row| (Reverse(row.attempt.path), row.created_at, row.attempt.id));
    read.extend(rows.into_iter().take((share / 2) as usize));
    read
}

fn count(((project, kind), rows): ((ProjectId, TaskKind), Vec<&AttemptRow>)) -> QueueLine {
    QueueLine {
        tenant: rows[0].attempt.tenant.clone(),
        project,
        kind,
        calls: rows.len() as u64,
        input: rows.iter().map(|row| row.attempt.size.input).sum(),
        output: rows.iter().map(|row| row.attempt.size.output).sum(),
    }
}
