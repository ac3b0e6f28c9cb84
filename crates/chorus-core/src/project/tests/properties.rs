//! Properties that hold for random scripts.

use proptest::prelude::*;

use super::fixture::Fixture;
use super::script::{Script, scripts};
use crate::artifact::ArtifactHash;
use crate::brief::Options;
use crate::id::EventId;
use crate::project::Command;
use crate::task_kind::TaskKind;
use crate::time::Timestamp;

/// Facts that must not depend on the order in which attempts ended.
fn end_of(fixture: &Fixture) -> (String, Option<ArtifactHash>, Vec<String>) {
    let head = &fixture.project.head;
    let work = fixture
        .project
        .active()
        .filter(|task| task.kind == TaskKind::Work);
    let mut tasks: Vec<_> = work
        .map(|task| {
            format!(
                "{} {} {} {:?}",
                task.key,
                task.plan_version,
                task.state.as_str(),
                task.result()
            )
        })
        .collect();
    tasks.sort();
    (head.state.as_str().to_owned(), head.deliverable(), tasks)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_project_comes_to_an_end_and_keeps_its_invariants(script in scripts()) {
        let fixture = script.run(|_, _| {});
        prop_assert!(fixture.project.head.is_terminal());
    }

    #[test]
    fn the_order_of_independent_finishes_does_not_matter(script in scripts(), other in proptest::collection::vec(any::<u8>(), 1..40)) {
        let script = Script { money: false, ..script };
        let shuffled = Script { order: other, ..script.clone() };
        prop_assert_eq!(end_of(&script.run(|_, _| {})), end_of(&shuffled.run(|_, _| {})));
    }

    #[test]
    fn the_latest_pause_or_resume_holds_in_any_order_of_arrival(
        commands in proptest::collection::vec((any::<bool>(), any::<u32>(), 1..3usize), 1..8),
    ) {
        let mut fixture = Fixture::begun(Options { assume: true, approve: false });
        // Ids of commands are hashes of the client's keys: they say nothing about the order.
        let given: Vec<_> = commands.iter().zip(1i64..).map(|((pause, place, times), at)| (*place, Timestamp(at), *pause, *times)).collect();
        let mut arriving = given.clone();
        arriving.sort_unstable();
        for (place, at, pause, times) in arriving {
            let event = EventId::new(u128::from(place) << 64 | u128::from(at.0.unsigned_abs()));
            for _ in 0..times {
                let at = Some(at);
                // Commands that were overtaken or repeated are refused; only the final state counts.
                let _ = fixture.send_as(event, if pause { Command::Pause { at } } else { Command::Resume { at } });
            }
        }
        let (.., last, _) = given[given.len() - 1];
        prop_assert_eq!(fixture.project.head.state.as_str() == "paused", last);
        prop_assert_eq!(fixture.live().is_empty(), last);
    }

    #[test]
    fn commands_at_any_time_break_nothing(script in scripts()) {
        let mut stale = Vec::new();
        let fixture = script.run(|fixture, pick| {
            let command = match pick % 9 {
                0 => Command::Pause { at: None },
                1 => Command::Resume { at: None },
                2 => Command::Approve { hash: ArtifactHash::of(b"plan"), plan: Some(script.plan().plan) },
                3 => Command::Answer { answers: std::collections::BTreeMap::new(), assume_rest: true, questions: None },
                4 if pick == 4 => Command::Cancel,
                _ => return,
            };
            let event = fixture.event();
            let sent = fixture.send_as(event, command.clone());
            stale.push((event, command, sent.is_ok()));
            for (event, command, done) in stale.clone() {
                if done {
                    assert!(fixture.send_as(event, command).is_err(), "a repeated command decides nothing");
                }
            }
        });
        prop_assert!(fixture.project.head.is_terminal());
    }
}
