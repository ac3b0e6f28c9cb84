//! Names of topics on the brokers: the namespace of the installation, then the name of the design.

use chorus_core::id::Pool;
use chorus_core::port::bus::{Partition, Position, Topic};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::settings::Settings;

/// Names of one installation.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            prefix: settings.named(""),
        }
    }

    /// Name of a topic on the broker.
    pub(super) fn of(&self, topic: &Topic) -> String {
        format!("{}{topic}", self.prefix)
    }

    /// Topic of a name on the broker; none for topics of others.
    pub(super) fn topic(&self, name: &str) -> Option<Topic> {
        topic(name.strip_prefix(&self.prefix)?)
    }

    /// Partition of a name and a number on the broker.
    pub(super) fn partition(&self, name: &str, number: i32) -> Option<Partition> {
        Some(Partition {
            topic: self.topic(name)?,
            number: u32::try_from(number).ok()?,
        })
    }

    /// Partitions of this installation in a list of the broker.
    pub(super) fn partitions(&self, list: &TopicPartitionList) -> Vec<Partition> {
        list.elements()
            .iter()
            .filter_map(|element| self.partition(element.topic(), element.partition()))
            .collect()
    }

    /// Partitions without offsets, as a [`TopicPartitionList`].
    pub(super) fn list<'a>(
        &self,
        partitions: impl IntoIterator<Item = &'a Partition>,
    ) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.of(&partition.topic), wire(partition.number));
        }
        list
    }

    /// Positions, as a [`TopicPartitionList`].
    pub(super) fn places<'a>(
        &self,
        places: impl IntoIterator<Item = &'a Position>,
    ) -> TopicPartitionList {
        let mut list = self.list([]);
        for at in places {
            let offset = Offset::Offset(i64::try_from(at.offset).unwrap_or(i64::MAX));
            list.add_partition_offset(
                &self.of(&at.partition.topic),
                wire(at.partition.number),
                offset,
            )
            .expect("an offset that is not negative is a valid one");
        }
        list
    }
}

/// Partitions of a topic in order of number.
pub(super) fn partitions(topic: &Topic) -> impl Iterator<Item = Partition> + use<> {
    let topic = topic.clone();
    (0..topic.partitions()).map(move |number| Partition {
        topic: topic.clone(),
        number,
    })
}

/// Number of a partition in the signed form of the protocol.
pub(super) fn wire(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Topic of a name of the design, without namespace.
pub(super) fn topic(name: &str) -> Option<Topic> {
    let fixed = [
        Topic::ProjectCmd,
        Topic::TaskReady,
        Topic::TaskDone,
        Topic::Event,
        Topic::Usage,
        Topic::Control,
        Topic::Dlq,
    ];
    let pool = || {
        name.strip_prefix("chorus.task.dispatch.")?
            .strip_suffix(".v1")
            .filter(|pool| !pool.is_empty())
    };
    fixed
        .into_iter()
        .find(|topic| topic.to_string() == name)
        .or_else(|| pool().map(|pool| Topic::TaskDispatch(Pool::new(pool))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(namespace: &str) {
        let names = Names::new(&Settings {
            namespace: namespace.to_owned(),
            ..Settings::new("host:9092")
        });
        let all = [
            Topic::ProjectCmd,
            Topic::TaskReady,
            Topic::TaskDispatch(Pool::new("gpt.v1")),
            Topic::Dlq,
        ];
        for topic in all {
            assert_eq!(names.topic(&names.of(&topic)), Some(topic));
        }
        for stranger in [
            "",
            "other",
            "chorus.task.dispatch..v1",
            "chorus.task.ready.v2",
        ] {
            assert_eq!(names.topic(&format!("{}{stranger}", names.prefix)), None);
        }
    }

    #[test]
    fn a_topic_is_found_by_the_name_it_was_given() {
        check("");
        check("staging");
    }

    #[test]
    fn a_namespace_keeps_installations_apart() {
        let names = Names::new(&Settings {
            namespace: "staging".to_owned(),
            ..Settings::new("host:9092")
        });
        assert_eq!(names.of(&Topic::Dlq), "staging.chorus.dlq.v1");
        assert_eq!(names.topic("chorus.dlq.v1"), None);
    }
}
