//! Tests of poll order, virtual time, crashes and pauses.

use std::sync::Mutex;

use chorus_core::time::Millis;
use futures_util::FutureExt;

use super::*;

const START: Timestamp = Timestamp(1_000);

type Notes = Arc<Mutex<Vec<String>>>;

fn note(notes: &Notes, text: String) {
    notes.lock().unwrap().push(text);
}

/// A process that notes its name and boot every 500 ms.
fn ticking(timeline: &Arc<Timeline>, notes: &Notes, name: &'static str, ticks: u64) -> BootFn {
    let (timeline, notes) = (Arc::clone(timeline), Arc::clone(notes));
    Box::new(move |boot| {
        let (timeline, notes) = (Arc::clone(&timeline), Arc::clone(&notes));
        vec![
            async move {
                for _ in 0..ticks {
                    timeline.sleep_until(timeline.now() + Millis(500)).await;
                    note(
                        &notes,
                        format!("{} {name}.{}", timeline.now().0, boot.number),
                    );
                }
            }
            .boxed(),
        ]
    })
}

fn run_to_the_end(executor: &mut Executor) {
    while executor.step() != Step::Stuck {}
}

/// Runs three ticking processes under a seed and these commands; returns the notes and the digest.
fn check(seed: u64, commands: &[(i64, u32, Command)]) -> (Vec<String>, u64) {
    let notes = Notes::default();
    let mut executor = Executor::new(seed, START);
    for name in ["a", "b", "c"] {
        let boot_fn = ticking(&executor.timeline().clone(), &notes, name, 3);
        executor.spawn(name, boot_fn);
    }
    for (at, process, command) in commands {
        executor
            .control()
            .schedule(Timestamp(*at), ProcessId(*process), *command);
    }
    run_to_the_end(&mut executor);
    let digest = executor.digest();
    drop(executor);
    let notes = notes.lock().unwrap().clone();
    (notes, digest)
}

#[test]
fn one_seed_gives_one_order_and_seeds_differ() {
    assert_eq!(check(1, &[]), check(1, &[]));
    let orders: std::collections::BTreeSet<Vec<String>> =
        (0..20).map(|seed| check(seed, &[]).0).collect();
    assert!(orders.len() > 5, "only {} orders in 20 seeds", orders.len());
}

#[test]
fn time_jumps_to_the_next_timer() {
    let (notes, _) = check(3, &[]);
    assert_eq!(notes.len(), 9);
    assert!(notes.iter().all(|note| note.starts_with("1500")
        || note.starts_with("2000")
        || note.starts_with("2500")));
}

#[test]
fn a_crashed_process_stops_at_its_await_and_starts_as_a_new_boot() {
    let (notes, _) = check(4, &[(1_600, 0, Command::Crash), (9_000, 0, Command::Start)]);
    let of_a: Vec<&str> = notes
        .iter()
        .filter(|note| note.contains(" a."))
        .map(String::as_str)
        .collect();
    assert_eq!(of_a, ["1500 a.0", "9500 a.1", "10000 a.1", "10500 a.1"]);
}

#[test]
fn a_paused_process_sleeps_through_its_timers_and_goes_on_late() {
    let (notes, _) = check(
        5,
        &[(1_600, 1, Command::Pause), (60_000, 1, Command::Resume)],
    );
    let of_b: Vec<&str> = notes
        .iter()
        .filter(|note| note.contains(" b."))
        .map(String::as_str)
        .collect();
    assert_eq!(of_b, ["1500 b.0", "60000 b.0", "60500 b.0"]);
}

#[test]
fn a_future_without_a_waker_is_reported_as_stuck() {
    let mut executor = Executor::new(6, START);
    executor.spawn(
        "deadlock",
        Box::new(|_| vec![futures_util::future::pending().boxed()]),
    );
    assert_eq!(executor.step(), Step::Polled(ProcessId(0)));
    assert_eq!(executor.step(), Step::Stuck);
}

#[test]
fn a_crash_drops_what_the_future_held() {
    struct Held(Notes);
    impl Drop for Held {
        fn drop(&mut self) {
            note(&self.0, "dropped".to_owned());
        }
    }
    let notes = Notes::default();
    let mut executor = Executor::new(7, START);
    let held = Arc::clone(&notes);
    executor.spawn(
        "holder",
        Box::new(move |_| {
            let held = Held(Arc::clone(&held));
            vec![
                async move {
                    futures_util::future::pending::<()>().await;
                    drop(held);
                }
                .boxed(),
            ]
        }),
    );
    executor.step();
    assert!(notes.lock().unwrap().is_empty());
    executor
        .control()
        .schedule(START, ProcessId(0), Command::Crash);
    executor.step();
    assert_eq!(*notes.lock().unwrap(), ["dropped"]);
}

#[test]
fn a_dropped_sleep_leaves_no_timer() {
    let timeline = Timeline::new(START);
    let mut sleep = Box::pin(timeline.sleep_until(Timestamp(5_000)));
    assert!(sleep.as_mut().now_or_never().is_none());
    assert_eq!(timeline.next_timer(), Some(Timestamp(5_000)));
    drop(sleep);
    assert_eq!(timeline.next_timer(), None);
}
