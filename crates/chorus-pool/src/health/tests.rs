//! Ranks, rests and probes of accounts.

use chorus_core::attempt::CallSize;
use chorus_core::failure::FailureClass;
use chorus_core::money::MicroUsd;
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Millis;

use super::*;

const SICK: AccountId = AccountId::new(1);

struct Bench(AccountHealth, ProviderId, ModelSlug);

impl Bench {
    fn new() -> Self {
        Self(
            AccountHealth::default(),
            "sim".into(),
            "claude/sonnet".into(),
        )
    }

    /// Ends a call of the sick account that took 5 ms.
    fn end(&mut self, class: Option<FailureClass>, at: i64) {
        let call = CallSummary {
            provider: self.1.clone(),
            model: self.2.clone(),
            account: SICK,
            kind: TaskKind::Work,
            size: CallSize {
                input: 1,
                output: 1,
                max_tokens: 1,
            },
            class,
            complete: class.is_none(),
            usage: None,
            cost: MicroUsd::ZERO,
            took: Millis(5),
        };
        self.0.ended(&call, Timestamp(at));
    }

    fn start(&mut self, at: i64) {
        self.0.started(SICK, &self.1, &self.2, Timestamp(at));
    }

    fn opens(&self, at: i64) -> Option<i64> {
        let opens = self.0.opens_at(SICK, &self.1, &self.2, Timestamp(at));
        opens.map(|at| at.0)
    }
}

/// Records one end of a call each millisecond and returns the account's rank after them.
fn check(ends: &[Option<FailureClass>], after: i64) -> u32 {
    let mut bench = Bench::new();
    for (at, end) in (0..).zip(ends) {
        bench.end(*end, at);
    }
    let rank = |account| bench.0.rank(account, &bench.1, Timestamp(after));
    assert_eq!(rank(AccountId::new(2)), 0);
    rank(SICK)
}

#[test]
fn failures_of_the_account_lower_its_rank_and_limits_do_not() {
    use FailureClass::{Auth, QuotaDay, RateWindow, Request, Transient};
    for class in [RateWindow, QuotaDay, Request] {
        assert_eq!(check(&[Some(class); 9], 9), 0, "{class:?}");
    }
    for class in [Auth, Transient] {
        assert!(check(&[Some(class)], 1) >= 3, "{class:?}");
    }
    assert_eq!(check(&[Some(Transient); 1_000], 1_000), 64);
}

#[test]
fn an_account_recovers_with_time_and_with_replies() {
    let failed = [Some(FailureClass::Transient); 4];
    assert!(check(&failed, 4) > check(&failed, 60_000));
    assert_eq!(check(&failed, 600_000), 0);
    let answered = [failed.as_slice(), &[None; 5]].concat();
    assert_eq!(check(&answered, 9), 0);
}

#[test]
fn three_failures_in_a_row_rest_an_account_and_each_failed_probe_doubles_the_rest() {
    let mut bench = Bench::new();
    for at in [0, 10] {
        bench.end(Some(FailureClass::Transient), at);
        assert_eq!(bench.opens(at), Some(at), "two may be chance");
    }
    bench.end(Some(FailureClass::Transient), 20);
    let mut last = 0;
    let mut at = 20;
    for _ in 0..8 {
        let opens = bench.opens(at).expect("no probe is under way");
        let rest = opens - at;
        assert!(rest >= last, "a rest of {rest} after one of {last}");
        assert!((2_000..=75_000).contains(&rest));
        bench.end(Some(FailureClass::Transient), opens - 1);
        assert_eq!(
            bench.opens(opens),
            Some(opens),
            "calls from before are no news"
        );
        bench.start(opens);
        assert_eq!(bench.opens(opens + 1), None, "one probe at a time");
        at = opens + 10;
        bench.end(Some(FailureClass::Transient), at);
        last = rest;
    }
    assert!(last >= 60_000);
    let opens = bench.opens(at).expect("no probe is under way");
    bench.start(opens);
    bench.end(None, opens + 10);
    assert_eq!(bench.opens(opens + 10), Some(opens + 10), "a reply ends it");
}

#[test]
fn every_end_of_a_probe_gives_its_slot_back() {
    let ends = [
        Some(FailureClass::RateWindow),
        Some(FailureClass::Request),
        Some(FailureClass::Forbidden),
        None,
    ];
    for end in ends {
        let mut bench = Bench::new();
        (0..3).for_each(|at| bench.end(Some(FailureClass::Transient), at));
        let opens = bench.opens(5).expect("no probe is under way");
        bench.start(opens);
        assert_eq!(bench.opens(opens + 1), None);
        bench.end(end, opens + 10);
        assert!(bench.opens(opens + 20).is_some(), "{end:?}");
    }
    let mut bench = Bench::new();
    (0..3).for_each(|at| bench.end(Some(FailureClass::Transient), at));
    bench.start(3_000);
    bench.0.dropped(SICK, &bench.1, &bench.2);
    assert_eq!(bench.opens(3_000), Some(3_000), "it was never made");
}

#[test]
fn a_forbidden_model_rests_alone() {
    let mut bench = Bench::new();
    bench.end(Some(FailureClass::Forbidden), 0);
    assert!(bench.opens(0).expect("no probe") >= 15_000);
    let other = ModelSlug::new("claude/haiku");
    let opens = bench.0.opens_at(SICK, &bench.1, &other, Timestamp(0));
    assert_eq!(opens, Some(Timestamp(0)));
    assert_eq!(bench.0.rank(SICK, &bench.1, Timestamp(0)), 0);
}

#[test]
fn refusals_for_a_rate_without_a_reply_between_them_rest_an_account() {
    let mut bench = Bench::new();
    for at in 0..3 {
        bench.end(Some(FailureClass::RateWindow), at);
    }
    assert_eq!(bench.opens(3), Some(3));
    bench.end(None, 3);
    for at in 4..7 {
        bench.end(Some(FailureClass::RateWindow), at);
        assert_eq!(bench.opens(at), Some(at), "a reply began the count anew");
    }
    bench.end(Some(FailureClass::RateWindow), 7);
    assert!(bench.opens(7).expect("no probe") >= 2_000);
}

#[test]
fn newer_evidence_ends_every_rest() {
    let mut bench = Bench::new();
    (0..3).for_each(|at| bench.end(Some(FailureClass::Transient), at));
    bench.end(Some(FailureClass::Forbidden), 4);
    bench.0.forget(SICK, &bench.1);
    assert_eq!(bench.opens(5), Some(5));
    assert_eq!(bench.0.rank(SICK, &bench.1, Timestamp(5)), 0);
}

#[test]
fn the_account_with_the_fewest_calls_goes_first_then_the_longest_unused() {
    let mut bench = Bench::new();
    let order = |bench: &Bench, account| bench.0.use_order(AccountId::new(account), &bench.1);
    bench.start(0);
    assert!(order(&bench, 2) < order(&bench, 1));
    bench.end(None, 1);
    assert!(order(&bench, 2) < order(&bench, 1), "it was used later");
}
