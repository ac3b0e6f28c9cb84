//! Liveness: runnable attempts are granted within a bound, and no task fails that a healthy account could serve.
//!
//! The [`Liveness`] knows what the services must find out: the accounts that are healthy, and the models that each
//! can serve. An attempt is runnable while it is queued, its `not_before` has passed and its project goes on.
//! Time counts against the bound only while a healthy account that could serve the attempt has no other work.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chorus_core::attempt::{AttemptState, AttemptWait, FailureCause, WaitReason};
use chorus_core::id::{AccountId, AttemptId, GroupId};
use chorus_core::project::{State, TaskState};
use chorus_core::task_kind::ModelRole;
use chorus_core::time::{Millis, Timestamp};
use chorus_provider_sim::engine::journal::Entry;
use chorus_store::rows::{AttemptRow, Rows};

use super::{Invariant, Violation};

/// Longest time for which a runnable attempt waits beside an idle healthy account.
///
/// The longest refill of the simulated limits takes 20 s, and a request that travels is sent within the second.
const GRANT_BOUND: Millis = Millis::from_secs(90);

/// Longest time for which the slot of a call stays held after its process has died, without the certainty that it
/// has: the deadline of the call, and the provider's grace.
const DEAD_CALL: Millis = Millis::from_secs(240);

/// Longest time for which a runnable attempt waits without a recorded reason while no call is under way.
const REASON_BOUND: Millis = Millis::from_secs(60);

/// Time in which the refused calls of an account are counted.
const STORM_WINDOW: Millis = Millis::from_secs(60);

/// Most calls of one organisation that give no usable reply within [`STORM_WINDOW`]: all slots at once, some at the
/// waits that the provider names, and one trial after each doubled rest, again after a dispatcher's death.
const STORM_BOUND: usize = 24;

/// Value of [`ServingAccount::healthy_from`] for an account that is never sick.
pub const ALWAYS: Timestamp = Timestamp(i64::MIN);

/// An account of the run, as the liveness rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServingAccount {
    /// Quota group of the account; accounts of one group are idle together.
    pub group: GroupId,
    /// Roles with a model that the account serves.
    pub roles: BTreeSet<ModelRole>,
    /// Time from which the account is healthy; [`ALWAYS`] if it never was sick.
    pub healthy_from: Timestamp,
}

/// Accounts of the run, and the time that each runnable attempt has waited beside an idle one.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    accounts: BTreeMap<AccountId, ServingAccount>,
    /// Longest wait beside an idle account.
    bound: Millis,
    waited: BTreeMap<AttemptId, Millis>,
    /// Time since which nothing is under way and the attempt has no reason but the queue.
    unexplained: BTreeMap<AttemptId, Timestamp>,
    checked_at: Option<Timestamp>,
}

impl Liveness {
    /// Names the accounts of the run; without any, nothing is checked. Processes die if `dying`.
    pub(super) fn watch(&mut self, accounts: BTreeMap<AccountId, ServingAccount>, dying: bool) {
        self.accounts = accounts;
        self.bound = if dying {
            GRANT_BOUND + DEAD_CALL
        } else {
            GRANT_BOUND
        };
    }

    /// Checks the rows as they were since the last check.
    pub(super) fn check(&mut self, rows: &Rows, now: Timestamp) -> Result<(), Violation> {
        let since = self.checked_at.replace(now).unwrap_or(now);
        let passed = now.since(since);
        if self.accounts.is_empty() || passed == Millis::ZERO {
            return Ok(());
        }
        let idle = self.idle_groups(rows, since);
        let mut waited = BTreeMap::new();
        for (id, row) in rows
            .attempts
            .iter()
            .filter(|(_, row)| runnable(row, rows, since))
        {
            let beside = self.accounts.values().any(|account| {
                account.healthy_from <= since
                    && account.roles.contains(&row.attempt.kind.role())
                    && idle.contains(&account.group)
            });
            let before = self.waited.get(id).copied().unwrap_or(Millis::ZERO);
            let total = if beside {
                before + passed
            } else {
                Millis::ZERO
            };
            if total > self.bound {
                let what = format!(
                    "{id} ({:?}) of {} was runnable for {total} beside an idle healthy account",
                    row.attempt.kind, row.attempt.project
                );
                return Err(Violation::new(Invariant::GrantedInTime, what));
            }
            waited.insert(*id, total);
        }
        self.waited = waited;
        Ok(())
    }

    /// Checks that waiting attempts have reasons; `waits` are those that a client would read now.
    pub(super) fn check_reasons(
        &mut self,
        rows: &Rows,
        waits: &[AttemptWait],
        now: Timestamp,
    ) -> Result<(), Violation> {
        let is_under_way = |row: &AttemptRow| {
            matches!(row.state, AttemptState::Dispatched | AttemptState::Running)
        };
        if self.accounts.is_empty() || rows.attempts.values().any(is_under_way) {
            self.unexplained.clear();
            return Ok(());
        }
        let mut unexplained = BTreeMap::new();
        for wait in waits {
            let row = rows.attempts.get(&wait.attempt);
            let Some(row) = row.filter(|row| runnable(row, rows, now)) else {
                continue;
            };
            if !matches!(wait.reason, WaitReason::Queue { .. }) {
                continue;
            }
            let since = self.unexplained.get(&wait.attempt).copied().unwrap_or(now);
            if now.since(since) > REASON_BOUND {
                let what = format!(
                    "{} ({:?}) of {} waits for {} and only the queue is named",
                    wait.attempt,
                    row.attempt.kind,
                    row.attempt.project,
                    now.since(since)
                );
                return Err(Violation::new(Invariant::WaitsAreExplained, what));
            }
            unexplained.insert(wait.attempt, since);
        }
        self.unexplained = unexplained;
        Ok(())
    }

    /// Groups of healthy accounts without a dispatched or running attempt.
    fn idle_groups(&self, rows: &Rows, now: Timestamp) -> BTreeSet<GroupId> {
        let mut idle: BTreeSet<GroupId> = self
            .accounts
            .values()
            .filter(|account| account.healthy_from <= now)
            .map(|account| account.group.clone())
            .collect();
        for row in rows
            .attempts
            .values()
            .filter(|row| matches!(row.state, AttemptState::Dispatched | AttemptState::Running))
        {
            let delivery = rows.deliveries.get(&(row.attempt.id, row.epoch));
            let account =
                delivery.and_then(|row| self.accounts.get(&row.delivery.assignment.account));
            if let Some(account) = account {
                idle.remove(&account.group);
            }
        }
        idle
    }

    /// Checks at the end that no task failed by its accounts while an account that was healthy all the time could
    /// serve it.
    pub(super) fn check_end(&self, rows: &Rows) -> Result<(), Violation> {
        let always = |role: ModelRole| {
            self.accounts
                .values()
                .any(|account| account.healthy_from == ALWAYS && account.roles.contains(&role))
        };
        for (id, row) in &rows.projects {
            for task in row.project.tasks.values() {
                let TaskState::Failed { cause } = &task.state else {
                    continue;
                };
                if is_of_account(cause) && always(task.kind.role()) {
                    let what = format!(
                        "{} of {id} failed with {cause:?}, and a healthy account could serve it",
                        task.key
                    );
                    return Err(Violation::new(Invariant::HealthyServes, what));
                }
            }
        }
        Ok(())
    }
}

/// Returns an error if an organisation refused more than [`STORM_BOUND`] calls in a [`STORM_WINDOW`].
pub(super) fn no_storm(journal: &[Entry]) -> Result<(), Violation> {
    let mut refused: BTreeMap<(&str, &str), VecDeque<u64>> = BTreeMap::new();
    for entry in journal.iter().filter(|entry| is_failure(entry)) {
        let key = (entry.provider.as_str(), entry.organisation.as_str());
        let times = refused.entry(key).or_default();
        times.push_back(entry.started_ms);
        while times
            .front()
            .is_some_and(|first| first + STORM_WINDOW.0 < entry.started_ms)
        {
            times.pop_front();
        }
        if times.len() > STORM_BOUND {
            let what = format!(
                "{} of {} refused {} calls in {STORM_WINDOW}",
                entry.organisation,
                entry.provider,
                times.len()
            );
            return Err(Violation::new(Invariant::NoStorm, what));
        }
    }
    Ok(())
}

/// Returns true if the call gave no usable reply.
fn is_failure(entry: &Entry) -> bool {
    entry.status != 200 || entry.fault.as_deref().is_some_and(|fault| fault != "slow")
}

/// Returns true if the attempt may be granted at this time.
fn runnable(row: &AttemptRow, rows: &Rows, now: Timestamp) -> bool {
    row.state == AttemptState::Queued
        && row.attempt.not_before <= now
        && row.queued_at <= now
        && rows
            .projects
            .get(&row.attempt.project)
            .is_some_and(|row| !matches!(row.project.head.state, State::Paused { .. }))
}

/// Returns true if the cause lies with accounts and not with the request or its reply.
const fn is_of_account(cause: &FailureCause) -> bool {
    matches!(
        cause,
        FailureCause::NoAccount { .. }
            | FailureCause::Upstream { .. }
            | FailureCause::Request { .. }
    )
}
