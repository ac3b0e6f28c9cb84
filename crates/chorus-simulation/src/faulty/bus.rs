//! The bus as one process sees it: records are lost, doubled or late, and dropped when topics are
//! dropped.
//!
//! [`BusFaults`] delivers the late records and ends the sessions of paused members.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Poll};

use async_trait::async_trait;
use chorus_core::id::EventId;
use chorus_core::port::Bus;
use chorus_core::port::bus::{BusError, Incoming, Position, Record, Subscription, Topic};
use chorus_core::time::{Millis, Timestamp};

use super::{Faulty, done};
use crate::executor::{ProcessId, Timeline};
use crate::fault::{FaultInjector, FaultPoint, Part};

/// Maximum delay of a late record.
const LATEST: Millis = Millis(30_000);
/// Time without a poll after which a group removes the member.
const SESSION: Millis = Millis(30_000);

/// State shared by all wrappers of one bus: publication times, late records and sessions.
pub struct BusFaults {
    timeline: Arc<Timeline>,
    injector: Arc<FaultInjector>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    published: BTreeMap<EventId, Timestamp>,
    late: BTreeMap<Timestamp, Vec<Record>>,
    sessions: Vec<(ProcessId, Weak<Session>)>,
}

/// A subscription; `None` after the group removed the member.
type Session = Mutex<Option<Box<dyn Subscription>>>;

impl BusFaults {
    /// Creates the shared state; the injector knows dropped topics and paused processes.
    pub fn new(timeline: &Arc<Timeline>, injector: &Arc<FaultInjector>) -> Arc<Self> {
        Arc::new(Self {
            timeline: Arc::clone(timeline),
            injector: Arc::clone(injector),
            state: Mutex::default(),
        })
    }

    /// Publishes late records when they are due and ends sessions of paused members, for ever.
    pub async fn run(self: Arc<Self>, bus: Arc<dyn Bus>) {
        loop {
            let now = self.timeline.now();
            for record in self.due(now) {
                self.note(&record);
                // The in-memory bus accepts every record.
                let _ = bus.publish(vec![record]).await;
            }
            self.end_sessions();
            self.timeline.sleep_until(now + Millis(500)).await;
        }
    }

    /// Ends the session of every member that was paused for [`SESSION`]. Other members take over
    /// the partitions; the paused member learns of it at the next poll.
    fn end_sessions(&self) {
        let ended: Vec<Arc<Session>> = {
            let mut state = self.lock();
            state
                .sessions
                .retain(|(_, session)| session.strong_count() > 0);
            let frozen = state
                .sessions
                .iter()
                .filter(|(process, _)| self.injector.frozen_for(*process) >= SESSION);
            frozen
                .filter_map(|(_, session)| session.upgrade())
                .collect()
        };
        for session in ended {
            drop(session.lock().expect("one thread alone reads").take());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("one thread alone carries records")
    }

    fn open(&self, process: ProcessId, subscription: Box<dyn Subscription>) -> Arc<Session> {
        let session = Arc::new(Mutex::new(Some(subscription)));
        self.lock()
            .sessions
            .push((process, Arc::downgrade(&session)));
        session
    }

    fn due(&self, now: Timestamp) -> Vec<Record> {
        let mut state = self.lock();
        let later = state.late.split_off(&(Timestamp(now.0 + 1)));
        std::mem::replace(&mut state.late, later)
            .into_values()
            .flatten()
            .collect()
    }

    fn note(&self, record: &Record) {
        let now = self.timeline.now();
        self.lock().published.insert(record.id, now);
    }

    fn delay(&self, record: Record, until: Timestamp) {
        self.lock().late.entry(until).or_default().push(record);
    }

    /// Returns true if topics were dropped after this record was published.
    fn is_dropped(&self, record: &Record) -> bool {
        let now = self.timeline.now();
        let state = self.lock();
        let since = state.published.get(&record.id).copied();
        since.is_some_and(|since| {
            self.injector
                .plan()
                .topics_dropped
                .iter()
                .any(|dropped| since <= *dropped && *dropped < now)
        })
    }
}

/// The bus behind the [`FaultPoint`] of one process.
pub struct FaultyBus {
    port: Faulty<dyn Bus>,
    bus_faults: Arc<BusFaults>,
}

impl FaultyBus {
    /// Wraps the bus for the process of this fault point.
    pub const fn new(inner: Arc<dyn Bus>, point: FaultPoint, bus_faults: Arc<BusFaults>) -> Self {
        Self {
            port: Faulty::new(inner, point),
            bus_faults,
        }
    }

    fn wrap(&self, inner: Box<dyn Subscription>) -> Box<dyn Subscription> {
        let point = self.port.point.clone();
        let session = self.bus_faults.open(point.process(), inner);
        Box::new(FaultySubscription {
            session,
            point,
            bus_faults: Arc::clone(&self.bus_faults),
        })
    }

    /// Records that are delivered at once, doubled ones twice. Late records go to [`BusFaults`].
    fn delivered(&self, records: Vec<Record>) -> Vec<Record> {
        let point = &self.port.point;
        let (injector, process) = (point.injector(), point.process());
        let mut delivered = Vec::with_capacity(records.len());
        for record in records {
            if injector.happens(process, injector.plan().records_lost) {
                point.note(format_args!("record {} is lost", record.id));
            } else if injector.happens(process, injector.plan().records_late) {
                let delay = injector.delay(process, LATEST);
                point.note(format_args!("record {} is {delay} late", record.id));
                self.bus_faults
                    .delay(record, self.bus_faults.timeline.now() + delay);
            } else {
                self.bus_faults.note(&record);
                if injector.happens(process, injector.plan().records_doubled) {
                    point.note(format_args!("record {} comes twice", record.id));
                    delivered.push(record.clone());
                }
                delivered.push(record);
            }
        }
        delivered
    }
}

#[async_trait]
impl Bus for FaultyBus {
    async fn publish(&self, records: Vec<Record>) -> Result<(), BusError> {
        let named: Vec<String> = records
            .iter()
            .map(|record| format!("{} {}", record.topic, record.id))
            .collect();
        let what = format!("publish {}", named.join(", "));
        let operation = async { self.port.inner.publish(self.delivered(records)).await };
        self.port
            .point
            .call(Part::Bus, &what, done, operation)
            .await
    }

    async fn subscribe(
        &self,
        topics: Vec<Topic>,
        group: &str,
    ) -> Result<Box<dyn Subscription>, BusError> {
        let what = format!("subscribe {group}");
        let inner = self
            .port
            .point
            .call(
                Part::Bus,
                &what,
                |_| "joined".to_owned(),
                self.port.inner.subscribe(topics, group),
            )
            .await?;
        Ok(self.wrap(inner))
    }

    async fn tail(&self, topics: Vec<Topic>) -> Result<Box<dyn Subscription>, BusError> {
        let inner = self
            .port
            .point
            .call(
                Part::Bus,
                "tail",
                |_| "joined".to_owned(),
                self.port.inner.tail(topics),
            )
            .await?;
        Ok(self.wrap(inner))
    }
}

struct FaultySubscription {
    session: Arc<Session>,
    point: FaultPoint,
    bus_faults: Arc<BusFaults>,
}

impl FaultySubscription {
    /// Polls one operation of the subscription; the bus itself keeps the waiting state between
    /// polls.
    fn poll<T>(
        &self,
        context: &mut Context<'_>,
        act: impl FnOnce(&mut Box<dyn Subscription>, &mut Context<'_>) -> Poll<Result<T, BusError>>,
    ) -> Poll<Result<T, BusError>> {
        match self
            .session
            .lock()
            .expect("one thread alone reads")
            .as_mut()
        {
            Some(inner) => act(inner, context),
            None => Poll::Ready(Err(BusError::new("the member was given up for dead"))),
        }
    }
}

#[async_trait]
impl Subscription for FaultySubscription {
    /// Injects faults before the wait only: a fault after a record was taken would lose it on
    /// cancellation.
    async fn next(&mut self) -> Result<Incoming, BusError> {
        loop {
            let incoming = poll_fn(|context| {
                self.poll(context, |inner, context| {
                    inner.next().as_mut().poll(context)
                })
            })
            .await?;
            match &incoming {
                Incoming::Record { record, .. } if self.bus_faults.is_dropped(record) => {
                    self.point
                        .note(format_args!("record {} went with its topic", record.id));
                }
                Incoming::Record { record, at } => {
                    self.point.note(format_args!(
                        "receives {} {} at {}:{}",
                        record.topic, record.id, at.partition.number, at.offset
                    ));
                    return Ok(incoming);
                }
                Incoming::Assigned(partitions) => {
                    self.point
                        .note(format_args!("is given {} partitions", partitions.len()));
                    return Ok(incoming);
                }
                Incoming::Revoked(partitions) => {
                    self.point
                        .note(format_args!("gives up {} partitions", partitions.len()));
                    return Ok(incoming);
                }
            }
        }
    }

    async fn ack(&mut self, at: &Position) -> Result<(), BusError> {
        let what = format!(
            "ack {} {}:{}",
            at.partition.topic, at.partition.number, at.offset
        );
        let operation = poll_fn(|context| {
            self.poll(context, |inner, context| {
                inner.ack(at).as_mut().poll(context)
            })
        });
        self.point.call(Part::Bus, &what, done, operation).await
    }

    async fn pause(&mut self, paused: bool) -> Result<(), BusError> {
        poll_fn(|context| {
            self.poll(context, |inner, context| {
                inner.pause(paused).as_mut().poll(context)
            })
        })
        .await
    }
}
