//! Tests of calm runs, lost replies, outages and restarts at one port.

use std::sync::Mutex;

use chorus_core::id::{BootId, Term};
use chorus_core::port::Leaders;
use chorus_core::time::{Millis, Timestamp};
use chorus_store::memory::Store;
use futures_util::FutureExt;

use super::*;
use crate::clock::VirtualClock;
use crate::executor::{Executor, Step};
use crate::fault::{FaultInjector, FaultPlan, Outage, Part};
use crate::log::Log;

const START: Timestamp = Timestamp(1_000_000);

/// Results of a process that acquires a leadership twenty times, and the log of the run.
fn check(faults: FaultPlan) -> (Vec<String>, Vec<String>) {
    let mut executor = Executor::new(1, START);
    let timeline = Arc::clone(executor.timeline());
    let log = Log::new(&timeline, false);
    let injector = FaultInjector::new(1, faults, &timeline, executor.control(), &log);
    let store: Arc<dyn Leaders> = Arc::new(Store::new(Arc::new(VirtualClock::new(
        &timeline, 1, "store",
    ))));
    let replies = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&replies);
    executor.spawn(
        "asker",
        Box::new(move |boot| {
            let (store, injector, notes) = (
                Arc::clone(&store),
                Arc::clone(&injector),
                Arc::clone(&notes),
            );
            vec![
                async move {
                    let leaders = Faulty::new(
                        store,
                        FaultPoint::new("asker", boot.process, true, &injector),
                    );
                    for _ in 0..20 {
                        let term = leaders
                            .acquire("x", BootId::new(u128::from(boot.number)), Millis(1))
                            .await;
                        notes
                            .lock()
                            .unwrap()
                            .push(format!("{}: {term:?}", boot.number));
                    }
                }
                .boxed(),
            ]
        }),
    );
    while executor.step() != Step::Stuck {}
    drop(executor);
    let replies = replies.lock().unwrap().clone();
    (replies, log.tail(100))
}

#[test]
fn in_a_calm_world_every_reply_arrives() {
    let (replies, _) = check(FaultPlan::calm(START));
    assert_eq!(replies.len(), 20);
    assert!(replies.iter().all(|line| line.contains("Ok(Some(")));
}

#[test]
fn a_lost_reply_is_an_error_although_the_operation_was_applied() {
    let faults = FaultPlan {
        loses_reply: 1000,
        until: Timestamp(i64::MAX),
        ..FaultPlan::calm(START)
    };
    let (replies, log) = check(faults);
    assert!(replies.iter().all(|line| line.contains("Err")));
    assert!(
        log.iter()
            .any(|line| line.contains(&format!("{:?}", Some(Term(3)))))
    );
}

#[test]
fn an_outage_ends() {
    let outage = Outage {
        part: Part::Store,
        from: START,
        to: START + Millis(20),
    };
    let (replies, _) = check(FaultPlan {
        outages: vec![outage],
        ..FaultPlan::calm(START)
    });
    assert!(replies.first().unwrap().contains("Err") && replies.last().unwrap().contains("Ok"));
}

#[test]
fn a_crashed_process_starts_again_from_the_beginning() {
    let faults = FaultPlan {
        crashes: 1000,
        max_faults: 2,
        until: Timestamp(i64::MAX),
        ..FaultPlan::calm(START)
    };
    let (replies, _) = check(faults);
    assert_eq!(replies.len(), 20);
    assert!(replies.iter().all(|line| line.starts_with("2: ")));
}
