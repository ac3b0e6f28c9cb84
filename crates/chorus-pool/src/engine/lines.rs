//! Lines: waiting calls that may use the same targets, with the tree that finds room for their head.

use std::collections::BTreeMap;

use chorus_core::id::AccountId;
use chorus_core::limit::{CallEstimate, Dimension, Limit};
use chorus_core::time::{Millis, Timestamp};

use super::Engine;
use super::selectors::{Eligible, SelectorNo};
use crate::fit_tree::{Bound, FitTree, TOKENS, Tokens};
use crate::mirror::Cause;
use crate::order::{self, Flow, Rates, RowId};
use crate::targets::{GroupNo, LineNo, NEVER, RouteNo, TargetId};

/// Age up to which sums of rates and levels are used.
const RATES_LAST: Millis = Millis(250);

/// Calls with the same key may use the same targets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LineKey {
    pub(super) is_task: bool,
    pub(super) tenant: u32,
    pub(super) eligible: Eligible,
    /// [`Selector`](super::selectors::Selector) of calls with parked credentials only.
    pub(super) parked: Option<SelectorNo>,
    /// Account that refused the calls, if its siblings may not serve them.
    pub(super) refused_by: Option<AccountId>,
}

/// A line of waiting calls.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) key: LineKey,
    pub(super) targets: Vec<TargetId>,
    pub(super) tree: FitTree,
    pub(super) calls: order::Line,
    pub(super) state: LineState,
    /// Order of its head among open lines; none while it is not known.
    pub(super) order: Option<HeadOrder>,
    /// Routes of the targets.
    pub(super) routes: Vec<RouteNo>,
    /// Least that a full limit on produced tokens, and on all tokens, holds on any target.
    smallest: Tokens,
    /// Number of the sum of work that the line belongs to.
    pub(super) share: usize,
    rates: Rates,
    rates_at: Timestamp,
    /// Calls that booked at the limiter, and when it is asked for them again.
    pub(super) asked: Vec<(RowId, Timestamp)>,
    /// Targets of which the limiter said that this call never fits there.
    pub(super) never: Option<(RowId, Vec<TargetId>)>,
    /// Position from which targets are doubted at the next poll.
    pub(super) doubted: usize,
    /// Sum of the weights of all targets.
    pub(super) weight: f64,
    /// Calls under way on the targets.
    pub(super) in_flight: u32,
}

/// State of a line.
#[derive(Debug)]
pub(super) enum LineState {
    /// Its head is to be looked at.
    Open,
    /// Its head waits.
    Blocked(Box<Blocked>),
}

/// Wait of the head of a line.
#[derive(Debug, Clone)]
pub(super) struct Blocked {
    pub(super) row: RowId,
    pub(super) order: HeadOrder,
    pub(super) estimates: Vec<(RouteNo, CallEstimate)>,
    /// Target on which it is expected to fit first.
    pub(super) target: Option<TargetId>,
    pub(super) cause: Option<Cause>,
    /// Time at which it is expected to fit; none when something must change first.
    pub(super) at: Option<Timestamp>,
    /// Time at which it is looked at again.
    pub(super) wakes_at: Timestamp,
    /// Time at which the limiter is asked without regard to the mirrors.
    pub(super) polls_at: Timestamp,
    /// Groups on which its amounts are booked.
    pub(super) booked: Vec<GroupNo>,
}

/// Amounts that a blocked head has booked on a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Booking {
    pub(super) line: LineNo,
    pub(super) row: RowId,
    pub(super) order: HeadOrder,
    pub(super) estimate: CallEstimate,
    pub(super) at: Timestamp,
}

/// Order of the heads of all lines; the least one goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HeadOrder {
    pub(super) is_task: bool,
    pub(super) priority: std::cmp::Reverse<u64>,
    pub(super) used: (u64, u64),
    pub(super) since: Timestamp,
    pub(super) sequence: u32,
}

/// Every [`Line`]; numbers of removed ones are used again.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) all: Vec<Option<Line>>,
    pub(super) numbers: BTreeMap<LineKey, LineNo>,
    free: Vec<LineNo>,
}

impl Line {
    /// Returns true if the call may be the head.
    pub(super) fn is_head(&self, row: RowId) -> bool {
        match &self.state {
            LineState::Open => true,
            LineState::Blocked(blocked) => blocked.row == row,
        }
    }
}

impl Lines {
    pub(super) fn line(&self, number: LineNo) -> Option<&Line> {
        self.all.get(number as usize)?.as_ref()
    }

    pub(super) fn line_mut(&mut self, number: LineNo) -> Option<&mut Line> {
        self.all.get_mut(number as usize)?.as_mut()
    }

    pub(super) fn numbered(&self) -> impl Iterator<Item = (LineNo, &Line)> {
        let lines = (0..).zip(&self.all);
        lines.filter_map(|(number, line)| Some((number, line.as_ref()?)))
    }

    fn add(&mut self, line: Line) -> LineNo {
        let key = line.key.clone();
        let number = match self.free.pop() {
            Some(number) => {
                self.all[number as usize] = Some(line);
                number
            }
            None => {
                self.all.push(Some(line));
                (self.all.len() - 1) as LineNo
            }
        };
        self.numbers.insert(key, number);
        number
    }

    pub(super) fn remove(&mut self, number: LineNo) -> Option<Line> {
        let line = self.all.get_mut(number as usize)?.take()?;
        self.numbers.remove(&line.key);
        self.free.push(number);
        Some(line)
    }
}

impl Engine {
    /// Number of the line with this key; a new one gets its targets.
    pub(super) fn line_of(&mut self, key: LineKey, now: Timestamp) -> LineNo {
        if let Some(number) = self.lines.numbers.get(&key) {
            return *number;
        }
        let number = self.lines.add(Line {
            key,
            targets: Vec::new(),
            tree: FitTree::default(),
            calls: order::Line::default(),
            state: LineState::Open,
            order: None,
            routes: Vec::new(),
            smallest: [f64::INFINITY; TOKENS],
            share: 0,
            rates: Rates::default(),
            rates_at: Timestamp(i64::MIN),
            asked: Vec::new(),
            never: None,
            doubted: 0,
            weight: 0.0,
            in_flight: 0,
        });
        self.attach(number, now);
        number
    }

    /// Gives a line its targets, by the index as it is now.
    pub(super) fn attach(&mut self, number: LineNo, now: Timestamp) {
        self.detach(number);
        let Some(line) = self.lines.line(number) else {
            return;
        };
        let (key, tenant) = (line.key.clone(), self.tenant_name(line.key.tenant));
        let mut targets: Vec<TargetId> = Vec::new();
        if let Eligible::Models(models) = &key.eligible {
            let mut seen = std::collections::BTreeSet::new();
            for model in models {
                let found = self
                    .targets
                    .of_model(&self.index, &tenant, model, key.refused_by, now);
                let fresh = found
                    .into_iter()
                    .filter(|one| seen.insert(self.targets.target(*one).credential));
                targets.extend(fresh.collect::<Vec<_>>());
            }
        }
        self.refresh_targets(&targets, now);
        for (leaf, target) in (0..).zip(&targets) {
            self.targets.target_mut(*target).lines.push((number, leaf));
        }
        let bounds = targets.iter().map(|target| self.bound(*target, now));
        let tree = FitTree::new(bounds.collect(), now);
        let mut routes: Vec<RouteNo> = Vec::new();
        let mut smallest = [f64::INFINITY; TOKENS];
        for target in &targets {
            let target = self.targets.target(*target);
            if !routes.contains(&target.route) {
                routes.push(target.route);
            }
            for limit in target.configs.iter().flat_map(|group| &group.limits) {
                if let Some(token) = token(limit) {
                    smallest[token] = smallest[token].min(limit.capacity() as f64);
                }
            }
        }
        let pool = routes
            .first()
            .map(|route| self.targets.routes[*route as usize].pool.clone());
        let share = self.share(key.tenant, pool);
        let weight = targets.iter().map(|one| self.targets.target(*one).weight);
        let weight = weight.sum();
        let in_flight = targets
            .iter()
            .map(|one| self.targets.target(*one).in_flight);
        let in_flight = in_flight.sum();
        let Some(line) = self.lines.line_mut(number) else {
            return;
        };
        let moved = (line.share, line.calls.work());
        (line.targets, line.tree, line.routes) = (targets, tree, routes);
        (line.smallest, line.share) = (smallest, share);
        (line.weight, line.in_flight) = (weight, in_flight);
        line.rates_at = Timestamp(i64::MIN);
        self.shares[moved.0].work = self.shares[moved.0].work - moved.1;
        self.shares[share].work = self.shares[share].work + moved.1;
        self.open_line(number);
    }

    /// Takes the targets of a line away.
    pub(super) fn detach(&mut self, number: LineNo) {
        let Some(line) = self.lines.line_mut(number) else {
            return;
        };
        for target in std::mem::take(&mut line.targets) {
            let lines = &mut self.targets.target_mut(target).lines;
            lines.retain(|(line, _)| *line != number);
        }
    }

    /// What a target may have at most, for the trees.
    pub(super) fn bound(&self, target: TargetId, now: Timestamp) -> Bound {
        let target = self.targets.target(target);
        let mut bound = Bound {
            opens: target.opens,
            room: [f64::INFINITY; TOKENS],
            per_ms: [0.0; TOKENS],
            at: now,
        };
        for group in &target.groups {
            let mirror = &self.targets.mirrors[*group as usize];
            if mirror.is_doubted() {
                continue;
            }
            if let Some(closed) = mirror.closed {
                bound.opens = bound.opens.max(closed.until.unwrap_or(NEVER));
            }
            for meter in &mirror.meters {
                if let Some(opens) = meter.opens_for_one(now) {
                    bound.opens = bound.opens.max(opens);
                }
                let Some(token) = token(&meter.limit).filter(|_| meter.per_ms > 0.0) else {
                    continue;
                };
                let room = meter.room(now);
                if room < bound.room[token] && room < meter.capacity as f64 {
                    (bound.room[token], bound.per_ms[token]) = (room, meter.per_ms);
                }
            }
        }
        bound
    }

    /// Least tokens that a call of these sizes needs on any target of a line.
    pub(super) fn least_need(line: &Line, estimates: &[(RouteNo, CallEstimate)]) -> Tokens {
        let mut need = [f64::INFINITY; TOKENS];
        for (_, estimate) in estimates {
            let output = estimate.output_p50.min(estimate.output_p90);
            let output = output.min(estimate.max_tokens) as f64;
            let input = estimate.input as f64;
            need[0] = need[0].min(input);
            need[1] = need[1].min(output).min(line.smallest[1]);
            need[2] = need[2].min(input);
        }
        need
    }

    /// Time that the pool of a line needs for everything that waits for it.
    pub(super) fn drain(&mut self, number: LineNo, now: Timestamp) -> Millis {
        let Some(line) = self.lines.line(number) else {
            return Millis::ZERO;
        };
        if now.since(line.rates_at) >= RATES_LAST {
            let rates = self.rates(&line.targets, now);
            if let Some(line) = self.lines.line_mut(number) {
                (line.rates, line.rates_at) = (rates, now);
            }
        }
        let Some(line) = self.lines.line(number) else {
            return Millis::ZERO;
        };
        let share = &self.shares[line.share];
        line.rates.drain(&(share.work + share.rest))
    }

    fn rates(&self, targets: &[TargetId], now: Timestamp) -> Rates {
        let mut rates = Rates::default();
        for target in targets {
            let target = self.targets.target(*target);
            let mirrors = target.groups.iter();
            let meters = mirrors.flat_map(|group| &self.targets.mirrors[*group as usize].meters);
            let flows = meters.filter_map(|meter| {
                let level = meter.room(now);
                let flow = Flow::of(&meter.limit, level)?;
                let per_second = if meter.per_ms > 0.0 {
                    meter.per_ms * 1000.0
                } else {
                    flow.per_second
                };
                Some(Flow { per_second, ..flow })
            });
            rates.add(&target.groups, flows);
        }
        rates
    }
}

/// Position of a limit on tokens in the bounds of the trees.
const fn token(limit: &Limit) -> Option<usize> {
    match limit.dimension {
        Dimension::InputTokens => Some(0),
        Dimension::OutputTokens => Some(1),
        Dimension::TotalTokens => Some(2),
        Dimension::Requests | Dimension::Spend | Dimension::Concurrency => None,
    }
}
