//! All state after a run: database rows, the providers' journal and counts, and Kafka's records.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use chorus_bench::cluster::installation::Cluster;
use chorus_bench::cluster::observer::{BusObserver, SeenRecord};
use chorus_bench::cluster::providers::Count;
use chorus_bench::cluster::rows::{AttemptRow, DeliveryRow, Files, ProjectRow};
use chorus_bench::time::until;
use chorus_core::merge::Deliverable;
use chorus_core::project::{Head, Task};
use chorus_provider_sim::engine::journal::{Entry, Outcome};
use serde::Serialize;

/// Maximum time for the last calls and rows to settle.
const REST: Duration = Duration::from_secs(60);

/// State of both sides, read by [`Census::take`].
pub(crate) struct Census {
    pub(crate) projects: Vec<ProjectRow>,
    pub(crate) tasks: Vec<(String, Task)>,
    pub(crate) attempts: Vec<AttemptRow>,
    pub(crate) deliveries: Vec<DeliveryRow>,
    /// Sequence numbers of events in order, by project.
    pub(crate) events: BTreeMap<String, Vec<i64>>,
    pub(crate) journal: Vec<Entry>,
    pub(crate) counts: Vec<Count>,
    pub(crate) seen: Vec<SeenRecord>,
    /// Number of records never sent, and of records never folded.
    pub(crate) unresolved: (i64, i64),
}

impl Census {
    /// Waits until no call, delivery or record is open, then reads everything.
    pub(crate) async fn take(cluster: &Cluster, observer: &BusObserver) -> anyhow::Result<Self> {
        let rows = &cluster.rows;
        // State that never settles is a finding of the checks, not an error here.
        let _ = until("everything has come to rest", REST, async || {
            let open = rows
                .deliveries()
                .await?
                .iter()
                .any(|row| row.end_word.is_none());
            let calls = cluster
                .providers
                .journal()
                .await?
                .iter()
                .any(|entry| entry.outcome == Outcome::Open);
            Ok((!open && !calls && rows.unresolved().await? == (0, 0)).then_some(()))
        })
        .await;
        observer.catch_up().await?;
        let mut events: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (project, seq, ..) in rows.events().await? {
            events.entry(project).or_default().push(seq);
        }
        Ok(Self {
            projects: rows.projects().await?,
            tasks: rows.tasks().await?,
            attempts: rows.attempts().await?,
            deliveries: rows.deliveries().await?,
            events,
            journal: cluster.providers.journal().await?,
            counts: cluster.providers.counts().await?,
            seen: observer.seen(),
            unresolved: rows.unresolved().await?,
        })
    }

    /// Writes the rows into files of the folder, one JSON line each, for debugging.
    pub(crate) fn keep(&self, folder: &Path) -> anyhow::Result<()> {
        keep(folder, "projects", &self.projects)?;
        keep(folder, "tasks", &self.tasks)?;
        keep(folder, "attempts", &self.attempts)?;
        keep(folder, "deliveries", &self.deliveries)?;
        keep(folder, "journal", &self.journal)
    }

    /// Returns the row of a project.
    pub(crate) fn project(&self, id: &str) -> anyhow::Result<&ProjectRow> {
        self.projects
            .iter()
            .find(|project| project.id == id)
            .with_context(|| format!("{id} has no row"))
    }
}

fn keep(folder: &Path, name: &str, rows: &[impl Serialize]) -> anyhow::Result<()> {
    let lines: Vec<String> = rows
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()?;
    std::fs::write(folder.join(format!("{name}.rows")), lines.join("\n"))
        .with_context(|| format!("keep the {name}"))
}

/// Files of a project's [`Deliverable`] by rows and artifacts; empty if there is none.
pub(crate) async fn files(cluster: &Cluster, project: &ProjectRow) -> anyhow::Result<Files> {
    let head: Head = serde_json::from_str(&project.head).context("a project's head")?;
    let Some(hash) = head.deliverable() else {
        return Ok(Files::new());
    };
    let deliverable: Deliverable = cluster.rows.artifact(&hash.to_string()).await?;
    Ok(deliverable
        .files
        .into_iter()
        .map(|file| (file.path, file.content.to_string()))
        .collect())
}
