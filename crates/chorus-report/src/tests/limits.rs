//! Peaks of limits, from the calls of a project.

use chorus_core::attempt::{DeliveryEnd, DeliveryRow, Requeue};
use chorus_core::failure::FailureClass;
use chorus_core::limit::{Charge, Dimension, Limit, ReserveRule, Window, Zone};
use chorus_core::llm::Usage;

use super::fixture::{account, delivery, finished, input, requeued};
use crate::{LimitFigures, LimitInForce, ReportInput, build};

fn limit(dimension: Dimension, amount: u64, window: Window) -> Limit {
    Limit {
        dimension,
        amount,
        burst: None,
        window,
        reserve: ReserveRule::Estimate,
        cache_read_percent: 0,
        output_weight: 1,
    }
}

const MINUTE: Window = Window::Bucket { per_ms: 60_000 };

/// The call of a task that draws on the only group of the fixture.
fn call(task: u128, dimension: Dimension, claimed: u64, until: u64, output: u64) -> DeliveryRow {
    let mut row = finished(delivery(task, 0, claimed), claimed, until);
    row.assignment.lease.charges = vec![Charge {
        group: "anthropic/org".into(),
        dimension,
        amount: output.max(1),
    }];
    row.usage = Some(Usage {
        output,
        ..Usage::default()
    });
    row
}

/// Figures of the limit after these calls.
fn figures(limit: &Limit, calls: Vec<DeliveryRow>, in_force: Option<u64>) -> LimitFigures {
    let mut account = account();
    account.credentials[0].groups[0].group.limits = vec![limit.clone()];
    let input = ReportInput {
        accounts: vec![account],
        deliveries: calls,
        limits: in_force
            .map(|capacity| LimitInForce {
                group: "anthropic/org".to_owned(),
                dimension: limit.dimension,
                window: limit.window,
                capacity,
            })
            .into_iter()
            .collect(),
        ..input()
    };
    build(&input).accounts[0].limits[0].clone()
}

#[track_caller]
fn check(figures: &LimitFigures, percent: f64, note: &str) {
    assert!((figures.peak_percent - percent).abs() < 0.05, "{figures:?}");
    assert_eq!(figures.note, note, "{figures:?}");
}

#[test]
fn requests_are_counted_in_the_provider_s_bucket_and_not_in_a_fixed_minute() {
    let per_minute = limit(Dimension::Requests, 6, MINUTE);
    let spread = |gap: u64| -> Vec<DeliveryRow> {
        (0..12)
            .map(|at| {
                call(
                    at,
                    Dimension::Requests,
                    at as u64 * gap,
                    at as u64 * gap + 500,
                    0,
                )
            })
            .collect()
    };
    // Twelve requests within two minutes: each returns after ten seconds.
    check(&figures(&per_minute, spread(10_000), None), 16.7, "");
    check(&figures(&per_minute, spread(5_454), None), 100.0, "");
}

#[test]
fn a_refused_call_uses_nothing_of_its_limit() {
    let per_minute = limit(Dimension::Requests, 1, MINUTE);
    let served = call(1, Dimension::Requests, 0, 500, 0);
    let mut refused = requeued(
        call(2, Dimension::Requests, 100, 200, 0),
        100,
        200,
        Requeue::Limited {
            class: FailureClass::RateWindow,
        },
    );
    refused.usage = None;
    check(
        &figures(&per_minute, vec![served, refused], None),
        100.0,
        "",
    );
}

#[test]
fn a_lost_call_of_which_nothing_was_heard_makes_no_excess() {
    let per_minute = limit(Dimension::Requests, 1, MINUTE);
    let served = call(1, Dimension::Requests, 0, 500, 0);
    let mut lost = call(2, Dimension::Requests, 100, 900, 0);
    lost.usage = None;
    lost.end = Some(DeliveryEnd::WorkerLost);
    check(
        &figures(&per_minute, vec![served, lost.clone()], None),
        100.0,
        "",
    );
    check(&figures(&per_minute, vec![lost], None), 100.0, "");
}

#[test]
fn what_lies_within_the_clocks_of_both_sides_is_not_above_the_limit() {
    let per_minute = limit(Dimension::Requests, 600, MINUTE);
    let calls = |count: u128| -> Vec<DeliveryRow> {
        (0..count)
            .map(|at| call(at, Dimension::Requests, 0, 500, 0))
            .collect()
    };
    check(&figures(&per_minute, calls(602), None), 100.0, "");
    check(&figures(&per_minute, calls(660), None), 110.0, "granted");
}

#[test]
fn tokens_above_the_limit_are_explained_by_production() {
    let per_minute = limit(Dimension::OutputTokens, 1_000, MINUTE);
    let calls = vec![call(1, Dimension::OutputTokens, 0, 6_000, 1_600)];
    check(&figures(&per_minute, calls, None), 150.0, "produced");
    let slow = vec![call(1, Dimension::OutputTokens, 0, 60_000, 1_000)];
    check(&figures(&per_minute, slow, None), 0.0, "");
}

#[test]
fn the_amount_that_a_provider_showed_is_the_capacity() {
    let per_minute = limit(Dimension::Requests, 6, MINUTE);
    let calls: Vec<DeliveryRow> = (0..3)
        .map(|at| call(at, Dimension::Requests, 0, 500, 0))
        .collect();
    let shown = figures(&per_minute, calls, Some(3));
    assert_eq!(shown.capacity, 3);
    check(&shown, 100.0, "");
}

#[test]
fn slots_days_and_sliding_windows_have_their_own_arithmetic() {
    let slots = limit(Dimension::Concurrency, 2, Window::Held);
    let two = |dimension| {
        vec![
            call(1, dimension, 0, 1_000, 0),
            call(2, dimension, 1_000, 2_000, 0),
        ]
    };
    check(
        &figures(&slots, two(Dimension::Concurrency), None),
        50.0,
        "",
    );
    let day = limit(Dimension::Requests, 4, Window::Day { zone: Zone::UTC });
    check(&figures(&day, two(Dimension::Requests), None), 50.0, "");
    let sliding = limit(Dimension::Requests, 2, Window::Sliding { per_ms: 1_000 });
    check(&figures(&sliding, two(Dimension::Requests), None), 50.0, "");
}
