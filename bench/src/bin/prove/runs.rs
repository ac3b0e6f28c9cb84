//! One run: submits all briefs through the gateway and waits for their end.
//!
//! The first brief is submitted by the command line, as a person would do; the others by a
//! [`Client`] that counts every event.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chorus_bench::cluster::briefs::Submission;
use chorus_bench::cluster::client::{Client, CommandLine, ReceivedEvents};
use chorus_bench::cluster::installation::Cluster;
use chorus_bench::cluster::rows::Files;
use chorus_bench::time::{stopwatch, until};

use crate::census::{self, Census};

/// Maximum time for all projects of a run together.
const ALL: Duration = Duration::from_secs(300);
/// Maximum time for clients to receive the end after it was committed.
const DELIVERY: Duration = Duration::from_secs(20);
/// Maximum time for the command line to submit its project.
const TAKEN: Duration = Duration::from_secs(60);

/// Projects of one run with their [`Client`]s.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    /// Project ids by brief name.
    pub(crate) projects: BTreeMap<String, String>,
    /// [`ReceivedEvents`] of clients, by project id.
    pub(crate) events: BTreeMap<String, ReceivedEvents>,
    /// The running command line, with the name of its brief.
    pub(crate) command_line: Option<(String, CommandLine)>,
    pub(crate) seconds: f64,
    took: Box<dyn Fn() -> f64 + Send>,
}

impl Run {
    pub(crate) fn new(name: &'static str) -> Self {
        let (projects, events) = (BTreeMap::new(), BTreeMap::new());
        Self {
            name,
            projects,
            events,
            command_line: None,
            seconds: 0.0,
            took: Box::new(stopwatch()),
        }
    }

    /// Starts the command line with a submission and waits until its project exists.
    pub(crate) async fn send(
        &mut self,
        cluster: &Cluster,
        client: &Client,
        submission: &Submission,
    ) -> anyhow::Result<()> {
        let ids = async || {
            anyhow::Ok(
                cluster
                    .rows
                    .projects()
                    .await?
                    .into_iter()
                    .map(|project| project.id)
                    .collect::<BTreeSet<_>>(),
            )
        };
        let before = ids().await?;
        let command_line = client.command_line(
            &cluster.environment,
            submission,
            &format!("command-line-{}", self.name),
        )?;
        let id = until("the command line's project exists", TAKEN, async || {
            Ok(ids().await?.difference(&before).next().cloned())
        })
        .await?;
        self.projects.insert(submission.name.clone(), id);
        self.command_line = Some((submission.name.clone(), command_line));
        Ok(())
    }

    /// Submits all works at once.
    pub(crate) async fn submit(
        &mut self,
        client: &Client,
        submissions: &[Submission],
    ) -> anyhow::Result<()> {
        let run = self.name;
        let handed_in = submissions.iter().map(async |submission| {
            let id = client
                .submit(submission, &format!("{run}/{}", submission.name))
                .await?;
            let events = client.listen(&id);
            anyhow::Ok((submission.name.clone(), id, events))
        });
        for (name, id, events) in futures_util::future::try_join_all(handed_in).await? {
            self.events.insert(id.clone(), events);
            self.projects.insert(name, id);
        }
        Ok(())
    }

    /// Waits until every project has ended, in any state, and every client has received the end.
    pub(crate) async fn wait_for_end(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        let waited = until("every project has ended", ALL, async || {
            Ok((self.unfinished(cluster).await == Some(0)).then_some(()))
        })
        .await;
        self.seconds = (self.took)();
        let all_received = async || {
            Ok(self
                .events
                .values()
                .all(ReceivedEvents::ended)
                .then_some(()))
        };
        let waited = match waited {
            Ok(()) => until("every client received the end", DELIVERY, all_received).await,
            late @ Err(_) => late,
        };
        // Projects that never end, or clients that never receive the end, are findings of the
        // checks.
        if let Err(error) = waited {
            println!("{error:#}");
        }
        Ok(())
    }

    /// Number of projects that have not ended; `None` while the database does not answer.
    pub(crate) async fn unfinished(&self, cluster: &Cluster) -> Option<usize> {
        let projects = cluster.rows.projects().await.ok()?;
        let ended = |id: &String| {
            projects
                .iter()
                .any(|project| project.id == *id && project.over == 1)
        };
        Some(self.projects.values().filter(|id| !ended(id)).count())
    }

    /// Deliverables according to the rows, by brief name.
    pub(crate) async fn files(
        &self,
        cluster: &Cluster,
        census: &Census,
    ) -> anyhow::Result<BTreeMap<String, Files>> {
        let mut all = BTreeMap::new();
        for (name, id) in &self.projects {
            all.insert(
                name.clone(),
                census::files(cluster, census.project(id)?).await?,
            );
        }
        Ok(all)
    }

    /// Files that clients received from the gateway and from the command line.
    pub(crate) async fn received_files(
        &mut self,
        client: &Client,
        expected: &BTreeMap<String, Files>,
    ) -> BTreeMap<String, anyhow::Result<Files>> {
        let mut all = BTreeMap::new();
        for (name, id) in &self.projects {
            all.insert(name.clone(), client.files(id).await);
        }
        if let Some((name, command_line)) = &mut self.command_line {
            let received_files = command_line
                .received_files(expected.get(name).unwrap_or(&Files::new()))
                .await;
            all.insert(format!("{name} by the command line"), received_files);
        }
        all
    }
}
