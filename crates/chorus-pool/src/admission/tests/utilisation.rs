//! Utilisation of a pool: the twelve unequal accounts of `reference/limits.md` 4.6, calls of uncertain size,
//! against a provider that counts exactly and against the provable bound.

use chorus_core::limit::ReserveRule;
use chorus_core::llm::Usage;

use super::*;
use crate::bound::{Job, Station, bound};
use crate::tests::used;

/// A provider's own count of one account: levels in thousandths, charged when a call arrives.
struct ProviderCount {
    amounts: [f64; 3],
    levels: [f64; 3],
    at: i64,
    running: u64,
    slots: u64,
}

impl ProviderCount {
    fn new((requests, input, output, slots): (u64, u64, u64, u64)) -> Self {
        let amounts = [requests as f64, input as f64, output as f64];
        Self {
            amounts,
            levels: amounts,
            at: 0,
            running: 0,
            slots,
        }
    }

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

/// One run: tasks on a pool of accounts, each account with a provider's count.
struct Run {
    pool: Pool,
    tasks: Vec<Task>,
    counts: Vec<ProviderCount>,
    /// Calls in flight by end and lease: account and task, both by index.
    running: BTreeMap<(i64, u128), (usize, usize)>,
    /// Task of each lease, by index.
    names: BTreeMap<u128, usize>,
    refused: u32,
    done: usize,
    /// Number of the newest lease of a refused call.
    newest: u128,
}

impl Run {
    fn new(count: usize, seed: u64) -> Self {
        let kinds = accounts();
        let accounts = (1..).zip(&kinds).map(|(number, kind)| {
            account(number, &format!("o{number}"), "anthropic", limits(*kind))
        });
        let tasks = tasks(count, seed);
        let mut pool = Pool::new(accounts.collect());
        for (number, task) in (1_u128..).zip(&tasks) {
            pool.push_with(number, |request| {
                (request.size, request.path) = (task.size, Millis(task.service));
            });
        }
        Self {
            pool,
            tasks,
            counts: kinds.into_iter().map(ProviderCount::new).collect(),
            running: BTreeMap::new(),
            names: (1..).zip(0..count).collect(),
            refused: 0,
            done: 0,
            newest: 1_000_000,
        }
    }

    /// Runs all tasks; returns the utilisation and the refusals a call.
    fn finish(mut self) -> (f64, f64) {
        let clock = self.pool.time.port();
        while self.done < self.tasks.len() {
            let next_end = self
                .running
                .keys()
                .next()
                .map_or(i64::MAX / 2, |(at, _)| *at);
            let decisions = self
                .pool
                .time
                .run(clock.deadline(Timestamp(next_end), self.pool.admission.next()));
            let now = clock.now();
            for decided in decisions.into_iter().flatten().flatten() {
                self.call(decided, now);
            }
            self.end_calls(now);
        }
        let refusals = f64::from(self.refused) / self.tasks.len() as f64;
        (
            least_time(&self.tasks).0 as f64 / clock.now().0 as f64,
            refusals,
        )
    }

    /// Makes an admitted call; a refused one is pushed again.
    fn call(
        &mut self,
        Decided {
            request, decision, ..
        }: Decided,
        now: Timestamp,
    ) {
        let DispatchDecision::Send(assignment) = decision else {
            panic!("every call fits somewhere")
        };
        let lease = request.lease;
        let on = usize::try_from(assignment.account.number()).expect("small") - 1;
        let name = self.names[&lease.number()];
        let task = &self.tasks[name];
        let uses = [1.0, task.usage.input as f64, task.usage.output as f64];
        let ends = now.0 + task.service.cast_signed();
        let (holder, deadline) = (Holder::new("h"), now + Millis(600_000));
        let sent = self.pool.memory.send(&assignment.lease, &holder, deadline);
        self.pool.time.run(sent).expect("memory answers");
        if self.counts[on].arrives(now.0, uses) {
            self.running.insert((ends, lease.number()), (on, name));
            return;
        }
        self.refused += 1;
        self.newest += 1;
        self.end(
            lease,
            End::Refused {
                counts_request: false,
            },
        );
        self.names.insert(self.newest, name);
        self.pool.admission.push(AdmissionRequest {
            lease: LeaseId::new(self.newest),
            not_before: now + Millis(500),
            ..*request
        });
    }

    /// Ends the calls that are due.
    fn end_calls(&mut self, now: Timestamp) {
        while let Some(entry) = self
            .running
            .first_entry()
            .filter(|one| one.key().0 <= now.0)
        {
            let ((_, lease), (on, name)) = entry.remove_entry();
            let (usage, size) = (self.tasks[name].usage, self.tasks[name].size);
            let cost = MicroUsd(1);
            self.end(LeaseId::new(lease), End::Used { usage, cost });
            self.counts[on].running -= 1;
            self.done += 1;
            self.pool.admission.call_ended(&CallSummary {
                provider: "anthropic".into(),
                model: "claude/sonnet".into(),
                account: AccountId::new(on as u128 + 1),
                kind: TaskKind::Work,
                size,
                class: None,
                complete: true,
                usage: Some(usage),
                cost: MicroUsd::ZERO,
                took: Millis(self.tasks[name].service),
            });
        }
    }

    fn end(&mut self, lease: LeaseId, end: End) {
        let ended = self.pool.memory.end(lease, end);
        self.pool.time.run(ended).expect("memory answers");
    }
}

/// Least time in which the accounts could run the tasks, by the provable bound.
fn least_time(tasks: &[Task]) -> Millis {
    let kinds = accounts();
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
            eligible: (0..kinds.len()).collect(),
            count: 1,
        })
        .collect();
    let at_admission = |limit: Limit| Limit {
        reserve: ReserveRule::MaxOfBoth,
        ..limit
    };
    let stations: Vec<Station> = kinds
        .iter()
        .map(|kind| Station::full(limits(*kind).into_iter().map(at_admission).collect()))
        .collect();
    bound(&jobs, &stations).makespan()
}

#[test]
fn a_flat_heap_of_uncertain_calls_uses_the_pool_close_to_the_bound_with_hardly_a_refusal() {
    for seed in [1, 2] {
        let (utilisation, refusals) = Run::new(1_500, seed).finish();
        println!("seed {seed}: utilisation {utilisation:.3}, refusals a call {refusals:.4}");
        assert!(
            (0.80..=1.0).contains(&utilisation),
            "utilisation {utilisation:.3}"
        );
        assert!(refusals <= 0.01, "refusals a call {refusals:.4}");
    }
}
