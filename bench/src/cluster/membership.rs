//! Owners of partitions, according to Kafka's group coordinator.

use std::time::Duration;

use anyhow::Context;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

/// Maximum time for the broker to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A member of a group with its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Process id, from the client id `chorus-<pid>-<n>`.
    pub pid: u32,
    /// Partitions as topic and number.
    pub owned: Vec<(String, i32)>,
}

/// Members of a group.
pub fn owners(brokers: &str, group: &str) -> anyhow::Result<Vec<Owner>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .context("a client of Kafka")?;
    let list = consumer
        .fetch_group_list(Some(group), ANSWER)
        .with_context(|| format!("ask for the group {group}"))?;
    let members = list.groups().iter().flat_map(|group| group.members());
    let owner = |member: &rdkafka::groups::GroupMemberInfo| {
        let pid = member.client_id().split('-').nth(1)?.parse().ok()?;
        Some(Owner {
            pid,
            owned: assignment(member.assignment()?)?,
        })
    };
    Ok(members.filter_map(owner).collect())
}

/// Parses an assignment of the classic protocol: a version, then topics with partitions.
fn assignment(bytes: &[u8]) -> Option<Vec<(String, i32)>> {
    let mut rest = bytes.get(2..)?;
    let mut owned = Vec::new();
    for _ in 0..number(&mut rest)? {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (name, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let topic = String::from_utf8_lossy(name).into_owned();
        rest = after;
        for _ in 0..number(&mut rest)? {
            owned.push((topic.clone(), number(&mut rest)?));
        }
    }
    Some(owned)
}

fn number(rest: &mut &[u8]) -> Option<i32> {
    let (bytes, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(i32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_names_topics_and_partitions() {
        let mut bytes = vec![0, 1, 0, 0, 0, 2];
        for (topic, partitions) in [("a.b", vec![3, 7]), ("c", vec![])] {
            bytes.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
            bytes.extend(topic.as_bytes());
            bytes.extend(i32::try_from(partitions.len()).unwrap().to_be_bytes());
            bytes.extend(
                partitions
                    .iter()
                    .flat_map(|partition: &i32| partition.to_be_bytes()),
            );
        }
        bytes.extend([0, 0, 0, 0]);
        assert_eq!(
            assignment(&bytes),
            Some(vec![("a.b".to_owned(), 3), ("a.b".to_owned(), 7)])
        );
        assert_eq!(assignment(&bytes[..9]), None);
    }
}
