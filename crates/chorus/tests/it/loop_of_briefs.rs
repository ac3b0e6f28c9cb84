//! The whole loop on generated briefs.

use serde_json::Value;

use crate::chronicle::Chronicle;
use crate::fixture::{Fixture, output_text, quick, read, text};

async fn run(
    book: Chronicle,
    change: impl FnOnce(&mut chorus_provider_sim::Config),
) -> (Value, String) {
    let mut config = quick();
    change(&mut config);
    let fixture = Fixture::new(config).await;
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write("docs/chronicle.md", &book.text());
    let output = fixture.chorus(&[
        "run", "brief.md", "--attach", "docs", "--out", "out", "--yes", "--assume",
    ]);
    assert!(output.status.success(), "{}", output_text(&output));
    let outcome = (
        fixture.report("out"),
        read(&fixture.path("out"), "guide.md"),
    );
    fixture.end().await;
    outcome
}

fn works(report: &Value) -> usize {
    let tasks = report["tasks"].as_array().expect("tasks");
    tasks
        .iter()
        .filter(|task| task["kind"] == "work" && task["superseded"] == false)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_chapter_adds_tasks_and_a_section() {
    let (four, guide_of_four) = run(
        Chronicle {
            seed: 3,
            chapters: 4,
            contradiction: false,
        },
        |_| {},
    )
    .await;
    let (five, guide_of_five) = run(
        Chronicle {
            seed: 3,
            chapters: 5,
            contradiction: false,
        },
        |_| {},
    )
    .await;
    assert!(
        works(&five) > works(&four),
        "{} and {}",
        works(&four),
        works(&five)
    );
    assert!(!guide_of_four.contains("Chapter 5"));
    assert!(guide_of_five.contains("Chapter 5"), "{guide_of_five}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_slot_of_a_provider_is_used_and_none_beyond_it() {
    let mut config = quick();
    config.speed = 4.0;
    config.providers[0]
        .organisations
        .iter_mut()
        .for_each(|organisation| organisation.limits.concurrency = Some(2));
    let fixture = Fixture::new(config).await;
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write(
        "docs/chronicle.md",
        &Chronicle {
            seed: 4,
            chapters: 9,
            contradiction: false,
        }
        .text(),
    );
    let output = fixture.chorus(&[
        "run", "brief.md", "--attach", "docs", "--out", "out", "--yes", "--assume",
    ]);
    assert!(output.status.success(), "{}", output_text(&output));
    assert_eq!(
        fixture.most_in_flight(),
        2,
        "nothing pressed against the limit"
    );
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_deliverable_is_accepted_at_once() {
    let (report, _) = run(
        Chronicle {
            seed: 11,
            chapters: 3,
            contradiction: false,
        },
        |_| {},
    )
    .await;
    assert_eq!(report["state"], "done");
    let verdicts = report["verdicts"].as_array().expect("verdicts");
    assert_eq!(verdicts.len(), 1, "{verdicts:?}");
    assert_eq!(report["conflicts"].as_array().expect("conflicts").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contradiction_between_chapters_is_found_recorded_and_resolved_once() {
    let (report, guide) = run(
        Chronicle {
            seed: 5,
            chapters: 5,
            contradiction: true,
        },
        |_| {},
    )
    .await;
    let conflicts = report["conflicts"].as_array().expect("conflicts");
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    let values: Vec<String> = conflicts[0]["conflict"]["claims"]
        .as_array()
        .expect("claims")
        .iter()
        .map(|claim| text(&claim["value"]))
        .collect();
    assert!(
        values.iter().any(|value| value.contains("1874"))
            && values.iter().any(|value| value.contains("1879")),
        "{values:?}"
    );
    assert!(conflicts[0]["resolution"].is_object(), "{conflicts:?}");
    let resolves = report["tasks"]
        .as_array()
        .expect("tasks")
        .iter()
        .filter(|task| task["kind"] == "resolve" && task["state"] == "succeeded")
        .count();
    assert_eq!(resolves, 1);
    assert!(guide.contains("1874") && guide.contains("1879"), "{guide}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_part_is_judged_incomplete_and_done_again() {
    let omit = |config: &mut chorus_provider_sim::Config| {
        config.omissions = vec![chorus_provider_sim::config::Omission {
            contains: "section=\"d1.2\"".to_owned(),
        }];
    };
    let (report, _) = run(
        Chronicle {
            seed: 9,
            chapters: 4,
            contradiction: false,
        },
        omit,
    )
    .await;
    assert_eq!(report["state"], "done", "{}", report["defects"]);
    let verdicts = report["verdicts"].as_array().expect("verdicts");
    assert_eq!(verdicts.len(), 2, "{verdicts:?}");
    assert!(
        verdicts[0]["score"].as_u64() < verdicts[1]["score"].as_u64(),
        "{verdicts:?}"
    );
    assert!(
        report["happenings"]
            .as_array()
            .expect("happenings")
            .iter()
            .any(|happening| happening["kind"] == "rework")
    );
}
