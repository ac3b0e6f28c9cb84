//! One run: all briefs handed in through the gateway, and waited for.
//!
//! The first one goes by the command line, as a person would send it; the others by a client of our own that
//! counts every event.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chorus_bench::stage::briefs::Work;
use chorus_bench::stage::client::{Client, Errand, Heard};
use chorus_bench::stage::house::House;
use chorus_bench::stage::rows::Files;
use chorus_bench::time::{stopwatch, until};

use crate::census::{self, Census};

/// How long all projects of a run may take together.
const ALL: Duration = Duration::from_secs(300);
/// How long clients may take to hear of the end after it stands in the rows.
const TOLD: Duration = Duration::from_secs(20);
/// How long the command line may take to hand its project in.
const TAKEN: Duration = Duration::from_secs(60);

/// Projects of one run.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    /// Ids by the names of their briefs.
    pub(crate) projects: BTreeMap<String, String>,
    /// What their clients heard, by id.
    pub(crate) heard: BTreeMap<String, Heard>,
    /// The command line on its way, with the name of its brief.
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

    /// Sends the command line with a work, and waits until its project is there.
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

    /// Hands works in, all at once.
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

    /// Waits until every project is over, however it ended, and every client was told.
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
        // Projects that never end, or whose clients never hear of it, are a finding of the checks, which tell which.
        if let Err(error) = waited {
            println!("{error:#}");
        }
        Ok(())
    }

    /// How many are not over; none while the database does not answer.
    pub(crate) async fn unfinished(&self, house: &House) -> Option<usize> {
        let projects = house.rows.projects().await.ok()?;
        let over = |id: &String| {
            projects
                .iter()
                .any(|project| project.id == *id && project.over == 1)
        };
        Some(self.projects.values().filter(|id| !over(id)).count())
    }

    /// The deliverables as rows tell, by the names of the briefs.
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

    /// What clients have in their hands: what the gateway serves, and what the command line wrote.
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
