//! Records as messages of Kafka, and back.
//!
//! A message that is no record is poison: [`Raw::dead_letter`] keeps it byte for byte, with its position and the
//! reason. A record that a consumer does not understand is that consumer's to set aside, by
//! [`chorus_core::record::dead_letter`]. Both use the same headers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use chorus_core::id::EventId;
use chorus_core::port::bus::{Position, Record, Topic};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};

/// Header with the id of a record.
pub(super) const EVENT_ID: &str = "chorus-event-id";
/// Header of a dead letter: topic of the original message.
pub(super) const ORIGIN_TOPIC: &str = "dlq-origin-topic";
/// Header of a dead letter: id of the original record.
pub(super) const ORIGIN_ID: &str = "dlq-origin-id";
/// Header of a dead letter made from poison: partition of the message.
const ORIGIN_PARTITION: &str = "dlq-origin-partition";
/// Header of a dead letter made from poison: offset in that partition.
const ORIGIN_OFFSET: &str = "dlq-origin-offset";
/// Header of a dead letter: the reason.
pub(super) const REASON: &str = "dlq-reason";

/// Header of the marker of a replay: id of the dead letter.
pub(super) const REPLAYED: &str = "dlq-replayed";

/// Reason that a message is no record.
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

/// Key, headers and payload as bytes of the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) key: Option<Vec<u8>>,
    /// None when a header's name is not UTF-8.
    pub(super) headers: Option<Vec<(String, Vec<u8>)>>,
    pub(super) payload: Option<Vec<u8>>,
}

impl Raw {
    /// Copies a message.
    pub(super) fn of(message: &impl Message) -> Self {
        // rdkafka panics at a header name that is not UTF-8, which any producer may send.
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

    /// Reads the record of a topic; gives the message back with the reason when it is none.
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

    /// Value of a header; none when it is absent or not UTF-8.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().flatten().find(|(key, _)| key == name)?;
        std::str::from_utf8(value).ok()
    }

    /// Turns poison into its dead letter. Every reader of the same message makes the same one.
    pub(super) fn dead_letter(mut self, poison: &Poison, at: &Position) -> Self {
        let id = EventId::new(self.number(at));
        let mut headers = vec![(EVENT_ID.to_owned(), id.to_string().into_bytes())];
        let kept = self.headers.unwrap_or_default();
        // The unreadable id is kept under another name: a later release may understand it.
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

    /// Restores the original message of a dead letter.
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

    /// Headers in the form of rdkafka.
    pub(super) fn wire_headers(&self) -> OwnedHeaders {
        let headers = self.headers.iter().flatten();
        headers.fold(OwnedHeaders::new(), |owned, (key, value)| {
            owned.insert(Header {
                key,
                value: Some(value),
            })
        })
    }

    /// Derives an id from the position and the content: FNV-1a over 128 bits.
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
