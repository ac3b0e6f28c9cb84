//! Measured durations of calls, by route: how long a call of a lost worker may still run.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use chorus_core::attempt::CallSummary;
use chorus_core::id::{ModelSlug, ProviderId};
use chorus_core::time::Millis;

/// Number of calls that are remembered for each route.
const REMEMBERED: usize = 200;
/// Number of calls from which a route counts as measured.
const MEASURED_FROM: usize = 20;
/// Factor on the 99th percentile.
const FACTOR: u64 = 3;
/// Minimum of the bound.
const FLOOR: Millis = Millis::from_secs(60);

/// Durations of the latest calls of each route.
#[derive(Debug, Default)]
pub(crate) struct RouteDurations {
    routes: Mutex<BTreeMap<(ProviderId, ModelSlug), VecDeque<Millis>>>,
}

impl RouteDurations {
    /// Adds an ended call.
    pub(crate) fn note(&self, call: &CallSummary) {
        let route = (call.provider.clone(), call.model.clone());
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let durations = routes.entry(route).or_default();
        if durations.len() >= REMEMBERED {
            durations.pop_front();
        }
        durations.push_back(call.took);
    }

    /// Returns the time after which a call of the route has ended almost surely; none before the route is
    /// measured.
    pub(crate) fn bound(&self, provider: &ProviderId, model: &ModelSlug) -> Option<Millis> {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let durations = routes.get(&(provider.clone(), model.clone()))?;
        if durations.len() < MEASURED_FROM {
            return None;
        }
        let mut sorted: Vec<Millis> = durations.iter().copied().collect();
        sorted.sort_unstable();
        let p99 = sorted[(sorted.len() * 99).div_ceil(100) - 1];
        Some(FLOOR.max(Millis(p99.0.saturating_mul(FACTOR))))
    }
}

#[cfg(test)]
mod tests {
    use chorus_core::attempt::CallSize;
    use chorus_core::money::MicroUsd;
    use chorus_core::task_kind::TaskKind;

    use super::*;

    fn call(took: u64) -> CallSummary {
        CallSummary {
            provider: "sim".into(),
            model: "model".into(),
            account: chorus_core::id::AccountId::new(1),
            kind: TaskKind::Work,
            size: CallSize {
                input: 1,
                output: 1,
                max_tokens: 1,
            },
            class: None,
            complete: true,
            usage: None,
            cost: MicroUsd::ZERO,
            took: Millis(took),
        }
    }

    #[test]
    fn a_route_is_bounded_by_its_slowest_calls_once_it_is_measured() {
        let durations = RouteDurations::default();
        let bound = || durations.bound(&"sim".into(), &"model".into());
        for _ in 0..MEASURED_FROM - 1 {
            durations.note(&call(1_000));
        }
        assert_eq!(bound(), None, "a few calls prove nothing");
        durations.note(&call(1_000));
        assert_eq!(bound(), Some(FLOOR));
        durations.note(&call(40_000));
        assert_eq!(bound(), Some(Millis(120_000)));
        for _ in 0..REMEMBERED {
            durations.note(&call(30_000));
        }
        assert_eq!(bound(), Some(Millis(90_000)), "older calls are forgotten");
    }
}
