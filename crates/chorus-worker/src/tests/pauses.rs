//! Pauses of an account by a person, with calls under way and before they begin.

use chorus_core::attempt::{Outcome, Requeue};
use chorus_core::port::directory::CredentialState;
use chorus_core::time::Millis;

use super::bench::Bench;
use super::script::slow_answer;

/// Pauses the only credential after two seconds, and publishes the notice of it if `is_noticed`.
async fn pause(bench: &Bench, is_cut: bool, is_noticed: bool) {
    bench.clock.sleep(Millis::from_secs(2)).await;
    let paused = CredentialState::Paused {
        reason: "leaked".to_owned(),
        is_cut,
    };
    bench.set_state(paused);
    if is_noticed {
        bench.publish(vec![bench.credential_notice()]);
    }
}

#[test]
fn a_pause_with_a_cut_ends_the_call_and_hands_it_back_even_if_its_notice_is_lost() {
    for (is_noticed, most) in [(true, 3_000), (false, 2_000 + 2 * 10_000)] {
        let mut bench = Bench::new(vec![slow_answer("too late", 60_000)]);
        let record = bench.dispatch();
        bench.publish(vec![record]);
        bench.work_while(70, pause(&bench, true, is_noticed));
        let Outcome::Requeue {
            reason, not_before, ..
        } = bench.outcome()
        else {
            panic!("it is handed back: {:?}", bench.outcome());
        };
        assert_eq!(reason, Requeue::Drained);
        assert!(not_before.0 <= most, "noticed {is_noticed}: {not_before:?}");
    }
}

#[test]
fn a_pause_without_a_cut_lets_the_call_end_and_begins_no_other() {
    let mut bench = Bench::new(vec![slow_answer("in time", 15_000)]);
    let record = bench.dispatch();
    bench.publish(vec![record]);
    bench.work_while(30, pause(&bench, false, true));
    assert!(matches!(bench.outcome(), Outcome::Succeeded { .. }));
    let mut bench = Bench::new(Vec::new());
    let record = bench.dispatch();
    bench.work_while(10, async {
        pause(&bench, false, true).await;
        bench.clock.sleep(Millis::from_secs(1)).await;
        bench.publish(vec![record]);
    });
    assert_eq!(bench.calls(), 0, "nothing goes out");
    assert!(matches!(
        bench.outcome(),
        Outcome::Requeue {
            reason: Requeue::Drained,
            ..
        }
    ));
}

#[test]
fn a_pause_that_ended_without_a_notice_does_not_keep_calls_back() {
    let mut bench = Bench::new(vec![slow_answer("done", 100)]);
    let record = bench.dispatch();
    bench.work_while(30, async {
        pause(&bench, false, true).await;
        bench.clock.sleep(Millis::from_secs(1)).await;
        bench.set_state(CredentialState::Active);
        bench.publish(vec![record]);
    });
    assert!(matches!(bench.outcome(), Outcome::Succeeded { .. }));
}
