//! Contract of the memory store, on a clock that the cases set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use chorus_core::port::Clock;
use chorus_core::time::Timestamp;
use chorus_store::memory::Store;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::context::TestClock;
use super::history::{HistoryGenerator, inconsistency, perform};
use super::{Implementation, StorePorts, run};

#[derive(Default)]
struct ManualClock {
    now: AtomicI64,
    drawn: AtomicU64,
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn random_u128(&self) -> u128 {
        u128::from(self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }
}

#[async_trait]
impl TestClock for ManualClock {
    async fn set(&self, at: Timestamp) {
        self.now.store(at.0, Ordering::Relaxed);
    }
}

struct Memory;

#[async_trait]
impl Implementation for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn fresh(&self) -> StorePorts {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(Store::new(Arc::clone(&clock) as Arc<dyn Clock>));
        StorePorts::of(&store, clock)
    }
}

#[test]
fn the_memory_store_keeps_its_contract() {
    let ran = run(&Memory)
        .now_or_never()
        .expect("the memory store never waits");
    assert!(ran > 60, "only {ran} cases ran");
}

#[test]
fn money_and_deliveries_agree_at_every_step_of_random_histories() {
    for seed in 0..40 {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(Store::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let ports = StorePorts::of(&store, clock);
        let (mut generator, mut now) = (HistoryGenerator::new(seed), Timestamp(0));
        for at in 0..300 {
            let step = generator.next(&store.snapshot());
            perform(&ports, &mut now, step.clone())
                .now_or_never()
                .expect("the memory store never waits");
            assert_eq!(
                store.with_rows(inconsistency),
                None,
                "seed {seed}, step {at}: {step:?}"
            );
        }
    }
}
