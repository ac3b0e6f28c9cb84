//! One breaker for each provider's route to a model; [`chorus_core::failure`] says which classes count.
//!
//! The error rate is an average over time with a half-life of ten seconds, so that a quiet route
//! forgets. A route opens only when two accounts fail on it and none answers: sick accounts are the business of
//! [`AccountHealth`](crate::health::AccountHealth). An open breaker lets one probe through after its rest, then two, then four; a failed probe
//! doubles the rest, and an ignored end gives the probe's slot back.

use std::collections::BTreeMap;

use chorus_core::failure::{BreakerReaction, FailureClass};
use chorus_core::id::{AccountId, ModelSlug, ProviderId};
use chorus_core::time::{Millis, Timestamp};

const HALF_LIFE_MS: f64 = 10_000.0;
const LEAST_CALLS: f64 = 3.5;
const OPENS_AT: f64 = 0.5;
const FIRST_REST: Millis = Millis(2_000);
const LONGEST_REST: Millis = Millis(60_000);
/// Number of accounts that must fail before a route opens.
const LEAST_ACCOUNTS: usize = 2;
/// Time for which the last end of an account's call counts.
const ACCOUNT_COUNTS: Millis = Millis(30_000);
/// Time after which a probe without a report is given up.
const PROBE_TIMEOUT: Millis = Millis(120_000);

/// Breakers of all routes that failed or were probed.
#[derive(Debug, Clone, Default)]
pub struct Breakers {
    routes: BTreeMap<(ProviderId, ModelSlug), Breaker>,
}

/// End of a call, as the breaker of its route sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteReport {
    /// A complete reply.
    Good,
    /// A failure that by its row of the failure table counts against the route.
    Bad,
    /// Neither: a limit, a refusal of the account or the request, or a call that was cut on our
    /// side. Every probe must report; this end only frees its slot.
    Ignored,
}

impl RouteReport {
    /// Returns the report of a call that ended with this class, or without one.
    pub const fn of(class: Option<FailureClass>, complete: bool) -> Self {
        match class {
            None if complete => Self::Good,
            None => Self::Ignored,
            Some(class) => match class.rule().breaker {
                BreakerReaction::CountsAgainst => Self::Bad,
                BreakerReaction::Ignored => Self::Ignored,
            },
        }
    }
}

/// Breaker of one route.
#[derive(Debug, Clone)]
struct Breaker {
    good: f64,
    bad: f64,
    at: Timestamp,
    /// Last end of each account's calls: its time, and true if it was a reply.
    accounts: BTreeMap<AccountId, (Timestamp, bool)>,
    state: State,
}

/// State of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Every call may go.
    Closed,
    /// No call may go before `until`.
    Open { until: Timestamp, rest: Millis },
    /// A few probes may go: `allowed` in this round, `begun` so far, `good` of them answered.
    Probing {
        allowed: u32,
        begun: u32,
        good: u32,
        since: Timestamp,
        rest: Millis,
    },
}

impl Breakers {
    /// Returns the time at which a call may go on this route; none while probes are under way.
    pub fn opens_at(
        &self,
        provider: &ProviderId,
        model: &ModelSlug,
        now: Timestamp,
    ) -> Option<Timestamp> {
        match self
            .routes
            .get(&(provider.clone(), model.clone()))
            .map(|breaker| breaker.state)
        {
            None | Some(State::Closed) => Some(now),
            Some(State::Open { until, .. }) => Some(until.max(now)),
            Some(State::Probing { allowed, begun, .. }) if begun < allowed => Some(now),
            Some(State::Probing { since, .. }) => (since + PROBE_TIMEOUT <= now).then_some(now),
        }
    }

    /// Records the start of a call on this route; returns true if it is a probe.
    pub fn started(&mut self, provider: &ProviderId, model: &ModelSlug, now: Timestamp) -> bool {
        let Some(breaker) = self.routes.get_mut(&(provider.clone(), model.clone())) else {
            return false;
        };
        breaker.state = match breaker.state {
            State::Closed => State::Closed,
            State::Open { rest, .. } => State::Probing {
                allowed: 1,
                begun: 1,
                good: 0,
                since: now,
                rest,
            },
            State::Probing {
                allowed,
                good,
                since,
                rest,
                ..
            } if since + PROBE_TIMEOUT <= now => State::Probing {
                allowed,
                begun: 1,
                good,
                since: now,
                rest,
            },
            State::Probing {
                allowed,
                begun,
                good,
                rest,
                ..
            } => State::Probing {
                allowed,
                begun: begun + 1,
                good,
                since: now,
                rest,
            },
        };
        breaker.state != State::Closed
    }

    /// Records the end of an account's call on this route. An ignored end gives the slot of a probe back. Returns
    /// true if the breaker opened or closed.
    pub fn ended(
        &mut self,
        provider: &ProviderId,
        model: &ModelSlug,
        account: AccountId,
        report: RouteReport,
        now: Timestamp,
    ) -> bool {
        let key = (provider.clone(), model.clone());
        match report {
            RouteReport::Good => self.counted(key, account, true, now),
            RouteReport::Bad => self.counted(key, account, false, now),
            RouteReport::Ignored => {
                if let Some(breaker) = self.routes.get_mut(&key)
                    && let State::Probing { begun, .. } = &mut breaker.state
                {
                    *begun = begun.saturating_sub(1);
                }
                false
            }
        }
    }

    fn counted(
        &mut self,
        key: (ProviderId, ModelSlug),
        account: AccountId,
        is_good: bool,
        now: Timestamp,
    ) -> bool {
        let breaker = self.routes.entry(key).or_insert(Breaker {
            good: 0.0,
            bad: 0.0,
            at: now,
            accounts: BTreeMap::new(),
            state: State::Closed,
        });
        breaker.count(is_good, now);
        breaker.accounts.insert(account, (now, is_good));
        let was_closed = breaker.state == State::Closed;
        breaker.state = match (breaker.state, is_good) {
            (State::Closed, _) if breaker.is_bad() => State::Open {
                until: now + FIRST_REST,
                rest: FIRST_REST,
            },
            (State::Closed, _) => State::Closed,
            (open @ State::Open { .. }, _) => open,
            (State::Probing { rest, .. }, false) => {
                let rest = Millis((rest.0 * 2).min(LONGEST_REST.0));
                State::Open {
                    until: now + rest,
                    rest,
                }
            }
            (
                State::Probing {
                    allowed,
                    begun,
                    good,
                    since,
                    rest,
                },
                true,
            ) => breaker.after_good_probe(
                Probes {
                    allowed,
                    begun,
                    good: good + 1,
                },
                since,
                rest,
            ),
        };
        was_closed != (breaker.state == State::Closed)
    }
}

#[derive(Debug, Clone, Copy)]
struct Probes {
    allowed: u32,
    begun: u32,
    good: u32,
}

impl Breaker {
    fn count(&mut self, is_good: bool, now: Timestamp) {
        let kept = 0.5_f64.powf(now.since(self.at).0 as f64 / HALF_LIFE_MS);
        (self.good, self.bad, self.at) = (self.good * kept, self.bad * kept, now.max(self.at));
        if is_good {
            self.good += 1.0;
        } else {
            self.bad += 1.0;
        }
    }

    /// Returns true if most calls fail, and those of two accounts at least without one that answers.
    fn is_bad(&mut self) -> bool {
        let calls = self.good + self.bad;
        let since = self.at - ACCOUNT_COUNTS;
        self.accounts.retain(|_, (at, _)| *at >= since);
        let failing = self.accounts.values().filter(|(_, good)| !good).count();
        let is_wide = failing >= LEAST_ACCOUNTS && failing == self.accounts.len();
        is_wide && calls >= LEAST_CALLS && self.bad / calls >= OPENS_AT
    }

    fn after_good_probe(&mut self, probes: Probes, since: Timestamp, rest: Millis) -> State {
        let Probes {
            allowed,
            begun,
            good,
        } = probes;
        if good < allowed {
            return State::Probing {
                allowed,
                begun,
                good,
                since,
                rest,
            };
        }
        if allowed >= 4 {
            (self.good, self.bad) = (0.0, 0.0);
            return State::Closed;
        }
        State::Probing {
            allowed: allowed * 2,
            begun: 0,
            good: 0,
            since,
            rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Route(Breakers, ProviderId, ModelSlug);

    impl Route {
        fn new() -> Self {
            Self(Breakers::default(), "sim".into(), "claude/sonnet".into())
        }
        fn end(&mut self, is_good: bool, at: i64) {
            let report = if is_good {
                RouteReport::Good
            } else {
                RouteReport::Bad
            };
            self.report(report, at);
        }
        /// Reports an end; the calls come from two accounts in turn.
        fn report(&mut self, report: RouteReport, at: i64) {
            let account = AccountId::new((at % 2).unsigned_abs().into());
            self.report_of(account, report, at);
        }
        fn report_of(&mut self, account: AccountId, report: RouteReport, at: i64) {
            self.0
                .ended(&self.1, &self.2, account, report, Timestamp(at));
        }
        fn start(&mut self, at: i64) {
            self.0.started(&self.1, &self.2, Timestamp(at));
        }
        fn opens(&self, at: i64) -> Option<i64> {
            self.0
                .opens_at(&self.1, &self.2, Timestamp(at))
                .map(|at| at.0)
        }
    }

    #[test]
    fn one_account_that_fails_opens_no_route() {
        let mut route = Route::new();
        let sick = AccountId::new(1);
        (0..99).for_each(|at| route.report_of(sick, RouteReport::Bad, at));
        assert_eq!(route.opens(100), Some(100), "it is alone");
        route.report_of(AccountId::new(2), RouteReport::Good, 100);
        (101..200).for_each(|at| route.report_of(AccountId::new(3), RouteReport::Bad, at));
        assert_eq!(route.opens(200), Some(200), "an account answers");
        route.report_of(AccountId::new(2), RouteReport::Bad, 201);
        assert!(route.opens(201) > Some(201), "none answers");
    }

    #[test]
    fn a_route_opens_on_failures_and_closes_after_one_two_and_four_good_probes() {
        let mut route = Route::new();
        (0..4).for_each(|at| route.end(false, at));
        assert_eq!(route.opens(10), Some(2_003), "rests before the first probe");
        let mut at = 2_003;
        for round in [1, 2, 4] {
            for _ in 0..round {
                assert_eq!(route.opens(at), Some(at), "a place in the round of {round}");
                route.start(at);
            }
            assert_eq!(route.opens(at), None, "the round of {round} is full");
            (0..round).for_each(|_| route.end(true, at + 1));
            at += 1;
        }
        (0..100).for_each(|_| route.start(at));
        assert_eq!(route.opens(at), Some(at), "closed");
    }

    #[test]
    fn a_failed_probe_doubles_the_rest_and_a_lost_one_is_given_up() {
        let mut route = Route::new();
        (0..4).for_each(|at| route.end(false, at));
        route.start(3_000);
        route.end(false, 3_500);
        assert_eq!(route.opens(3_600), Some(7_500));
        route.start(7_500);
        assert_eq!(route.opens(8_000), None);
        assert_eq!(route.opens(127_500), Some(127_500));
    }

    #[test]
    fn a_probe_that_meets_a_limit_gives_its_slot_back_at_once() {
        let mut route = Route::new();
        (0..4).for_each(|at| route.end(false, at));
        route.start(3_000);
        assert_eq!(route.opens(3_100), None, "one probe at a time");
        let limited = RouteReport::of(Some(FailureClass::RateWindow), false);
        route.report(limited, 3_200);
        assert_eq!(route.opens(3_200), Some(3_200), "the next probe may go");
        route.start(3_200);
        route.end(true, 3_300);
        assert_eq!(route.opens(3_300), Some(3_300), "and its answer counts");
    }

    #[test]
    fn an_ignored_end_changes_nothing_on_a_closed_or_open_route() {
        let mut route = Route::new();
        route.report(RouteReport::Ignored, 0);
        assert_eq!(route.opens(0), Some(0));
        (0..4).for_each(|at| route.end(false, at));
        route.report(RouteReport::Ignored, 10);
        assert_eq!(route.opens(10), Some(2_003));
    }

    #[test]
    fn old_failures_are_forgotten() {
        let mut route = Route::new();
        for at in 0..50 {
            route.end(false, at * 40_000);
            assert_eq!(route.opens(at * 40_000), Some(at * 40_000));
        }
    }
}
