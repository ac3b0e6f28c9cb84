//! The engine of the pool: waiting calls in lines, mirrors of the limits, and the next question to the limiter.
//!
//! Pure: time is an argument, and the limiter is asked by [`Admission`](crate::Admission). A grant, an end or a
//! change of one account touches the lines that may use it and nothing else. Calls of a line are served in the order
//! of [`order`](crate::order); no call passes a head that waits, except where the head has booked the account on
//! which it fits first and is not delayed.

mod answers;
mod changes;
mod choice;
mod find;
mod learning;
mod lines;
mod payers;
mod reason;
mod rows;
mod selectors;
mod slots;
mod status;

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::attempt::{DispatchDecision, FailureCause};
use chorus_core::id::{AccountId, CredentialId, LeaseId, Pool, ProjectId, Tenant};
use chorus_core::limit::GroupChange;
use chorus_core::port::directory::{CredentialState, Mark};
use chorus_core::time::{Millis, Timestamp};

pub(crate) use answers::Effect;
pub use choice::ChoiceReason;
pub use slots::PoolSlots;
pub use status::{CallWait, EndpointStatus, MirroredLevel, PoolStatus};

use crate::breaker::Breakers;
use crate::decided::Decided;
use crate::endpoint_index::{EndpointIndex, RoleModels};
use crate::estimate::Estimator;
use crate::health::AccountHealth;
use crate::order::{Fairness, RowId, Work, aged, overdue};
use crate::request::AdmissionRequest;
use crate::settings::Settings;
use crate::targets::{GroupNo, LineNo, TargetId, Targets};
use choice::Prefixes;
use lines::{Booking, HeadOrder, LineKey, LineState, Lines};
use rows::{RowSlot, Rows};
use selectors::{Eligible, SelectorNo, Selectors};

/// Time between two readings of the ages of all priorities, and of the ranks of sick accounts.
const REFRESH: Millis = Millis(1_000);
/// Number of empty lines beyond which they are removed.
const EMPTY_LINES: usize = 4_096;

/// State of the pool of one process.
pub(crate) struct Engine {
    pub(crate) settings: Settings,
    pub(crate) index: EndpointIndex,
    pub(crate) roles: RoleModels,
    pub(crate) estimator: Estimator,
    pub(crate) decided: Vec<Decided>,
    /// Leases that may be reserved: they were asked for, and the answer was lost or is not returned yet.
    pub(crate) asked: BTreeSet<LeaseId>,
    breakers: Breakers,
    health: AccountHealth,
    targets: Targets,
    rows: Rows,
    selectors: Selectors,
    lines: Lines,
    fairness: Fairness,
    tenants: Vec<Tenant>,
    payers: Vec<Payer>,
    shares: Vec<Share>,
    share_numbers: BTreeMap<(u32, Option<Pool>), usize>,
    /// Lines with a head to be looked at, and those of them with a known order.
    open: BTreeSet<LineNo>,
    sorted: BTreeSet<(HeadOrder, LineNo)>,
    /// Groups on which a booking ended: others may take from them.
    released: Vec<GroupNo>,
    /// Times at which blocked lines are looked at again.
    wakes: BTreeSet<(Timestamp, LineNo)>,
    asleep: BTreeSet<(Timestamp, RowId)>,
    /// Ends of bindings to an account that refused a call: its siblings may serve it from then on.
    bindings: BTreeSet<(Timestamp, RowId)>,
    bookings: Vec<Vec<Booking>>,
    prefixes: Prefixes,
    slots: Option<BTreeMap<Pool, PoolSlots>>,
    /// State of each credential as it was seen last.
    states: BTreeMap<CredentialId, (CredentialState, Option<Mark>)>,
    /// Targets of accounts that fail: their ranks decay with time.
    ailing: BTreeSet<TargetId>,
    ages: BTreeMap<u8, Timestamp>,
    refreshed_at: Timestamp,
    /// Time at which the next parked credential becomes usable.
    returns_at: Option<Timestamp>,
    /// True if the models of roles are to be chosen again, because accounts opened or closed.
    is_choice_stale: bool,
    uses: u64,
    /// Number of answers of the limiter, by what they were.
    pub(crate) counts: Counts,
}

/// Numbers of operations, for tests of their growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Questions to the limiter.
    pub asked: u64,
    /// Grants among its answers.
    pub granted: u64,
    /// Targets and nodes of trees that were looked at.
    pub looked: u64,
}

/// Project or tenant that calls are served for.
#[derive(Debug, Default)]
struct Payer {
    names: Option<(Tenant, Option<ProjectId>)>,
    /// Lines that ever held its calls.
    lines: Vec<LineNo>,
}

/// Work that waits for one pool of a tenant.
#[derive(Debug, Clone, Default)]
struct Share {
    work: Work,
    /// Work of calls that were not pushed.
    rest: Work,
}

impl Engine {
    pub(crate) fn new(settings: Settings, index: EndpointIndex, roles: RoleModels) -> Self {
        Self {
            settings,
            index,
            roles,
            estimator: Estimator::default(),
            decided: Vec::new(),
            asked: BTreeSet::new(),
            breakers: Breakers::default(),
            health: AccountHealth::default(),
            targets: Targets::default(),
            rows: Rows::default(),
            selectors: Selectors::default(),
            lines: Lines::default(),
            fairness: Fairness::default(),
            tenants: Vec::new(),
            payers: Vec::new(),
            shares: vec![Share::default()],
            share_numbers: BTreeMap::new(),
            open: BTreeSet::new(),
            sorted: BTreeSet::new(),
            released: Vec::new(),
            wakes: BTreeSet::new(),
            asleep: BTreeSet::new(),
            bindings: BTreeSet::new(),
            bookings: Vec::new(),
            prefixes: Prefixes::default(),
            slots: None,
            states: BTreeMap::new(),
            ailing: BTreeSet::new(),
            ages: BTreeMap::new(),
            refreshed_at: Timestamp(i64::MIN),
            returns_at: Some(Timestamp(i64::MIN)),
            is_choice_stale: false,
            uses: 0,
            counts: Counts::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn contains(&self, lease: LeaseId) -> bool {
        self.rows.find(lease).is_some()
    }

    /// Returns true if a call is deferred to a later time.
    #[cfg(test)]
    pub(crate) fn is_delayed(&self, lease: LeaseId, now: Timestamp) -> bool {
        let row = self.rows.find(lease).map(|row| self.rows.row(row));
        row.is_some_and(|row| row.not_before > now)
    }

    /// Heads that wait for a limit, each with the targets that no booking keeps from it and that are not slow.
    #[cfg(test)]
    pub(crate) fn heads_that_wait(&self) -> Vec<(LeaseId, Vec<chorus_core::limit::Candidate>)> {
        let mut heads = Vec::new();
        for (number, line) in self.lines.numbered() {
            let LineState::Blocked(blocked) = &line.state else {
                continue;
            };
            let is_free = |target: &&TargetId| {
                let target = self.targets.target(**target);
                let mut groups = target.groups.iter();
                let is_slow = target.pace.slowness() > 1.0;
                !is_slow
                    && groups.all(|group| {
                        let bookings = self.bookings.get(*group as usize);
                        let mut bookings = bookings.into_iter().flatten();
                        bookings.all(|booking| booking.line == number)
                    })
            };
            let candidate = |target: &TargetId| {
                let target = self.targets.target(*target);
                let of_route = blocked.estimates.iter();
                let mut of_route = of_route.filter(|(route, _)| *route == target.route);
                Some(chorus_core::limit::Candidate {
                    credential: target.credential,
                    groups: target.configs.clone(),
                    estimate: of_route.next()?.1,
                    rank: 0,
                    floor_permille: 0,
                })
            };
            let targets = line.targets.iter().filter(is_free);
            let lease = self.rows.row(blocked.row).lease;
            heads.push((lease, targets.filter_map(candidate).collect()));
        }
        heads
    }

    /// State of the lines, for messages of tests.
    #[cfg(test)]
    pub(crate) fn describe(&self) -> String {
        let lines = self
            .lines
            .numbered()
            .map(|(_, line)| format!("{:?}", line.state));
        let mirrors = self
            .targets
            .mirrors
            .iter()
            .map(|mirror| format!("{mirror:?}"));
        lines.chain(mirrors).collect::<Vec<_>>().join("\n")
    }

    /// Time that the pool of a waiting call needs for everything that waits for it.
    #[cfg(test)]
    pub(crate) fn drain_of(&mut self, lease: LeaseId, now: Timestamp) -> Millis {
        let row = self.rows.find(lease).map(|row| self.rows.row(row).slot);
        match row {
            Some(RowSlot::InLine(line)) => self.drain(line, now),
            Some(RowSlot::Nowhere | RowSlot::Asleep(_)) | None => Millis::ZERO,
        }
    }

    /// Queues a call; one with the same lease is replaced.
    pub(crate) fn push(&mut self, request: &AdmissionRequest, now: Timestamp) {
        self.remove(request.lease);
        let payer = self.payer(&request.tenant, request.project);
        let role = request.kind.role();
        let selector = self.selector_of(&request.tenant, &request.selector, role, now);
        let row = self.rows.insert(request, payer, selector);
        self.fairness_enters(payer);
        if request.refused_by.is_some() {
            self.bindings.insert((request.refused_until, row));
        }
        self.place(row, now);
    }

    /// Removes a call.
    pub(crate) fn remove(&mut self, lease: LeaseId) -> Option<AdmissionRequest> {
        let row = self.rows.find(lease)?;
        Some(self.take(row))
    }

    /// Removes a row from wherever it is.
    fn take(&mut self, row: RowId) -> AdmissionRequest {
        self.lift(row);
        let (payer, until) = {
            let row = self.rows.row(row);
            (row.payer, row.refused_until)
        };
        self.bindings.remove(&(until, row));
        self.fairness.leaves(payer);
        let names = self.names(row);
        self.rows.remove(row, &names)
    }

    /// Takes a row out of its line or its sleep; it stays queued.
    fn lift(&mut self, number: RowId) {
        let row = self.rows.row(number);
        match row.slot {
            RowSlot::Nowhere => {}
            RowSlot::Asleep(at) => drop(self.asleep.remove(&(at, number))),
            RowSlot::InLine(line_no) => {
                let (place, work) = (row.place(number), row.work());
                let used = self.fairness.used(row.payer).1;
                if let Some(line) = self.lines.line_mut(line_no) {
                    line.calls.remove(&place, work, used);
                    line.never.take_if(|never| never.0 == number);
                    let share = &mut self.shares[line.share];
                    share.work = share.work - work;
                    let is_empty = line.calls.is_empty();
                    if line.is_head(number) {
                        self.open_line(line_no);
                    }
                    if is_empty {
                        self.line_emptied(line_no);
                    }
                }
            }
        }
        self.rows.row_mut(number).slot = RowSlot::Nowhere;
    }

    /// Removes an empty line that no later call is likely to join.
    fn line_emptied(&mut self, number: LineNo) {
        let many = self.lines.all.len() > EMPTY_LINES;
        let is_rare = self
            .lines
            .line(number)
            .is_some_and(|line| line.key.refused_by.is_some() || line.key.parked.is_some() || many);
        if is_rare {
            self.open_line(number);
            self.open.remove(&number);
            self.detach(number);
            self.lines.remove(number);
        }
    }

    /// Puts a call into the line of its targets, or defers it.
    fn place(&mut self, number: RowId, now: Timestamp) {
        let row = self.rows.row(number);
        if row.refused_until <= now {
            self.rows.unbind(number);
        }
        let row = self.rows.row(number);
        if row.not_before > now {
            let until = row.not_before;
            return self.sleep(number, until);
        }
        let (selector, is_task) = (row.selector, !row.is_interactive);
        let eligible = self.selectors.selector(selector).eligible.clone();
        if let Eligible::Never(message) = eligible {
            return self.refuse(number, message);
        }
        let tenant = self.selectors.selector(selector).tenant.clone();
        let refused_by = self
            .rows
            .refused_by(number)
            .filter(|account| self.binds(&tenant, &eligible, *account, now));
        let key = LineKey {
            is_task,
            tenant: self.tenant(&tenant),
            parked: (eligible == Eligible::Parked).then_some(selector),
            eligible,
            refused_by,
        };
        let line = self.line_of(key, now);
        self.join(number, line, now);
    }

    /// Returns true if a refused call may not move to siblings of the account.
    fn binds(
        &self,
        tenant: &Tenant,
        eligible: &Eligible,
        account: AccountId,
        now: Timestamp,
    ) -> bool {
        let Eligible::Models(models) = eligible else {
            return false;
        };
        models
            .iter()
            .any(|model| self.index.has_excluded_sibling(tenant, model, account, now))
    }

    fn join(&mut self, number: RowId, line_no: LineNo, now: Timestamp) {
        let drain = self.drain(line_no, now);
        let work = self.work_of_row(number, line_no);
        let row = self.rows.row_mut(number);
        row.slot = RowSlot::InLine(line_no);
        row.set_work(work);
        if row.overdue_at == crate::targets::NEVER {
            row.overdue_at = overdue(drain, now);
        }
        let (place, work, payer) = (row.place(number), row.work(), row.payer);
        let used = self.fairness.used(payer).1;
        let of_payer = &mut self.payers[payer as usize].lines;
        if !of_payer.contains(&line_no) {
            of_payer.push(line_no);
        }
        let Some(line) = self.lines.line_mut(line_no) else {
            return;
        };
        line.calls.push(&place, work, used);
        let share = &mut self.shares[line.share];
        share.work = share.work + work;
        let is_first = line.calls.len() == 1;
        // A call that goes before the head that waits takes its place.
        let blocked = match &line.state {
            LineState::Blocked(blocked) => Some(blocked.row),
            LineState::Open => None,
        };
        let is_next = blocked.is_none_or(|head| self.goes_before(number, head, now));
        if is_first || is_next {
            self.open_line(line_no);
        }
    }

    /// Returns true if a call that came may go before the head of its line.
    fn goes_before(&self, number: RowId, head: RowId, now: Timestamp) -> bool {
        let (row, head) = (self.rows.row(number), self.rows.row(head));
        let priority = |row: &rows::Row| aged(row.priority, row.since, now);
        row.payer != head.payer
            || row.is_ahead
            || priority(row) > priority(head)
            || row.since <= head.since
            || row.place(number).path > head.place(number).path
    }

    fn sleep(&mut self, number: RowId, until: Timestamp) {
        self.asleep.insert((until, number));
        self.rows.row_mut(number).slot = RowSlot::Asleep(until);
    }

    /// Decides that a call will never be admitted.
    fn refuse(&mut self, number: RowId, message: String) {
        let request = Box::new(self.take(number));
        self.decided.push(Decided {
            request,
            charged: 0,
            decision: DispatchDecision::Refuse(FailureCause::NoAccount { message }),
            because: None,
        });
    }

    /// Estimated work of a call in a line.
    fn work_of_row(&self, number: RowId, line_no: LineNo) -> Work {
        let line = self.lines.line(line_no);
        let route = line.and_then(|line| line.routes.first());
        let Some(route) = route.map(|route| &self.targets.routes[*route as usize]) else {
            return Work {
                calls: 1,
                ..Work::default()
            };
        };
        let row = self.rows.row(number);
        let (provider, model) = (&route.provider, &route.row);
        Work::of(&self.estimator, provider, model, row.kind, &row.size)
    }

    /// Moves calls and lines that are due.
    pub(crate) fn wake(&mut self, now: Timestamp) {
        while let Some((_, row)) = self.asleep.first().copied().filter(|(at, _)| *at <= now) {
            self.lift(row);
            self.place(row, now);
        }
        while let Some(end) = self.bindings.first().copied().filter(|(at, _)| *at <= now) {
            self.bindings.remove(&end);
            self.lift(end.1);
            self.place(end.1, now);
        }
        if self.returns_at.is_some_and(|at| at <= now) {
            self.refresh(now);
        }
        if now.since(self.refreshed_at) >= REFRESH || now < self.refreshed_at {
            self.refreshed_at = now;
            self.refresh_ages();
            let ailing: Vec<TargetId> = self.ailing.iter().copied().collect();
            self.refresh_targets(&ailing, now);
        }
        if std::mem::take(&mut self.is_choice_stale) {
            self.choose_again(now);
        }
        while let Some((at, line)) = self.wakes.first().copied().filter(|(at, _)| *at <= now) {
            self.wakes.remove(&(at, line));
            self.line_wakes(line, now);
        }
    }

    /// Time at which [`Engine::wake`] has something to do.
    pub(crate) fn wakes_at(&self, now: Timestamp) -> Option<Timestamp> {
        let poll = (self.rows.len() > 0).then_some(now + self.settings.poll.max(Millis(1)));
        let times = [
            self.asleep.first().map(|(at, _)| *at),
            self.bindings.first().map(|(at, _)| *at),
            self.wakes.first().map(|(at, _)| *at),
            self.returns_at.filter(|_| self.rows.len() > 0),
            poll,
        ];
        times.into_iter().flatten().min()
    }

    fn refresh_ages(&mut self) {
        self.ages.clear();
        for (_, line) in self.lines.numbered() {
            for (priority, since) in line.calls.ages() {
                let oldest = self.ages.entry(priority).or_insert(since);
                *oldest = since.min(*oldest);
            }
        }
    }

    /// Changes the endpoints. If `change` returns true, lines get their targets again.
    pub(crate) fn update_endpoints(
        &mut self,
        change: impl FnOnce(&mut EndpointIndex) -> bool,
        now: Timestamp,
    ) {
        if change(&mut self.index) {
            self.learn_states(now);
            self.refresh(now);
        }
    }

    /// Looks up models and targets again, after accounts were added, removed or changed.
    fn refresh(&mut self, now: Timestamp) {
        self.returns_at = self.index.next_return(now);
        self.choose_again(now);
        let numbers: Vec<LineNo> = self.lines.numbered().map(|(number, _)| number).collect();
        for number in numbers {
            let is_parked = |line: &lines::Line| line.key.parked.is_some();
            if self.lines.line(number).is_some_and(|line| !is_parked(line)) {
                self.attach(number, now);
            }
        }
        for row in self.rows.bound() {
            if matches!(self.rows.row(row).slot, RowSlot::InLine(_)) {
                self.lift(row);
                self.place(row, now);
            }
        }
    }

    /// Chooses the models of all selectors again, and moves the calls of those that changed.
    fn choose_again(&mut self, now: Timestamp) {
        let changed: BTreeSet<SelectorNo> = self.refresh_selectors(now).into_iter().collect();
        if changed.is_empty() {
            return;
        }
        let in_line = |row: &RowId| {
            let row = self.rows.row(*row);
            changed.contains(&row.selector) && matches!(row.slot, RowSlot::InLine(_))
        };
        let mut rows: Vec<RowId> = self.rows.all().filter(in_line).collect();
        rows.sort_by_key(|row| self.rows.row(*row).sequence());
        for row in rows {
            self.lift(row);
            self.place(row, now);
        }
    }

    /// Takes a hint of the limiter: the group was freed or corrected.
    pub(crate) fn group_changed(&mut self, change: &GroupChange, now: Timestamp) {
        if let Some(number) = self.targets.group_number(&change.group) {
            let mirror = &mut self.targets.mirrors[number as usize];
            match &change.level {
                Some(level) => mirror.learn(level, now),
                None => mirror.doubt(),
            }
            self.touched(number, now);
        }
    }

    /// Forgets every level, because the limiter has lost its state.
    pub(crate) fn state_lost(&mut self, now: Timestamp) {
        for number in 0..self.targets.mirrors.len() {
            self.targets.mirrors[number].doubt();
            self.touched(number as GroupNo, now);
        }
    }
}
