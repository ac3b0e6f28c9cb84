//! Limits that fall without being reported, against a server that counts by itself.

use std::sync::Arc;

use chorus_core::failure::FailureClass;
use chorus_core::id::{Holder, LeaseId};
use chorus_core::limit::{
    Dimension, End, LimitSignals, ObservedLevel, QuotaGroup, ReserveRule, Reserved,
};
use chorus_core::time::Timestamp;

use super::{MINUTE, demand, group, limit, used};
use crate::ledger::{Ledger, Start};

const MINUTE_MS: i64 = 60_000;
/// Requests and input tokens of a minute, as configured.
const AMOUNTS: [i64; 2] = [600, 600_000];
const RUNS: i64 = 3_000;

/// Headers of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Headers {
    None,
    Remaining,
    Whole,
}

/// Server with buckets of its own; a refused call counts nothing.
struct Server {
    amounts: [i64; 2],
    scaled: [i64; 2],
    at: i64,
    /// Share of each amount that others draw all the time, in per cent.
    others: i64,
}

impl Server {
    fn new() -> Self {
        Self {
            amounts: AMOUNTS,
            scaled: AMOUNTS.map(|amount| amount * MINUTE_MS),
            at: 0,
            others: 0,
        }
    }

    fn advance(&mut self, now: i64) {
        for (scaled, amount) in self.scaled.iter_mut().zip(self.amounts) {
            let rate = amount * (100 - self.others) / 100;
            *scaled = (*scaled + (now - self.at) * rate).min(amount * MINUTE_MS);
        }
        self.at = now;
    }

    /// Returns true if the call is accepted.
    fn call(&mut self, now: i64, tokens: i64) -> bool {
        self.advance(now);
        let needs = [MINUTE_MS, tokens * MINUTE_MS];
        let fits = self
            .scaled
            .iter()
            .zip(needs)
            .all(|(left, need)| *left >= need);
        if fits {
            self.scaled
                .iter_mut()
                .zip(needs)
                .for_each(|(left, need)| *left -= need);
        }
        fits
    }

    fn levels(&self, headers: Headers) -> Vec<ObservedLevel> {
        let dimensions = [Dimension::Requests, Dimension::InputTokens];
        let level = |(place, dimension): (usize, Dimension)| ObservedLevel {
            dimension,
            limit: (headers == Headers::Whole).then_some(self.amounts[place].unsigned_abs()),
            remaining: Some((self.scaled[place] / MINUTE_MS).max(0).unsigned_abs()),
            full_at: None,
            rounded_to: 1,
            window: None,
        };
        match headers {
            Headers::None => Vec::new(),
            Headers::Remaining | Headers::Whole => {
                dimensions.into_iter().enumerate().map(level).collect()
            }
        }
    }
}

/// Calls that were accepted and refused from a minute until ten after the server changes.
fn play(headers: Headers, change: impl FnOnce(&mut Server)) -> (u32, u32) {
    let group: Arc<QuotaGroup> = group(vec![
        limit(Dimension::Requests, AMOUNTS[0].unsigned_abs(), MINUTE),
        limit(Dimension::InputTokens, AMOUNTS[1].unsigned_abs(), MINUTE),
    ]);
    let (mut ledger, mut server, mut change) =
        (Ledger::new(Start::Full), Server::new(), Some(change));
    let (mut accepted, mut refused, mut lease) = (0, 0, 0_u32);
    let mut running: Vec<(i64, LeaseId, u64)> = Vec::new();
    let mut now = 0;
    while now < 11 * MINUTE_MS {
        if let Some(change) = change.take_if(|_| now >= MINUTE_MS) {
            server.advance(now);
            change(&mut server);
        }
        running.retain(|(at, lease, tokens)| {
            if *at <= now {
                ledger.end(*lease, &used(*tokens, 0), Timestamp(now));
            }
            *at > now
        });
        lease += 1;
        let tokens = 2_000 + u64::from(lease * 7_919 % 3_000);
        let mut ask = demand(lease.into(), &group, tokens, 0);
        ask.not_after = Timestamp(now + 30_000);
        match ledger.reserve(&ask, Timestamp(now)) {
            Reserved::Granted(granted) => {
                let until = Timestamp(now + 60_000);
                ledger.send(granted.id, &Holder::new("one"), until, Timestamp(now));
                let is_accepted = server.call(now, tokens.cast_signed());
                let signals = LimitSignals {
                    sent_at: Timestamp(now),
                    failure: (!is_accepted).then_some(FailureClass::RateWindow),
                    retry_after: None,
                    levels: server.levels(headers),
                };
                ledger.observe(granted.id, &signals, Timestamp(now));
                let is_counted = u32::from(now >= MINUTE_MS);
                if is_accepted {
                    accepted += is_counted;
                    running.push((now + RUNS, granted.id, tokens));
                } else {
                    refused += is_counted;
                    let end = End::Refused {
                        counts_request: false,
                    };
                    ledger.end(granted.id, &end, Timestamp(now));
                }
                now += 1;
            }
            Reserved::Wait { at, .. } => {
                let next = running.iter().map(|(at, ..)| *at).min();
                let at = at.map(|at| at.0).into_iter().chain(next).min();
                now = at.unwrap_or(now).max(now + 1);
            }
            Reserved::Never(why) => panic!("{why}"),
        }
    }
    (accepted, refused)
}

fn halved(server: &mut Server) {
    server.amounts = AMOUNTS.map(|amount| amount / 2);
    server.scaled = server.amounts.map(|amount| amount * MINUTE_MS / 4);
}

/// Checks refusals a call in thousandths, and the calls against those of a reported limit, in per cent.
fn check(headers: Headers, change: fn(&mut Server), most_refused: u32, least: u32) {
    let (reported, _) = play(Headers::Whole, halved);
    let (accepted, refused) = play(headers, change);
    println!("{headers:?}: {accepted} of {reported} calls, {refused} refusals");
    assert!(
        refused * 1_000 <= accepted * most_refused,
        "{refused} refusals in {accepted} calls"
    );
    assert!(
        accepted * 100 >= reported * least,
        "{accepted} of {reported} calls"
    );
}

#[test]
fn a_limit_that_is_told_costs_one_refusal() {
    let (_, refused) = play(Headers::Whole, halved);
    assert!(refused <= 1, "{refused}");
}

#[test]
fn a_limit_that_falls_untold_is_learned_from_refusals() {
    check(Headers::None, halved, 30, 75);
}

#[test]
fn a_limit_that_falls_while_remaining_is_told_is_hardly_passed() {
    check(Headers::Remaining, halved, 5, 80);
}

#[test]
fn half_of_an_account_that_others_draw_is_learned() {
    let others = |server: &mut Server| server.others = 50;
    check(Headers::Whole, others, 10, 80);
    check(Headers::None, others, 30, 75);
}

#[test]
fn a_single_refusal_lowers_nothing_and_a_whole_limit_comes_back() {
    let once = |server: &mut Server| server.scaled = [0, 0];
    let (accepted, refused) = play(Headers::None, once);
    assert!(refused <= 3, "{refused}");
    let (all, _) = play(Headers::None, |_| {});
    assert!(accepted * 100 >= all * 95, "{accepted} of {all}");
}

#[test]
fn a_call_larger_than_a_learned_limit_is_never_refused_for_good() {
    let mut ledger = Ledger::new(Start::Full);
    let group = group(vec![chorus_core::limit::Limit {
        reserve: ReserveRule::Estimate,
        ..limit(Dimension::InputTokens, 6_000, MINUTE)
    }]);
    for (lease, at) in [(1, 0), (2, 10_000), (3, 30_000), (4, 50_000)] {
        let now = Timestamp(at);
        let mut ask = demand(lease, &group, 1_000, 0);
        ask.not_after = Timestamp(at + 1_000);
        let Reserved::Granted(lease) = ledger.reserve(&ask, now) else {
            panic!("there is room at {at}")
        };
        ledger.send(lease.id, &Holder::new("one"), Timestamp(at + 60_000), now);
        let refused = LimitSignals {
            sent_at: now,
            failure: Some(FailureClass::RateWindow),
            retry_after: None,
            levels: Vec::new(),
        };
        ledger.observe(lease.id, &refused, now);
        ledger.end(
            lease.id,
            &End::Refused {
                counts_request: false,
            },
            now,
        );
    }
    let level = &ledger.all_levels(Timestamp(50_000))[0].limits[0];
    assert!(
        level.amount < 6_000 && level.configured == 6_000,
        "{level:?}"
    );
    let whole = ledger.reserve(&demand(9, &group, 6_000, 0), Timestamp(51_000));
    assert!(
        matches!(whole, Reserved::Wait { at: Some(_), .. }),
        "{whole:?}"
    );
}
