//! Growth of the work with the size of a project.

use std::time::Instant;

use super::fixture::{delivery, event, finished, input, ready, task};
use crate::{ReportInput, build, page};

/// A project of layers of 100 tasks, each with ten parents in the layer before and one delivery.
fn sized(tasks: u128) -> ReportInput {
    let mut input = input();
    for at in 0..tasks {
        let layer = at / 100;
        let parents: Vec<u128> = (0..10)
            .filter(|_| layer > 0)
            .map(|parent| (layer - 1) * 100 + parent + 1)
            .collect();
        let time = u64::try_from(at).expect("small");
        input.add(task(at + 1, &format!("t{}", at + 1), &parents));
        input.events.push(event(time + 1, time, ready(at + 1)));
        let row = delivery(at + 1, 0, time);
        input.deliveries.push(finished(row, time + 5, time + 500));
    }
    input
}

/// Seconds of the fastest of five builds.
fn seconds(input: &ReportInput) -> f64 {
    let once = |_| {
        let begun = Instant::now();
        let report = build(input);
        let html = page(&report).expect("a report is plain JSON");
        assert!(html.len() > report.tasks.len() * 100);
        begun.elapsed().as_secs_f64()
    };
    (0..5).map(once).fold(f64::MAX, f64::min)
}

#[test]
fn ten_times_the_tasks_take_about_ten_times_the_work() {
    let (few, many) = (sized(400), sized(4_000));
    let ratio = seconds(&many) / seconds(&few);
    assert!(
        ratio < 60.0,
        "4,000 tasks took {ratio:.0} times as long as 400"
    );
}
