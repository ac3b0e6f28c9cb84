//! One term's work: put back what is held, then admit, dispatch and learn, beside the reconciler.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use chorus_core::attempt::{DispatchDecision, FailureCause, Outstanding, QueuedAttempt};
use chorus_core::catalog::Catalog;
use chorus_core::id::Tenant;
use chorus_core::limit::HeldLease;
use chorus_core::port::StoreError;
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::retry::Backoff;
use chorus_core::time::Timestamp;
use chorus_pool::{self as pool, Admission, EndpointIndex, RoleModels, StateLost};
use futures_util::future::{Either, select};

use crate::book::Book;
use crate::commit::{Decided, commit};
use crate::context::Context;
use crate::feed::{Feed, News};
use crate::lessons::Lessons;
use crate::reconciler;

/// Works for as long as the term lasts; never returns by itself.
pub(crate) async fn work(context: &Context, catalog: &Arc<Catalog>, roles: &RoleModels) {
    let mut desk = Desk::new(context, catalog, roles);
    desk.restore().await;
    select(Box::pin(desk.run()), Box::pin(reconciler::run(context))).await;
}

/// The queue's side of a term.
struct Desk<'a> {
    context: &'a Context,
    admission: Admission,
    book: Book,
    lessons: Lessons,
    tenants: BTreeSet<Tenant>,
    accounts_due: Timestamp,
    read_at: Timestamp,
    read_last: Timestamp,
}

/// What the desk waits for.
enum Event {
    Decided(Vec<pool::Decided>),
    Lost,
    News(News),
    Tick,
}

impl<'a> Desk<'a> {
    fn new(context: &'a Context, catalog: &Arc<Catalog>, roles: &RoleModels) -> Self {
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
            admission,
            book: Book::default(),
            lessons: Lessons::default(),
            tenants: BTreeSet::new(),
            accounts_due: Timestamp(i64::MIN),
            read_at: Timestamp(i64::MIN),
            read_last: Timestamp(i64::MIN),
        }
    }

    /// Puts the leases of all outstanding deliveries back, fenced ones too, before anything is reserved: when the
    /// term begins, and whenever the limiter has lost its state.
    async fn restore(&mut self) {
        let mut backoff = Backoff::default();
        loop {
            let read = self
                .context
                .statement(
                    "read outstanding deliveries",
                    self.context.deliveries.outstanding(),
                )
                .await;
            if let Ok(outstanding) = read
                && let Ok(rows) = read_queue(self.context).await
            {
                let queued = rows.iter().map(|row| &row.attempt.tenant);
                self.meet(queued.chain(outstanding.iter().map(|delivery| &delivery.tenant)))
                    .await;
                if !outstanding
                    .iter()
                    .all(|delivery| self.admission.index().knows(&delivery.tenant))
                {
                    // A lease without its groups would hold nothing.
                    backoff.wait(&*self.context.clock).await;
                    continue;
                }
                let leases = outstanding
                    .into_iter()
                    .map(|delivery| self.held(delivery))
                    .collect();
                match self.context.limits.restore(leases).await {
                    Ok(()) => return,
                    Err(problem) => {
                        tracing::warn!(error = %problem, "failed to restore leases, trying again")
                    }
                }
            }
            backoff.wait(&*self.context.clock).await;
        }
    }

    fn held(&self, delivery: Outstanding) -> HeldLease {
        let groups = self
            .admission
            .index()
            .groups_of(delivery.lease.credential, &delivery.model);
        HeldLease {
            lease: delivery.lease,
            groups,
            sent_until: delivery.sent_until,
        }
    }

    async fn run(&mut self) -> Infallible {
        let mut feed = Feed::new(
            Arc::clone(&self.context.bus),
            Arc::clone(&self.context.clock),
        );
        loop {
            let now = self.context.now();
            if now >= self.accounts_due {
                self.read_accounts().await;
            }
            if now >= self.read_at {
                self.look_after_limits().await;
                self.read_rows().await;
                self.read_lessons().await;
            }
            match self.event(&mut feed).await {
                Event::Decided(decisions) => self.dispatch(decisions).await,
                Event::Lost => self.restore().await,
                Event::News(News::Queue) => self.read_soon(),
                Event::News(News::Accounts) => self.accounts_due = self.context.now(),
                Event::Tick => {}
            }
        }
    }

    /// At once, unless the rows were read a moment ago.
    fn read_soon(&mut self) {
        let soonest = self.read_last + self.context.settings.wake_gap;
        self.read_at = self.read_at.min(soonest.max(self.context.now()));
    }

    async fn event(&mut self, feed: &mut Feed) -> Event {
        let tick = self
            .context
            .clock
            .sleep_until(self.read_at.min(self.accounts_due));
        let news = pin!(feed.next());
        match select(Box::pin(self.admission.next()), select(news, tick)).await {
            Either::Left((Ok(decisions), _)) => Event::Decided(decisions),
            Either::Left((Err(StateLost), _)) => Event::Lost,
            Either::Right((Either::Left((news, _)), _)) => Event::News(news),
            Either::Right((Either::Right(((), _)), _)) => Event::Tick,
        }
    }

    /// Asks whether the limiter has lost its state: workers wait for the restore even while nothing is queued.
    async fn look_after_limits(&mut self) {
        if let Err(LimiterError::StateLost) = self.context.limits.intact().await {
            self.restore().await;
        }
    }

    /// Brings the book up to date with the queued rows.
    async fn read_rows(&mut self) {
        self.read_last = self.context.now();
        self.read_at = self.read_last + self.context.settings.poll;
        let Ok(rows) = read_queue(self.context).await else {
            return;
        };
        let whole = rows.len() < self.context.settings.queue_size as usize;
        let changes = self.book.compare(rows, whole);
        for lease in changes.gone {
            self.book.take(lease);
            self.admission.remove(lease);
            self.context.end_unused(lease).await;
        }
        self.meet(changes.fresh.iter().map(|row| &row.attempt.tenant))
            .await;
        let lost_limit = self.context.settings.lost_limit;
        let (killers, fresh): (Vec<_>, Vec<_>) = changes
            .fresh
            .into_iter()
            .partition(|row| row.lost >= lost_limit);
        for row in fresh {
            if !self.admission.index().knows(&row.attempt.tenant) {
                continue;
            }
            let request = self.book.enter(self.context.lease_id(), row);
            self.admission.push(request);
        }
        let refuse = |row| Decided {
            row,
            decision: DispatchDecision::Refuse(FailureCause::KillsWorkers),
        };
        commit(self.context, killers.into_iter().map(refuse).collect()).await;
    }

    /// Reads the accounts of tenants that are new here.
    async fn meet(&mut self, tenants: impl Iterator<Item = &Tenant>) {
        let new: BTreeSet<Tenant> = tenants
            .filter(|tenant| !self.admission.index().knows(tenant))
            .cloned()
            .collect();
        for tenant in new {
            self.read_accounts_of(&tenant).await;
            self.tenants.insert(tenant);
        }
    }

    async fn read_accounts(&mut self) {
        self.accounts_due = self.context.now() + self.context.settings.accounts;
        for tenant in self.tenants.clone() {
            self.read_accounts_of(&tenant).await;
        }
    }

    async fn read_accounts_of(&mut self, tenant: &Tenant) {
        let accounts = self.context.directory.accounts(tenant);
        if let Ok(accounts) = self.context.statement("read accounts", accounts).await {
            self.admission
                .update_endpoints(|index| index.set(tenant, accounts));
        }
    }

    async fn read_lessons(&mut self) {
        let (now, every) = (self.context.now(), self.context.settings.learn);
        let Some(project) = self.lessons.due(now) else {
            return;
        };
        match self
            .context
            .statement(
                "read finished deliveries",
                self.context.deliveries.of_project(project),
            )
            .await
        {
            Ok(rows) => self
                .lessons
                .read(project, &rows, &mut self.admission, now, every),
            Err(_) => self.lessons.put_off(project, now + every),
        }
    }

    /// Commits what was decided and publishes it.
    async fn dispatch(&mut self, decisions: Vec<pool::Decided>) {
        let mut decided = Vec::with_capacity(decisions.len());
        for pool::Decided { request, decision } in decisions {
            let row = self.book.take(request.lease);
            decided.extend(row.map(|row| Decided { row, decision }));
        }
        for (row, _) in commit(self.context, decided).await {
            self.lessons.expect(&row);
        }
    }
}

async fn read_queue(context: &Context) -> Result<Vec<QueuedAttempt>, StoreError> {
    context
        .statement(
            "read queued attempts",
            context.attempts.queued(context.settings.queue_size),
        )
        .await
}
