//! Order of the disturbances, drawn from a seed.

use std::time::Duration;

/// Kind of a disturbance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Disturbance {
    /// SIGKILL of a worker with an open call.
    Worker,
    /// SIGKILL of the orchestrator that owns a project in progress.
    Owner,
    /// SIGKILL of the leading dispatcher.
    Leader,
    /// SIGKILL of the gateway that clients are connected to.
    Gateway,
    /// The broker is stopped for a while.
    Kafka,
    /// The database is killed and restarted.
    Postgres,
    /// Redis loses all data.
    Redis,
    /// Every topic is deleted and created again.
    Topics,
}

/// One [`Disturbance`] with its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) what: Disturbance,
    /// Pause before the disturbance.
    pub(crate) after: Duration,
    /// Time until a killed process is restarted.
    pub(crate) away: Duration,
}

/// Number of times that each [`Disturbance`] occurs in one run.
const TIMES: [(Disturbance, u32); 8] = [
    (Disturbance::Worker, 4),
    (Disturbance::Owner, 2),
    (Disturbance::Leader, 2),
    (Disturbance::Gateway, 2),
    (Disturbance::Kafka, 1),
    (Disturbance::Postgres, 1),
    (Disturbance::Redis, 1),
    (Disturbance::Topics, 1),
];

/// Draws the [`Step`]s of a seed.
pub(crate) fn steps(seed: u64) -> Vec<Step> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut whats: Vec<Disturbance> = TIMES
        .iter()
        .flat_map(|(what, times)| (0..*times).map(move |_| *what))
        .collect();
    chance.shuffle(&mut whats);
    let mut millis = |least, most| Duration::from_millis(chance.u64(least..most));
    whats
        .into_iter()
        .map(|what| Step {
            what,
            after: millis(300, 1_500),
            away: millis(500, 4_000),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disturbance_happens_and_a_seed_names_one_order() {
        for seed in 0..50 {
            let order = steps(seed);
            for (what, times) in TIMES {
                assert_eq!(
                    order.iter().filter(|step| step.what == what).count(),
                    times as usize,
                    "{what:?} of seed {seed}"
                );
            }
            assert_eq!(order, steps(seed));
        }
        assert_ne!(steps(1), steps(2));
    }
}
