//! How well a pool is used: the twelve unequal accounts of `reference/limits.md` 4.6, calls of uncertain size,
//! against a provider that counts exactly and against the provable bound.

use std::collections::BTreeMap;

use chorus_core::limit::ReserveRule;
use chorus_core::llm::Usage;
use chorus_core::port::directory::Account;

use super::*;
use crate::bound::{Job, Station, bound};
use crate::tests::used;

/// A provider's own count of one account: levels in thousandths, charged when a call arrives.
struct Truth {
    amounts: [f64; 3],
    levels: [f64; 3],
    at: i64,
    running: u64,
    slots: u64,
}

impl Truth {
    fn arrives(&mut self, now: i64, uses: [f64; 3]) -> bool {
        for (level, amount) in self.levels.iter_mut().zip(self.amounts) {
            *level = (*level + amount * (now - self.at) as f64 / 60_000.0).min(amount);
        }
        self.at = now;
        let fits = self.running < self.slots
            && self
                .levels
                .iter()
                .zip(uses)
                .all(|(level, used)| *level >= used);
        if fits {
            self.levels
                .iter_mut()
                .zip(uses)
                .for_each(|(level, used)| *level -= used);
            self.running += 1;
        }
        fits
    }
}

struct Task {
    usage: Usage,
    size: CallSize,
    service: u64,
}

fn tasks(count: usize, seed: u64) -> Vec<Task> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut normal = move || (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
    (0..count)
        .map(|_| {
            let (input, expected) = (
                (900.0 * (0.9 * normal()).exp()).clamp(60.0, 9_000.0),
                (220.0 * (0.6 * normal()).exp()).clamp(20.0, 1_500.0),
            );
            let output = (expected * (0.5 * normal()).exp()).clamp(5.0, 3_000.0) as u64;
            let size = CallSize {
                input: input as u64,
                output: expected as u64,
                max_tokens: 3_000,
            };
            let usage = Usage {
                input: (input * 1.1 * (1.0 + 0.08 * normal())).max(1.0) as u64,
                output,
                ..Usage::default()
            };
            Task {
                usage,
                size,
                service: 1_000 + output * 20,
            }
        })
        .collect()
}

fn accounts() -> Vec<(u64, u64, u64, u64)> {
    let kinds = [
        (6, (50, 50_000, 10_000, 8)),
        (4, (200, 200_000, 40_000, 16)),
        (2, (500, 500_000, 100_000, 32)),
    ];
    kinds
        .into_iter()
        .flat_map(|(count, kind)| std::iter::repeat_n(kind, count))
        .collect()
}

fn limits((requests, input, output, slots): (u64, u64, u64, u64)) -> Vec<Limit> {
    let rates = [
        (Dimension::Requests, requests),
        (Dimension::InputTokens, input),
        (Dimension::OutputTokens, output),
    ];
    let rates = rates
        .into_iter()
        .map(|(dimension, amount)| limit(dimension, amount, MINUTE));
    rates
        .chain([limit(Dimension::Concurrency, slots, Window::Held)])
        .collect()
}

/// Utilisation and refusals a call of one run.
fn run(count: usize, seed: u64) -> (f64, f64) {
    let kinds = accounts();
    let accounts: Vec<Account> = (1..)
        .zip(&kinds)
        .map(|(number, kind)| account(number, &format!("o{number}"), "anthropic", limits(*kind)))
        .collect();
    let mut pool = Pool::new(accounts);
    let mut truths: Vec<Truth> = kinds
        .iter()
        .map(|(requests, input, output, slots)| {
            let amounts = [*requests as f64, *input as f64, *output as f64];
            Truth {
                amounts,
                levels: amounts,
                at: 0,
                running: 0,
                slots: *slots,
            }
        })
        .collect();
    let tasks = tasks(count, seed);
    for (number, task) in (1_u128..).zip(&tasks) {
        pool.push_with(number, |request| {
            (request.size, request.path) = (task.size, Millis(task.service));
        });
    }
    let clock = pool.time.port();
    let (mut running, mut refused, mut done, mut fresh) =
        (BTreeMap::new(), 0_u32, 0, 1_000_000_u128);
    let mut names: BTreeMap<u128, usize> = (1..).zip(0..count).collect();
    while done < count {
        let next_end = running
            .first_key_value()
            .map_or(i64::MAX / 2, |((at, _), _): (&(i64, u128), _)| *at);
        let verdicts = pool
            .time
            .run(clock.deadline(Timestamp(next_end), pool.admission.next()));
        let now = clock.now();
        for Decided { request, decision } in verdicts.into_iter().flatten().flatten() {
            let DispatchDecision::Send(assignment) = decision else {
                panic!("every call fits somewhere")
            };
            let (lease, place) = (
                request.lease,
                usize::try_from(assignment.account.number()).expect("small") - 1,
            );
            let name = names[&lease.number()];
            let task = &tasks[name];
            pool.time
                .run(
                    pool.memory
                        .send(&assignment.lease, &Holder::new("h"), now + Millis(600_000)),
                )
                .expect("memory answers");
            if truths[place].arrives(
                now.0,
                [1.0, task.usage.input as f64, task.usage.output as f64],
            ) {
                running.insert(
                    (now.0 + task.service.cast_signed(), lease.number()),
                    (place, name),
                );
            } else {
                refused += 1;
                fresh += 1;
                pool.time
                    .run(pool.memory.end(
                        lease,
                        End::Refused {
                            counts_request: false,
                        },
                    ))
                    .expect("memory answers");
                names.insert(fresh, name);
                pool.admission.push(AdmissionRequest {
                    lease: LeaseId::new(fresh),
                    not_before: now + Millis(500),
                    ..*request
                });
            }
        }
        while let Some((_, (place, name))) = running
            .first_entry()
            .filter(|entry| entry.key().0 <= now.0)
            .map(|entry| entry.remove_entry())
            .map(|(key, value)| {
                let end = End::Used {
                    usage: tasks[value.1].usage,
                    cost: MicroUsd(1),
                };
                pool.time
                    .run(pool.memory.end(LeaseId::new(key.1), end))
                    .expect("memory answers");
                (key, value)
            })
        {
            let task = &tasks[name];
            truths[place].running -= 1;
            done += 1;
            let route = ("anthropic".into(), "claude/sonnet".into());
            let (kind, took) = (TaskKind::Work, Millis(task.service));
            pool.admission.call_ended(&CallSummary {
                provider: route.0,
                model: route.1,
                account: AccountId::new(place as u128 + 1),
                kind,
                size: task.size,
                class: None,
                complete: true,
                usage: Some(task.usage),
                cost: MicroUsd::ZERO,
                took,
            });
        }
    }
    let eligible = (0..kinds.len()).collect::<std::collections::BTreeSet<_>>();
    let jobs: Vec<Job> = tasks
        .iter()
        .map(|task| Job {
            parents: Vec::new(),
            service: Millis(task.service),
            used: used(&[
                (Dimension::Requests, 1),
                (Dimension::InputTokens, task.usage.input),
                (Dimension::OutputTokens, task.usage.output),
            ]),
            eligible: eligible.clone(),
        })
        .collect();
    let at_admission = |limits: Vec<Limit>| {
        limits
            .into_iter()
            .map(|limit| Limit {
                reserve: ReserveRule::MaxOfBoth,
                ..limit
            })
            .collect()
    };
    let stations: Vec<Station> = kinds
        .iter()
        .map(|kind| Station {
            limits: at_admission(limits(*kind)),
            levels: BTreeMap::new(),
        })
        .collect();
    let least = bound(&jobs, &stations).makespan();
    (
        least.0 as f64 / clock.now().0 as f64,
        f64::from(refused) / count as f64,
    )
}

#[test]
fn a_flat_heap_of_uncertain_calls_uses_the_pool_close_to_the_bound_with_hardly_a_refusal() {
    for seed in [1, 2] {
        let (utilisation, refusals) = run(1_500, seed);
        println!("seed {seed}: utilisation {utilisation:.3}, refusals a call {refusals:.4}");
        assert!(
            (0.80..=1.0).contains(&utilisation),
            "utilisation {utilisation:.3}"
        );
        assert!(refusals <= 0.01, "refusals a call {refusals:.4}");
    }
}
