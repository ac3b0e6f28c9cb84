//! The bus as one process sees it: records vanish, arrive twice or late, and all of them vanish at once when
//! topics are dropped. The courier carries the late ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chorus_core::id::EventId;
use chorus_core::port::Bus;
use chorus_core::port::bus::{BusError, Incoming, Position, Record, Subscription, Topic};
use chorus_core::time::{Millis, Timestamp};

use super::{Faulty, done};
use crate::executor::Timeline;
use crate::fate::{Part, Site};

/// How late a record may be.
const LATEST: Millis = Millis(30_000);

/// What all wrappers of one bus share: when each record was published last, and those that are still on their way.
pub struct Courier {
    timeline: Arc<Timeline>,
    dropped: Vec<Timestamp>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    published: BTreeMap<EventId, Timestamp>,
    late: BTreeMap<Timestamp, Vec<Record>>,
}

impl Courier {
    /// A courier who knows when all topics are dropped.
    pub fn new(timeline: &Arc<Timeline>, dropped: Vec<Timestamp>) -> Arc<Self> {
        Arc::new(Self { timeline: Arc::clone(timeline), dropped, state: Mutex::default() })
    }

    /// Publishes late records when they are due, for ever.
    pub async fn run(self: Arc<Self>, bus: Arc<dyn Bus>) {
        loop {
            let now = self.timeline.now();
            for record in self.due(now) {
                self.note(&record);
                // The bus in memory takes every record.
                let _ = bus.publish(vec![record]).await;
            }
            self.timeline.sleep_until(now + Millis(500)).await;
        }
    }

    fn due(&self, now: Timestamp) -> Vec<Record> {
        let mut state = self.state.lock().expect("one thread alone carries records");
        let later = state.late.split_off(&(Timestamp(now.0 + 1)));
        std::mem::replace(&mut state.late, later).into_values().flatten().collect()
    }

    fn note(&self, record: &Record) {
        let now = self.timeline.now();
        self.state.lock().expect("one thread alone carries records").published.insert(record.id, now);
    }

    fn delay(&self, record: Record, until: Timestamp) {
        self.state.lock().expect("one thread alone carries records").late.entry(until).or_default().push(record);
    }

    /// Whether topics were dropped since this record was published.
    fn is_gone(&self, record: &Record) -> bool {
        let now = self.timeline.now();
        let state = self.state.lock().expect("one thread alone carries records");
        let since = state.published.get(&record.id).copied();
        since.is_some_and(|since| self.dropped.iter().any(|dropped| since <= *dropped && *dropped < now))
    }
}

/// The bus behind the fate of one process.
pub struct FaultyBus {
    port: Faulty<dyn Bus>,
    courier: Arc<Courier>,
}

impl FaultyBus {
    /// The bus as the process at `site` sees it.
    pub const fn new(inner: Arc<dyn Bus>, site: Site, courier: Arc<Courier>) -> Self {
        Self { port: Faulty::new(inner, site), courier }
    }

    /// The records that arrive at once, with copies.
    fn through(&self, records: Vec<Record>) -> Vec<Record> {
        let site = &self.port.site;
        let (fate, process) = (site.fate(), site.process());
        let mut through = Vec::with_capacity(records.len());
        for record in records {
            if fate.happens(process, fate.mix().records_lost) {
                site.note(format_args!("record {} is lost", record.id));
            } else if fate.happens(process, fate.mix().records_late) {
                let delay = fate.delay(process, LATEST);
                site.note(format_args!("record {} is {delay} late", record.id));
                self.courier.delay(record, self.courier.timeline.now() + delay);
            } else {
                self.courier.note(&record);
                if fate.happens(process, fate.mix().records_doubled) {
                    site.note(format_args!("record {} comes twice", record.id));
                    through.push(record.clone());
                }
                through.push(record);
            }
        }
        through
    }
}

#[async_trait]
impl Bus for FaultyBus {
    async fn publish(&self, records: Vec<Record>) -> Result<(), BusError> {
        let named: Vec<String> = records.iter().map(|record| format!("{} {}", record.topic, record.id)).collect();
        let what = format!("publish {}", named.join(", "));
        let deed = async { self.port.inner.publish(self.through(records)).await };
        self.port.site.call(Part::Bus, &what, done, deed).await
    }

    async fn subscribe(&self, topics: Vec<Topic>, group: &str) -> Result<Box<dyn Subscription>, BusError> {
        let what = format!("subscribe {group}");
        let inner = self.port.site.call(Part::Bus, &what, |_| "joined".to_owned(), self.port.inner.subscribe(topics, group)).await?;
        Ok(Box::new(FaultySubscription { inner, site: self.port.site.clone(), courier: Arc::clone(&self.courier) }))
    }

    async fn tail(&self, topics: Vec<Topic>) -> Result<Box<dyn Subscription>, BusError> {
        let inner = self.port.site.call(Part::Bus, "tail", |_| "joined".to_owned(), self.port.inner.tail(topics)).await?;
        Ok(Box::new(FaultySubscription { inner, site: self.port.site.clone(), courier: Arc::clone(&self.courier) }))
    }
}

struct FaultySubscription {
    inner: Box<dyn Subscription>,
    site: Site,
    courier: Arc<Courier>,
}

#[async_trait]
impl Subscription for FaultySubscription {
    /// Fate comes before the wait: after a record was taken nothing may wait, or cancelling would lose it.
    async fn next(&mut self) -> Result<Incoming, BusError> {
        loop {
            let incoming = self.inner.next().await?;
            match &incoming {
                Incoming::Record { record, .. } if self.courier.is_gone(record) => {
                    self.site.note(format_args!("record {} went with its topic", record.id));
                }
                Incoming::Record { record, at } => {
                    self.site.note(format_args!("receives {} {} at {}:{}", record.topic, record.id, at.partition.number, at.offset));
                    return Ok(incoming);
                }
                Incoming::Assigned(partitions) => {
                    self.site.note(format_args!("is given {} partitions", partitions.len()));
                    return Ok(incoming);
                }
                Incoming::Revoked(partitions) => {
                    self.site.note(format_args!("gives up {} partitions", partitions.len()));
                    return Ok(incoming);
                }
            }
        }
    }

    async fn ack(&mut self, at: &Position) -> Result<(), BusError> {
        let what = format!("ack {} {}:{}", at.partition.topic, at.partition.number, at.offset);
        self.site.call(Part::Bus, &what, done, self.inner.ack(at)).await
    }

    async fn pause(&mut self, paused: bool) -> Result<(), BusError> {
        self.inner.pause(paused).await
    }
}
