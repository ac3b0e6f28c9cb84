//! Commits of decisions: the project's row first, which locks it against others, then the changed rows only.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{AttemptState, AttemptTrigger, NewAttempt};
use chorus_core::id::{AttemptId, Seq, Version};
use chorus_core::port::StoreError;
use chorus_core::port::projects::{Commit, Committed};

use super::attempt_rows::Current;
use super::cells::{Cells, json, stored};
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};
use crate::rows::AttemptRow;
use crate::rows::commit::{fingerprint, last_event};
use crate::rows::money::Movement;

pub(super) struct CommitDecision(pub(super) Commit);

#[async_trait]
impl Operation for CommitDecision {
    type Output = Committed;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<Committed>, Fault> {
        let Self(commit) = self;
        let decided = fingerprint(commit).map_err(|error| broken(&error))?;
        let row = self.project_row(tx, decided).await?;
        if row.known_result.is_none()
            && self.advance(tx, decided, row.seq).await?
            && self.fold(tx).await?
        {
            self.change(tx).await?;
            return Ok(Outcome::Commit(Committed::Done(Version(
                commit.expected.0 + 1,
            ))));
        }
        // Another commit was faster, or the same records were folded before.
        Ok(Outcome::RollBack(
            row.known_result.unwrap_or(Committed::Conflict),
        ))
    }
}

/// The project's row before a decision.
struct ProjectRow {
    seq: Seq,
    /// Result without any change: the decision was committed before, or was made on another version.
    known_result: Option<Committed>,
}

impl CommitDecision {
    async fn project_row(
        &self,
        tx: &mut Tx<'_>,
        decided: ArtifactHash,
    ) -> Result<ProjectRow, Fault> {
        let Self(commit) = self;
        let statement = sqlx::query("SELECT id, version, seq, decided FROM projects WHERE id = $1");
        let row = tx.row(statement.bind(commit.project.to_string())).await?;
        let row = row.ok_or_else(|| {
            Fault::broken(format!(
                "there is no project {} to decide on",
                commit.project
            ))
        })?;
        let cells = Cells::new("projects", "id", &row);
        let version = Version(cells.count("version")?);
        let done = Version(commit.expected.0 + 1);
        let known_result = if version == done && cells.parsed_or_none("decided")? == Some(decided) {
            Some(Committed::Done(done))
        } else {
            (version != commit.expected).then_some(Committed::Conflict)
        };
        Ok(ProjectRow {
            seq: Seq(cells.count("seq")?),
            known_result,
        })
    }

    /// Writes the next version of the row; false when another commit was faster.
    async fn advance(
        &self,
        tx: &mut Tx<'_>,
        decided: ArtifactHash,
        seq: Seq,
    ) -> Result<bool, Fault> {
        let Self(commit) = self;
        let seq = last_event(commit, seq).map_err(|error| broken(&error))?;
        let statement = sqlx::query(
            "UPDATE projects SET version = version + 1, seq = $1, decided = $2, head = $3, title = $4, state = $5, over = $6 \
             WHERE id = $7 AND version = $8",
        );
        let statement = statement
            .bind(stored(seq.0)?)
            .bind(decided.to_string())
            .bind(json(&commit.head)?)
            .bind(commit.head.title.clone())
            .bind(commit.head.state.as_str())
            .bind(i64::from(commit.head.is_terminal()))
            .bind(commit.project.to_string())
            .bind(stored(commit.expected.0)?);
        Ok(tx.change(statement).await? == 1)
    }

    /// Marks records as folded; false when some were folded before.
    async fn fold(&self, tx: &mut Tx<'_>) -> Result<bool, Fault> {
        let Self(commit) = self;
        for event in commit.folded.iter().collect::<BTreeSet<_>>() {
            let mark = sqlx::query(
                "INSERT INTO folded (event, project, folded_at) VALUES ($1, $2, $3) ON CONFLICT (event) DO NOTHING",
            );
            let mark = mark
                .bind(event.to_string())
                .bind(commit.project.to_string())
                .bind(tx.now.0);
            if tx.change(mark).await? == 0 {
                return Ok(false);
            }
            let record = sqlx::query("UPDATE outbox SET folded_at = $1 WHERE id = $2");
            tx.change(record.bind(tx.now.0).bind(event.to_string()))
                .await?;
        }
        Ok(true)
    }

    /// Writes the rows that the decision changes.
    async fn change(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let Self(commit) = self;
        for attempt in commit.cancel.iter().collect::<BTreeSet<_>>() {
            cancel(tx, *attempt).await?;
        }
        for task in &commit.tasks {
            let statement = sqlx::query(
                "INSERT INTO tasks (project, id, task) VALUES ($1, $2, $3) ON CONFLICT (project, id) DO UPDATE SET task = excluded.task",
            );
            tx.change(
                statement
                    .bind(commit.project.to_string())
                    .bind(task.id.to_string())
                    .bind(json(task)?),
            )
            .await?;
        }
        for attempt in &commit.attempts {
            queue(tx, attempt).await?;
        }
        for event in &commit.events {
            let statement =
                sqlx::query("INSERT INTO events (project, seq, at, event) VALUES ($1, $2, $3, $4)");
            let statement = statement
                .bind(event.project.to_string())
                .bind(stored(event.seq.0)?)
                .bind(event.at.0)
                .bind(json(&event.event)?);
            tx.change(statement).await?;
        }
        if let Some(budget) = commit.budget {
            let statement =
                sqlx::query("UPDATE projects SET budget = $1 WHERE id = $2 AND budget < $1");
            tx.change(statement.bind(budget.0).bind(commit.project.to_string()))
                .await?;
        }
        for record in &commit.outbox {
            tx.put_record(record).await?;
        }
        Ok(())
    }
}

async fn queue(tx: &mut Tx<'_>, attempt: &NewAttempt) -> Result<(), Fault> {
    let statement = sqlx::query(
        "INSERT INTO attempts (id, project, task, spec, work_order, not_before, state, epoch, created_at, queued_at, lost, retries, continues, line, path, size_input, size_output) \
         VALUES ($1, $2, $3, $4, $5, $6, 'queued', 0, $7, $7, 0, 0, 0, $8, $9, $10, $11)",
    );
    let statement = statement
        .bind(attempt.id.to_string())
        .bind(attempt.project.to_string())
        .bind(attempt.task.to_string())
        .bind(json(attempt)?)
        .bind(attempt.order.to_string())
        .bind(attempt.not_before.0)
        .bind(tx.now.0)
        .bind(AttemptRow::line(attempt))
        .bind(stored(attempt.path.0)?)
        .bind(stored(attempt.size.input)?)
        .bind(stored(attempt.size.output)?);
    tx.change(statement).await?;
    Ok(())
}

/// Cancels an attempt that is not terminal, with its delivery and money.
async fn cancel(tx: &mut Tx<'_>, attempt: AttemptId) -> Result<(), Fault> {
    let Some(Current { row, assignment }) = tx.current(attempt).await? else {
        return Ok(());
    };
    let Some(next) = row.step(AttemptTrigger::NotWanted, row.epoch, tx.now) else {
        return Ok(());
    };
    if let Some(assignment) = assignment {
        let claimed = row.state == AttemptState::Running;
        tx.pay(
            row.attempt.project,
            Movement::taken_back(assignment.estimate, claimed),
        )
        .await?;
        tx.take_back(&row, "cancelled").await?;
    }
    if tx.save(&row, &next).await? {
        Ok(())
    } else {
        Err(Fault::again(format!(
            "attempt {attempt} moved on while it was cancelled"
        )))
    }
}

fn broken(error: &StoreError) -> Fault {
    Fault::broken(error.message())
}
