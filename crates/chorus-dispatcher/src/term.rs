//! One term: restores held leases, then admits, dispatches and learns, beside the [`reconciler`].

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use chorus_core::attempt::{DispatchDecision, Outstanding, QueuedAttempt};
use chorus_core::catalog::Catalog;
use chorus_core::id::{CredentialId, Epoch, LeaseId, Tenant};
use chorus_core::limit::{PastCall, Restoration};
use chorus_core::port::StoreError;
use chorus_core::port::attempts::QueueSelection;
use chorus_core::port::directory::{CredentialState, Mark};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::retry::Backoff;
use chorus_core::port::waits::HeldUpProject;
use chorus_core::project::ClientCommand;
use chorus_core::record;
use chorus_core::time::{Millis, Timestamp};
use chorus_pool::{self as pool, Admission, EndpointIndex, RoleModels};
use futures_util::future::{Either, select};

use crate::accounts::Accounts;
use crate::backlog::Backlog;
use crate::commit::{DecidedRow, commit};
use crate::context::Context;
use crate::feedback::{Feedback, WARM_UP_AGE, WARM_UP_CALLS};
use crate::long_waits::{Finding, LongWaits};
use crate::paces::Paces;
use crate::queue_reader::QueueReader;
use crate::reconciler;
use crate::record_tail::{Ended, Notice, RecordTail};
use crate::restoration;
use crate::wait_recorder::WaitRecorder;
use crate::worker_slots::free_slots;

/// Maximum number of notices handled before admission gets its turn.
const NOTICES_AT_ONCE: usize = 256;

/// Maximum number of bookings that are withdrawn when calls leave the queue.
const WITHDRAWN_AT_ONCE: usize = 32;

/// Time between two readings of slots while no worker is announced.
const SLOTS_AWAITED: Millis = Millis(50);

/// Works for as long as the term lasts; never returns by itself.
pub(crate) async fn work(context: &Context, catalog: &Arc<Catalog>, roles: &RoleModels) {
    let mut events = EventLoop::new(context, catalog, roles);
    events.warm_up().await;
    events.restore().await;
    let reconciler = reconciler::run(context, catalog);
    select(Box::pin(events.run()), Box::pin(reconciler)).await;
}

/// Queue of a term: rows, admission, and what was learnt from ended calls.
struct EventLoop<'a> {
    context: &'a Context,
    catalog: &'a Catalog,
    admission: Admission,
    backlog: Backlog,
    feedback: Feedback,
    waits: WaitRecorder,
    waits_due: Timestamp,
    long_waits: LongWaits,
    slots_due: Timestamp,
    /// Credentials that answered although they were parked, to be made active.
    answered: BTreeMap<CredentialId, Timestamp>,
    accounts: Accounts,
    reader: QueueReader,
    paces: Paces,
}

/// Event that the loop waits for.
enum Event {
    Decided(Vec<pool::Decided>),
    StateLost,
    Notice(Notice),
    Tick,
}

impl<'a> EventLoop<'a> {
    fn new(context: &'a Context, catalog: &'a Arc<Catalog>, roles: &RoleModels) -> Self {
        let (limits, clock) = (Arc::clone(&context.limits), Arc::clone(&context.clock));
        let index = EndpointIndex::new(Arc::clone(catalog));
        let admission = Admission::new(
            limits,
            clock,
            context.settings.admission.clone(),
            index,
            roles.clone(),
        );
        Self {
            context,
            catalog,
            admission,
            backlog: Backlog::default(),
            feedback: Feedback::default(),
            waits: WaitRecorder::default(),
            waits_due: Timestamp(i64::MIN),
            long_waits: LongWaits::new(context.now()),
            slots_due: Timestamp(i64::MIN),
            answered: BTreeMap::new(),
            accounts: Accounts::new(),
            reader: QueueReader::new(),
            paces: Paces::new(roles.clone()),
        }
    }

    /// Restores the leases of all outstanding deliveries, fenced ones too, before anything is reserved: when the
    /// term begins, and whenever the limiter has lost its state.
    async fn restore(&mut self) {
        let mut backoff = Backoff::default();
        while !self.try_restore().await {
            backoff.wait(&*self.context.clock).await;
        }
    }

    /// Tries to restore the leases once; returns true if the limiter has all of them.
    async fn try_restore(&mut self) -> bool {
        let read = self.context.statement(
            "read outstanding deliveries",
            self.context.deliveries.outstanding(),
        );
        let Ok(outstanding) = read.await else {
            return false;
        };
        let limit = self.context.settings.queue_size;
        let lines = self
            .context
            .attempts
            .read_queue(QueueSelection::Lines, limit);
        let Ok(page) = self.context.statement("read the queue", lines).await else {
            return false;
        };
        let queued = page.lines.iter().map(|line| &line.tenant);
        self.load_tenants(queued.chain(outstanding.iter().map(|delivery| &delivery.tenant)))
            .await;
        let is_known = |delivery: &Outstanding| self.admission.index().knows(&delivery.tenant);
        if !outstanding.iter().all(is_known) {
            // A lease without its groups would hold nothing.
            return false;
        }
        let Ok(past) = self.past_calls().await else {
            return false;
        };
        let index = self.admission.index();
        let held = |delivery| restoration::held(self.context, self.catalog, index, delivery);
        let leases = outstanding.into_iter().map(held).collect();
        match self
            .context
            .limits
            .restore(Restoration { leases, past })
            .await
        {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(error = %error, "failed to restore leases, trying again");
                false
            }
        }
    }

    /// Reads the calls that ended, for a limiter that has lost its state; none for one that has not.
    async fn past_calls(&mut self) -> Result<Option<Vec<PastCall>>, StoreError> {
        if self.context.limits.intact().await != Err(LimiterError::StateLost) {
            return Ok(None);
        }
        let calls = restoration::charged(self.context).await?;
        self.load_tenants(calls.iter().map(|call| &call.tenant))
            .await;
        let past = |call| restoration::past(self.catalog, self.admission.index(), call);
        Ok(Some(calls.into_iter().filter_map(past).collect()))
    }

    /// Learns from calls that ended before this term. A failed reading is not repeated: records will do.
    async fn warm_up(&mut self) {
        let since = self.context.now() - WARM_UP_AGE;
        let ended = self.context.statement(
            "read calls that ended before the term",
            self.context.deliveries.ended_since(since, WARM_UP_CALLS),
        );
        if let Ok(calls) = ended.await {
            for ended in &calls {
                self.context.durations.note(&ended.call);
            }
            self.feedback.warm_up(calls, &mut self.admission);
        }
    }

    async fn run(&mut self) -> Infallible {
        let mut tail = RecordTail::new(
            Arc::clone(&self.context.bus),
            Arc::clone(&self.context.clock),
        );
        loop {
            let now = self.context.now();
            self.activate_answered().await;
            if now >= self.accounts.due {
                self.read_accounts().await;
            }
            if now >= self.slots_due {
                self.read_slots().await;
            }
            if now >= self.reader.next_at(self.context, &self.backlog) {
                self.read_rows().await;
            }
            if now >= self.waits_due {
                self.check_limits().await;
                self.feedback
                    .give_up(&mut self.admission, self.context.now());
                self.record_waits().await;
            }
            match self.next_event(&mut tail).await {
                Event::Decided(decisions) => self.dispatch(decisions).await,
                Event::StateLost => self.restore().await,
                Event::Notice(notice) => {
                    self.handle(notice);
                    for _ in 1..NOTICES_AT_ONCE {
                        let Some(notice) = tail.next_now() else { break };
                        self.handle(notice);
                    }
                }
                Event::Tick => {}
            }
        }
    }

    async fn next_event(&mut self, tail: &mut RecordTail) -> Event {
        let read_at = self.reader.next_at(self.context, &self.backlog);
        let tick = self.context.clock.sleep_until(
            read_at
                .min(self.accounts.due)
                .min(self.waits_due)
                .min(self.slots_due),
        );
        let notice = pin!(tail.next());
        match select(Box::pin(self.admission.next()), select(notice, tick)).await {
            Either::Left((Ok(decisions), _)) => Event::Decided(decisions),
            Either::Left((Err(pool::StateLost), _)) => Event::StateLost,
            Either::Right((Either::Left((notice, _)), _)) => Event::Notice(notice),
            Either::Right((Either::Right(((), _)), _)) => Event::Tick,
        }
    }

    fn handle(&mut self, notice: Notice) {
        let now = self.context.now();
        match notice {
            Notice::Unknown => self.reader.read_whole(),
            Notice::Queued(attempt) => self.reader.announce(attempt, Epoch(0)),
            Notice::Requeued(ended) => {
                self.reader.announce(ended.attempt, ended.epoch.next());
                self.call_ended(ended, now);
            }
            Notice::Ended(ended) => self.call_ended(ended, now),
            Notice::Cancelled(attempts) => {
                self.feedback.cancelled(&attempts, now);
                let known = attempts.into_iter();
                let known = known.filter(|attempt| self.backlog.lease_of(*attempt).is_some());
                self.reader.doubt(known);
            }
            Notice::AccountsChanged(tenant) => self.accounts.changed(tenant, now),
        }
    }

    fn call_ended(&mut self, ended: Ended, now: Timestamp) {
        if let Some(call) = &ended.call {
            self.context.durations.note(call);
        }
        let answered = self.feedback.ended(ended, &mut self.admission);
        self.answered
            .extend(answered.into_iter().map(|credential| (credential, now)));
    }

    /// Makes credentials active that answered although they were parked.
    async fn activate_answered(&mut self) {
        for (credential, at) in std::mem::take(&mut self.answered) {
            let directory = &self.context.directory;
            let marking =
                directory.mark_state(credential, CredentialState::Active, Mark::of_call(at));
            let statement = self.context.statement("make a credential active", marking);
            if statement.await.is_ok() {
                tracing::info!(credential.id = %credential, "a parked credential answers again");
                self.accounts.due = self.context.now();
            }
        }
    }

    /// Reads how many calls the workers of each pool can begin.
    async fn read_slots(&mut self) {
        let now = self.context.now();
        self.slots_due = now + self.context.settings.poll;
        let workers = &self.context.workers;
        let announced = self
            .context
            .statement("read the slots of workers", workers.announced())
            .await;
        let taken = self
            .context
            .statement("read the slots that are taken", workers.taken_slots())
            .await;
        let (Ok(announced), Ok(taken)) = (announced, taken) else {
            return;
        };
        if announced.is_empty() {
            self.slots_due = now + SLOTS_AWAITED;
        }
        let pools = self.admission.index().catalog().models.iter();
        let pools = pools.map(|model| model.pool.clone());
        let slots = free_slots(&announced, &taken, pools);
        self.admission.set_slots(slots);
    }

    /// Asks the limiter whether it has lost its state: workers wait for the restore even while nothing is queued.
    async fn check_limits(&mut self) {
        if let Err(LimiterError::StateLost) = self.context.limits.intact().await {
            self.restore().await;
        }
    }

    /// Brings the backlog up to date with what the due readings return.
    async fn read_rows(&mut self) {
        let changes = self.reader.read(self.context, &mut self.backlog).await;
        self.drop_leases(changes.gone).await;
        self.take_in(changes.fresh).await;
        self.feedback.count_uses(&mut self.admission);
        if let Some(rest) = self.backlog.new_rest() {
            self.admission.set_rest(&rest);
        }
    }

    /// Removes calls that left the queue, with what their leases may have reserved or booked.
    async fn drop_leases(&mut self, gone: Vec<LeaseId>) {
        let mut withdrawn = 0;
        for lease in gone {
            let may_be_booked = self.admission.wait_reason(lease).is_some();
            self.backlog.remove(lease);
            self.admission.remove(lease);
            if self.admission.may_hold(lease) {
                self.context.end_unused(lease).await;
            } else if may_be_booked && withdrawn < WITHDRAWN_AT_ONCE {
                // Only heads of lines have bookings; one that is left out here ends without renewal.
                withdrawn += 1;
                self.context.withdraw(lease).await;
            }
        }
    }

    /// Pushes rows that were not known to the admission; refuses those that are given up.
    async fn take_in(&mut self, fresh: Vec<QueuedAttempt>) {
        self.load_tenants(fresh.iter().map(|row| &row.attempt.tenant))
            .await;
        let (now, lost_limit) = (self.context.now(), self.context.settings.lost_limit);
        let mut given_up = Vec::new();
        for row in fresh {
            self.feedback.queued_again(&row, now);
            if let Some(refusal) = DecidedRow::given_up(&row, lost_limit) {
                given_up.push(refusal);
            } else if self.admission.index().knows(&row.attempt.tenant) {
                let path = self.paces.path(&row, &self.admission, now);
                let request = self.backlog.insert(self.context.lease_id(), row, path);
                self.admission.push(request);
            } else {
                self.reader.again(row.attempt.id, row.epoch);
            }
        }
        commit(self.context, given_up).await;
    }

    /// Records why rows wait, as far as the reasons have changed. A failed statement is repeated at the next turn.
    async fn record_waits(&mut self) {
        let now = self.context.now();
        self.waits_due = now + self.context.settings.poll;
        let changes = self
            .waits
            .changes(self.backlog.rows(), &self.admission, now);
        if !changes.is_empty() {
            let recording = self.context.waits.record_waits(changes.clone());
            let statement = self
                .context
                .statement("record reasons of waiting", recording);
            if statement.await.is_ok() {
                self.waits.recorded(changes);
            }
        }
        self.find_long_waits(now).await;
    }

    /// Sends the conditions of projects that wait for long.
    async fn find_long_waits(&mut self, now: Timestamp) {
        let reasons = self.waits.reasons(self.backlog.rows());
        let under_way = self.feedback.projects();
        let bound = self.context.settings.long_wait;
        let findings = self.long_waits.find(reasons, &under_way, bound, now);
        for finding in findings {
            self.send_condition(finding).await;
        }
    }

    /// Sends a condition to the orchestrator of its project; one that cannot be stored is found again.
    async fn send_condition(&mut self, finding: Finding) {
        let (at, wait) = (self.context.now(), finding.wait.clone());
        let command = ClientCommand::Condition { at, wait };
        let (tenant, project) = (&finding.tenant, finding.project);
        let record = record::command(self.context.event_id(), tenant, project, &command);
        let projects = &self.context.projects;
        let storing = projects.command(tenant, project, record.clone());
        match self.context.statement("send a condition", storing).await {
            Ok(true) => self.context.publish(vec![record]).await,
            Ok(false) => {}
            Err(_) => self.long_waits.unsent(finding),
        }
    }

    /// Reads the accounts of tenants that are new to this term.
    async fn load_tenants(&mut self, tenants: impl Iterator<Item = &Tenant>) {
        self.accounts
            .load(self.context, &mut self.admission, tenants)
            .await;
    }

    async fn read_accounts(&mut self) {
        self.accounts
            .read_all(self.context, &mut self.admission)
            .await;
        self.end_conditions().await;
    }

    /// Has tasks tried again that no account could serve.
    async fn end_conditions(&mut self) {
        for HeldUpProject { tenant, project } in self.accounts.helped(self.context).await {
            let finding = self.long_waits.ended(tenant, project);
            self.send_condition(finding).await;
        }
    }

    /// Commits decisions and publishes their records.
    async fn dispatch(&mut self, decisions: Vec<pool::Decided>) {
        let mut decided = Vec::with_capacity(decisions.len());
        let mut charged = BTreeMap::new();
        for one in decisions {
            let (lease, decision) = (one.request.lease, one.decision);
            match self.backlog.remove(lease) {
                Some(row) => {
                    charged.insert(lease, one.charged);
                    decided.push(DecidedRow::new(row, decision));
                }
                None if matches!(decision, DispatchDecision::Send(_)) => {
                    self.context.end_unused(lease).await;
                }
                None => {}
            }
        }
        let sent = commit(self.context, decided).await;
        let now = self.context.now();
        for (row, assignment) in sent.sent {
            let charged = charged.get(&assignment.lease.id).copied().unwrap_or(0);
            self.feedback.expect(&row, &assignment, charged, now);
            self.waits.sent(row.attempt.id);
            if let Some(finding) = self.long_waits.served(&row, now) {
                self.send_condition(finding).await;
            }
        }
        for (attempt, epoch) in sent.over_budget {
            self.waits.budget_short(attempt);
            self.reader.again(attempt, epoch);
        }
        for assignment in sent.unsent {
            self.admission.slot_freed(&assignment.pool);
            self.admission.call_dropped(
                assignment.account,
                &assignment.provider,
                &assignment.model,
            );
        }
    }
}
