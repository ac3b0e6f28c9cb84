//! Plans of faults: which faults a simulation injects and how often.
//!
//! A [`FaultPlan`] is drawn from a seed or chosen by name. The
//! [`FaultInjector`](super::FaultInjector) draws single faults from it.

use chorus_core::time::{Millis, Timestamp};
use fastrand::Rng;

use super::Part;
use crate::chance::{self, permille};

/// Names of the plans that seeds draw from.
const NAMES: [&str; 16] = [
    "crashes",
    "quick crashes",
    "one machine",
    "pauses",
    "lost replies",
    "bus",
    "store only",
    "outages",
    "slow",
    "providers",
    "overtaking",
    "flushes",
    "sick accounts",
    "sick and dying",
    "all sick",
    "everything",
];

/// Rates of faults, each in 1,000 port calls unless the field states another base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultPlan {
    /// Name of the plan, as given to `--faults`.
    pub name: &'static str,
    /// Time after which no fault is injected.
    pub until: Timestamp,
    /// Calls that fail before the operation is applied.
    pub fails: u32,
    /// Calls that are applied and lose their reply.
    pub loses_reply: u32,
    /// Calls with a latency of seconds.
    pub slow: u32,
    /// Awaits at which the process crashes.
    pub crashes: u32,
    /// Awaits at which the process is paused, possibly for longer than its leases last.
    pub pauses: u32,
    /// Maximum number of crashes and pauses in a run.
    pub max_faults: u32,
    /// Published records that are never delivered.
    pub records_lost: u32,
    /// Published records that are delivered twice.
    pub records_doubled: u32,
    /// Published records that are delivered late.
    pub records_late: u32,
    /// Provider calls that fail in some way.
    pub provider: u32,
    /// Provider calls slow enough for later calls to overtake them.
    pub overtaken: u32,
    /// Intervals in which a part fails every call.
    pub outages: Vec<Outage>,
    /// Times at which all records on the bus are dropped.
    pub topics_dropped: Vec<Timestamp>,
    /// Times at which the limiter loses its state.
    pub flushes: Vec<Timestamp>,
    /// True if only the store and dispatchers fail;
    /// [`Invariant::PaidCallKept`](crate::invariant::Invariant::PaidCallKept) is checked then.
    pub store_only: bool,
    /// Kind of process that crashes and pauses; `None` means all kinds.
    pub only: Option<ProcessKind>,
    /// True if all services and their limiter run in one process.
    pub one_machine: bool,
    /// Accounts that fail every call until [`FaultPlan::until`].
    pub sick: SickAccounts,
    /// True if crashed and paused processes come back within seconds.
    pub quick: bool,
}

/// Accounts that fail every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SickAccounts {
    /// None.
    None,
    /// Most organisations; of each provider at least one stays healthy.
    Some,
    /// All organisations of one provider.
    WholeProvider,
}

/// Service that runs in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessKind {
    /// Decides and commits projects.
    Orchestrator,
    /// Admits and reconciles attempts.
    Dispatcher,
    /// Claims attempts and calls providers.
    Worker,
}

/// Interval in which a part fails every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// External system that is unavailable.
    pub part: Part,
    /// Start, inclusive.
    pub from: Timestamp,
    /// End, exclusive.
    pub to: Timestamp,
}

impl FaultPlan {
    /// The plan without faults.
    pub const fn calm(start: Timestamp) -> Self {
        Self {
            name: "calm",
            until: start,
            fails: 0,
            loses_reply: 0,
            slow: 0,
            crashes: 0,
            pauses: 0,
            max_faults: 0,
            records_lost: 0,
            records_doubled: 0,
            records_late: 0,
            provider: 0,
            overtaken: 0,
            outages: Vec::new(),
            topics_dropped: Vec::new(),
            flushes: Vec::new(),
            store_only: false,
            only: None,
            one_machine: false,
            sick: SickAccounts::None,
            quick: false,
        }
    }

    /// Draws a plan from the seed; each named plan has the same chance.
    pub fn from_seed(seed: u64, start: Timestamp) -> Self {
        let name = NAMES[chance::stream(seed, "mix").usize(0..NAMES.len())];
        Self::named(name, seed, start)
    }

    /// The plan called `name` with the times of this seed. An unknown name gives
    /// [`FaultPlan::calm`].
    pub fn named(name: &str, seed: u64, start: Timestamp) -> Self {
        let chance = &mut chance::stream(seed, name);
        let calm = Self {
            until: start + Millis::from_secs(chance.u64(60..600)),
            ..Self::calm(start)
        };
        calm.process_faults(name)
            .or_else(|| calm.port_faults(name, chance, start))
            .or_else(|| calm.other_faults(name, chance, start))
            .unwrap_or_else(|| Self::calm(start))
    }

    /// Plans of crashes and pauses.
    fn process_faults(&self, name: &str) -> Option<Self> {
        let calm = self;
        Some(match name {
            "crashes" => Self {
                name: "crashes",
                crashes: 8,
                max_faults: 8,
                ..calm.clone()
            },
            "quick crashes" => Self {
                name: "quick crashes",
                crashes: 12,
                max_faults: 12,
                quick: true,
                ..calm.clone()
            },
            "workers die" => Self {
                name: "workers die",
                only: Some(ProcessKind::Worker),
                crashes: 12,
                max_faults: 12,
                quick: true,
                ..calm.clone()
            },
            "orchestrators die" => Self {
                name: "orchestrators die",
                only: Some(ProcessKind::Orchestrator),
                crashes: 12,
                max_faults: 12,
                quick: true,
                ..calm.clone()
            },
            "orchestrators freeze" => Self {
                name: "orchestrators freeze",
                only: Some(ProcessKind::Orchestrator),
                pauses: 40,
                max_faults: 12,
                ..calm.clone()
            },
            "one machine" => Self {
                name: "one machine",
                crashes: 6,
                max_faults: 4,
                one_machine: true,
                ..calm.clone()
            },
            "pauses" => Self {
                name: "pauses",
                pauses: 8,
                max_faults: 8,
                slow: 10,
                ..calm.clone()
            },
            _ => return None,
        })
    }

    /// Plans of failing, slow and lossy ports.
    fn port_faults(&self, name: &str, chance: &mut Rng, start: Timestamp) -> Option<Self> {
        let calm = self;
        Some(match name {
            "lost replies" => Self {
                name: "lost replies",
                fails: 40,
                loses_reply: 60,
                ..calm.clone()
            },
            "bus" => Self {
                name: "bus",
                records_lost: 100,
                records_doubled: 150,
                records_late: 100,
                ..calm.clone()
            }
            .with_topics_dropped(chance, start),
            "store only" => Self {
                name: "store only",
                store_only: true,
                only: Some(ProcessKind::Dispatcher),
                crashes: 4,
                max_faults: 3,
                ..calm.clone()
            }
            .with_outages(chance, start, Part::Store),
            "outages" => Self {
                name: "outages",
                ..calm.clone()
            }
            .with_outages(chance, start, Part::Store)
            .with_outages(chance, start, Part::Bus)
            .with_outages(chance, start, Part::Limits),
            "slow" => Self {
                name: "slow",
                slow: 60,
                fails: 10,
                loses_reply: 10,
                ..calm.clone()
            },
            "flushes" => Self {
                name: "flushes",
                loses_reply: 10,
                pauses: 4,
                max_faults: 4,
                ..calm.clone()
            }
            .with_flushes(chance, start),
            _ => return None,
        })
    }

    /// Plans of provider faults, and the plan of all faults together.
    fn other_faults(&self, name: &str, chance: &mut Rng, start: Timestamp) -> Option<Self> {
        let calm = self;
        Some(match name {
            "providers" => Self {
                name: "providers",
                provider: 250,
                ..calm.clone()
            },
            "overtaking" => Self {
                name: "overtaking",
                overtaken: 500,
                ..calm.clone()
            },
            "sick accounts" => Self {
                name: "sick accounts",
                sick: SickAccounts::Some,
                ..calm.clone()
            },
            "sick and dying" => Self {
                name: "sick and dying",
                sick: SickAccounts::Some,
                crashes: 6,
                max_faults: 6,
                quick: true,
                ..calm.clone()
            },
            "all sick" => Self {
                name: "all sick",
                sick: SickAccounts::WholeProvider,
                ..calm.clone()
            },
            "everything" => Self {
                name: "everything",
                fails: 15,
                loses_reply: 20,
                slow: 20,
                crashes: 4,
                pauses: 4,
                max_faults: 8,
                records_lost: 30,
                records_doubled: 50,
                records_late: 50,
                provider: 80,
                ..calm.clone()
            }
            .with_outages(chance, start, Part::Store)
            .with_topics_dropped(chance, start)
            .with_flushes(chance, start),
            _ => return None,
        })
    }

    /// Returns true if nothing but accounts and providers fails: no process, port or record.
    pub fn is_gentle(&self) -> bool {
        let Self {
            fails,
            loses_reply,
            slow,
            crashes,
            pauses,
            records_lost,
            records_late,
            ..
        } = self;
        [
            fails,
            loses_reply,
            slow,
            crashes,
            pauses,
            records_lost,
            records_late,
        ]
        .into_iter()
        .all(|rate| *rate == 0)
            && self.outages.is_empty()
            && self.topics_dropped.is_empty()
            && self.flushes.is_empty()
    }

    /// Returns true if processes of this kind crash and pause.
    pub fn affects(&self, kind: ProcessKind) -> bool {
        self.only.is_none_or(|only| only == kind)
    }

    /// Draws the latency of one call.
    pub(super) fn latency(&self, chance: &mut Rng) -> Millis {
        if permille(chance, self.slow) {
            Millis(chance.u64(500..12_000))
        } else {
            Millis(chance.u64(0..4))
        }
    }

    fn with_outages(mut self, chance: &mut Rng, start: Timestamp, part: Part) -> Self {
        for _ in 0..chance.u32(1..4) {
            let from = start + Millis(chance.u64(0..self.until.since(start).0));
            let length = [2_000, 12_000, 40_000, 200_000][chance.usize(0..4)];
            let to = (from + Millis(chance.u64(length / 2..length))).min(self.until);
            self.outages.push(Outage { part, from, to });
        }
        self
    }

    fn with_topics_dropped(mut self, chance: &mut Rng, start: Timestamp) -> Self {
        for _ in 0..chance.u32(1..3) {
            self.topics_dropped
                .push(start + Millis(chance.u64(0..self.until.since(start).0)));
        }
        self
    }

    fn with_flushes(mut self, chance: &mut Rng, start: Timestamp) -> Self {
        // Most projects end within two minutes, and a flush of an idle limiter has no effect.
        let busy = self.until.since(start).0.min(120_000);
        for _ in 0..chance.u32(2..7) {
            self.flushes.push(start + Millis(chance.u64(0..busy)));
        }
        self.flushes.sort_unstable();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_one_mix_and_every_kind_is_drawn() {
        let start = Timestamp(1_000_000);
        assert_eq!(
            FaultPlan::from_seed(9, start),
            FaultPlan::from_seed(9, start)
        );
        let names: std::collections::BTreeSet<&str> = (0..200)
            .map(|seed| FaultPlan::from_seed(seed, start).name)
            .collect();
        assert_eq!(names.len(), NAMES.len());
    }

    #[test]
    fn outages_are_over_when_faults_are() {
        let start = Timestamp(1_000_000);
        for plan in (0..200).map(|seed| FaultPlan::from_seed(seed, start)) {
            assert!(
                plan.outages
                    .iter()
                    .all(|outage| outage.to <= plan.until && outage.from < plan.until),
                "{plan:?}"
            );
        }
    }
}
