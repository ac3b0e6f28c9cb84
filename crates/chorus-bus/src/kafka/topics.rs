//! Topics and groups on the brokers: creation, offsets, lag, and reachability.
//!
//! A question waits up to [`Settings::answer_timeout`], a creation or deletion up to a minute. librdkafka's calls
//! block, so they run on the runtime's blocking threads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chorus_core::id::Pool;
use chorus_core::port::bus::{BusError, Partition, Position, Topic};
use chorus_core::time::Millis;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client_logger::ClientLogger;
use super::names::{Names, partitions, wire};
use super::settings::Settings;
use super::{failed, next_number};

const HOUR: u64 = 3_600_000;

/// Longest time to create or delete topics; only an operator waits for it.
const ADMIN_TIMEOUT: Millis = Millis::from_secs(60);
/// Time between two checks that a creation or deletion took effect.
const SETTLE_POLL: Millis = Millis(50);

/// Client for topics and groups of one installation; [`super::Kafka::topics`] returns it.
pub struct Topics {
    settings: Settings,
    names: Names,
    admin: AdminClient<ClientLogger>,
    client: Arc<BaseConsumer<ClientLogger>>,
    /// Clients by group, which read its offsets and never join it.
    groups: Mutex<BTreeMap<String, Arc<BaseConsumer<ClientLogger>>>>,
}

/// A topic that is missing or has another number of partitions than the design.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Topic of the design.
    pub topic: Topic,
    /// Name on the broker, with the namespace.
    pub name: String,
    /// Partitions on the broker; 0 when the topic does not exist.
    pub partitions: u32,
}

/// Distance of a group from the end of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// Topic that the group reads.
    pub topic: Topic,
    /// Records that the group has not acknowledged, over all partitions.
    pub records: u64,
}

impl Topics {
    /// Creates a client of these brokers; no connection is made yet.
    pub fn new(settings: Settings) -> Result<Self, BusError> {
        settings.check()?;
        let connection = settings.connection(next_number());
        let admin = connection
            .create_with_context(ClientLogger)
            .map_err(|problem| failed("make an admin client", &problem))?;
        let client = settings
            .connection(next_number())
            .create_with_context(ClientLogger);
        let client = Arc::new(client.map_err(|problem| failed("make a client", &problem))?);
        Ok(Self {
            names: Names::new(&settings),
            admin,
            client,
            groups: Mutex::default(),
            settings,
        })
    }

    /// Succeeds when a broker answers.
    pub async fn ping(&self) -> Result<(), BusError> {
        let name = self.names.of(&Topic::Control);
        self.ask("reach a broker", &self.client, move |client, within| {
            client.fetch_metadata(Some(&name), within).map(drop)
        })
        .await
    }

    /// Creates the missing topics of an installation with these pools and returns them; existing ones are not changed.
    pub async fn create(&self, pools: &[Pool]) -> Result<Vec<Topic>, BusError> {
        let missing: Vec<Missing> = self
            .missing(pools)
            .await?
            .into_iter()
            .filter(|missing| missing.partitions == 0)
            .collect();
        let replication = i32::from(self.settings.replication);
        let kept: Vec<_> = missing
            .iter()
            .map(|missing| retention(&missing.topic))
            .collect();
        let new = missing.iter().zip(&kept).map(|(missing, kept)| {
            let topic = NewTopic::new(
                &missing.name,
                wire(missing.topic.partitions()),
                TopicReplication::Fixed(replication),
            );
            kept.iter()
                .fold(topic, |topic, (key, value)| topic.set(key, value))
        });
        let new: Vec<NewTopic<'_>> = new.collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let made = self
            .admin
            .create_topics(&new, &options())
            .await
            .map_err(|problem| failed("create topics", &problem))?;
        for (name, code) in made.into_iter().filter_map(Result::err) {
            if code != RDKafkaErrorCode::TopicAlreadyExists {
                return Err(BusError::new(format!(
                    "failed to create topic {name}: {code}"
                )));
            }
        }
        let made: Vec<Topic> = missing.into_iter().map(|missing| missing.topic).collect();
        // A broker lists a topic a moment before it serves it.
        let places: Vec<Partition> = made.iter().flat_map(partitions).collect();
        self.settle(async || {
            Ok(self.missing(pools).await?.is_empty() && self.ends(places.clone()).await.is_ok())
        })
        .await?;
        Ok(made)
    }

    /// Deletes all topics of an installation with these pools; the rows send again what is still needed.
    pub async fn delete(&self, pools: &[Pool]) -> Result<(), BusError> {
        let names: Vec<String> = all(pools)
            .iter()
            .map(|topic| self.names.of(topic))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let gone = self
            .admin
            .delete_topics(&names, &options())
            .await
            .map_err(|problem| failed("delete topics", &problem))?;
        for (name, code) in gone.into_iter().filter_map(Result::err) {
            if code != RDKafkaErrorCode::UnknownTopicOrPartition {
                return Err(BusError::new(format!(
                    "failed to delete topic {name}: {code}"
                )));
            }
        }
        let count = names.len();
        self.settle(async || Ok(self.missing(pools).await?.len() == count))
            .await
    }

    /// Topics of an installation with these pools that do not exist or have another number of partitions.
    pub async fn missing(&self, pools: &[Pool]) -> Result<Vec<Missing>, BusError> {
        let found = self
            .ask("list topics", &self.client, |client, within| {
                let metadata = client.fetch_metadata(None, within)?;
                let topics = metadata
                    .topics()
                    .iter()
                    .filter(|topic| topic.error().is_none());
                Ok(topics
                    .map(|topic| (topic.name().to_owned(), topic.partitions().len()))
                    .collect::<BTreeMap<_, _>>())
            })
            .await?;
        let found = all(pools).into_iter().map(|topic| {
            let name = self.names.of(&topic);
            let partitions = found
                .get(&name)
                .map_or(0, |count| u32::try_from(*count).unwrap_or(u32::MAX));
            Missing {
                topic,
                name,
                partitions,
            }
        });
        Ok(found
            .filter(|missing| missing.partitions != missing.topic.partitions())
            .collect())
    }

    /// Lag of a group on each of these topics.
    pub async fn lag(&self, group: &str, topics: &[Topic]) -> Result<Vec<Lag>, BusError> {
        let list: Vec<Partition> = topics.iter().flat_map(partitions).collect();
        let committed = self.names.list(&list);
        let client = self.group(&self.settings.named(group))?;
        let committed = self
            .ask("read a group's offsets", &client, move |client, within| {
                client.committed_offsets(committed, within)
            })
            .await?;
        let mut lags: BTreeMap<Topic, u64> =
            topics.iter().map(|topic| (topic.clone(), 0)).collect();
        let begins = self.offsets(list.clone(), Offset::Beginning).await?;
        for (end, begin) in self
            .offsets(list, Offset::End)
            .await?
            .into_iter()
            .zip(begins)
        {
            let number = wire(end.partition.number);
            let done = match committed
                .find_partition(&self.names.of(&end.partition.topic), number)
                .map(|found| found.offset())
            {
                Some(Offset::Offset(offset)) => u64::try_from(offset).unwrap_or(0),
                _ => 0,
            };
            // An offset past the end belongs to a deleted topic of the same name.
            let done = if done > end.offset { 0 } else { done };
            *lags.entry(end.partition.topic).or_default() +=
                end.offset - done.max(begin.offset).min(end.offset);
        }
        Ok(lags
            .into_iter()
            .map(|(topic, records)| Lag { topic, records })
            .collect())
    }

    /// Number of members of a group. A killed member counts until its session times out.
    pub async fn members(&self, group: &str) -> Result<usize, BusError> {
        let group = self.settings.named(group);
        self.ask(
            "read a group's members",
            &self.client,
            move |client, within| {
                let found = client.fetch_group_list(Some(&group), within)?;
                Ok(found
                    .groups()
                    .iter()
                    .map(|group| group.members().len())
                    .sum())
            },
        )
        .await
    }

    /// End offset of each partition: the offset of its next record.
    pub(super) async fn ends(&self, partitions: Vec<Partition>) -> Result<Vec<Position>, BusError> {
        self.offsets(partitions, Offset::End).await
    }

    async fn offsets(
        &self,
        partitions: Vec<Partition>,
        which: Offset,
    ) -> Result<Vec<Position>, BusError> {
        let names = self.names.clone();
        self.ask(
            "find the ends of topics",
            &self.client,
            move |client, within| {
                let mut wanted = names.list(&partitions);
                wanted.set_all_offsets(which)?;
                let found: TopicPartitionList = client.offsets_for_times(wanted, within)?;
                let places = found.elements().into_iter().map(|element| {
                    element.error()?;
                    let offset = match element.offset() {
                        Offset::Offset(offset) => u64::try_from(offset).unwrap_or(0),
                        _ => 0,
                    };
                    Ok(names
                        .partition(element.topic(), element.partition())
                        .map(|partition| Position { partition, offset }))
                });
                places.filter_map(Result::transpose).collect()
            },
        )
        .await
    }

    /// Waits until a creation or deletion took effect on the brokers.
    async fn settle<F: Future<Output = Result<bool, BusError>> + Send>(
        &self,
        agreed: impl Fn() -> F + Send,
    ) -> Result<(), BusError> {
        for _ in 0..ADMIN_TIMEOUT.0 / SETTLE_POLL.0 {
            if agreed().await? {
                return Ok(());
            }
            self.ask("wait for topics", &self.client, |client, _| {
                Ok(client.poll(Duration::from_millis(SETTLE_POLL.0)).map(drop))
            })
            .await?;
        }
        Err(BusError::new(
            "the brokers did not agree on the topics in time",
        ))
    }

    /// Runs a blocking call on a blocking thread.
    async fn ask<T: Send + 'static>(
        &self,
        what: &'static str,
        client: &Arc<BaseConsumer<ClientLogger>>,
        question: impl FnOnce(&BaseConsumer<ClientLogger>, Duration) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, BusError> {
        let (client, within) = (
            client.clone(),
            Duration::from_millis(self.settings.answer_timeout.0),
        );
        let answer = tokio::task::spawn_blocking(move || {
            // Events are logged by the context; unpolled they would pile up.
            while client.poll(Duration::ZERO).is_some() {}
            question(&client, within)
        });
        let answer = answer.await.map_err(|problem| {
            BusError::new(format!("failed to {what}: {problem}")).caused_by(problem)
        })?;
        answer.map_err(|problem| failed(what, &problem))
    }

    fn group(&self, group: &str) -> Result<Arc<BaseConsumer<ClientLogger>>, BusError> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = groups.get(group) {
            return Ok(client.clone());
        }
        let mut config = self.settings.connection(next_number());
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false");
        let client = Arc::new(
            config
                .create_with_context(ClientLogger)
                .map_err(|problem| failed("make a client", &problem))?,
        );
        groups.insert(group.to_owned(), Arc::clone(&client));
        Ok(client)
    }
}

fn options() -> AdminOptions {
    let within = Duration::from_millis(ADMIN_TIMEOUT.0);
    AdminOptions::new()
        .operation_timeout(Some(within))
        .request_timeout(Some(within))
}

/// All topics of an installation with these pools.
fn all(pools: &[Pool]) -> Vec<Topic> {
    let fixed = [
        Topic::ProjectCmd,
        Topic::TaskReady,
        Topic::TaskDone,
        Topic::Event,
        Topic::Usage,
        Topic::Control,
        Topic::Dlq,
    ];
    fixed
        .into_iter()
        .chain(pools.iter().cloned().map(Topic::TaskDispatch))
        .collect()
}

/// Retention of a topic's records on the brokers. Rows are kept independently, as long as their project lives.
fn retention(topic: &Topic) -> Vec<(&'static str, String)> {
    let hours = match topic {
        // The newest record of each key.
        Topic::Control => return vec![("cleanup.policy", "compact".to_owned())],
        Topic::TaskReady | Topic::TaskDispatch(_) | Topic::Event => 24,
        Topic::ProjectCmd | Topic::TaskDone => 7 * 24,
        Topic::Usage | Topic::Dlq => 30 * 24,
    };
    vec![
        ("cleanup.policy", "delete".to_owned()),
        ("retention.ms", (hours * HOUR).to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pool_has_a_topic_of_dispatches() {
        let topics = all(&[Pool::new("claude"), Pool::new("qwen")]);
        let names: Vec<String> = topics.iter().map(ToString::to_string).collect();
        for pool in ["claude", "qwen"] {
            assert!(
                names.contains(&format!("chorus.task.dispatch.{pool}.v1")),
                "{names:?}"
            );
        }
        assert_eq!(names.len(), 9);
    }
}
