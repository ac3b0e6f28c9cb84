//! The three runs of the proof and the checks after them.

use std::collections::BTreeMap;

use chorus_bench::stage::briefs::{self, Work};
use chorus_bench::stage::client::Client;
use chorus_bench::stage::fleet::Role;
use chorus_bench::stage::house::{House, Place};
use chorus_bench::stage::providers::Temper;
use chorus_bench::stage::rows::Files;
use chorus_bench::stage::services::Services;
use chorus_bench::stage::settings::Settings;
use chorus_bench::stage::witness::Witness;

use crate::census::Census;
use crate::check::{self, Check};
use crate::disturb::Disturber;
use crate::order;
use crate::points::{self, POINTS};
use crate::runs::Run;
use crate::story::Story;

/// Parameters of the proof.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) briefs: u32,
    pub(crate) disturb: bool,
    pub(crate) points: bool,
    /// Names of the disturbances to apply; empty for all.
    pub(crate) only: Vec<String>,
}

/// Processes of the cluster.
const PEOPLE: [Role; 9] = [
    Role::Gateway,
    Role::Orchestrator,
    Role::Orchestrator,
    Role::Dispatcher,
    Role::Dispatcher,
    Role::Worker("deepseek"),
    Role::Worker("deepseek"),
    Role::Worker("claude"),
    Role::Worker("claude"),
];

/// Number of workers among [`PROCESSES`].
const WORKERS: usize = 4;

const SETTINGS: fn() -> Settings = || Settings {
    database: "prove".to_owned(),
    namespace: String::new(),
    bus: "kafka",
    limits: "redis",
    slots: 16,
    models: &["deepseek/deepseek-v4-pro", "anthropic/claude-sonnet-5"],
    log: "info",
};

/// Servers, cluster, clients and results of the proof.
struct Scene {
    house: House,
    services: Services,
    witness: Witness,
    client: Client,
    story: Story,
    works: Vec<Work>,
    checks: Vec<Check>,
    runs: Vec<Run>,
}

/// Starts the cluster, makes the runs and checks; returns true if every check passed.
pub(crate) async fn prove(place: &Place, plan: Plan) -> anyhow::Result<bool> {
    let mut scene = Scene::set(place, &plan).await?;
    scene.calm().await?;
    let census = Census::take(&scene.house, &scene.witness).await?;
    scene
        .checks
        .push(check::shares(&census, &scene.runs[0], WORKERS));
    let undisturbed = scene.runs[0].files(&scene.house, &census).await?;
    if plan.disturb {
        scene.disturbed(&plan).await?;
    }
    if plan.points {
        scene.points(plan.seed).await?;
    }
    scene.judge(&undisturbed).await
}

impl Scene {
    async fn set(place: &Place, plan: &Plan) -> anyhow::Result<Self> {
        let story = Story::begin();
        let services = Services::up(place.services())?;
        story.tell("PostgreSQL, Redis and Kafka are up");
        let settings = SETTINGS();
        let mut house = House::found(place, &services, &settings, Temper::Real).await?;
        let witness = Witness::attach(&services.kafka)?;
        house.people(&PEOPLE).await?;
        story.tell(&format!(
            "{} processes are ready",
            house.fleet.members.len()
        ));
        let client = house.client()?;
        let mut works = vec![briefs::long_document(&place.root)?];
        works.extend(briefs::surveys(plan.seed, plan.briefs));
        Ok(Self {
            house,
            services,
            witness,
            client,
            story,
            works,
            checks: Vec::new(),
            runs: Vec::new(),
        })
    }

    async fn calm(&mut self) -> anyhow::Result<()> {
        let mut run = Run::new("undisturbed");
        run.send(&self.house, &self.client, &self.works[0]).await?;
        run.hand_in(&self.client, &self.works[1..]).await?;
        self.story.tell(&format!(
            "{} briefs are handed in, nothing is disturbed",
            self.works.len()
        ));
        run.over(&self.house).await?;
        self.story
            .tell(&format!("the undisturbed run took {:.0} s", run.seconds));
        self.runs.push(run);
        Ok(())
    }

    async fn disturbed(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let mut steps = order::steps(plan.seed);
        steps
            .retain(|step| plan.only.is_empty() || plan.only.contains(&format!("{:?}", step.what)));
        let mut run = Run::new("disturbed");
        run.send(&self.house, &self.client, &self.works[0]).await?;
        run.hand_in(&self.client, &self.works[1..]).await?;
        self.story.tell(&format!(
            "the same briefs are handed in; {} disturbances follow, seed {}",
            steps.len(),
            plan.seed
        ));
        let Self {
            house,
            services,
            witness,
            story,
            ..
        } = self;
        let mut disturber = Disturber {
            house,
            services,
            witness,
            story,
            happened: Vec::new(),
        };
        disturber.run(&steps).await?;
        let happened = disturber.happened.len();
        let unfinished = run.unfinished(&self.house).await.unwrap_or(0);
        let late = if unfinished == 0 {
            vec!["no project was under way any more at the last disturbance".to_owned()]
        } else {
            Vec::new()
        };
        let saw =
            format!("{happened} disturbances, {unfinished} projects under way after the last");
        self.checks.push(Check::new(
            "every disturbance met work under way",
            saw,
            late,
        ));
        run.over(&self.house).await?;
        self.story
            .tell(&format!("the disturbed run took {:.0} s", run.seconds));
        self.runs.push(run);
        Ok(())
    }

    async fn points(&mut self, seed: u64) -> anyhow::Result<()> {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut run = Run::new("fail points'");
        let portion = self.works.len().div_ceil(POINTS.len());
        let mut portions = self.works.chunks(portion);
        for point in POINTS {
            run.hand_in(&self.client, portions.next().unwrap_or_default())
                .await?;
            points::hit(&mut self.house, &self.story, point, &mut chance).await?;
        }
        run.over(&self.house).await?;
        self.story.tell(&format!(
            "the run with the fail points took {:.0} s",
            run.seconds
        ));
        self.checks.push(Check::new(
            "every point at which a task changes hands was hit by name",
            POINTS.map(|(point, _)| point).join(", "),
            Vec::new(),
        ));
        self.runs.push(run);
        Ok(())
    }

    /// Reads the final state, checks it, and stops the processes in order.
    async fn judge(mut self, undisturbed: &BTreeMap<String, Files>) -> anyhow::Result<bool> {
        let census = Census::take(&self.house, &self.witness).await?;
        census.keep(&self.house.ground.folder)?;
        let (books, tasks) = (
            check::books(&census.journal, &census.deliveries),
            check::tasks(&census)?,
        );
        let mut checks = std::mem::take(&mut self.checks);
        for run in &self.runs {
            checks.push(check::done(&census, run));
            checks.push(check::heard(&census, run));
        }
        for (at, run) in self.runs.iter_mut().enumerate() {
            let files = run.files(&self.house, &census).await?;
            if at > 0 {
                checks.push(check::equal(run.name, undisturbed, &files));
            }
            checks.push(check::received(
                run.name,
                &files,
                &run.in_hand(&self.client, &files).await,
            ));
        }
        let ended = self.house.fleet.ended()?;
        checks.extend([
            tasks.check,
            books.check,
            check::limits(&census.counts, &census.journal),
            check::carried(&census),
            check::resolved(&census),
        ]);
        checks.push(Check::new(
            "no process ended by itself",
            format!("{} processes run", PEOPLE.len() - ended.len()),
            ended,
        ));
        let drained = self.house.fleet.drain().await?;
        checks.push(Check::new(
            "SIGTERM ends every process in order",
            format!("{} processes", PEOPLE.len()),
            drained,
        ));
        self.services.down()?;
        self.story.tell("what was found:");
        let holds = checks.iter().filter(|check| !check.tell()).count() == 0;
        println!("took {:.0} s", self.story.seconds());
        println!(
            "{} tasks, {} lost, {} doubled, {} calls wasted",
            tasks.all,
            tasks.lost,
            tasks.doubled + books.doubled,
            books.wasted
        );
        Ok(holds)
    }
}
