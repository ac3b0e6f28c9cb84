//! A record as a message of Kafka and back. A message that cannot be a record is poison: it goes to the
//! dead letters as it is, byte for byte, with where it stood and why.
//!
//! Poison is what no reader could take; a record whose content a consumer does not understand is that
//! consumer's to set aside, with `chorus_core::record::dead_letter`. Both use the same headers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use chorus_core::id::EventId;
use chorus_core::port::bus::{Position, Record, Topic};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};

/// The header that carries a record's id.
pub(super) const EVENT_ID: &str = "chorus-event-id";
/// On a dead letter, the topic that it came from.
pub(super) const ORIGIN_TOPIC: &str = "dlq-origin-topic";
/// On a dead letter, the id of the record that it was.
pub(super) const ORIGIN_ID: &str = "dlq-origin-id";
/// On the dead letter of a poison, the partition that it came from.
const ORIGIN_PARTITION: &str = "dlq-origin-partition";
/// On the dead letter of a poison, its offset there.
const ORIGIN_OFFSET: &str = "dlq-origin-offset";
/// On a dead letter, what was wrong.
pub(super) const REASON: &str = "dlq-reason";

/// On the note that a dead letter was replayed, its id.
pub(super) const REPLAYED: &str = "dlq-replayed";

/// Why a message cannot be a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Poison {
    #[error("header chorus-event-id is missing or malformed")]
    Id,
    #[error("the key is missing or no text")]
    Key,
    #[error("a header is no text")]
    Header,
    #[error("there is no payload")]
    Payload,
}

/// Key, headers and payload as they are on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) key: Option<Vec<u8>>,
    /// None when not even the names of the headers are text.
    pub(super) headers: Option<Vec<(String, Vec<u8>)>>,
    pub(super) payload: Option<Vec<u8>>,
}

impl Raw {
    /// Copies what a message holds.
    pub(super) fn of(message: &impl Message) -> Self {
        // The client library panics at the name of a header that is no UTF-8, which anybody may send.
        let headers = catch_unwind(AssertUnwindSafe(|| {
            let headers = message.headers().into_iter().flat_map(Headers::iter);
            headers
                .map(|header| {
                    (
                        header.key.to_owned(),
                        header.value.unwrap_or_default().to_vec(),
                    )
                })
                .collect()
        }));
        Self {
            key: message.key().map(<[u8]>::to_vec),
            headers: headers.ok(),
            payload: message.payload().map(<[u8]>::to_vec),
        }
    }

    /// The record of a topic that this is.
    pub(super) fn record(self, topic: Topic) -> Result<Record, (Poison, Self)> {
        let found = self
            .id()
            .and_then(|id| Ok((id, self.text_key()?, self.text_headers()?)));
        match (found, self.payload) {
            (Ok((id, key, headers)), Some(payload)) => Ok(Record {
                id,
                topic,
                key,
                headers,
                payload: Bytes::from(payload),
            }),
            (Ok(_), None) => Err((
                Poison::Payload,
                Self {
                    payload: None,
                    ..self
                },
            )),
            (Err(poison), payload) => Err((poison, Self { payload, ..self })),
        }
    }

    /// The value of a header, when it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().flatten().find(|(key, _)| key == name)?;
        std::str::from_utf8(value).ok()
    }

    /// The dead letter of a poison. The same poison gives the same letter, whoever finds it.
    pub(super) fn dead_letter(mut self, poison: &Poison, at: &Position) -> Self {
        let id = EventId::new(self.number(at));
        let mut headers = vec![(EVENT_ID.to_owned(), id.to_string().into_bytes())];
        let kept = self.headers.unwrap_or_default();
        // What stood where the id should be is kept: a later release may know what it means.
        headers.extend(kept.into_iter().map(|(name, value)| {
            if name == EVENT_ID {
                (ORIGIN_ID.to_owned(), value)
            } else {
                (name, value)
            }
        }));
        let origin = [
            (ORIGIN_TOPIC, at.partition.topic.to_string()),
            (ORIGIN_PARTITION, at.partition.number.to_string()),
            (ORIGIN_OFFSET, at.offset.to_string()),
            (REASON, poison.to_string()),
        ];
        headers.extend(origin.map(|(name, value)| (name.to_owned(), value.into_bytes())));
        self.headers = Some(headers);
        self
    }

    /// What a dead letter was before it became one.
    pub(super) fn revived(&self) -> Self {
        let origin = |name: &str| {
            if name == ORIGIN_ID {
                EVENT_ID.to_owned()
            } else {
                name.to_owned()
            }
        };
        let headers = self.headers.iter().flatten().filter(|(name, _)| {
            name == ORIGIN_ID || !(name == EVENT_ID || name.starts_with("dlq-"))
        });
        let headers = headers
            .map(|(name, value)| (origin(name), value.clone()))
            .collect();
        Self {
            headers: Some(headers),
            ..self.clone()
        }
    }

    /// The headers as the client library wants them.
    pub(super) fn wire_headers(&self) -> OwnedHeaders {
        let headers = self.headers.iter().flatten();
        headers.fold(OwnedHeaders::new(), |owned, (key, value)| {
            owned.insert(Header {
                key,
                value: Some(value),
            })
        })
    }

    /// A number for an id, from where a message stood and what it holds.
    pub(super) fn number(&self, at: &Position) -> u128 {
        let place = format!(
            "{}/{}/{}/",
            at.partition.topic, at.partition.number, at.offset
        );
        let content = self.key.iter().chain(&self.payload).flatten().copied();
        place.bytes().chain(content).fold(
            0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128,
            |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b),
        )
    }

    fn id(&self) -> Result<EventId, Poison> {
        if self.headers.is_none() {
            return Err(Poison::Header);
        }
        self.header(EVENT_ID)
            .and_then(|text| text.parse().ok())
            .ok_or(Poison::Id)
    }

    fn text_key(&self) -> Result<String, Poison> {
        self.key
            .clone()
            .and_then(|key| String::from_utf8(key).ok())
            .ok_or(Poison::Key)
    }

    fn text_headers(&self) -> Result<Vec<(String, String)>, Poison> {
        let others = self
            .headers
            .iter()
            .flatten()
            .filter(|(name, _)| name != EVENT_ID);
        others
            .map(|(name, value)| {
                Ok((
                    name.clone(),
                    String::from_utf8(value.clone()).map_err(|_| Poison::Header)?,
                ))
            })
            .collect()
    }
}

impl From<&Record> for Raw {
    fn from(record: &Record) -> Self {
        let id = (EVENT_ID.to_owned(), record.id.to_string().into_bytes());
        let others = record
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into_bytes()));
        Self {
            key: Some(record.key.clone().into_bytes()),
            headers: Some(std::iter::once(id).chain(others).collect()),
            payload: Some(record.payload.to_vec()),
        }
    }
}
