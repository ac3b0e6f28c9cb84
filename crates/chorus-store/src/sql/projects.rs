//! Projects: submissions, commands, reads. Decisions are in [`super::commit`].

use std::collections::BTreeMap;

use async_trait::async_trait;
use chorus_core::id::{ProjectId, Seq, Tenant, Version};
use chorus_core::port::bus::Record;
use chorus_core::port::projects::{
    Commit, Committed, Cursor, Loaded, LoadedHead, NewProject, StoredEvent, Submitted,
};
use chorus_core::port::{Projects, StoreError};
use chorus_core::project::{Head, Project, Summary, Task};
use sqlx::any::AnyRow;

use super::Store;
use super::cells::{Cells, json, stored};
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};
use chorus_core::money::MicroUsd;

#[async_trait]
impl Projects for Store {
    async fn submit(&self, new: NewProject) -> Result<Submitted, StoreError> {
        self.execute(SubmitProject(new)).await
    }

    async fn command(
        &self,
        tenant: &Tenant,
        project: ProjectId,
        record: Record,
    ) -> Result<bool, StoreError> {
        self.execute(AppendCommand {
            tenant: tenant.clone(),
            project,
            record,
        })
        .await
    }

    async fn load(&self, project: ProjectId) -> Result<Option<Loaded>, StoreError> {
        let rows = self
            .read(sqlx::query(LOAD).bind(project.to_string()))
            .await?;
        Ok(loaded(project, &rows)?)
    }

    async fn head(&self, project: ProjectId) -> Result<Option<LoadedHead>, StoreError> {
        let statement = sqlx::query("SELECT id, version, seq, head FROM projects WHERE id = $1");
        let rows = self.read(statement.bind(project.to_string())).await?;
        let head = rows.first().map(|row| {
            let cells = Cells::new("projects", "id", row);
            Ok::<_, Fault>(LoadedHead {
                version: Version(cells.count("version")?),
                seq: Seq(cells.count("seq")?),
                head: cells.json("head")?,
            })
        });
        Ok(head.transpose()?)
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        self.execute(super::commit::CommitDecision(commit)).await
    }

    async fn list(
        &self,
        tenant: &Tenant,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError> {
        let statement = sqlx::query(
            "SELECT id, title, state, over, created_at, spent FROM projects \
             WHERE tenant = $1 AND (created_at < $2 OR (created_at = $2 AND id < $3)) ORDER BY created_at DESC, id DESC LIMIT $4",
        );
        // Without a cursor the page begins at the newest project.
        let (time, id) = before.map_or((i64::MAX, String::new()), |before| {
            (before.created_at.0, before.id.to_string())
        });
        let statement = statement
            .bind(tenant.as_str().to_owned())
            .bind(time)
            .bind(id)
            .bind(i64::from(limit));
        let rows = self.read(statement).await?;
        Ok(rows.iter().map(summary).collect::<Result<_, Fault>>()?)
    }

    async fn events(
        &self,
        project: ProjectId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let statement = sqlx::query(
            "SELECT project, seq, at, event FROM events WHERE project = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        );
        let rows = self
            .read(
                statement
                    .bind(project.to_string())
                    .bind(stored(after.0)?)
                    .bind(i64::from(limit)),
            )
            .await?;
        Ok(rows.iter().map(event).collect::<Result<_, Fault>>()?)
    }
}

/// One statement, so that head and tasks are of one version.
const LOAD: &str = "SELECT 0 AS part, id, version, seq, head AS value FROM projects WHERE id = $1 \
    UNION ALL SELECT 1 AS part, id, 0 AS version, 0 AS seq, task AS value FROM tasks WHERE project = $1 ORDER BY part";

/// Reads the project from the rows of [`LOAD`].
pub(super) fn loaded(project: ProjectId, rows: &[AnyRow]) -> Result<Option<Loaded>, Fault> {
    let Some((first, rest)) = rows.split_first() else {
        return Ok(None);
    };
    let cells = Cells::new("projects", "id", first);
    if cells.number("part")? != 0 {
        return Err(Fault::unreadable(
            "projects",
            &project.to_string(),
            "id",
            &"there are tasks of a project that is not there",
        ));
    }
    let head: Head = cells.json("value")?;
    let tasks = rest.iter().map(|row| {
        Cells::new("tasks", "id", row)
            .json("value")
            .map(|task: Task| (task.id, task))
    });
    let tasks: BTreeMap<_, _> = tasks.collect::<Result<_, Fault>>()?;
    Ok(Some(Loaded {
        version: Version(cells.count("version")?),
        seq: Seq(cells.count("seq")?),
        project: Project { head, tasks },
    }))
}

pub(super) fn event(row: &AnyRow) -> Result<StoredEvent, Fault> {
    let cells = Cells::new("events", "project", row);
    Ok(StoredEvent {
        project: cells.parsed("project")?,
        seq: Seq(cells.count("seq")?),
        at: cells.time("at")?,
        event: cells.json("event")?,
    })
}

fn summary(row: &AnyRow) -> Result<Summary, Fault> {
    let cells = Cells::new("projects", "id", row);
    Ok(Summary {
        id: cells.parsed("id")?,
        title: cells.text("title")?,
        state: cells.text("state")?,
        is_terminal: cells.flag("over")?,
        created_at: cells.time("created_at")?,
        spent: MicroUsd(cells.number("spent")?),
    })
}

struct SubmitProject(NewProject);

#[async_trait]
impl Operation for SubmitProject {
    type Output = Submitted;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<Submitted>, Fault> {
        let Self(new) = self;
        let statement = sqlx::query(
            "INSERT INTO projects (id, tenant, idempotency_key, body, version, seq, head, title, state, over, created_at, budget, spent, reserved, wasted) \
             VALUES ($1, $2, $3, $4, 0, 0, $5, $6, $7, $8, $9, $10, 0, 0, 0) ON CONFLICT (tenant, idempotency_key) DO NOTHING",
        );
        let statement = statement
            .bind(new.id.to_string())
            .bind(new.tenant.as_str().to_owned())
            .bind(new.idempotency_key.clone())
            .bind(new.body.to_string())
            .bind(json(&new.head)?)
            .bind(new.head.title.clone())
            .bind(new.head.state.as_str())
            .bind(i64::from(new.head.is_terminal()))
            .bind(new.head.created_at.0)
            .bind(new.budget.0);
        if tx.change(statement).await? == 1 {
            tx.put_record(&new.record).await?;
            return Ok(Outcome::Commit(Submitted::Accepted(new.id)));
        }
        let statement =
            sqlx::query("SELECT id, body FROM projects WHERE tenant = $1 AND idempotency_key = $2");
        let row = tx
            .row(
                statement
                    .bind(new.tenant.as_str().to_owned())
                    .bind(new.idempotency_key.clone()),
            )
            .await?;
        let row = row.ok_or_else(|| Fault::again("the project that held the key went away"))?;
        let cells = Cells::new("projects", "id", &row);
        let id = cells.parsed("id")?;
        let same = cells.text("body")? == new.body.to_string();
        Ok(Outcome::Commit(if same {
            Submitted::Accepted(id)
        } else {
            Submitted::KeyReused(id)
        }))
    }
}

struct AppendCommand {
    tenant: Tenant,
    project: ProjectId,
    record: Record,
}

#[async_trait]
impl Operation for AppendCommand {
    type Output = bool;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<bool>, Fault> {
        let statement = sqlx::query("SELECT id FROM projects WHERE id = $1 AND tenant = $2");
        let known = tx
            .row(
                statement
                    .bind(self.project.to_string())
                    .bind(self.tenant.as_str().to_owned()),
            )
            .await?
            .is_some();
        if known {
            tx.put_record(&self.record).await?;
        }
        Ok(Outcome::Commit(known))
    }
}
