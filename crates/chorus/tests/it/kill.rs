//! SIGKILL at each point where a task changes hands, then `resume`: nothing is lost, every call is
//! accounted for, and the deliverable is the same to the byte.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;

use chorus_core::attempt::{DeliveryEnd, DeliveryRow};
use chorus_provider_sim::engine::journal::Entry;

use crate::chronicle::Chronicle;
use crate::fixture::{Fixture, output_text, quick};

const BOOK: Chronicle = Chronicle {
    seed: 7,
    chapters: 5,
    contradiction: true,
};

/// Crash points with the number of the passage that is killed, so that both planning and work are
/// hit.
const KILLS: [(&str, u32); 9] = [
    ("reserve", 1),
    ("reserve", 4),
    ("dispatch", 3),
    ("publish", 4),
    ("claim", 2),
    ("claim", 5),
    ("offset", 4),
    ("reply", 4),
    ("finish", 5),
];

async fn fixture() -> Fixture {
    let fixture = Fixture::new(quick()).await;
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write("docs/chronicle.md", &BOOK.text());
    fixture
}

const RUN: [&str; 8] = [
    "run", "brief.md", "--attach", "docs", "--out", "out", "--yes", "--assume",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_resumes_to_the_same_deliverable_and_every_call_is_accounted_for() {
    let undisturbed = fixture().await;
    let output = undisturbed.chorus(&RUN);
    assert!(output.status.success(), "{}", output_text(&output));
    let expected = undisturbed.hashes("out");
    assert!(!expected.is_empty());
    check_records(
        &undisturbed.journal(),
        &undisturbed.deliveries(undisturbed.project()).await,
    );
    undisturbed.end().await;
    for (point, times) in KILLS {
        let fixture = fixture().await;
        let killed = fixture.chorus_killed_at(&format!("{point}:{times}"), &RUN);
        assert_eq!(
            killed.status.signal(),
            Some(9),
            "{point}:{times} was not reached: {}",
            output_text(&killed)
        );
        let id = fixture.project();
        let resumed = fixture.chorus(&[
            "resume",
            &id.to_string(),
            "--out",
            "out",
            "--yes",
            "--assume",
        ]);
        assert!(
            resumed.status.success(),
            "{point}:{times}: {}",
            output_text(&resumed)
        );
        assert_eq!(
            fixture.hashes("out"),
            expected,
            "{point}:{times}: another deliverable"
        );
        check_records(&fixture.journal(), &fixture.deliveries(id).await);
        fixture.end().await;
    }
}

/// Checks that each call of the providers belongs to one delivery, that each delivery with usage
/// has its call, and that a delivery without a call was lost or never sent.
fn check_records(journal: &[Entry], rows: &[DeliveryRow]) {
    let mut calls: BTreeMap<String, u32> = BTreeMap::new();
    for entry in journal {
        *calls
            .entry(
                entry
                    .client_request
                    .clone()
                    .expect("every call names its delivery"),
            )
            .or_default() += 1;
    }
    for row in rows {
        let name = format!("{}.{}", row.attempt, row.epoch.0);
        let seen = calls.remove(&name).unwrap_or(0);
        match &row.end {
            Some(DeliveryEnd::Finished { .. }) if row.usage.is_some() => {
                assert_eq!(seen, 1, "{name} finished with a usage: {row:?}");
            }
            Some(DeliveryEnd::Unclaimed) => {
                assert_eq!(seen, 0, "{name} was never claimed: {row:?}");
            }
            Some(
                DeliveryEnd::WorkerLost | DeliveryEnd::Cancelled | DeliveryEnd::Finished { .. },
            ) => assert!(seen <= 1, "{name}: {row:?}"),
            None => panic!("{name} is still open: {row:?}"),
        }
        if seen == 1 && matches!(row.end, Some(DeliveryEnd::WorkerLost)) {
            assert!(
                row.cost.0 > 0,
                "the lost call of {name} shows as waste: {row:?}"
            );
        }
    }
    assert!(
        calls.is_empty(),
        "calls that no delivery accounts for: {calls:?}"
    );
}
