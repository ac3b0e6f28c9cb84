//! Parser of the answers that [`Link::run`](super::link::Link::run) returns.

use chorus_core::failure::{FailureClass, TABLE};
use chorus_core::id::{GroupId, LeaseId};
use chorus_core::limit::{
    Charge, GroupChange, GroupClosure, GroupLevel, Lease, LevelSource, LimitLevel, Obstacle,
    ObstacleKind, Reserved,
};
use chorus_core::time::Timestamp;
use redis::Value;
use serde_json::Value as Json;

use super::text::{read_dimension, read_limit};

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

    /// Reads the [`Rooms`] of some groups.
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
    pub(super) fn closed(&mut self) -> Option<Vec<(GroupId, Option<GroupClosure>)>> {
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

    /// Returns the levels of some groups.
    pub(super) fn levels(&mut self) -> Option<Vec<GroupLevel>> {
        let levels = list(self.rest.next()?)?.into_iter();
        levels
            .map(|level| read_level(&text(level)?)?.level)
            .collect()
    }

    /// Returns the number of the candidate with the booked amounts.
    pub(super) fn booked(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()?.checked_sub(1)
    }
}

/// Reads one group from JSON: a change, with the level where it is known.
pub(super) fn read_level(json: &str) -> Option<GroupChange> {
    let json: Json = serde_json::from_str(json).ok()?;
    let group = GroupId::new(json["group"].as_str()?);
    let level = level(&json, &group);
    Some(GroupChange { group, level })
}

fn level(json: &Json, group: &GroupId) -> Option<GroupLevel> {
    let limits = json["limits"].as_array().map_or(&[][..], Vec::as_slice);
    Some(GroupLevel {
        group: group.clone(),
        at: Timestamp(whole(&json["at"])?),
        limits: limits.iter().map(limit).collect::<Option<_>>()?,
        in_flight: u32::try_from(whole(&json["flight"])?).ok()?,
        closed: match json["closed"].as_array().map(Vec::as_slice) {
            Some([until, since, name]) => Some(GroupClosure {
                until: Timestamp(whole(until)?),
                since: Timestamp(whole(since)?),
                class: class(name.as_str()?)?,
            }),
            _ => None,
        },
        bookings: u32::try_from(whole(&json["bookings"])?).ok()?,
    })
}

fn limit(json: &Json) -> Option<LimitLevel> {
    let (dimension, window) = read_limit(json["text"].as_str()?)?;
    let amount = |name: &str| u64::try_from(whole(&json[name])?).ok();
    Some(LimitLevel {
        dimension,
        window,
        amount: amount("amount")?,
        configured: amount("configured")?,
        capacity: amount("cap")?,
        room: whole(&json["room"])?,
        held: whole(&json["held"])?,
        full_at: whole(&json["full"]).map(Timestamp),
        source: source(json["source"].as_str()?)?,
        source_at: Timestamp(whole(&json["source_at"])?),
    })
}

fn source(name: &str) -> Option<LevelSource> {
    serde_json::from_value(Json::from(name)).ok()
}

/// Returns a whole number, which the script may have written with an exponent.
#[expect(
    clippy::cast_possible_truncation,
    reason = "numbers of the script are whole and below 2^53"
)]
fn whole(json: &Json) -> Option<i64> {
    json.as_i64()
        .or_else(|| json.as_f64().map(|number| number as i64))
}

/// Reads a closure: until, since, class.
fn closure(value: Value) -> Option<GroupClosure> {
    let mut values = list(value)?.into_iter();
    let until = Timestamp(number(&values.next()?)?);
    let since = Timestamp(number(&values.next()?)?);
    let class = class(&text(values.next()?)?)?;
    Some(GroupClosure {
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
        "booked" => ObstacleKind::BookedCall,
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
