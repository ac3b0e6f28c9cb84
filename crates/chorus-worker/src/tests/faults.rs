//! The bus fails, records are garbage, the way to the provider breaks: the worker goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use chorus_bus::Embedded;
use chorus_core::attempt::{Outcome, Requeue};
use chorus_core::failure::FailureClass;
use chorus_core::llm::FinishReason;
use chorus_core::port::Bus;
use chorus_core::port::bus::{BusError, Incoming, Position, Record, Subscription, Topic};
use chorus_core::time::Timestamp;

use super::bench::{Bench, now, records};
use super::script::{Scene, answer, failure};

/// Bus that fails at so many calls of its members, one after the other.
struct Failing {
    bus: Embedded,
    failures: Arc<AtomicU32>,
}

struct FailingMember {
    inner: Box<dyn Subscription>,
    failures: Arc<AtomicU32>,
}

fn fail(failures: &AtomicU32) -> Result<(), BusError> {
    let left = failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
        left.checked_sub(1)
    });
    left.map_or(Ok(()), |_| Err(BusError::new("broken")))
}

#[async_trait]
impl Bus for Failing {
    async fn publish(&self, records: Vec<Record>) -> Result<(), BusError> {
        self.bus.publish(records).await
    }

    async fn subscribe(
        &self,
        topics: Vec<Topic>,
        group: &str,
    ) -> Result<Box<dyn Subscription>, BusError> {
        fail(&self.failures)?;
        let inner = self.bus.subscribe(topics, group).await?;
        Ok(Box::new(FailingMember {
            inner,
            failures: self.failures.clone(),
        }))
    }

    async fn tail(&self, topics: Vec<Topic>) -> Result<Box<dyn Subscription>, BusError> {
        self.bus.tail(topics).await
    }
}

#[async_trait]
impl Subscription for FailingMember {
    async fn next(&mut self) -> Result<Incoming, BusError> {
        fail(&self.failures)?;
        self.inner.next().await
    }

    async fn ack(&mut self, at: &Position) -> Result<(), BusError> {
        fail(&self.failures)?;
        self.inner.ack(at).await
    }

    async fn pause(&mut self, paused: bool) -> Result<(), BusError> {
        self.inner.pause(paused).await
    }
}

#[test]
fn a_bus_that_fails_costs_time_and_no_second_call() {
    for failures in 0..6 {
        let mut bench = Bench::new(vec![answer("once", FinishReason::Stop)]);
        bench.failing = Some(Arc::new(Failing {
            bus: bench.bus.clone(),
            failures: Arc::new(AtomicU32::new(failures)),
        }));
        bench.deliver(60);
        assert!(matches!(bench.outcome(), Outcome::Succeeded { .. }));
        assert_eq!(
            (
                bench.calls(),
                bench.bus.depth(&bench.topic(), "worker.claude")
            ),
            (1, 0),
            "{failures} failures"
        );
    }
}

#[test]
fn an_unreadable_record_goes_to_the_dead_letters() {
    let mut bench = Bench::new(vec![answer("after it", FinishReason::Stop)]);
    let mut letters = now(bench.bus.tail(vec![Topic::Dlq]));
    let record = bench.dispatch();
    let broken = Record {
        payload: bytes::Bytes::from_static(b"{"),
        ..record.clone()
    };
    bench.publish(vec![broken, record]);
    bench.work(60);
    assert_eq!(
        (records(&mut letters).len(), bench.outcomes().len()),
        (1, 1)
    );
}

#[test]
fn a_late_dispatch_is_left_alone() {
    let mut bench = Bench::new(Vec::new());
    let record = bench.dispatch();
    bench.work(40);
    bench.publish(vec![record]);
    bench.work(60);
    assert_eq!(
        (
            bench.calls(),
            bench.outcomes().len(),
            bench.rows.with(|state| state.claims)
        ),
        (0, 0, 0)
    );
}

#[test]
fn a_call_whose_connection_broke_keeps_its_slot_for_the_grace() {
    let mut bench = Bench::new(vec![Scene::Refuse(failure(
        FailureClass::Transient,
        None,
        None,
    ))]);
    bench.deliver(1);
    let reason = Requeue::Retry {
        class: FailureClass::Transient,
    };
    assert_eq!(
        bench.outcome(),
        Outcome::Requeue {
            reason,
            not_before: Timestamp(550),
            order: None,
            message: "anthropic answered nothing: no".to_owned()
        }
    );
    assert_eq!(bench.levels().0, 1, "the provider may be at work");
    bench.work(20);
    assert_eq!(bench.levels().0, 0);
}
