//! Finds room for the heads of lines: the target to ask for next, or the time at which a head is looked at again.

use std::cmp::Reverse;

use chorus_core::id::LeaseId;
use chorus_core::limit::{CallEstimate, Candidate, Demand};
use chorus_core::time::{Millis, Timestamp};

use super::Engine;
use super::choice::{ChoiceReason, Fitting};
use super::lines::{Blocked, Booking, HeadOrder, Line, LineState};
use crate::fit_tree::Look;
use crate::mirror::{Cause, Fit};
use crate::order::{RowId, aged};
use crate::targets::{GroupNo, LineNo, NEVER, RouteNo, TargetId};

/// Number of targets up to which all that fit are compared.
const FEW: usize = 64;
/// Number of fitting targets that are compared where there are many.
const COMPARED: usize = 16;
/// Time after which a waiting call renews its booking at the limiter.
pub(super) const RENEWED: Millis = Millis(1_000);
/// Least time between two questions about a call that books.
pub(super) const ASKED_AGAIN: Millis = Millis(20);
/// Number of calls with a waiting person that book beside the head.
const BESIDE: usize = 32;
/// Number of other targets among which a waiting call books.
const BOOKED_AMONG: usize = 15;
/// Wait of a head from which calls behind it may pass below its booking.
const PASSED_AFTER: Millis = Millis(5_000);
/// Number of calls behind a waiting head that may pass.
const PASSING: usize = 16;

/// A question to the limiter: one call on one target.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) lease: LeaseId,
    pub(super) row: RowId,
    pub(super) line: LineNo,
    pub(super) target: TargetId,
    pub(super) estimate: CallEstimate,
    pub(super) because: ChoiceReason,
    pub(crate) demand: Demand,
}

/// Result of a search for room.
enum Found {
    On(TargetId, ChoiceReason),
    Wait(Box<Blocked>),
    /// No target will ever have room, with the reason.
    Never(String),
}

impl Engine {
    /// Returns the next question to the limiter; none when every head waits.
    pub(crate) fn question(&mut self, now: Timestamp) -> Option<Question> {
        while self.decided.len() < self.settings.batch {
            for group in std::mem::take(&mut self.released) {
                self.check_blocked(group, now);
            }
            let (order, number, row) = self.first_head(now)?;
            if self.staggered(row, now) {
                continue;
            }
            match self.find(number, row, order, now) {
                Found::On(target, because) => {
                    return Some(self.ask(number, row, target, because, now));
                }
                Found::Never(message) => self.refuse(row, message),
                Found::Wait(blocked) => {
                    if let Some(question) = self.booking_question(number, &blocked, now) {
                        return Some(question);
                    }
                    let passing = self.block(number, *blocked, order, now);
                    if let Some(question) = passing {
                        return Some(question);
                    }
                }
            }
        }
        None
    }

    /// Question about a call that does not fit yet, so that it books at the limiter: calls of other processes would
    /// else take what comes back first. Only calls with a waiting person do so, each where it fits soonest beside
    /// the bookings of those before it.
    fn booking_question(
        &mut self,
        number: LineNo,
        blocked: &Blocked,
        now: Timestamp,
    ) -> Option<Question> {
        let waits_for_limit = matches!(blocked.cause, Some(Cause::Group(..) | Cause::Booked));
        let target = blocked.target.filter(|_| waits_for_limit)?;
        if !self.rows.row(blocked.row).is_interactive {
            return None;
        }
        let line = self.lines.line_mut(number)?;
        line.asked.retain(|(_, at)| now < *at);
        if line.asked.iter().any(|(row, _)| *row == blocked.row) {
            return None;
        }
        line.asked.push((blocked.row, now + RENEWED));
        let others = line.targets.iter().filter(|one| **one != target);
        let others: Vec<TargetId> = others.copied().collect();
        let mut question = self.ask(number, blocked.row, target, ChoiceReason::Only, now);
        let is_open = |one: &&TargetId| self.targets.target(**one).opens <= now;
        for other in others.iter().filter(is_open).take(BOOKED_AMONG) {
            let target = self.targets.target(*other);
            let mut estimates = blocked.estimates.iter();
            let Some((_, estimate)) = estimates.find(|(route, _)| *route == target.route) else {
                continue;
            };
            question.demand.candidates.push(Candidate {
                credential: target.credential,
                groups: target.configs.clone(),
                estimate: *estimate,
                rank: target.rank,
                floor_permille: self.settings.floor_permille,
            });
        }
        Some(question)
    }

    /// Looks at the head of a line from now on.
    pub(super) fn open_line(&mut self, number: LineNo) {
        let Some(line) = self.lines.line_mut(number) else {
            return;
        };
        line.order = None;
        if let LineState::Blocked(blocked) = std::mem::replace(&mut line.state, LineState::Open) {
            self.wakes.remove(&(blocked.wakes_at, number));
            self.unbook(number, &blocked.booked);
        }
        self.open.insert(number);
    }

    fn unbook(&mut self, number: LineNo, groups: &[GroupNo]) {
        for group in groups {
            if let Some(bookings) = self.bookings.get_mut(*group as usize) {
                bookings.retain(|booking| booking.line != number);
                self.released.push(*group);
            }
        }
    }

    /// The first of the heads of all open lines.
    fn first_head(&mut self, now: Timestamp) -> Option<(HeadOrder, LineNo, RowId)> {
        for number in std::mem::take(&mut self.open) {
            if let Some((order, _)) = self.head_of(number, now)
                && let Some(line) = self.lines.line_mut(number)
            {
                line.order = Some(order);
                self.sorted.insert((order, number));
            }
        }
        loop {
            let (order, number) = *self.sorted.first()?;
            let line = self.lines.line(number);
            let is_known = line.is_some_and(|line| line.order == Some(order));
            let head = self.head_of(number, now).filter(|_| is_known);
            let Some((newest, row)) = head else {
                self.sorted.remove(&(order, number));
                continue;
            };
            if newest <= order {
                return Some((newest, number, row));
            }
            self.sorted.remove(&(order, number));
            self.sorted.insert((newest, number));
            if let Some(line) = self.lines.line_mut(number) {
                line.order = Some(newest);
            }
        }
    }

    fn head_of(&mut self, number: LineNo, now: Timestamp) -> Option<(HeadOrder, RowId)> {
        let drain = self.drain(number, now);
        let line = self.lines.line(number)?;
        // Interactive calls go in the order in which they came: the one that is asked for books until it goes, and no
        // longer path takes its place.
        let drain = if line.key.is_task {
            drain
        } else {
            Millis(u64::MAX)
        };
        let rows = &self.rows;
        let overdue_at = |row: RowId| rows.row(row).overdue_at;
        let head = line.calls.head(drain, overdue_at, now)?;
        let row = rows.row(head.row);
        let since = self.ages.get(&head.priority).copied();
        let since = since.unwrap_or(row.since).min(row.since);
        let order = HeadOrder {
            is_task: line.key.is_task,
            priority: Reverse(aged(head.priority, since, now)),
            used: self.fairness.used(row.payer),
            since: row.since,
            sequence: row.sequence(),
        };
        Some((order, head.row))
    }

    /// Estimates of a call on every route of a line.
    fn estimates(&self, line: &Line, row: RowId) -> Vec<(RouteNo, CallEstimate)> {
        let row = self.rows.row(row);
        let estimate = |route: &RouteNo| {
            let names = &self.targets.routes[*route as usize];
            let (provider, size) = (&names.provider, &row.size);
            let estimate = self
                .estimator
                .estimate(provider, &names.row, row.kind, size);
            (*route, estimate)
        };
        line.routes.iter().map(estimate).collect()
    }

    /// Searches the targets of a line for room.
    fn find(&mut self, number: LineNo, row: RowId, order: HeadOrder, now: Timestamp) -> Found {
        let Some(line) = self.lines.line_mut(number) else {
            return Found::Never("there is no credential for it".to_owned());
        };
        let mut tree = std::mem::take(&mut line.tree);
        let drain = self.drain(number, now);
        let Some(line) = self.lines.line(number) else {
            return Found::Never("there is no credential for it".to_owned());
        };
        let estimates = self.estimates(line, row);
        let need = Self::least_need(line, &estimates);
        let enough = if tree.len() <= FEW { FEW } else { COMPARED };
        let mut seen = Seen::default();
        let looked = tree.looked;
        let at = tree.search(&need, now, |leaf| {
            let fit = self.look(number, line, leaf, row, &estimates, order, now);
            seen.add(line.targets[leaf], leaf, fit);
            match fit {
                Fit::Now { .. } if seen.fits.len() >= enough => Look::Stop,
                Fit::Now { .. } => Look::On(NEVER),
                Fit::At(at, _) => Look::On(at),
                Fit::WhenFreed(_) | Fit::Never(_) => Look::On(NEVER),
            }
        });
        self.counts.looked += tree.looked - looked;
        let alternative = seen.waits.map_or(at, |(first, _, _)| first.min(at));
        if alternative != NEVER && self.is_late_on(&seen.fits, row, alternative, drain, now) {
            seen.fits.clear();
        }
        let found = if seen.fits.is_empty() {
            self.waits(line, row, order, estimates, seen, at, number, now)
        } else {
            let (target, because) = self.choose(line, row, &seen.fits, now);
            Found::On(target, because)
        };
        if let Some(line) = self.lines.line_mut(number) {
            line.tree = tree;
        }
        found
    }

    /// Fit of a call on one target of a line.
    #[expect(
        clippy::too_many_arguments,
        reason = "the facts of one look, never stored"
    )]
    pub(super) fn look(
        &self,
        number: LineNo,
        line: &Line,
        leaf: usize,
        row: RowId,
        estimates: &[(RouteNo, CallEstimate)],
        order: HeadOrder,
        now: Timestamp,
    ) -> Fit {
        let target_no = line.targets[leaf];
        let target = self.targets.target(target_no);
        let Some((_, estimate)) = estimates.iter().find(|(route, _)| *route == target.route) else {
            return Fit::WhenFreed(Cause::Rests);
        };
        let refuses =
            |never: &(RowId, Vec<TargetId>)| never.0 == row && never.1.contains(&target_no);
        if line.never.as_ref().is_some_and(refuses) {
            return Fit::Never(chorus_core::limit::Dimension::InputTokens);
        }
        let mut fit = Fit::Now { headroom: i64::MAX };
        for (place, group) in target.groups.iter().enumerate() {
            let mirror = &self.targets.mirrors[*group as usize];
            fit = fit.and(mirror.fit(estimate, self.settings.floor_permille, place, now));
        }
        if target.opens > now {
            fit = fit.and(match target.opens {
                NEVER => Fit::WhenFreed(Cause::Rests),
                opens => Fit::At(opens, Cause::Rests),
            });
        }
        let pool = &self.targets.routes[target.route as usize].pool;
        if !self.has_slot(pool) {
            fit = fit.and(Fit::WhenFreed(Cause::NoSlot));
        }
        if let Fit::Now { .. } = fit
            && let Some(at) = self.booked_until((number, row), &target.groups, estimate, order, now)
        {
            return Fit::At(at.max(now + Millis(1)), Cause::Booked);
        }
        fit
    }

    /// Instant of a booking that a call would delay, if one goes before it.
    fn booked_until(
        &self,
        (number, row): (LineNo, RowId),
        groups: &[GroupNo],
        own: &CallEstimate,
        order: HeadOrder,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let delayed = groups.iter().filter_map(|group| {
            let mirror = &self.targets.mirrors[*group as usize];
            let bookings = self.bookings.get(*group as usize)?.iter();
            let delays = |booking: &&Booking| {
                let goes_before = booking.line == number || booking.order < order;
                booking.row != row
                    && goes_before
                    && !mirror.leaves(own, &booking.estimate, booking.at, now)
            };
            bookings.filter(delays).map(|booking| booking.at).max()
        });
        delayed.max()
    }

    /// Result of a search without a fitting target.
    #[expect(
        clippy::too_many_arguments,
        reason = "the facts of one search, never stored"
    )]
    fn waits(
        &self,
        line: &Line,
        row: RowId,
        order: HeadOrder,
        estimates: Vec<(RouteNo, CallEstimate)>,
        mut seen: Seen,
        at: Timestamp,
        number: LineNo,
        now: Timestamp,
    ) -> Found {
        if seen.waits.is_none() && seen.freed.is_none() {
            // The bounds excluded every target: a few are looked at for the cause, all only where each is too small.
            for leaf in 0..line.targets.len() {
                let fit = self.look(number, line, leaf, row, &estimates, order, now);
                seen.add(line.targets[leaf], leaf, fit);
                if seen.waits.is_some() || seen.freed.is_some() {
                    break;
                }
            }
            let is_never = seen.waits.is_none() && seen.freed.is_none();
            if let Some(dimension) = seen.never.filter(|_| is_never)
                && !self.may_return(line)
            {
                let what = format!("{dimension:?}");
                return Found::Never(format!(
                    "the call is larger than the limit on {what} of every credential"
                ));
            }
        }
        let first = seen
            .waits
            .map(|(at, target, cause)| (Some(at), target, cause));
        let first = first.or_else(|| seen.freed.map(|(target, cause)| (None, target, cause)));
        let net = now + self.settings.poll.max(Millis(1));
        let soonest = if at == NEVER { net } else { at };
        Found::Wait(Box::new(Blocked {
            row,
            order,
            estimates,
            target: first.map(|(_, target, _)| target),
            cause: first.map(|(_, _, cause)| cause),
            at: first.and_then(|(at, _, _)| at),
            wakes_at: soonest.clamp(now + Millis(1), net),
            polls_at: net,
            booked: Vec::new(),
        }))
    }

    /// Returns true if a parked credential may serve the line later.
    fn may_return(&self, line: &Line) -> bool {
        let tenant = &self.tenants[line.key.tenant as usize];
        let mut routes = line.routes.iter();
        routes.any(|route| {
            let model = &self.targets.routes[*route as usize].model;
            self.index.returns(tenant, model).is_some()
        })
    }

    /// Marks a line as blocked and books for its head. Returns a question about a call behind it that may pass.
    fn block(
        &mut self,
        number: LineNo,
        mut blocked: Blocked,
        order: HeadOrder,
        now: Timestamp,
    ) -> Option<Question> {
        if let Some(stored) = self.lines.line(number).and_then(|line| line.order) {
            self.sorted.remove(&(stored, number));
        }
        self.book(number, &mut blocked);
        let is_task = self.lines.line(number)?.key.is_task;
        let passing = if is_task {
            self.passing(number, &blocked, order, now)
        } else {
            self.beside(number, &mut blocked, order, now)
        };
        let line = self.lines.line_mut(number)?;
        let asked_at = line.asked.iter().map(|(_, at)| *at).min();
        let asked_at = asked_at.map_or(NEVER, |at| at.max(now + Millis(1)));
        blocked.wakes_at = blocked.wakes_at.min(asked_at);
        let wakes_at = blocked.wakes_at;
        line.order = None;
        line.state = LineState::Blocked(Box::new(blocked));
        self.wakes.insert((wakes_at, number));
        passing
    }

    /// Books the amounts of a blocked head on the groups of the target on which it fits first.
    fn book(&mut self, number: LineNo, blocked: &mut Blocked) {
        let (Some(target), Some(at)) = (blocked.target, blocked.at) else {
            return;
        };
        if !matches!(blocked.cause, Some(Cause::Group(..))) {
            return;
        }
        let target = self.targets.target(target);
        let route = target.route;
        let estimate = blocked.estimates.iter().find(|(one, _)| *one == route);
        let Some((_, estimate)) = estimate.copied() else {
            return;
        };
        let groups = target.groups.clone();
        let most = groups.iter().max().copied().unwrap_or(0) as usize;
        if self.bookings.len() <= most {
            self.bookings.resize_with(most + 1, Vec::new);
        }
        for group in &groups {
            self.bookings[*group as usize].push(Booking {
                line: number,
                row: blocked.row,
                order: blocked.order,
                estimate,
                at,
            });
        }
        blocked.booked = groups;
    }

    /// Looks for a call behind a head that waits for long: it may take what does not delay the head.
    fn passing(
        &mut self,
        number: LineNo,
        blocked: &Blocked,
        order: HeadOrder,
        now: Timestamp,
    ) -> Option<Question> {
        if blocked.booked.is_empty() || blocked.at? < now + PASSED_AFTER {
            return None;
        }
        let behind = self.lines.line(number)?.calls.after_head(PASSING);
        let behind = behind.into_iter().filter(|row| *row != blocked.row);
        for row in behind.collect::<Vec<_>>() {
            let order = HeadOrder {
                sequence: u32::MAX,
                ..order
            };
            if let Found::On(target, because) = self.find(number, row, order, now) {
                return Some(self.ask(number, row, target, because, now));
            }
        }
        None
    }

    /// Looks at the calls behind a head with a waiting person: each books for itself, and goes when it fits.
    fn beside(
        &mut self,
        number: LineNo,
        blocked: &mut Blocked,
        order: HeadOrder,
        now: Timestamp,
    ) -> Option<Question> {
        let behind = self.lines.line(number)?.calls.after_head(BESIDE);
        let behind = behind.into_iter().filter(|row| *row != blocked.row);
        for row in behind.collect::<Vec<_>>() {
            let order = HeadOrder {
                sequence: u32::MAX,
                ..order
            };
            match self.find(number, row, order, now) {
                Found::On(target, because) => {
                    return Some(self.ask(number, row, target, because, now));
                }
                Found::Wait(waits) => {
                    blocked.wakes_at = blocked.wakes_at.min(waits.wakes_at);
                    if let Some(question) = self.booking_question(number, &waits, now) {
                        return Some(question);
                    }
                }
                Found::Never(_) => {}
            }
        }
        None
    }

    /// The question whether a call may go on a target.
    fn ask(
        &mut self,
        number: LineNo,
        row_no: RowId,
        target_no: TargetId,
        because: ChoiceReason,
        now: Timestamp,
    ) -> Question {
        let row = self.rows.row(row_no);
        let target = self.targets.target(target_no);
        let route = self.targets.route_of(target_no);
        let (provider, size) = (&route.provider, &row.size);
        let estimate = self
            .estimator
            .estimate(provider, &route.row, row.kind, size);
        let candidate = Candidate {
            credential: target.credential,
            groups: target.configs.clone(),
            estimate,
            rank: 0,
            floor_permille: self.settings.floor_permille,
        };
        self.counts.asked += 1;
        self.asked.insert(row.lease);
        Question {
            lease: row.lease,
            row: row_no,
            line: number,
            target: target_no,
            estimate,
            because,
            demand: Demand {
                lease: row.lease,
                interactive: row.is_interactive,
                not_after: now + self.settings.lease_lasts,
                candidates: vec![candidate],
                // Heads of tasks book in the engine: at the limiter they would keep out calls that go before them.
                books: row.is_interactive,
            },
        }
    }
}

/// Targets that a search has looked at.
#[derive(Debug, Default)]
struct Seen {
    fits: Vec<Fitting>,
    /// Target on which the call fits first.
    waits: Option<(Timestamp, TargetId, Cause)>,
    /// First target that waits for a change.
    freed: Option<(TargetId, Cause)>,
    never: Option<chorus_core::limit::Dimension>,
}

impl Seen {
    fn add(&mut self, target: TargetId, leaf: usize, fit: Fit) {
        match fit {
            Fit::Now { headroom } => self.fits.push(Fitting {
                target,
                leaf,
                headroom,
            }),
            Fit::At(at, cause) => {
                if self.waits.is_none_or(|(first, _, _)| at < first) {
                    self.waits = Some((at, target, cause));
                }
            }
            Fit::WhenFreed(cause) => drop(self.freed.get_or_insert((target, cause))),
            Fit::Never(dimension) => self.never = Some(dimension),
        }
    }
}
