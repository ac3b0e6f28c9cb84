//! A breaker for each provider's route to a model: it opens on overload and passing failures, never on limits.
//!
//! The error rate is an average over time with a half-life of ten seconds, so that a quiet route forgets. An
//! open breaker lets one probe through after its rest, then two, then four; a failed probe doubles the rest.

use std::collections::BTreeMap;

use chorus_core::id::{ModelSlug, ProviderId};
use chorus_core::time::{Millis, Timestamp};

const HALF_LIFE_MS: f64 = 10_000.0;
const LEAST_CALLS: f64 = 3.5;
const OPENS_AT: f64 = 0.5;
const FIRST_REST: Millis = Millis(2_000);
const LONGEST_REST: Millis = Millis(60_000);
/// A probe that nobody reports on is given up after this time.
const PROBE_PATIENCE: Millis = Millis(120_000);

/// All breakers.
#[derive(Debug, Clone, Default)]
pub struct Breakers {
    routes: BTreeMap<(ProviderId, ModelSlug), Breaker>,
}

/// One breaker.
#[derive(Debug, Clone)]
struct Breaker {
    good: f64,
    bad: f64,
    at: Timestamp,
    state: State,
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Calls flow.
    Closed,
    /// No call until then.
    Open { until: Timestamp, rest: Millis },
    /// A few calls try it out: so many allowed, so many begun, so many that came back well.
    Probing {
        allowed: u32,
        begun: u32,
        well: u32,
        since: Timestamp,
        rest: Millis,
    },
}

impl Breakers {
    /// When a call may go on this route: now, at a time, or (none) when a probe has come back.
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
            Some(State::Probing { since, .. }) => (since + PROBE_PATIENCE <= now).then_some(now),
        }
    }

    /// A call goes on this route.
    pub fn started(&mut self, provider: &ProviderId, model: &ModelSlug, now: Timestamp) {
        let Some(breaker) = self.routes.get_mut(&(provider.clone(), model.clone())) else {
            return;
        };
        breaker.state = match breaker.state {
            State::Closed => State::Closed,
            State::Open { rest, .. } => State::Probing {
                allowed: 1,
                begun: 1,
                well: 0,
                since: now,
                rest,
            },
            State::Probing {
                allowed,
                well,
                since,
                rest,
                ..
            } if since + PROBE_PATIENCE <= now => State::Probing {
                allowed,
                begun: 1,
                well,
                since: now,
                rest,
            },
            State::Probing {
                allowed,
                begun,
                well,
                rest,
                ..
            } => State::Probing {
                allowed,
                begun: begun + 1,
                well,
                since: now,
                rest,
            },
        };
    }

    /// A call on this route ended, well or with a failure that counts.
    pub fn ended(&mut self, provider: &ProviderId, model: &ModelSlug, well: bool, now: Timestamp) {
        let key = (provider.clone(), model.clone());
        let breaker = self.routes.entry(key).or_insert(Breaker {
            good: 0.0,
            bad: 0.0,
            at: now,
            state: State::Closed,
        });
        breaker.count(well, now);
        breaker.state = match (breaker.state, well) {
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
                    well,
                    since,
                    rest,
                },
                true,
            ) => breaker.after_good_probe(
                Probes {
                    allowed,
                    begun,
                    well: well + 1,
                },
                since,
                rest,
            ),
        };
    }
}

#[derive(Debug, Clone, Copy)]
struct Probes {
    allowed: u32,
    begun: u32,
    well: u32,
}

impl Breaker {
    fn count(&mut self, well: bool, now: Timestamp) {
        let kept = 0.5_f64.powf(now.since(self.at).0 as f64 / HALF_LIFE_MS);
        (self.good, self.bad, self.at) = (self.good * kept, self.bad * kept, now.max(self.at));
        if well {
            self.good += 1.0;
        } else {
            self.bad += 1.0;
        }
    }

    fn is_bad(&self) -> bool {
        let calls = self.good + self.bad;
        calls >= LEAST_CALLS && self.bad / calls >= OPENS_AT
    }

    fn after_good_probe(&mut self, probes: Probes, since: Timestamp, rest: Millis) -> State {
        let Probes {
            allowed,
            begun,
            well,
        } = probes;
        if well < allowed {
            return State::Probing {
                allowed,
                begun,
                well,
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
            well: 0,
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
        fn end(&mut self, well: bool, at: i64) {
            self.0.ended(&self.1, &self.2, well, Timestamp(at));
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
    fn old_failures_are_forgotten() {
        let mut route = Route::new();
        for at in 0..50 {
            route.end(false, at * 40_000);
            assert_eq!(route.opens(at * 40_000), Some(at * 40_000));
        }
    }
}
