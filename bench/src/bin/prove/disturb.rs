//! Applies the disturbances of [`crate::order`], each at a moment with work in progress.

use std::time::Duration;

use anyhow::Context;
use chorus_bench::stage::fleet::Role;
use chorus_bench::stage::house::House;
use chorus_bench::stage::membership::owners;
use chorus_bench::stage::process::Process;
use chorus_bench::stage::services::{Server, Services};
use chorus_bench::stage::witness::Witness;
use chorus_bench::time::{pause, stopwatch, until};
use chorus_core::port::bus::{Topic, partition_of};

use crate::order::{Disturbance, Step};
use crate::story::Story;

/// Maximum wait for work to disturb, and for progress afterwards.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time for which Kafka is stopped.
const KAFKA_AWAY: Duration = Duration::from_secs(20);
/// Consumer group of the orchestrators.
const ORCHESTRATORS: &str = "orchestrator";
/// Minimum age of a call whose worker is killed, in milliseconds, so that the call has reached the
/// provider.
const HELD_MS: i64 = 150;

/// Cluster and servers that are disturbed, with the list of disturbances applied.
pub(crate) struct Disturber<'a> {
    pub(crate) house: &'a mut House,
    pub(crate) services: &'a Services,
    pub(crate) witness: &'a mut Witness,
    pub(crate) story: &'a Story,
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
                self.strike(at, step.away, "which holds an open call").await
            }
            Disturbance::Owner => {
                let at = self.owner().await?;
                self.strike(
                    at,
                    step.away,
                    "which owns the project in which something happened last",
                )
                .await
            }
            Disturbance::Leader => {
                let (at, term) = self.leader().await?;
                self.strike(at, step.away, &format!("which leads in term {term}"))
                    .await
            }
            Disturbance::Gateway => {
                let at = self.house.fleet.with_role(Role::Gateway)[0];
                self.strike(at, step.away, "which clients listen to").await
            }
            Disturbance::Kafka => {
                self.services.stop(Server::Kafka)?;
                self.story.tell("Kafka is stopped");
                pause(KAFKA_AWAY).await;
                self.services.start(Server::Kafka)?;
                self.story.tell("Kafka is back");
                Ok(())
            }
            Disturbance::Postgres => {
                self.services.kill(Server::Postgres)?;
                self.story.tell("PostgreSQL is killed");
                pause(step.away).await;
                self.services.start(Server::Postgres)?;
                self.story.tell("PostgreSQL is back");
                Ok(())
            }
            Disturbance::Redis => {
                self.services.flush_redis().await?;
                self.story.tell("Redis is flushed");
                Ok(())
            }
            Disturbance::Topics => self.topics(step.away).await,
        }
    }

    /// Kills a process and restarts it after `away`.
    async fn strike(&mut self, at: usize, away: Duration, who: &str) -> anyhow::Result<()> {
        let fleet = &mut self.house.fleet;
        self.story
            .tell(&format!("{} is killed, {who}", fleet.name(at)));
        fleet.kill(at);
        pause(away).await;
        fleet.again(at)?;
        self.story
            .tell(&format!("{} is started again", self.house.fleet.name(at)));
        Ok(())
    }

    async fn topics(&mut self, away: Duration) -> anyhow::Result<()> {
        // Dispatchers are paused for a moment, so that the observer has read everything: records
        // published afterwards meet topics that are gone.
        let dispatchers = self.house.fleet.with_role(Role::Dispatcher);
        let all = |act: fn(&Process) -> anyhow::Result<()>| {
            dispatchers
                .iter()
                .try_for_each(|at| act(&self.house.fleet.members[*at].process))
        };
        all(Process::freeze)?;
        let caught_up = self.witness.catch_up().await;
        let topics = self.witness.delete_topics().await;
        all(Process::thaw)?;
        caught_up?;
        self.story
            .tell(&format!("all {} topics are deleted", topics?.len()));
        pause(away).await;
        let ground = &self.house.ground;
        until(
            "`chorus migrate` has made the topics again",
            PATIENCE,
            async || Ok(ground.command(&["migrate"]).ok()),
        )
        .await?;
        self.witness.read_from_the_beginning()?;
        self.story.tell("the topics are made again");
        Ok(())
    }

    /// Waits for a worker with an open call.
    async fn holder(&self) -> anyhow::Result<usize> {
        let house = &self.house;
        until("a worker holds an open call", PATIENCE, async || {
            let holders = house.rows.holders(HELD_MS).await.unwrap_or_default();
            let boots = holders.iter().filter_map(|holder| holder.split('.').next());
            Ok(boots
                .filter_map(|boot| house.fleet.that_said(boot))
                .find(|at| alive(house, *at)))
        })
        .await
    }

    /// Waits for the orchestrator that owns the most recently active project, according to Kafka.
    async fn owner(&self) -> anyhow::Result<usize> {
        let (house, kafka) = (&self.house, &self.services.kafka);
        until(
            "an orchestrator owns a project under way",
            PATIENCE,
            async || {
                let Ok(Some(project)) = house.rows.liveliest().await else {
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
                Ok(owner.and_then(|owner| house.fleet.with_pid(owner.pid)))
            },
        )
        .await
    }

    /// Waits for a leading dispatcher; returns it with its term.
    async fn leader(&self) -> anyhow::Result<(usize, i64)> {
        let house = &self.house;
        until("a dispatcher leads", PATIENCE, async || {
            let leader = house.rows.leader("dispatcher").await.ok().flatten();
            Ok(leader.and_then(|leader| {
                Some((
                    house
                        .fleet
                        .that_said(&leader.boot)
                        .filter(|at| alive(house, *at))?,
                    leader.term,
                ))
            }))
        })
        .await
    }

    /// Waits until another delivery is claimed, unless all projects have ended.
    async fn flow_again(&self) -> anyhow::Result<()> {
        let (rows, took) = (&self.house.rows, stopwatch());
        let before = until("the database answers", PATIENCE, async || {
            Ok(rows.claimed().await.ok())
        })
        .await?;
        let moved = until("a task is claimed again", PATIENCE, async || {
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
            self.story
                .tell(&format!("tasks flow {:.1} s later", took()));
        } else {
            self.story.tell("nothing is left to do");
        }
        Ok(())
    }
}

fn alive(house: &House, at: usize) -> bool {
    house.fleet.members[at].process.pid().is_some()
}
