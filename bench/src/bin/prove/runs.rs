//! One run: submits all briefs through the gateway and waits for their end.
//!
//! The first brief is submitted by the command line, as a person would do; the others by a
//! [`Client`] that counts every event.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chorus_bench::stage::briefs::Work;
use chorus_bench::stage::client::{Client, Errand, Heard};
use chorus_bench::stage::house::House;
use chorus_bench::stage::rows::Files;
use chorus_bench::time::{stopwatch, until};

use crate::census::{self, Census};

/// Maximum time for all projects of a run together.
const ALL: Duration = Duration::from_secs(300);
/// Maximum time for clients to receive the end after it was committed.
const TOLD: Duration = Duration::from_secs(20);
/// Maximum time for the command line to submit its project.
const TAKEN: Duration = Duration::from_secs(60);

/// Projects of one run with their clients.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    /// Project ids by brief name.
    pub(crate) projects: BTreeMap<String, String>,
    /// Events that clients received, by project id.
    pub(crate) heard: BTreeMap<String, Heard>,
    /// The running command line, with the name of its brief.
    pub(crate) errand: Option<(String, Errand)>,
    pub(crate) seconds: f64,
    took: Box<dyn Fn() -> f64 + Send>,
}

impl Run {
    pub(crate) fn new(name: &'static str) -> Self {
        let (projects, heard) = (BTreeMap::new(), BTreeMap::new());
        Self {
            name,
            projects,
            heard,
            errand: None,
            seconds: 0.0,
            took: Box::new(stopwatch()),
        }
    }

    /// Starts the command line with a submission and waits until its project exists.
    pub(crate) async fn send(
        &mut self,
        house: &House,
        client: &Client,
        work: &Work,
    ) -> anyhow::Result<()> {
        let ids = async || {
            anyhow::Ok(
                house
                    .rows
                    .projects()
                    .await?
                    .into_iter()
                    .map(|project| project.id)
                    .collect::<BTreeSet<_>>(),
            )
        };
        let before = ids().await?;
        let errand = client.errand(&house.ground, work, &format!("errand-{}", self.name))?;
        let id = until("the command line's project is taken", TAKEN, async || {
            Ok(ids().await?.difference(&before).next().cloned())
        })
        .await?;
        self.projects.insert(work.name.clone(), id);
        self.errand = Some((work.name.clone(), errand));
        Ok(())
    }

    /// Submits all works at once.
    pub(crate) async fn hand_in(&mut self, client: &Client, works: &[Work]) -> anyhow::Result<()> {
        let run = self.name;
        let handed_in = works.iter().map(async |work| {
            let id = client
                .hand_in(work, &format!("{run}/{}", work.name))
                .await?;
            let heard = client.listen(&id);
            anyhow::Ok((work.name.clone(), id, heard))
        });
        for (name, id, heard) in futures_util::future::try_join_all(handed_in).await? {
            self.heard.insert(id.clone(), heard);
            self.projects.insert(name, id);
        }
        Ok(())
    }

    /// Waits until every project has ended, in any state, and every client has received the end.
    pub(crate) async fn over(&mut self, house: &House) -> anyhow::Result<()> {
        let waited = until("every project is over", ALL, async || {
            Ok((self.unfinished(house).await == Some(0)).then_some(()))
        })
        .await;
        self.seconds = (self.took)();
        let told = async || Ok(self.heard.values().all(Heard::ended).then_some(()));
        let waited = match waited {
            Ok(()) => until("every client hears the end", TOLD, told).await,
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
    pub(crate) async fn unfinished(&self, house: &House) -> Option<usize> {
        let projects = house.rows.projects().await.ok()?;
        let over = |id: &String| {
            projects
                .iter()
                .any(|project| project.id == *id && project.over == 1)
        };
        Some(self.projects.values().filter(|id| !over(id)).count())
    }

    /// Deliverables according to the rows, by brief name.
    pub(crate) async fn files(
        &self,
        house: &House,
        census: &Census,
    ) -> anyhow::Result<BTreeMap<String, Files>> {
        let mut all = BTreeMap::new();
        for (name, id) in &self.projects {
            all.insert(
                name.clone(),
                census::files(house, census.project(id)?).await?,
            );
        }
        Ok(all)
    }

    /// Files that clients received from the gateway and from the command line.
    pub(crate) async fn in_hand(
        &mut self,
        client: &Client,
        expected: &BTreeMap<String, Files>,
    ) -> BTreeMap<String, anyhow::Result<Files>> {
        let mut all = BTreeMap::new();
        for (name, id) in &self.projects {
            all.insert(name.clone(), client.files(id).await);
        }
        if let Some((name, errand)) = &mut self.errand {
            let brought = errand
                .brought(expected.get(name).unwrap_or(&Files::new()))
                .await;
            all.insert(format!("{name} by the command line"), brought);
        }
        all
    }
}
