//! The loop of events of a [`Run`]: tasks become ready, calls travel, servers answer, replies come back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use chorus_core::failure::FailureClass;
use chorus_core::time::{Millis, Timestamp};

use super::clock::{START, VirtualClock};
use super::faults::{Fault, LAG, LOST_AFTER, MID_RUN, OVERLOAD, TRAVEL};
use super::fleet::{Amounts, Charging};
use super::outcome::Outcome;
use super::random::Random;
use super::router::{After, Failure, Order, Router};
use super::server::{Answer, Arriving, LimitHeaders, Server};
use super::workload::Workload;
use crate::time::stopwatch;

/// Time from a decision to the worker's call.
const HOP: Millis = Millis(10);
/// Time that a reply travels.
const FLIGHT: Millis = Millis(20);
/// Virtual time after which a run is given up.
const GIVEN_UP: Millis = Millis::from_secs(4 * 3_600);

/// Settings of a [`Run`].
#[derive(Debug, Clone)]
pub(crate) struct RunSettings {
    pub(crate) charging: Charging,
    pub(crate) fault: Fault,
    pub(crate) seed: u64,
}

/// One run.
pub(crate) struct Run<'a> {
    clock: Arc<VirtualClock>,
    workload: &'a Workload,
    router: &'a mut dyn Router,
    settings: RunSettings,
    servers: Vec<Server>,
    random: Random,
    events: BinaryHeap<Reverse<(Timestamp, u64, Event)>>,
    numbers: u64,
    calls: Vec<CallInFlight>,
    waiting: Vec<Waiting>,
    missing_parents: Vec<usize>,
    ahead: Ahead,
    fresh: Vec<usize>,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ready(usize),
    Begins(usize),
    Arrives(usize),
    FirstToken(usize),
    FirstByte(usize),
    Finishes(usize),
    Ended(usize),
    Failed(usize),
    Lost(usize),
    MidRun,
}

/// A call that was ordered.
#[derive(Debug, Clone)]
struct CallInFlight {
    order: Order,
    began: Timestamp,
    first_token_at: Timestamp,
    finishes_at: Timestamp,
    answer: Option<Answer>,
    is_lost: bool,
    is_over_for_us: bool,
}

/// Times of one task.
#[derive(Debug, Clone, Copy, Default)]
struct Waiting {
    ready: Timestamp,
    ahead: f64,
    is_waiting: bool,
    is_done: bool,
}

/// Work of the run that is not admitted yet, ready or not: a call that is not ready may lie on a longer path.
#[derive(Debug, Clone, Copy, Default)]
struct Ahead {
    calls: f64,
    input: f64,
    output: f64,
    service: f64,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        clock: Arc<VirtualClock>,
        workload: &'a Workload,
        fleet: &[Amounts],
        router: &'a mut dyn Router,
        settings: RunSettings,
    ) -> Self {
        let mut servers: Vec<Server> = fleet
            .iter()
            .map(|amounts| Server::new(*amounts, settings.charging, START))
            .collect();
        prepare(&mut servers, settings.fault);
        let tasks = workload.tasks.len();
        let mut run = Self {
            clock,
            workload,
            router,
            random: Random::new(settings.seed ^ 0x5151),
            settings,
            servers,
            events: BinaryHeap::new(),
            numbers: 0,
            calls: Vec::new(),
            waiting: vec![Waiting::default(); tasks],
            missing_parents: workload
                .tasks
                .iter()
                .map(|task| task.parents.len())
                .collect(),
            ahead: Ahead::default(),
            fresh: Vec::new(),
            outcome: Outcome {
                tasks,
                calls_by_account: vec![0; fleet.len()],
                ..Outcome::default()
            },
        };
        for (at, task) in workload.tasks.iter().enumerate() {
            if !task.is_interactive() {
                run.ahead.change(task, 1.0);
                run.waiting[at].is_waiting = true;
            }
            if task.parents.is_empty() {
                let arrives = Millis(task.arrives.unwrap_or(0));
                run.at(START + arrives, Event::Ready(at));
            }
        }
        run.at(START + MID_RUN, Event::MidRun);
        run
    }

    /// Runs all tasks to their end.
    pub(crate) fn finish(mut self) -> Outcome {
        let mut now = START;
        loop {
            self.clock.set(now);
            while let Some(Reverse((at, _, event))) = self.events.peek().copied() {
                if at > now {
                    break;
                }
                self.events.pop();
                self.handle(event, now);
            }
            self.note_fresh();
            self.decide(now);
            if self.outcome.done + self.outcome.failed >= self.outcome.tasks {
                break;
            }
            let next = self.events.peek().map(|Reverse((at, ..))| *at);
            let next = [next, self.router.wakes_at()].into_iter().flatten().min();
            match next {
                Some(at) if at.since(START) < GIVEN_UP => now = at.max(now),
                _ => break,
            }
        }
        self.outcome.makespan = now.since(START);
        self.outcome.waits.sort_unstable();
        self.outcome.interactive_waits.sort_unstable();
        self.outcome
    }

    fn at(&mut self, at: Timestamp, event: Event) {
        self.numbers += 1;
        self.events.push(Reverse((at, self.numbers, event)));
    }

    fn decide(&mut self, now: Timestamp) {
        loop {
            let took = stopwatch();
            let orders = self.router.decide(now);
            self.outcome.decide_ns += took() * 1e9;
            for task in self.router.given_up() {
                self.fails_for_good(task);
            }
            if orders.is_empty() {
                return;
            }
            for order in orders {
                self.admitted(order, now);
            }
        }
    }

    fn admitted(&mut self, order: Order, now: Timestamp) {
        let task = &self.workload.tasks[order.task];
        let waiting = &mut self.waiting[order.task];
        if waiting.is_waiting {
            waiting.is_waiting = false;
            self.ahead.change(task, -1.0);
        }
        self.outcome.calls_by_account[order.account] += 1;
        self.outcome
            .admissions
            .push((now.since(START), task.tenant, task.input + 4 * task.output));
        self.calls.push(CallInFlight {
            order,
            began: now,
            first_token_at: now,
            finishes_at: now,
            answer: None,
            is_lost: false,
            is_over_for_us: false,
        });
        self.at(now + HOP, Event::Begins(self.calls.len() - 1));
    }

    fn handle(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Ready(task) => self.ready(task, now),
            Event::Begins(call) => self.begins(call, now),
            Event::Arrives(call) => self.arrives(call, now),
            Event::FirstToken(call) => {
                let flight = &self.calls[call];
                let arriving = self.arriving(call);
                self.servers[flight.order.account].first_token(&arriving, flight.finishes_at, now);
            }
            Event::FirstByte(call) => {
                let flight = &self.calls[call];
                if let (false, Some(Answer::Accepted { shown, .. })) =
                    (flight.is_lost, &flight.answer)
                {
                    self.router.first_byte(flight.order.call, shown, now);
                }
            }
            Event::Finishes(call) => {
                let arriving = self.arriving(call);
                let flight = &self.calls[call];
                let server = &mut self.servers[flight.order.account];
                server.finish(&arriving, flight.first_token_at, now);
            }
            Event::Ended(call) => self.ended(call, now),
            Event::Failed(call) => self.failed(call, now),
            Event::Lost(call) => {
                let order = self.calls[call].order;
                self.router.lost(order.call, now);
                self.waits_again(order.task);
            }
            Event::MidRun => self.mid_run(now),
        }
    }

    fn ready(&mut self, task: usize, now: Timestamp) {
        self.waiting[task].ready = now;
        self.waits_again(task);
        self.fresh.push(task);
        self.router.ready(task, now);
    }

    fn waits_again(&mut self, task: usize) {
        if !self.waiting[task].is_waiting {
            self.waiting[task].is_waiting = true;
            self.ahead.change(&self.workload.tasks[task], 1.0);
        }
    }

    /// Notes how long the queue is that fresh calls meet.
    fn note_fresh(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        let drain = self.ahead.drain(&self.servers_rates());
        for task in std::mem::take(&mut self.fresh) {
            self.waiting[task].ahead = drain;
        }
    }

    fn servers_rates(&self) -> Ahead {
        let mut rates = Ahead::default();
        for server in &self.servers {
            let (requests, input, output, slots) = server.rates();
            rates.calls += requests;
            rates.input += input;
            rates.output += output;
            rates.service += slots;
        }
        rates
    }

    fn begins(&mut self, call: usize, now: Timestamp) {
        let order = self.calls[call].order;
        if !self.router.sends(order.call, now) {
            self.calls[call].is_over_for_us = true;
            self.waits_again(order.task);
            return;
        }
        self.calls[call].began = now;
        let travel = if self.settings.fault == Fault::Travel {
            Millis((TRAVEL.0 as f64 * self.random.unit()) as u64)
        } else {
            Millis::ZERO
        };
        self.at(now + travel, Event::Arrives(call));
    }

    fn arriving(&self, call: usize) -> Arriving {
        let task = &self.workload.tasks[self.calls[call].order.task];
        Arriving {
            input: task.input,
            output: task.output,
            max_tokens: u64::from(task.size.max_tokens),
            first_token: task.first_token,
            took: task.took,
        }
    }

    fn arrives(&mut self, call: usize, now: Timestamp) {
        let arriving = self.arriving(call);
        let order = self.calls[call].order;
        let answer = self.servers[order.account].arrive(&arriving, now);
        match &answer {
            Answer::Refused(_) => self.at(now + FLIGHT, Event::Failed(call)),
            Answer::Accepted {
                first_token,
                took,
                breaks,
                ..
            } => {
                let (first, ends) = (now + *first_token, now + *took);
                self.calls[call].first_token_at = first;
                self.calls[call].finishes_at = ends;
                self.at(first, Event::FirstToken(call));
                self.at(first + FLIGHT, Event::FirstByte(call));
                self.at(ends, Event::Finishes(call));
                let seen = if *breaks {
                    Event::Failed(call)
                } else {
                    Event::Ended(call)
                };
                self.at(ends + FLIGHT, seen);
            }
        }
        self.calls[call].answer = Some(answer);
    }

    fn ended(&mut self, call: usize, now: Timestamp) {
        let flight = &mut self.calls[call];
        let task = flight.order.task;
        flight.is_over_for_us = true;
        if flight.is_lost || self.waiting[task].is_done {
            self.outcome.wasted_tokens += self.tokens(task);
            return;
        }
        let (number, began) = (flight.order.call, flight.began);
        self.router.ended(number, now.since(began), now);
        self.waiting[task].is_done = true;
        self.outcome.done += 1;
        self.note_wait(task, began);
        for reader in self.workload.readers[task].clone() {
            self.missing_parents[reader] -= 1;
            if self.missing_parents[reader] == 0 {
                self.ready(reader, now);
            }
        }
    }

    fn note_wait(&mut self, task: usize, began: Timestamp) {
        let Waiting { ready, ahead, .. } = self.waiting[task];
        let wait = (began - HOP).since(ready).0;
        if self.workload.tasks[task].is_interactive() {
            self.outcome.interactive_waits.push(wait);
        } else {
            self.outcome.waits.push(wait);
        }
        // Waits of less than a second are no waits, with any work ahead.
        let times = wait as f64 / 1000.0 / ahead.max(1.0);
        self.outcome.longest_wait = self.outcome.longest_wait.max(times);
    }

    fn failed(&mut self, call: usize, now: Timestamp) {
        let flight = &mut self.calls[call];
        flight.is_over_for_us = true;
        let order = flight.order;
        let failure = match &flight.answer {
            Some(Answer::Refused(failure)) => failure.clone(),
            _ => Failure {
                class: FailureClass::MidStream,
                retry_after: None,
                shown: Vec::new(),
                produced: self.workload.tasks[order.task].output / 2,
            },
        };
        if flight.is_lost {
            return;
        }
        match failure.class {
            FailureClass::RateWindow | FailureClass::Concurrency | FailureClass::Ramp => {
                self.outcome.refusals += 1;
            }
            _ => self.outcome.failures += 1,
        }
        if failure.class == FailureClass::MidStream {
            self.outcome.wasted_tokens += self.tokens(order.task) / 2;
        }
        match self.router.failed(order.call, &failure, now) {
            After::Again => self.waits_again(order.task),
            After::Given => self.fails_for_good(order.task),
        }
    }

    /// A task fails, and all that wait for it.
    fn fails_for_good(&mut self, task: usize) {
        let mut failing = vec![task];
        while let Some(task) = failing.pop() {
            if std::mem::replace(&mut self.waiting[task].is_done, true) {
                continue;
            }
            self.outcome.failed += 1;
            failing.extend(&self.workload.readers[task]);
        }
    }

    fn tokens(&self, task: usize) -> u64 {
        let task = &self.workload.tasks[task];
        task.input + task.output
    }

    fn mid_run(&mut self, now: Timestamp) {
        match self.settings.fault {
            Fault::Halved(headers) => {
                for server in &mut self.servers {
                    server.headers = headers;
                    server.scale_limits(0.5, now);
                }
            }
            Fault::Others => {
                for server in &mut self.servers {
                    server.others_draw(0.5, now);
                }
            }
            Fault::Overload => {
                for server in self.servers.iter_mut().skip(1).step_by(2) {
                    server.overloaded_until = Some(now + OVERLOAD);
                }
            }
            Fault::Killed => self.kill(now),
            _ => {}
        }
    }

    /// Ends the deciding process, and the workers of every fourth call.
    fn kill(&mut self, now: Timestamp) {
        self.router.process_ends(now);
        let mut lost = Vec::new();
        for (call, flight) in self.calls.iter_mut().enumerate() {
            if !flight.is_over_for_us && flight.answer.is_some() && call % 4 == 0 {
                flight.is_lost = true;
                lost.push(call);
            }
        }
        for call in lost {
            self.at(now + LOST_AFTER, Event::Lost(call));
        }
    }
}

/// Faults that are there from the start.
fn prepare(servers: &mut [Server], fault: Fault) {
    let middle = servers.len() / 2;
    match fault {
        Fault::Sick(illness) => servers[middle].illness = Some(illness),
        Fault::Stale => servers.iter_mut().for_each(|server| server.lag = LAG),
        Fault::Halved(LimitHeaders::Nothing) => servers
            .iter_mut()
            .for_each(|server| server.headers = LimitHeaders::Nothing),
        Fault::Halved(LimitHeaders::Remaining) => servers
            .iter_mut()
            .for_each(|server| server.headers = LimitHeaders::Remaining),
        _ => {}
    }
}

impl Ahead {
    fn change(&mut self, task: &super::workload::Task, sign: f64) {
        self.calls += sign;
        self.input += sign * task.input as f64;
        self.output += sign * task.output as f64;
        self.service += sign * task.took.as_secs_f64();
    }

    /// Seconds in which servers with these rates and slots do this work.
    fn drain(&self, rates: &Self) -> f64 {
        let by = |amount: f64, rate: f64| if rate > 0.0 { amount / rate } else { 0.0 };
        by(self.calls, rates.calls)
            .max(by(self.input, rates.input))
            .max(by(self.output, rates.output))
            .max(by(self.service, rates.service))
    }
}
