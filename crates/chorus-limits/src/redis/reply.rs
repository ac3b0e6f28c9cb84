//! Parser of the answers that [`Link::run`](super::link::Link::run) returns.

use chorus_core::failure::{FailureClass, TABLE};
use chorus_core::id::{GroupId, LeaseId};
use chorus_core::limit::{Charge, Lease, Obstacle, ObstacleKind, Reserved};
use chorus_core::time::Timestamp;
use redis::Value;

use super::text::{read_dimension, read_limit};
use crate::ledger::{Closure, Level};

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

    /// Returns groups with the closure of each, if it is closed.
    pub(super) fn closed(&mut self) -> Option<Vec<(GroupId, Option<Closure>)>> {
        let mut values = list(self.rest.next()?)?.into_iter();
        let mut closed = Vec::new();
        while let (Some(group), Some(until)) = (values.next(), values.next()) {
            closed.push((GroupId::new(text(group)?), closure(until)));
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
            "wait" => Reserved::Wait {
                at: self.time()?,
                obstacle: obstacle(list(self.rest.next()?)?),
            },
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

/// Reads a closure: until, since, class.
fn closure(value: Value) -> Option<Closure> {
    let mut values = list(value)?.into_iter();
    let until = Timestamp(number(&values.next()?)?);
    let since = Timestamp(number(&values.next()?)?);
    let class = class(&text(values.next()?)?)?;
    Some(Closure {
        class,
        since,
        until,
    })
}

fn class(name: &str) -> Option<FailureClass> {
    TABLE
        .iter()
        .map(|rule| rule.class)
        .find(|class| class.as_str() == name)
}

/// Reads an obstacle: credential, group, kind, detail, since, until; none of no values.
fn obstacle(values: Vec<Value>) -> Option<Obstacle> {
    let mut values = values.into_iter();
    let credential = text(values.next()?)?.parse().ok()?;
    let group = GroupId::new(text(values.next()?)?);
    let (kind, detail) = (text(values.next()?)?, text(values.next()?)?);
    let since = number(&values.next()?).map(Timestamp);
    let until = number(&values.next()?).map(Timestamp);
    let kind = match kind.as_str() {
        "limit" => ObstacleKind::Limit {
            dimension: read_dimension(&detail)?,
        },
        "closed" => ObstacleKind::Closed {
            class: class(&detail)?,
            since: since?,
        },
        "dead" => ObstacleKind::SlotsOfEndedProcess,
        "flight" => ObstacleKind::CallsInFlight,
        "interactive" => ObstacleKind::InteractiveCall,
        _ => return None,
    };
    Some(Obstacle {
        credential,
        group,
        kind,
        until,
    })
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
