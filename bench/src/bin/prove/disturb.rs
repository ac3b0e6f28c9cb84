//! Applies the disturbances of [`crate::order`], each at a moment with work in progress.

use std::time::Duration;

use anyhow::Context;
use chorus_bench::cluster::fleet::Role;
use chorus_bench::cluster::installation::Cluster;
use chorus_bench::cluster::membership::owners;
use chorus_bench::cluster::observer::BusObserver;
use chorus_bench::cluster::process::Process;
use chorus_bench::cluster::services::{Server, Services};
use chorus_bench::time::{pause, stopwatch, until};
use chorus_core::port::bus::{Topic, partition_of};

use crate::order::{Disturbance, Step};
use crate::progress::Progress;

/// Maximum wait for work to disturb, and for progress afterwards.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Time for which Kafka is stopped.
const KAFKA_AWAY: Duration = Duration::from_secs(20);
/// Consumer group of the orchestrators.
const ORCHESTRATORS: &str = "orchestrator";
/// Minimum age of the call of a worker to kill, in milliseconds, so that the call has reached the
/// provider.
const HELD_MS: i64 = 150;

/// Cluster and servers that are disturbed, with the list of disturbances applied.
pub(crate) struct Disturber<'a> {
    pub(crate) cluster: &'a mut Cluster,
    pub(crate) services: &'a Services,
    pub(crate) observer: &'a mut BusObserver,
    pub(crate) progress: &'a Progress,
    pub(crate) happened: Vec<Disturbance>,
}

impl Disturber<'_> {
    /// Applies the steps in order; waits after each until a task is claimed again.
    pub(crate) async fn run(&mut self, steps: &[Step]) -> anyhow::Result<()> {
        for step in steps {
            pause(step.after).await;
            self.step(step)
                .await
                .with_context(|| format!("{:?}", step.what))?;
            self.happened.push(step.what);
            self.flow_again().await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> anyhow::Result<()> {
        match step.what {
            Disturbance::Worker => {
                let at = self.holder().await?;
                self.kill_for(at, step.away, "which holds an open call")
                    .await
            }
            Disturbance::Owner => {
                let at = self.owner().await?;
                self.kill_for(
                    at,
                    step.away,
                    "which owns the project in which something happened last",
                )
                .await
            }
            Disturbance::Leader => {
                let (at, term) = self.leader().await?;
                self.kill_for(at, step.away, &format!("which leads in term {term}"))
                    .await
            }
            Disturbance::Gateway => {
                let at = self.cluster.fleet.with_role(Role::Gateway)[0];
                self.kill_for(at, step.away, "which clients listen to")
                    .await
            }
            Disturbance::Kafka | Disturbance::Postgres | Disturbance::Redis => {
                self.disturb_server(step).await
            }
            Disturbance::Topics => self.topics(step.away).await,
        }
    }

    /// Stops, kills or flushes a server, and starts it again.
    async fn disturb_server(&self, step: &Step) -> anyhow::Result<()> {
        match step.what {
            Disturbance::Kafka => {
                self.services.stop(Server::Kafka)?;
                self.progress.print("Kafka is stopped");
                pause(KAFKA_AWAY).await;
                self.services.start(Server::Kafka)?;
                self.progress.print("Kafka is back");
            }
            Disturbance::Postgres => {
                self.services.kill(Server::Postgres)?;
                self.progress.print("PostgreSQL is killed");
                pause(step.away).await;
                self.services.start(Server::Postgres)?;
                self.progress.print("PostgreSQL is back");
            }
            _ => {
                self.services.flush_redis().await?;
                self.progress.print("Redis is flushed");
            }
        }
        Ok(())
    }

    /// Kills a process and restarts it after `away`.
    async fn kill_for(&mut self, at: usize, away: Duration, who: &str) -> anyhow::Result<()> {
        let fleet = &mut self.cluster.fleet;
        self.progress
            .print(&format!("{} is killed, {who}", fleet.name(at)));
        fleet.kill(at);
        pause(away).await;
        fleet.restart(at)?;
        self.progress
            .print(&format!("{} is restarted", self.cluster.fleet.name(at)));
        Ok(())
    }

    async fn topics(&mut self, away: Duration) -> anyhow::Result<()> {
        // Dispatchers are paused for a moment, so that the observer has read everything: records
        // published afterwards meet topics that are gone.
        let dispatchers = self.cluster.fleet.with_role(Role::Dispatcher);
        let all = |act: fn(&Process) -> anyhow::Result<()>| {
            dispatchers
                .iter()
                .try_for_each(|at| act(&self.cluster.fleet.members[*at].process))
        };
        all(Process::freeze)?;
        let caught_up = self.observer.catch_up().await;
        let topics = self.observer.delete_topics().await;
        all(Process::thaw)?;
        caught_up?;
        self.progress
            .print(&format!("all {} topics are deleted", topics?.len()));
        pause(away).await;
        let environment = &self.cluster.environment;
        until(
            "`chorus migrate` has created the topics again",
            TIMEOUT,
            async || Ok(environment.command(&["migrate"]).ok()),
        )
        .await?;
        self.observer.read_from_the_beginning()?;
        self.progress.print("the topics are created again");
        Ok(())
    }

    /// Waits for a worker with an open call.
    async fn holder(&self) -> anyhow::Result<usize> {
        let cluster = &self.cluster;
        until("a worker holds an open call", TIMEOUT, async || {
            let holders = cluster.rows.holders(HELD_MS).await.unwrap_or_default();
            let boots = holders.iter().filter_map(|holder| holder.split('.').next());
            Ok(boots
                .filter_map(|boot| cluster.fleet.with_log(boot))
                .find(|at| alive(cluster, *at)))
        })
        .await
    }

    /// Waits for the orchestrator that owns the most recently active project, according to Kafka.
    async fn owner(&self) -> anyhow::Result<usize> {
        let (cluster, kafka) = (&self.cluster, &self.services.kafka);
        until(
            "an orchestrator owns a project under way",
            TIMEOUT,
            async || {
                let Ok(Some(project)) = cluster.rows.liveliest().await else {
                    return Ok(None);
                };
                let partition =
                    i32::try_from(partition_of(&project, Topic::TaskDone.partitions()))?;
                let Ok(owners) = owners(kafka, ORCHESTRATORS) else {
                    return Ok(None);
                };
                let topic = Topic::TaskDone.to_string();
                let owner = owners
                    .iter()
                    .find(|owner| owner.owned.contains(&(topic.clone(), partition)));
                Ok(owner.and_then(|owner| cluster.fleet.with_pid(owner.pid)))
            },
        )
        .await
    }

    /// Waits for a leading dispatcher; returns it with its term.
    async fn leader(&self) -> anyhow::Result<(usize, i64)> {
        let cluster = &self.cluster;
        until("a dispatcher leads", TIMEOUT, async || {
            let leader = cluster.rows.leader("dispatcher").await.ok().flatten();
            Ok(leader.and_then(|leader| {
                Some((
                    cluster
                        .fleet
                        .with_log(&leader.boot)
                        .filter(|at| alive(cluster, *at))?,
                    leader.term,
                ))
            }))
        })
        .await
    }

    /// Waits until another delivery is claimed, unless all projects have ended.
    async fn flow_again(&self) -> anyhow::Result<()> {
        let (rows, took) = (&self.cluster.rows, stopwatch());
        let before = until("the database answers", TIMEOUT, async || {
            Ok(rows.claimed().await.ok())
        })
        .await?;
        let moved = until("a task is claimed again", TIMEOUT, async || {
            let claimed = rows.claimed().await.is_ok_and(|claimed| claimed > before);
            let over = rows
                .projects()
                .await
                .is_ok_and(|projects| projects.iter().all(|project| project.over == 1));
            Ok(if claimed {
                Some(true)
            } else {
                over.then_some(false)
            })
        });
        if moved.await? {
            self.progress
                .print(&format!("tasks flow {:.1} s later", took()));
        } else {
            self.progress.print("nothing is left to do");
        }
        Ok(())
    }
}

fn alive(cluster: &Cluster, at: usize) -> bool {
    cluster.fleet.members[at].process.pid().is_some()
}
