//! Growth of the work with the size of a project.

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

/// Largest page that a browser opens without a pause.
const LARGEST_PAGE: usize = 10_000_000;

#[test]
fn a_report_of_ten_thousand_tasks_has_each_of_them_once_and_stays_small() {
    let report = build(&sized(10_000));
    let mut keys: Vec<&str> = report.tasks.iter().map(|task| task.key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!((report.tasks.len(), keys.len()), (10_000, 10_000));
    let html = page(&report).expect("a report is plain JSON");
    assert!(html.contains("t10000"));
    assert!(html.len() < LARGEST_PAGE, "{} bytes", html.len());
}
