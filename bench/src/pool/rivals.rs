//! Ways ([`Policy`]) in which other gateways choose accounts, on the same servers and calls.
//!
//! Each is its common form, as their documents describe it, with as many workers as the accounts have slots.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use chorus_core::failure::FailureClass;
use chorus_core::limit::Dimension;
use chorus_core::time::{Millis, Timestamp};

use super::clock::START;
use super::fleet::{Amounts, Charging};
use super::random::Random;
use super::router::{After, Failure, Order, Router, Shown};
use super::workload::Workload;

/// Time for which a refused account is left alone.
const COOL_DOWN: Millis = Millis::from_secs(5);
/// First wait of an exponential back-off, and the longest one.
const BACK_OFF: (f64, f64) = (500.0, 8_000.0);
/// Failures for other reasons than limits after which a task fails.
const RETRIES: u32 = 8;
/// Window in which used tokens are counted.
const WINDOW_MS: i64 = 60_000;
/// Pause before a call that no account could take is tried again.
const PAUSE: Millis = Millis(100);

/// Way of choosing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Policy {
    /// The next account in turn; a refused call waits in its worker, each time twice as long.
    RoundRobin,
    /// Chance, weighted by requests a minute; a refused account is left alone for five seconds.
    Shuffle,
    /// The account with the least part of its tokens used in this minute, counted after each call; an account
    /// without room for the prompt is passed by.
    LeastUsed,
    /// The account with the most left by its last headers; nothing is reserved.
    Headroom,
    /// A queue for each account, to which calls are bound when they are ready; each reserves on buckets of its own.
    OwnQueues,
}

impl Policy {
    /// All ways, in the order of tables.
    pub(crate) const ALL: [Self; 5] = [
        Self::RoundRobin,
        Self::Shuffle,
        Self::LeastUsed,
        Self::Headroom,
        Self::OwnQueues,
    ];

    /// Name in cells and tables.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Shuffle => "shuffle",
            Self::LeastUsed => "least-used",
            Self::Headroom => "headroom",
            Self::OwnQueues => "own-queues",
        }
    }
}

/// Router with one of these policies.
pub(crate) struct Rival {
    policy: Policy,
    workload: Arc<Workload>,
    accounts: Vec<Seen>,
    charging: Charging,
    random: Random,
    /// Calls that wait for a worker.
    queue: VecDeque<usize>,
    /// Calls that hold a worker and wait for a time.
    later: BTreeSet<(Timestamp, usize)>,
    workers: usize,
    busy: usize,
    calls: Vec<(usize, usize)>,
    tries: Vec<u32>,
    failures: Vec<u32>,
    turn: usize,
}

/// Account as a rival sees it.
struct Seen {
    amounts: Amounts,
    cools_until: Timestamp,
    running: u64,
    /// Window of the counted tokens, and the tokens.
    window: (i64, f64),
    /// Part that remains by the last headers.
    remains: f64,
    /// Levels of requests, prompt and produced tokens, as far as they were reserved here.
    levels: [f64; 3],
    levels_at: Timestamp,
    own: VecDeque<usize>,
}

impl Rival {
    pub(crate) fn new(
        policy: Policy,
        workload: Arc<Workload>,
        fleet: &[Amounts],
        charging: Charging,
        seed: u64,
    ) -> Self {
        let accounts = fleet.iter().map(|amounts| Seen {
            amounts: *amounts,
            cools_until: START,
            running: 0,
            window: (0, 0.0),
            remains: 1.0,
            levels: rates(amounts),
            levels_at: START,
            own: VecDeque::new(),
        });
        let tasks = workload.tasks.len();
        Self {
            policy,
            accounts: accounts.collect(),
            charging,
            random: Random::new(seed ^ 0x99),
            queue: VecDeque::new(),
            later: BTreeSet::new(),
            workers: fleet.iter().map(|amounts| amounts.slots as usize).sum(),
            busy: 0,
            calls: Vec::new(),
            tries: vec![0; tasks],
            failures: vec![0; tasks],
            turn: 0,
            workload,
        }
    }

    /// Account for a call now; none where it must wait.
    fn choose(&mut self, task: usize, now: Timestamp) -> Option<usize> {
        match self.policy {
            Policy::RoundRobin => {
                self.turn += 1;
                Some(self.turn % self.accounts.len())
            }
            Policy::Shuffle => {
                let weight = |one: &Seen| {
                    let is_open = one.cools_until <= now;
                    if is_open {
                        one.amounts.requests as f64
                    } else {
                        0.0
                    }
                };
                let sum: f64 = self.accounts.iter().map(weight).sum();
                let mut drawn = self.random.unit() * sum;
                let mut last = None;
                for (at, one) in self.accounts.iter().enumerate() {
                    if weight(one) > 0.0 {
                        last = Some(at);
                        drawn -= weight(one);
                        if drawn < 0.0 {
                            break;
                        }
                    }
                }
                last
            }
            Policy::LeastUsed => {
                let input = self.workload.tasks[task].size.input as f64;
                let open = self.open(now, |one| {
                    let most = (one.amounts.input + one.amounts.output) as f64;
                    let used = one.used(now);
                    (used + input <= most).then_some(used / most)
                });
                open.min_by(|one, other| one.1.total_cmp(&other.1))
                    .map(|(at, _)| at)
            }
            Policy::Headroom => {
                let open = self.open(now, |one| Some(one.remains));
                open.max_by(|one, other| one.1.total_cmp(&other.1))
                    .map(|(at, _)| at)
            }
            Policy::OwnQueues => None,
        }
    }

    /// Accounts that do not cool down and have a slot, with a value of each.
    fn open(
        &self,
        now: Timestamp,
        value: impl Fn(&Seen) -> Option<f64>,
    ) -> impl Iterator<Item = (usize, f64)> {
        let open = self
            .accounts
            .iter()
            .enumerate()
            .filter(move |(_, one)| one.cools_until <= now && one.running < one.amounts.slots);
        open.filter_map(move |(at, one)| Some((at, value(one)?)))
    }

    fn order(&mut self, task: usize, account: usize) -> Order {
        self.accounts[account].running += 1;
        self.calls.push((task, account));
        Order {
            task,
            account,
            call: self.calls.len() - 1,
        }
    }

    /// Heads of the accounts' own queues that their buckets admit.
    fn pop_own_queues(&mut self, now: Timestamp) -> Vec<Order> {
        let mut orders = Vec::new();
        for at in 0..self.accounts.len() {
            while let Some(task) = self.accounts[at].own.front().copied() {
                let needs = self.needs(task);
                let one = &mut self.accounts[at];
                one.refresh(now);
                let is_open = one.cools_until <= now && one.running < one.amounts.slots;
                if !is_open || one.fits_at(needs, now) > now {
                    break;
                }
                for (level, need) in one.levels.iter_mut().zip(needs) {
                    *level -= need;
                }
                one.own.pop_front();
                orders.push(self.order(task, at));
            }
        }
        orders
    }

    /// Requests, prompt and produced tokens that a call likely uses.
    fn needs(&self, task: usize) -> [f64; 3] {
        let size = &self.workload.tasks[task].size;
        match self.charging {
            Charging::Openai => {
                let total = size.input.max(u64::from(size.max_tokens)) as f64;
                [1.0, total, 0.0]
            }
            _ => [1.0, size.input as f64 * 1.08, size.output as f64 * 1.5],
        }
    }

    fn bind(&mut self, task: usize) {
        let sum: u64 = self.accounts.iter().map(|one| one.amounts.requests).sum();
        let mut drawn = self.random.unit() * sum as f64;
        let bound = self.accounts.iter().position(|one| {
            drawn -= one.amounts.requests as f64;
            drawn < 0.0
        });
        let last = self.accounts.len() - 1;
        self.accounts[bound.unwrap_or(last)].own.push_back(task);
    }
}

impl Seen {
    fn used(&self, now: Timestamp) -> f64 {
        if self.window.0 == now.0 / WINDOW_MS {
            self.window.1
        } else {
            0.0
        }
    }

    fn count(&mut self, tokens: f64, now: Timestamp) {
        self.window = (now.0 / WINDOW_MS, self.used(now) + tokens);
    }

    fn refresh(&mut self, now: Timestamp) {
        let minutes = now.since(self.levels_at).as_secs_f64() / 60.0;
        for (level, rate) in self.levels.iter_mut().zip(rates(&self.amounts)) {
            *level = (*level + rate * minutes).min(rate);
        }
        self.levels_at = now;
    }

    fn fits_at(&self, needs: [f64; 3], now: Timestamp) -> Timestamp {
        let waits = self.levels.iter().zip(needs).zip(rates(&self.amounts));
        let minutes = waits
            .map(|((level, need), rate)| (need.min(rate) - level) / rate)
            .fold(0.0, f64::max);
        now + Millis((minutes * 60_000.0).ceil() as u64)
    }
}

/// Requests, prompt tokens and produced tokens a minute.
fn rates(amounts: &Amounts) -> [f64; 3] {
    [amounts.requests, amounts.input, amounts.output].map(|amount| amount as f64)
}

impl Router for Rival {
    fn ready(&mut self, task: usize, _now: Timestamp) {
        if self.policy == Policy::OwnQueues {
            self.bind(task);
        } else {
            self.queue.push_back(task);
        }
    }

    fn decide(&mut self, now: Timestamp) -> Vec<Order> {
        if self.policy == Policy::OwnQueues {
            while let Some((_, task)) = self.later.pop_first_if_due(now) {
                self.bind(task);
            }
            return self.pop_own_queues(now);
        }
        let mut orders = Vec::new();
        while let Some((_, task)) = self.later.pop_first_if_due(now) {
            match self.choose(task, now) {
                Some(account) => orders.push(self.order(task, account)),
                None => drop(self.later.insert((now + PAUSE, task))),
            }
        }
        while self.busy < self.workers {
            let Some(task) = self.queue.pop_front() else {
                break;
            };
            self.busy += 1;
            match self.choose(task, now) {
                Some(account) => orders.push(self.order(task, account)),
                None => {
                    self.later.insert((now + PAUSE, task));
                }
            }
        }
        orders
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        let later = self.later.first().map(|(at, _)| *at);
        let now = self.accounts.first().map_or(START, |one| one.levels_at);
        let own = self.accounts.iter().filter_map(|one| {
            let head = *one.own.front()?;
            if one.running >= one.amounts.slots {
                return None;
            }
            let fits = one.fits_at(self.needs(head), one.levels_at);
            Some(fits.max(one.cools_until).max(now + Millis(1)))
        });
        own.chain(later).min()
    }

    fn sends(&mut self, _call: usize, _now: Timestamp) -> bool {
        true
    }

    fn first_byte(&mut self, call: usize, shown: &[Shown], _now: Timestamp) {
        self.note(call, shown);
    }

    fn ended(&mut self, call: usize, _took: Millis, now: Timestamp) {
        let (task, account) = self.calls[call];
        let row = &self.workload.tasks[task];
        let tokens = (row.input + row.output) as f64;
        let one = &mut self.accounts[account];
        one.running -= 1;
        one.count(tokens, now);
        self.busy = self.busy.saturating_sub(1);
    }

    fn failed(&mut self, call: usize, failure: &Failure, now: Timestamp) -> After {
        let (task, account) = self.calls[call];
        self.note(call, &failure.shown);
        self.accounts[account].running -= 1;
        let is_limit = matches!(
            failure.class,
            FailureClass::RateWindow | FailureClass::Concurrency | FailureClass::Ramp
        );
        if !is_limit {
            self.failures[task] += 1;
            if self.failures[task] >= RETRIES {
                self.busy = self.busy.saturating_sub(1);
                return After::Given;
            }
        }
        let tries = self.tries[task];
        self.tries[task] += 1;
        let wait = if self.policy == Policy::RoundRobin {
            let longest = (BACK_OFF.0 * 2.0_f64.powi(tries.min(10) as i32)).min(BACK_OFF.1);
            Millis((longest * (1.0 - 0.25 * self.random.unit())) as u64)
        } else {
            self.accounts[account].cools_until = now + COOL_DOWN;
            Millis(1)
        };
        self.later.insert((now + wait, task));
        After::Again
    }

    fn lost(&mut self, call: usize, now: Timestamp) {
        let (task, account) = self.calls[call];
        self.accounts[account].running -= 1;
        self.later.insert((now + Millis(1), task));
    }
}

impl Rival {
    /// Notes the least part that headers leave.
    fn note(&mut self, call: usize, shown: &[Shown]) {
        let (_, account) = self.calls[call];
        let amounts = self.accounts[account].amounts;
        let parts = shown.iter().map(|one| {
            let configured = match one.dimension {
                Dimension::Requests => amounts.requests,
                Dimension::InputTokens => amounts.input,
                Dimension::OutputTokens => amounts.output,
                _ => amounts.input + amounts.output,
            };
            one.remaining as f64 / one.limit.unwrap_or(configured).max(1) as f64
        });
        if let Some(least) = parts.min_by(f64::total_cmp) {
            self.accounts[account].remains = least;
        }
    }
}

/// Takes the first entry of a set that is due.
trait Due {
    fn pop_first_if_due(&mut self, now: Timestamp) -> Option<(Timestamp, usize)>;
}

impl Due for BTreeSet<(Timestamp, usize)> {
    fn pop_first_if_due(&mut self, now: Timestamp) -> Option<(Timestamp, usize)> {
        let is_due = self.first().is_some_and(|(at, _)| *at <= now);
        if is_due { self.pop_first() } else { None }
    }
}
