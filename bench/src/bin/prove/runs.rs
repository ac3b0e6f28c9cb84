//! One run: all briefs handed in, and waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use chorus_bench::stage::briefs::Work;
use chorus_bench::stage::client::{Client, Heard};
use chorus_bench::stage::hand_in::Door;
use chorus_bench::stage::house::House;
use chorus_bench::stage::rows::Files;
use chorus_bench::time::{stopwatch, until};

use crate::census::{self, Census};

/// How long all projects of a run may take together.
const ALL: Duration = Duration::from_secs(300);

/// How projects come in.
pub(crate) enum Entrance {
    Rows(Door),
    Gateway(Client),
}

/// Projects of one run.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    /// Ids by the names of their briefs.
    pub(crate) projects: BTreeMap<String, String>,
    /// What their clients heard, by id.
    pub(crate) heard: BTreeMap<String, Heard>,
    pub(crate) seconds: f64,
    took: Box<dyn Fn() -> f64 + Send>,
}

impl Run {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, projects: BTreeMap::new(), heard: BTreeMap::new(), seconds: 0.0, took: Box::new(stopwatch()) }
    }

    /// Hands works in.
    pub(crate) async fn hand_in(&mut self, entrance: &Entrance, works: &[Work]) -> anyhow::Result<()> {
        let run = self.name;
        let handed_in = works.iter().map(async |work| match entrance {
            Entrance::Rows(door) => Ok::<_, anyhow::Error>((work.name.clone(), door.hand_in(work).await?, None)),
            Entrance::Gateway(client) => {
                let id = client.hand_in(work, &format!("{run} {}", work.name)).await?;
                let heard = client.listen(&id);
                Ok((work.name.clone(), id, Some(heard)))
            }
        });
        for (name, id, heard) in futures_util::future::try_join_all(handed_in).await? {
            self.heard.extend(heard.map(|heard| (id.clone(), heard)));
            self.projects.insert(name, id);
        }
        Ok(())
    }

    /// Waits until every project is over, however it ended.
    pub(crate) async fn over(&mut self, house: &House) -> anyhow::Result<()> {
        let waited = until("every project is over", ALL, async || Ok((self.unfinished(house).await == Some(0)).then_some(()))).await;
        self.seconds = (self.took)();
        // Projects that never end are a finding of the checks, which tell which.
        if let Err(error) = waited {
            println!("{error:#}");
        }
        Ok(())
    }

    /// How many are not over; none while the database does not answer.
    pub(crate) async fn unfinished(&self, house: &House) -> Option<usize> {
        let projects = house.rows.projects().await.ok()?;
        let over = |id: &String| projects.iter().any(|project| project.id == *id && project.over == 1);
        Some(self.projects.values().filter(|id| !over(id)).count())
    }

    /// The deliverables, by the names of the briefs.
    pub(crate) async fn files(&self, house: &House, census: &Census) -> anyhow::Result<BTreeMap<String, Files>> {
        let mut all = BTreeMap::new();
        for (name, id) in &self.projects {
            all.insert(name.clone(), census::files(house, census.project(id)?).await?);
        }
        Ok(all)
    }
}
