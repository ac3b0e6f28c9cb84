//! Checks the invariants that hold in every run, under any faults.
//!
//! The [`Monitor`] sits behind the faults and sees every operation at the moment it is applied. It
//! compares rows, limiter levels and provider calls with its own account of them. The invariants
//! are those of the model-checked protocol (I1 to I8). The first [`Violation`] ends a run.
//! Invariants that can only be checked at the end are in `end`.

mod arrows;
mod calls;
mod end;
mod leases;
mod level;
mod liveness;
mod money;
mod plan;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use chorus_core::attempt::{AttemptWait, Claim, Finish};
use chorus_core::id::{AccountId, ProjectId, Version};
use chorus_core::time::Timestamp;
use chorus_store::rows::Rows;

use crate::executor::Timeline;
use crate::log::Log;

pub use calls::{CallStart, Calls};
pub use end::Ending;
pub use leases::{LeaseOperation, Leases};
pub use level::Level;
pub use liveness::{ALWAYS, ServingAccount};

/// A rule that no run may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// At most one attempt of a task succeeds (I1).
    OneSuccess,
    /// The report of a fenced holder is never recorded (I1).
    FencedReport,
    /// A claim is granted only at the record's epoch, to one holder (I4).
    OneClaim,
    /// Rows change only along the arrows of [`chorus_core::attempt`] and [`chorus_core::project`].
    Arrows,
    /// Epochs only grow, and every requeue raises the epoch of its attempt (I4).
    EpochGrows,
    /// No transition leaves a terminal state (I5).
    TerminalAbsorbs,
    /// A child becomes ready only when the policy on its parents holds (I6).
    ParentPolicy,
    /// A ready task and its attempt are created together, with one live attempt for each task (I6).
    ReadyHasAttempt,
    /// A decision changes only the version on which it was made.
    OneWriter,
    /// A record is folded once.
    FoldedOnce,
    /// At most one call is in flight for each epoch (I4).
    OneCallPerEpoch,
    /// A call has a lease that was sent and has not expired, and ends before its lease (I3).
    CallNeedsLease,
    /// A lease is used for one call (I3).
    OneCallPerLease,
    /// Only one holder sends a lease, and only while it is reserved (I3).
    SentOnce,
    /// The limiter's own count never passes a limit (I7).
    LimiterCount,
    /// The limiter's levels equal the sum of leases and calls: nothing is charged twice, nothing
    /// used is refunded (I3).
    LedgerBalance,
    /// The provider's own count of calls in flight never passes its limit (I7).
    ProviderCount,
    /// Reserved and spent money are the sums over the deliveries.
    Money,
    /// No dispatch exceeds the budget.
    Budget,
    /// At the end nothing is reserved, held or unsent.
    NothingLeft,
    /// Every provider call has a delivery row, and every row with usage has a call.
    CallsAccounted,
    /// Every accepted project ends within a bounded time after the last fault (I2).
    NoProjectLost,
    /// A runnable attempt is granted within a bound while a healthy account that could serve it is idle.
    GrantedInTime,
    /// An attempt that waits while no call is under way has a reason that a client can read.
    WaitsAreExplained,
    /// Calls that an organisation refuses stay few in any minute.
    NoStorm,
    /// No task fails by its accounts while a healthy account could serve it.
    HealthyServes,
    /// No paid call is lost when only the store and dispatchers failed (I8).
    PaidCallKept,
    /// The deliverable equals that of the run without faults, byte for byte.
    SameDeliverable,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A broken invariant with the observed state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The broken rule.
    pub invariant: Invariant,
    /// Observed state, for people.
    pub what: String,
}

impl Violation {
    /// Creates a violation with this description.
    pub fn new(invariant: Invariant, what: impl Into<String>) -> Self {
        Self {
            invariant,
            what: what.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// Store operation with a reply that carries more than the rows show.
#[derive(Debug, Clone, Copy)]
pub enum RowOperation<'a> {
    /// A claim was granted.
    Claimed(&'a Claim),
    /// A finish was reported as recorded.
    Finished(&'a Finish),
    /// A decision was reported as committed.
    Committed {
        /// The decided project.
        project: ProjectId,
        /// Version on which the decision was made.
        expected: Version,
        /// Records that the decision folds.
        folded: &'a [chorus_core::id::EventId],
    },
    /// Any other operation that changes rows.
    Other,
}

/// Checks the invariants of one run.
pub struct Monitor {
    timeline: Arc<Timeline>,
    log: Arc<Log>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    violation: Option<Violation>,
    arrows: arrows::Arrows,
    plan: plan::Plans,
    leases: Leases,
    calls: Calls,
    liveness: liveness::Liveness,
}

impl Monitor {
    /// Creates a monitor that has seen no operation.
    pub fn new(timeline: &Arc<Timeline>, log: &Arc<Log>) -> Arc<Self> {
        Arc::new(Self {
            timeline: Arc::clone(timeline),
            log: Arc::clone(log),
            state: Mutex::default(),
        })
    }

    /// First violation of the run, if any.
    pub fn violation(&self) -> Option<Violation> {
        self.lock().violation.clone()
    }

    /// Checks the rows after an operation.
    pub fn check_rows(&self, operation: RowOperation<'_>, rows: &Rows) {
        self.run_check(|state, _| {
            state.arrows.check(operation, rows)?;
            state.plan.check(operation, rows)?;
            money::check(rows)
        });
    }

    /// Checks the limiter's levels after an operation.
    pub fn check_limits(&self, operation: &LeaseOperation<'_>, levels: &[Level]) {
        self.run_check(|state, now| state.leases.check(operation, levels, now));
    }

    /// Notes that the limiter lost its state.
    pub fn flushed(&self) {
        self.lock().leases.flush();
    }

    /// Notes that leases never expire in this run ([`SafetyNets::expiry`](crate::world::SafetyNets)
    /// is off).
    pub fn leases_never_expire(&self) {
        self.lock().leases.never_expire();
    }

    /// Checks a request at the moment it reaches a provider.
    pub fn call_started(&self, call: &CallStart<'_>, rows: &Rows) {
        self.run_check(|state, now| state.calls.start(call, &mut state.leases, rows, now));
    }

    /// Notes that the connection of a call was closed.
    pub fn call_ended(&self, reference: &str) {
        let State { calls, leases, .. } = &mut *self.lock();
        calls.end(reference, leases);
    }

    /// Names the accounts of known health; liveness is checked then. Processes die if `dying`.
    pub fn watch_accounts(&self, accounts: BTreeMap<AccountId, ServingAccount>, dying: bool) {
        self.lock().liveness.watch(accounts, dying);
    }

    /// Checks liveness after time has passed.
    pub fn check_liveness(&self, rows: &Rows) {
        self.run_check(|state, now| state.liveness.check(rows, now));
    }

    /// Checks that attempts which wait have reasons.
    pub fn check_reasons(&self, rows: &Rows, waits: &[AttemptWait]) {
        self.run_check(|state, now| state.liveness.check_reasons(rows, waits, now));
    }

    /// Checks the invariants of the whole run at its end.
    pub fn check_end(&self, ending: &Ending<'_>) {
        self.run_check(|state, now| end::check(ending, state, now));
    }

    /// Records a violation that was found outside the monitor.
    pub fn report(&self, violation: Violation) {
        self.run_check(|_, _| Err(violation));
    }

    fn run_check(&self, check: impl FnOnce(&mut State, Timestamp) -> Result<(), Violation>) {
        let now = self.timeline.now();
        let mut state = self.lock();
        if state.violation.is_some() {
            return;
        }
        if let Err(violation) = check(&mut state, now) {
            self.log
                .note("monitor", format_args!("VIOLATION {violation}"));
            state.violation = Some(violation);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("one thread alone watches")
    }
}

#[cfg(test)]
mod tests;
