//! Parser of the answers that [`Link::run`](super::link::Link::run) returns.

use chorus_core::id::{GroupId, LeaseId};
use chorus_core::limit::{Charge, Lease, Reserved};
use chorus_core::time::Timestamp;
use redis::Value;

use super::text::{read_dimension, read_limit};
use crate::ledger::Level;

/// Answer of the script: a tag, then its values.
pub(super) struct Reply {
    /// Tag of the answer.
    pub(super) tag: String,
    rest: std::vec::IntoIter<Value>,
}

/// Amount left of each limit of some groups.
pub(super) type Rooms = Vec<(GroupId, Vec<i64>)>;

impl Reply {
    /// Reads the tag.
    pub(super) fn new(value: Value) -> Option<Self> {
        let mut rest = list(value)?.into_iter();
        Some(Self {
            tag: text(rest.next()?)?,
            rest,
        })
    }

    /// Returns the next number.
    pub(super) fn number(&mut self) -> Option<i64> {
        number(&self.rest.next()?)
    }

    /// Returns the next text.
    pub(super) fn text(&mut self) -> Option<String> {
        text(self.rest.next()?)
    }

    /// Returns the next time, which may be absent.
    pub(super) fn time(&mut self) -> Option<Option<Timestamp>> {
        Some(number(&self.rest.next()?).map(Timestamp))
    }

    /// Amount left of each limit of some groups.
    pub(super) fn rooms(&mut self) -> Option<Rooms> {
        let mut values = list(self.rest.next()?)?.into_iter();
        let mut rooms = Vec::new();
        while let (Some(group), Some(left)) = (values.next(), values.next()) {
            let left: Option<Vec<i64>> = list(left)?.iter().map(number).collect();
            rooms.push((GroupId::new(text(group)?), left?));
        }
        Some(rooms)
    }

    /// Returns groups with the time until which each is closed, if it is.
    pub(super) fn closed(&mut self) -> Option<Vec<(GroupId, Option<Timestamp>)>> {
        let mut values = list(self.rest.next()?)?.into_iter();
        let mut closed = Vec::new();
        while let (Some(group), Some(until)) = (values.next(), values.next()) {
            closed.push((GroupId::new(text(group)?), number(&until).map(Timestamp)));
        }
        Some(closed)
    }

    /// Returns the answer to a demand for `lease`, after the count of members was read.
    pub(super) fn reserved(&mut self, lease: LeaseId) -> Option<(Reserved, Rooms)> {
        let answer = match self.tag.as_str() {
            "granted" => {
                let credential = self.text()?.parse().ok()?;
                let (granted_at, not_after) =
                    (Timestamp(self.number()?), Timestamp(self.number()?));
                let charges = charges(list(self.rest.next()?)?)?;
                let lease = Lease {
                    id: lease,
                    credential,
                    charges,
                    granted_at,
                    not_after,
                };
                return Some((Reserved::Granted(lease), self.rooms()?));
            }
            "wait" => Reserved::Wait { at: self.time()? },
            "never" => Reserved::Never(never(lease, &self.text()?)?),
            _ => return None,
        };
        Some((answer, Vec::new()))
    }

    /// Returns all limits.
    pub(super) fn levels(&mut self) -> Option<Vec<Level>> {
        list(self.rest.next()?)?.into_iter().map(level).collect()
    }
}

fn never(lease: LeaseId, why: &str) -> Option<String> {
    Some(match why {
        "over" => format!("{lease} is over"),
        "none" => "there is no credential for it".to_owned(),
        dimension => format!(
            "the call is larger than the limit on {:?} of every credential",
            read_dimension(dimension)?
        ),
    })
}

fn charges(values: Vec<Value>) -> Option<Vec<Charge>> {
    let mut values = values.into_iter();
    let mut charges = Vec::new();
    while let Some(group) = values.next() {
        let dimension = read_dimension(&text(values.next()?)?)?;
        let amount = u64::try_from(number(&values.next()?)?).ok()?;
        charges.push(Charge {
            group: GroupId::new(text(group)?),
            dimension,
            amount,
        });
    }
    Some(charges)
}

fn level(value: Value) -> Option<Level> {
    let mut parts = Reply {
        tag: String::new(),
        rest: list(value)?.into_iter(),
    };
    let group = GroupId::new(parts.text()?);
    let (dimension, window) = read_limit(&parts.text()?)?;
    let (left, capacity, held, lowest) = (
        parts.number()?,
        parts.number()?,
        parts.number()?,
        parts.number()?,
    );
    Some(Level {
        group,
        dimension,
        window,
        left,
        capacity,
        held,
        lowest,
        closed_until: parts.time()?,
    })
}

fn list(value: Value) -> Option<Vec<Value>> {
    if let Value::Array(values) = value {
        Some(values)
    } else {
        None
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

fn number(value: &Value) -> Option<i64> {
    if let Value::Int(number) = value {
        Some(*number)
    } else {
        None
    }
}
