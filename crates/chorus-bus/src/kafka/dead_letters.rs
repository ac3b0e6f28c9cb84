//! Dead letters: messages that no consumer could read, for an operator to list and to publish again.
//!
//! The topic is append-only: a replayed dead letter stays and a marker with its id follows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chorus_core::id::EventId;
use chorus_core::port::bus::{BusError, Position, Topic};
use chorus_core::time::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::Offset;

use super::client_logger::ClientLogger;
use super::message::{EVENT_ID, ORIGIN_TOPIC, REASON, REPLAYED, Raw};
use super::names::{self, Names};
use super::publisher::Publisher;
use super::settings::Settings;
use super::{failed, next_number};

/// Longest wait of one poll for the next message.
const POLL: Duration = Duration::from_millis(100);

/// Lists and replays the dead letters of one installation.
pub struct DeadLetters {
    settings: Arc<Settings>,
    publisher: Arc<Publisher>,
}

/// One dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Id of the dead letter itself.
    pub id: EventId,
    /// Time of publication by the broker's clock.
    pub at: Timestamp,
    /// Key of the original record.
    pub key: String,
    /// Reason that the consumer recorded.
    pub reason: String,
    /// Topic of the original record; none when it is not a topic of this installation.
    pub origin: Option<Topic>,
    /// Length of the payload.
    pub bytes: usize,
    /// True once it was published again.
    pub replayed: bool,
    raw: Raw,
}

impl DeadLetters {
    pub(super) const fn new(settings: Arc<Settings>, publisher: Arc<Publisher>) -> Self {
        Self {
            settings,
            publisher,
        }
    }

    /// Dead letters that the brokers keep, oldest first.
    pub async fn list(&self) -> Result<Vec<DeadLetter>, BusError> {
        let settings = self.settings.clone();
        let reading = tokio::task::spawn_blocking(move || read_all(&settings));
        let (mut letters, replayed) = reading.await.map_err(|problem| {
            BusError::new(format!("failed to read the dead letters: {problem}")).caused_by(problem)
        })??;
        letters.sort_by_key(|letter| (letter.at, letter.id));
        for letter in &mut letters {
            letter.replayed = replayed.contains(&letter.id.to_string());
        }
        Ok(letters)
    }

    /// Publishes the original message to its topic and marks the dead letter as replayed.
    pub async fn replay(&self, letter: &DeadLetter) -> Result<(), BusError> {
        let origin = letter.origin.as_ref().ok_or_else(|| {
            BusError::new(format!(
                "dead letter {} names no topic that it came from",
                letter.id
            ))
        })?;
        self.publisher.send(origin, &letter.raw.revived()).await?;
        let headers = vec![(REPLAYED.to_owned(), letter.id.to_string().into_bytes())];
        let marker = Raw {
            key: letter.raw.key.clone(),
            headers: Some(headers),
            payload: Some(Vec::new()),
        };
        self.publisher.send(&Topic::Dlq, &marker).await
    }
}

/// All dead letters, and the ids of those that were replayed.
fn read_all(settings: &Settings) -> Result<(Vec<DeadLetter>, BTreeSet<String>), BusError> {
    let names = Names::new(settings);
    let consumer = reader(settings, &names)?;
    let (mut letters, mut replayed) = (BTreeMap::new(), BTreeSet::new());
    let (mut ended, mut idle) = (BTreeSet::new(), Duration::ZERO);
    while ended.len() < Topic::Dlq.partitions() as usize {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                idle = Duration::ZERO;
                let raw = Raw::of(&message);
                match raw.header(REPLAYED) {
                    Some(id) => drop(replayed.insert(id.to_owned())),
                    None => drop(
                        letter(&names, &message, raw)
                            .map(|letter| letters.insert(letter.id, letter)),
                    ),
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
            Some(Err(problem @ KafkaError::MessageConsumptionFatal(_))) => {
                return Err(failed("read the dead letters", &problem));
            }
            Some(Err(_)) | None => idle += POLL,
        }
        if idle.as_millis() > u128::from(settings.answer_timeout.0) {
            return Err(BusError::new(
                "the brokers did not give the dead letters in time",
            ));
        }
    }
    Ok((letters.into_values().collect(), replayed))
}

fn reader(settings: &Settings, names: &Names) -> Result<BaseConsumer<ClientLogger>, BusError> {
    let mut config = settings.tail(next_number());
    config.set("enable.partition.eof", "true");
    let consumer: BaseConsumer<ClientLogger> = config
        .create_with_context(ClientLogger)
        .map_err(|problem| failed("make a consumer", &problem))?;
    let partitions: Vec<_> = names::partitions(&Topic::Dlq).collect();
    let mut places = names.list(&partitions);
    let assigned = places
        .set_all_offsets(Offset::Beginning)
        .and_then(|()| consumer.assign(&places));
    assigned.map_err(|problem| failed("read the dead letters", &problem))?;
    Ok(consumer)
}

fn letter(names: &Names, message: &BorrowedMessage<'_>, raw: Raw) -> Option<DeadLetter> {
    let partition = names.partition(message.topic(), message.partition())?;
    let at = Position {
        partition,
        offset: u64::try_from(message.offset()).ok()?,
    };
    let id = raw
        .header(EVENT_ID)
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| EventId::new(raw.number(&at)));
    Some(DeadLetter {
        id,
        at: Timestamp(message.timestamp().to_millis().unwrap_or_default()),
        key: String::from_utf8_lossy(raw.key.as_deref().unwrap_or_default()).into_owned(),
        reason: raw
            .header(REASON)
            .unwrap_or("no reason is recorded")
            .to_owned(),
        origin: raw.header(ORIGIN_TOPIC).and_then(names::topic),
        bytes: raw.payload.as_ref().map_or(0, Vec::len),
        replayed: false,
        raw,
    })
}
