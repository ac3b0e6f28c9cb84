//! The three runs of the proof and the checks after them.

use std::collections::BTreeMap;

use chorus_bench::cluster::briefs::{self, Submission};
use chorus_bench::cluster::client::Client;
use chorus_bench::cluster::fleet::{Member, Role};
use chorus_bench::cluster::installation::{Cluster, Paths};
use chorus_bench::cluster::observer::BusObserver;
use chorus_bench::cluster::providers::ProviderSpeed;
use chorus_bench::cluster::rows::Files;
use chorus_bench::cluster::services::Services;
use chorus_bench::cluster::settings::Settings;

use crate::census::Census;
use crate::check::{self, Check};
use crate::disturb::Disturber;
use crate::order;
use crate::points::{self, POINTS};
use crate::progress::Progress;
use crate::runs::Run;
use crate::stalls::Stalls;

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

/// Roles of the processes in the [`Fleet`](chorus_bench::cluster::fleet::Fleet).
const PROCESSES: [Role; 9] = [
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

/// Servers, [`Cluster`], clients and results of the proof.
struct Proof {
    cluster: Cluster,
    services: Services,
    observer: BusObserver,
    client: Client,
    stalls: Stalls,
    progress: Progress,
    submissions: Vec<Submission>,
    checks: Vec<Check>,
    runs: Vec<Run>,
}

/// Starts the cluster, makes the runs and checks; returns true if every check passed.
pub(crate) async fn prove(paths: &Paths, plan: Plan) -> anyhow::Result<bool> {
    let mut proof = Proof::set(paths, &plan).await?;
    proof.calm().await?;
    let census = Census::take(&proof.cluster, &proof.observer).await?;
    proof
        .checks
        .push(check::shares(&census, &proof.runs[0], WORKERS));
    let undisturbed = proof.runs[0].files(&proof.cluster, &census).await?;
    if plan.disturb {
        proof.disturbed(&plan).await?;
    }
    if plan.points {
        proof.points(plan.seed).await?;
    }
    proof.check_all(&undisturbed).await
}

impl Proof {
    async fn set(paths: &Paths, plan: &Plan) -> anyhow::Result<Self> {
        let progress = Progress::begin();
        let services = Services::up(paths.services())?;
        progress.print("PostgreSQL, Redis and Kafka are up");
        let settings = SETTINGS();
        let mut cluster = Cluster::create(paths, &services, &settings, ProviderSpeed::Real).await?;
        let observer = BusObserver::attach(&services.kafka)?;
        cluster.start_processes(&PROCESSES).await?;
        progress.print(&format!(
            "{} processes are ready",
            cluster.fleet.members.len()
        ));
        let client = cluster.client()?;
        let processes = cluster.fleet.members.iter().map(Member::health_address);
        let stalls = Stalls::watch(
            client.clone(),
            cluster.providers.witness(),
            processes.collect(),
        )?;
        let mut submissions = vec![briefs::long_document(&paths.root)?];
        submissions.extend(briefs::surveys(plan.seed, plan.briefs));
        Ok(Self {
            cluster,
            services,
            observer,
            client,
            stalls,
            progress,
            submissions,
            checks: Vec::new(),
            runs: Vec::new(),
        })
    }

    async fn calm(&mut self) -> anyhow::Result<()> {
        let mut run = Run::new("undisturbed");
        run.send(&self.cluster, &self.client, &self.submissions[0])
            .await?;
        run.submit(&self.client, &self.submissions[1..]).await?;
        self.progress.print(&format!(
            "{} briefs are handed in, nothing is disturbed",
            self.submissions.len()
        ));
        run.wait_for_end(&self.cluster).await?;
        self.progress
            .print(&format!("the undisturbed run took {:.0} s", run.seconds));
        self.runs.push(run);
        Ok(())
    }

    async fn disturbed(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let mut steps = order::steps(plan.seed);
        steps
            .retain(|step| plan.only.is_empty() || plan.only.contains(&format!("{:?}", step.what)));
        self.cluster.import_sick_accounts()?;
        self.progress
            .print("accounts whose calls all fail are imported");
        let mut run = Run::new("disturbed");
        run.send(&self.cluster, &self.client, &self.submissions[0])
            .await?;
        run.submit(&self.client, &self.submissions[1..]).await?;
        self.progress.print(&format!(
            "the same briefs are handed in; {} disturbances follow, seed {}",
            steps.len(),
            plan.seed
        ));
        let Self {
            cluster,
            services,
            observer,
            progress,
            ..
        } = self;
        let mut disturber = Disturber {
            cluster,
            services,
            observer,
            progress,
            happened: Vec::new(),
        };
        disturber.run(&steps).await?;
        let happened = disturber.happened.len();
        let unfinished = run.unfinished(&self.cluster).await.unwrap_or(0);
        let late = if unfinished == 0 {
            vec!["no project was under way any more at the last disturbance".to_owned()]
        } else {
            Vec::new()
        };
        let saw =
            format!("{happened} disturbances, {unfinished} projects under way after the last");
        self.checks.push(Check::new(
            "every disturbance met work in progress",
            saw,
            late,
        ));
        run.wait_for_end(&self.cluster).await?;
        self.progress
            .print(&format!("the disturbed run took {:.0} s", run.seconds));
        self.runs.push(run);
        Ok(())
    }

    async fn points(&mut self, seed: u64) -> anyhow::Result<()> {
        let mut chance = fastrand::Rng::with_seed(seed);
        let mut run = Run::new("fail points'");
        let portion = self.submissions.len().div_ceil(POINTS.len());
        let mut portions = self.submissions.chunks(portion);
        for point in POINTS {
            run.submit(&self.client, portions.next().unwrap_or_default())
                .await?;
            points::hit(&mut self.cluster, &self.progress, point, &mut chance).await?;
        }
        run.wait_for_end(&self.cluster).await?;
        self.progress.print(&format!(
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

    /// Checks each run by its projects, events and files.
    async fn check_runs(
        &mut self,
        census: &Census,
        undisturbed: &BTreeMap<String, Files>,
    ) -> anyhow::Result<Vec<Check>> {
        let mut checks = Vec::new();
        for run in &self.runs {
            checks.push(check::done(census, run));
            checks.push(check::events(census, run));
        }
        for (at, run) in self.runs.iter_mut().enumerate() {
            let files = run.files(&self.cluster, census).await?;
            if at > 0 {
                checks.push(check::equal(run.name, undisturbed, &files));
            }
            checks.push(check::received(
                run.name,
                &files,
                &run.received_files(&self.client, &files).await,
            ));
        }
        Ok(checks)
    }

    /// Reads the final state, checks it, and stops the processes in order.
    async fn check_all(mut self, undisturbed: &BTreeMap<String, Files>) -> anyhow::Result<bool> {
        let census = Census::take(&self.cluster, &self.observer).await?;
        census.keep(&self.cluster.environment.folder)?;
        let (accounting, tasks) = (
            check::accounting(&census.journal, &census.deliveries),
            check::tasks(&census)?,
        );
        let mut checks = std::mem::take(&mut self.checks);
        checks.push(self.stalls.check());
        checks.extend(self.check_runs(&census, undisturbed).await?);
        let ended = self.cluster.fleet.ended()?;
        checks.extend([
            tasks.check,
            accounting.check,
            check::limits(&census.counts, &census.journal),
            check::storms(&census.journal),
            check::dispatched(&census),
            check::resolved(&census),
        ]);
        checks.push(Check::new(
            "no process ended by itself",
            format!("{} processes run", PROCESSES.len() - ended.len()),
            ended,
        ));
        let drained = self.cluster.fleet.drain().await?;
        checks.push(Check::new(
            "SIGTERM ends every process in order",
            format!("{} processes", PROCESSES.len()),
            drained,
        ));
        self.services.down()?;
        self.progress.print("what was found:");
        let holds = checks.iter().filter(|check| !check.print()).count() == 0;
        println!("took {:.0} s", self.progress.seconds());
        println!(
            "{} tasks, {} lost, {} doubled, {} calls wasted",
            tasks.all,
            tasks.lost,
            tasks.doubled + accounting.doubled,
            accounting.wasted
        );
        Ok(holds)
    }
}
