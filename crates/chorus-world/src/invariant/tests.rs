//! The first violation is the one that is told.

use super::*;

fn check(violation: Violation) -> Option<Violation> {
    let timeline = Timeline::new(Timestamp(0));
    let log = Log::new(&timeline, false);
    let monitor = Monitor::new(&timeline, &log);
    monitor.accuse(violation);
    monitor.accuse(Violation::new(Invariant::Money, "later"));
    monitor.violation()
}

#[test]
fn the_first_violation_is_kept() {
    let first = Violation::new(Invariant::Arrows, "first");
    assert_eq!(check(first.clone()), Some(first));
}
