//! Random histories against invariants.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::id::{CredentialId, Holder, LeaseId};
use chorus_core::limit::{
    CallEstimate, Candidate, Demand, Dimension, End, Limit, QuotaGroup, ReserveRule, Reserved,
    Sent, Window, Zone,
};
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::time::{Millis, Timestamp};
use proptest::prelude::*;

use super::{limit, limits};
use crate::ledger::{Ledger, Start};

/// One step of a history.
#[derive(Debug, Clone, Copy)]
enum Step {
    Pass(u64),
    Reserve {
        input: u64,
        output: u64,
        groups: u8,
        interactive: bool,
    },
    Send {
        which: usize,
        lasts: u64,
    },
    End {
        which: usize,
        how: u8,
        input: u64,
        output: u64,
    },
    Repeat {
        which: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop_oneof![Just(1), 1..400_u64, 1_000..40_000_u64].prop_map(Step::Pass),
        5 => (1..900_u64, 1..900_u64, 1..4_u8, prop::bool::weighted(0.1))
            .prop_map(|(input, output, groups, interactive)| Step::Reserve { input, output, groups, interactive }),
        4 => (0..12_usize, 1..60_000_u64).prop_map(|(which, lasts)| Step::Send { which, lasts }),
        4 => (0..12_usize, 0..6_u8, 0..1_500_u64, 0..1_500_u64).prop_map(|(which, how, input, output)| Step::End { which, how, input, output }),
        1 => (0..12_usize).prop_map(|which| Step::Repeat { which }),
    ]
}

/// Two groups with every kind of window.
fn groups() -> Vec<Arc<QuotaGroup>> {
    let produced = |limit: Limit| Limit {
        reserve: ReserveRule::AsProduced,
        ..limit
    };
    let org = vec![
        limit(Dimension::Requests, 30, Window::Bucket { per_ms: 60_000 }),
        Limit {
            burst: Some(1_500),
            ..limit(
                Dimension::InputTokens,
                5_000,
                Window::Bucket { per_ms: 60_000 },
            )
        },
        produced(limit(
            Dimension::OutputTokens,
            3_000,
            Window::Bucket { per_ms: 60_000 },
        )),
        limit(Dimension::Concurrency, 4, Window::Held),
    ];
    let project = vec![
        limit(
            Dimension::TotalTokens,
            4_000,
            Window::Sliding { per_ms: 30_000 },
        ),
        limit(
            Dimension::Requests,
            200,
            Window::Day {
                zone: Zone::Offset(60),
            },
        ),
    ];
    vec![
        Arc::new(QuotaGroup {
            id: "org".into(),
            limits: org,
        }),
        Arc::new(QuotaGroup {
            id: "project".into(),
            limits: project,
        }),
    ]
}

struct World {
    ledger: Ledger,
    now: i64,
    next: u128,
    asked: Vec<Demand>,
    /// Reservations by limit: time and amount.
    admitted: BTreeMap<(usize, usize), Vec<(i64, i64)>>,
    ended: bool,
}

impl World {
    fn new() -> Self {
        Self {
            ledger: Ledger::new(Start::Full),
            now: 0,
            next: 0,
            asked: Vec::new(),
            admitted: BTreeMap::new(),
            ended: false,
        }
    }

    fn demand(&mut self, input: u64, output: u64, which: u8, interactive: bool) -> Demand {
        self.next += 1;
        let estimate = CallEstimate {
            input,
            cached: 0,
            output_p50: output,
            output_p90: output,
            max_tokens: output,
            cost: MicroUsd(1),
        };
        let all = groups();
        let groups = all
            .into_iter()
            .enumerate()
            .filter(|(place, _)| which & (1 << place) != 0)
            .map(|(_, group)| group)
            .collect();
        let candidate = Candidate {
            credential: CredentialId::new(1),
            groups,
            estimate,
            rank: 0,
            floor_permille: 0,
        };
        let not_after = Timestamp(self.now + 5_000);
        Demand {
            lease: LeaseId::new(self.next),
            interactive,
            not_after,
            candidates: vec![candidate],
            books: interactive,
        }
    }

    fn reserve(&mut self, demand: Demand) -> Result<(), TestCaseError> {
        let mut before = self.ledger.clone();
        match self.ledger.reserve(&demand, Timestamp(self.now)) {
            Reserved::Granted(lease) => {
                prop_assert_eq!(
                    self.ledger.reserve(&demand, Timestamp(self.now)),
                    Reserved::Granted(lease)
                );
                self.note(&demand);
                self.asked.push(demand);
            }
            Reserved::Wait { at: Some(at), .. } => {
                prop_assert!(at.0 > self.now, "it would fit now");
                let soonest = self.next_change();
                // Leases that expire on the way are a change; the promise holds until then.
                if at.0 < soonest {
                    let mut early = before.clone();
                    prop_assert!(
                        !granted(&early.reserve(&demand, Timestamp(at.0 - 1))),
                        "it fits 1 ms before {at:?}"
                    );
                    prop_assert!(
                        granted(&before.reserve(&demand, at)),
                        "it does not fit at {at:?}"
                    );
                }
            }
            Reserved::Wait { at: None, .. } => {
                let soonest = self.next_change();
                prop_assert!(
                    !granted(&before.reserve(&demand, Timestamp(soonest - 1))),
                    "time alone made it fit"
                );
            }
            Reserved::Never(_) => prop_assert!(demand.candidates[0].groups.is_empty()),
        }
        Ok(())
    }

    fn next_change(&self) -> i64 {
        let leases = &self.ledger.leases;
        let live = self.ledger.due.iter().filter(|due| {
            let entry = leases.get(&due.0.1);
            entry.is_some_and(|entry| entry.due() == due.0.0)
        });
        live.map(|due| due.0.0.0).min().unwrap_or(i64::MAX / 4)
    }

    fn note(&mut self, demand: &Demand) {
        for (place, group) in groups().iter().enumerate() {
            if demand.candidates[0]
                .groups
                .iter()
                .any(|own| own.id == group.id)
            {
                for (nth, limit) in group.limits.iter().enumerate() {
                    let amount = limit
                        .reserved_for(&demand.candidates[0].estimate)
                        .cast_signed();
                    self.admitted
                        .entry((place, nth))
                        .or_default()
                        .push((self.now, amount));
                }
            }
        }
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Pass(length) => self.now += length.cast_signed(),
            Step::Reserve {
                input,
                output,
                groups,
                interactive,
            } => {
                let demand = self.demand(input, output, groups, interactive);
                self.reserve(demand)?;
            }
            Step::Send { which, lasts } => {
                if let Some(lease) = self.lease(which) {
                    let until = Timestamp(self.now + lasts.cast_signed());
                    let (first, second) = (Holder::new("one"), Holder::new("two"));
                    if self.ledger.send(lease, &first, until, Timestamp(self.now)) == Sent::Sent {
                        prop_assert_eq!(
                            self.ledger.send(lease, &second, until, Timestamp(self.now)),
                            Sent::Gone
                        );
                    }
                }
            }
            Step::End {
                which,
                how,
                input,
                output,
            } => {
                if let Some(lease) = self.lease(which) {
                    let usage = Usage {
                        input,
                        output,
                        ..Usage::default()
                    };
                    let end = match how {
                        0 => End::Unused,
                        1 => End::Aborted {
                            usage: Some(usage),
                            grace: Millis(3_000),
                        },
                        2 => End::Refused {
                            counts_request: true,
                        },
                        _ => End::Used {
                            usage,
                            cost: MicroUsd(1),
                        },
                    };
                    self.ended |= how != 0;
                    self.ledger.end(lease, &end, Timestamp(self.now));
                    let once = limits(&mut self.ledger, self.now);
                    if !matches!(end, End::Aborted { .. }) {
                        self.ledger.end(lease, &end, Timestamp(self.now));
                        prop_assert_eq!(
                            once,
                            limits(&mut self.ledger, self.now),
                            "a repeated end changed something"
                        );
                    }
                }
            }
            Step::Repeat { which } => {
                let known = self.asked.get(which).cloned();
                if let Some(demand) = known {
                    let before = self.ledger.live_leases();
                    let granted = granted(&self.ledger.reserve(&demand, Timestamp(self.now)));
                    prop_assert!(self.ledger.live_leases() <= before + usize::from(granted));
                }
            }
        }
        self.check()
    }

    fn lease(&self, which: usize) -> Option<LeaseId> {
        let recent = self.asked.len().saturating_sub(12);
        self.asked.get(recent + which).map(|demand| demand.lease)
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        for level in limits(&mut self.ledger, self.now) {
            prop_assert!(
                level.room <= level.capacity.cast_signed() - level.held,
                "more than everything is left: {level:?}"
            );
            prop_assert!(level.held >= 0, "less than nothing is held: {level:?}");
            if level.dimension == Dimension::Concurrency {
                prop_assert!(level.room >= 0, "more calls than slots: {level:?}");
            }
        }
        Ok(())
    }
}

fn granted(answer: &Reserved) -> bool {
    matches!(answer, Reserved::Granted(_))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_invariants_and_wakes_to_the_millisecond(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.take(step)?;
        }
        // In the end everything comes back: no lease lives, nothing is held, rates are full again.
        world.now += 40 * 86_400_000;
        let levels = limits(&mut world.ledger, world.now);
        prop_assert_eq!(world.ledger.live_leases(), 0);
        for level in levels {
            prop_assert_eq!((level.held, level.room), (0, level.capacity.cast_signed()), "{:?}", level);
        }
    }

    #[test]
    fn no_window_ever_admits_more_than_its_amount_and_one_burst(
        steps in prop::collection::vec((prop_oneof![Just(0), 1..3_000_u64], 1..900_u64, 1..900_u64, 0..3_u8), 1..150),
    ) {
        let mut world = World::new();
        for (pass, input, output, how) in steps {
            world.now += pass.cast_signed();
            let demand = world.demand(input, output, 3, false);
            let lease = demand.lease;
            let admitted = world.asked.len();
            world.reserve(demand)?;
            if how > 0 && world.asked.len() > admitted {
                world.ledger.send(lease, &Holder::new("one"), Timestamp(world.now + 20_000), Timestamp(world.now));
                if how > 1 {
                    let usage = Usage { input, output, ..Usage::default() };
                    world.ledger.end(lease, &End::Used { usage, cost: MicroUsd(1) }, Timestamp(world.now));
                }
            } else if world.asked.len() > admitted {
                world.ledger.end(lease, &End::Unused, Timestamp(world.now));
                for amounts in world.admitted.values_mut() {
                    amounts.pop();
                }
            }
        }
        for ((group, nth), amounts) in &world.admitted {
            let limit = &groups()[*group].limits[*nth];
            let most = |length: i64| match limit.window {
                Window::Bucket { per_ms } => limit.capacity().cast_signed() + limit.amount.cast_signed() * length / per_ms.cast_signed() + 1,
                Window::Sliding { per_ms } if length < per_ms.cast_signed() => limit.capacity().cast_signed(),
                Window::Day { .. } => limit.capacity().cast_signed(),
                Window::Sliding { .. } | Window::Month | Window::Held => i64::MAX,
            };
            for (start, (from, _)) in amounts.iter().enumerate() {
                let mut sum = 0;
                for (at, amount) in &amounts[start..] {
                    sum += amount;
                    prop_assert!(sum <= most(at - from), "{sum} in {} ms of {limit:?}", at - from);
                }
            }
        }
    }
}
