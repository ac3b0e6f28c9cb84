//! Random histories: the same seeded operations on two stores give equal replies and equal rows.
//!
//! The next operation is chosen from the model's [`Rows`], so most operations address an existing
//! row at its epoch and by its holder; the rest miss on purpose. Operations are repeated now and
//! then, as after a lost reply.

use chorus_core::attempt::{
    AttemptState, Claim, Dispatch, DispatchDecision, FailureCause, Finish, Holding, LateUsage,
    Outcome, Reclaim, Requeue,
};
use chorus_core::failure::FailureClass;
use chorus_core::id::{
    AttemptId, BootId, Epoch, EventId, Holder, ProjectId, Seq, TaskId, Tenant, Term, Version,
};
use chorus_core::money::MicroUsd;
use chorus_core::port::bus::Topic;
use chorus_core::port::projects::{Commit, NewProject};
use chorus_core::time::{Millis, Timestamp};
use chorus_store::rows::{AttemptRow, Rows};
use fastrand::Rng;

use super::StorePorts;
use super::fixtures::{self, Ids};

/// One operation with its arguments.
#[derive(Debug, Clone)]
pub enum Step {
    /// Time passes.
    Pass(Millis),
    /// A project is submitted.
    Submit(Box<NewProject>),
    /// A decision is committed.
    Commit(Box<Commit>),
    /// Attempts are dispatched.
    Dispatch(Vec<Dispatch>),
    /// An attempt is claimed.
    Claim(Claim),
    /// Heartbeats of holders.
    Beat(Vec<Holding>),
    /// A holder finishes an attempt.
    Finish(Box<Finish>),
    /// Overdue attempts are reclaimed.
    Reclaim(Reclaim),
    /// Usage of a lost call arrives late.
    Late(LateUsage),
    /// Records are marked as sent.
    MarkSent(Vec<EventId>),
    /// A leadership is acquired.
    Acquire(BootId, Millis),
    /// A leadership is renewed.
    Renew(Term, Millis),
    /// A leadership is resigned.
    Resign(Term),
}

/// Generates the operations of one history.
pub struct HistoryGenerator {
    rng: Rng,
    ids: Ids,
    now: Timestamp,
    last: Option<Step>,
}

impl HistoryGenerator {
    /// Creates the generator of this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            ids: Ids::default(),
            now: Timestamp(0),
            last: None,
        }
    }

    /// Generates the next operation for the current rows of the model.
    pub fn next(&mut self, rows: &Rows) -> Step {
        if self.rng.u8(..10) == 0
            && let Some(last) = &self.last
        {
            return last.clone();
        }
        let step = match self.rng.u8(..20) {
            0..2 => self.pass(),
            2 => self.submit(),
            3..7 => self.commit(rows),
            7..11 => self.dispatch(rows),
            11..14 => self.claim(rows),
            14..17 => self.finish(rows),
            17 => self.beat_or_late(rows),
            18 => self.reclaim(),
            _ => self.maintenance(rows),
        };
        if !matches!(step, Step::Pass(_)) {
            self.last = Some(step.clone());
        }
        step
    }

    fn pass(&mut self) -> Step {
        let length = Millis(self.rng.u64(1..20_000));
        self.now = self.now + length;
        Step::Pass(length)
    }

    fn submit(&mut self) -> Step {
        let tenant = Tenant::new(if self.rng.bool() { "one" } else { "other" });
        let budget = MicroUsd(self.rng.i64(500..20_000));
        let mut new = fixtures::project(&self.ids, &tenant, self.now, budget);
        if self.rng.u8(..3) == 0 {
            new.idempotency_key = format!("key {}", self.rng.u8(..3));
        }
        Step::Submit(Box::new(new))
    }

    fn commit(&mut self, rows: &Rows) -> Step {
        let Some((project, row)) = self.pick(rows.projects.iter()) else {
            return self.submit();
        };
        let mut head = row.project.head.clone();
        head.title = format!("Title {}", self.rng.u8(..50));
        let tasks = (0..self.rng.usize(..3))
            .map(|_| fixtures::task(self.task(rows, *project), &format!("v{}", self.rng.u8(..9))))
            .collect();
        let attempts = (0..self.rng.usize(..4))
            .map(|_| fixtures::attempt(&self.ids, *project, self.now))
            .collect();
        let cancel = self.some(rows.attempts.keys().copied(), 2);
        let first = row.seq.0 + 1 + u64::from(self.rng.u8(..20) == 0);
        let events = (first..first + self.rng.u64(..3))
            .map(|seq| fixtures::event(*project, seq, self.now))
            .collect();
        let outbox = (0..self.rng.usize(..2))
            .map(|_| fixtures::record(&self.ids, Topic::Event, "key"))
            .collect();
        let expected = if self.rng.u8(..6) == 0 {
            Version(self.rng.u64(..4))
        } else {
            row.version
        };
        let folded = self.some(
            rows.outbox
                .keys()
                .copied()
                .filter(|id| !rows.folded.contains(id)),
            3,
        );
        Step::Commit(Box::new(Commit {
            project: *project,
            expected,
            head,
            tasks,
            attempts,
            cancel,
            events,
            outbox,
            budget: None,
            folded,
        }))
    }

    fn task(&self, rows: &Rows, project: ProjectId) -> TaskId {
        let known = rows
            .projects
            .get(&project)
            .and_then(|row| row.project.tasks.keys().next().copied());
        known
            .filter(|_| self.ids.number().is_multiple_of(2))
            .unwrap_or_else(|| TaskId::new(self.ids.number()))
    }

    fn dispatch(&mut self, rows: &Rows) -> Step {
        let batch = (0..self.rng.usize(1..4))
            .filter_map(|_| self.one_dispatch(rows))
            .collect();
        Step::Dispatch(batch)
    }

    fn one_dispatch(&mut self, rows: &Rows) -> Option<Dispatch> {
        let row = self.attempt(rows, AttemptState::Queued)?;
        let epoch = self.epoch(row);
        let not_after = self.now + Millis(self.rng.u64(..40_000));
        let assignment =
            fixtures::assignment(&self.ids, not_after, MicroUsd(self.rng.i64(0..3_000)));
        let (decision, record) = if self.rng.u8(..8) == 0 {
            (
                DispatchDecision::Refuse(FailureCause::KillsWorkers),
                fixtures::record(&self.ids, Topic::TaskDone, "key"),
            )
        } else {
            (
                DispatchDecision::Send(Box::new(assignment)),
                fixtures::dispatch_record(&self.ids, &row.attempt, epoch),
            )
        };
        Some(Dispatch {
            attempt: row.attempt.id,
            epoch,
            term: Term(self.rng.u64(..5)),
            decision,
            record,
        })
    }

    fn claim(&mut self, rows: &Rows) -> Step {
        let Some(row) = self.attempt(rows, AttemptState::Dispatched) else {
            return self.pass();
        };
        let deadline = self.now + Millis(self.rng.u64(..90_000));
        Step::Claim(Claim {
            attempt: row.attempt.id,
            epoch: self.epoch(row),
            holder: self.holder(row),
            deadline,
        })
    }

    fn finish(&mut self, rows: &Rows) -> Step {
        let Some(row) = self.attempt(rows, AttemptState::Running) else {
            return self.dispatch(rows);
        };
        let holding = self.holding(row);
        let outcome = self.outcome();
        let usage = self.rng.bool().then(fixtures::usage);
        let record = fixtures::record(&self.ids, Topic::TaskDone, "key");
        Step::Finish(Box::new(Finish {
            holding,
            outcome,
            usage,
            cost: MicroUsd(self.rng.i64(0..4_000)),
            record,
        }))
    }

    fn outcome(&mut self) -> Outcome {
        let class = FailureClass::RateWindow;
        let reasons = [
            Requeue::Limited { class },
            Requeue::Retry { class },
            Requeue::Drained,
            Requeue::LeaseGone,
            Requeue::Continue,
        ];
        match self.rng.usize(..9) {
            0 => fixtures::succeeded(),
            1 => Outcome::Asked {
                question: chorus_core::artifact::ArtifactHash::of(b"which?"),
            },
            2 => Outcome::Failed {
                cause: FailureCause::Endless,
            },
            other => {
                let order = self
                    .rng
                    .bool()
                    .then(|| chorus_core::artifact::ArtifactHash::of(&[self.rng.u8(..)]));
                Outcome::Requeue {
                    reason: reasons[other % reasons.len()],
                    not_before: self.now + Millis(self.rng.u64(..9_000)),
                    order,
                    message: String::new(),
                }
            }
        }
    }

    fn beat_or_late(&mut self, rows: &Rows) -> Step {
        if self.rng.bool()
            && let Some(row) = self.pick(rows.deliveries.values())
        {
            let cost = MicroUsd(self.rng.i64(0..4_000));
            let event = self.ids.event();
            return Step::Late(LateUsage {
                attempt: row.delivery.attempt,
                epoch: row.delivery.epoch,
                usage: fixtures::usage(),
                cost,
                event,
            });
        }
        let held = (0..self.rng.usize(..12))
            .filter_map(|_| {
                self.attempt(rows, AttemptState::Running)
                    .map(|row| self.holding(row))
            })
            .collect();
        Step::Beat(held)
    }

    fn reclaim(&mut self) -> Step {
        let (unclaimed_for, silent_for) = (
            Millis(self.rng.u64(..9_000)),
            Millis(self.rng.u64(..60_000)),
        );
        Step::Reclaim(Reclaim {
            unclaimed_for,
            silent_for,
            alone_since: None,
            limit: self.rng.u32(..4),
        })
    }

    fn maintenance(&mut self, rows: &Rows) -> Step {
        let lasts = Millis(self.rng.u64(..30_000));
        match self.rng.u8(..6) {
            0..3 => Step::MarkSent(self.some(rows.outbox.keys().copied(), 6)),
            3 => Step::Acquire(BootId::new(self.rng.u128(..3)), lasts),
            4 => Step::Renew(Term(self.rng.u64(..4)), lasts),
            _ => Step::Resign(Term(self.rng.u64(..4))),
        }
    }

    /// Picks an attempt, mostly one in this state.
    fn attempt<'r>(&mut self, rows: &'r Rows, state: AttemptState) -> Option<&'r AttemptRow> {
        let fitting = self.rng.u8(..8) != 0;
        self.pick(
            rows.attempts
                .values()
                .filter(|row| !fitting || row.state == state),
        )
    }

    fn epoch(&mut self, row: &AttemptRow) -> Epoch {
        if self.rng.u8(..10) == 0 {
            Epoch(self.rng.u32(..3))
        } else {
            row.epoch
        }
    }

    fn holder(&mut self, row: &AttemptRow) -> Holder {
        let invented = Holder::new(format!("boot/{}", self.rng.u8(..4)));
        row.holder
            .clone()
            .filter(|_| self.rng.u8(..8) != 0)
            .unwrap_or(invented)
    }

    fn holding(&mut self, row: &AttemptRow) -> Holding {
        Holding {
            attempt: row.attempt.id,
            epoch: self.epoch(row),
            holder: self.holder(row),
        }
    }

    fn pick<T>(&mut self, items: impl Iterator<Item = T>) -> Option<T> {
        let mut items: Vec<T> = items.collect();
        (!items.is_empty()).then(|| items.swap_remove(self.rng.usize(..items.len())))
    }

    fn some<T>(&mut self, items: impl Iterator<Item = T>, most: usize) -> Vec<T> {
        let mut items: Vec<T> = items.collect();
        self.rng.shuffle(&mut items);
        items.truncate(self.rng.usize(..=most));
        items
    }
}

/// Does the step; the answer as text.
pub async fn perform(ports: &StorePorts, now: &mut Timestamp, step: Step) -> String {
    match step {
        Step::Pass(length) => {
            *now = *now + length;
            ports.clock.set(*now).await;
            String::new()
        }
        Step::Submit(new) => format!("{:?}", ports.projects.submit(*new).await),
        Step::Commit(commit) => format!("{:?}", ports.projects.commit(*commit).await),
        Step::Dispatch(batch) => format!("{:?}", ports.attempts.dispatch(batch).await),
        Step::Claim(claim) => format!("{:?}", ports.attempts.claim(claim).await),
        Step::Beat(held) => format!("{:?}", ports.attempts.beat(held).await),
        Step::Finish(finish) => format!("{:?}", ports.attempts.finish(*finish).await),
        Step::Reclaim(reclaim) => format!("{:?}", ports.attempts.reclaim(reclaim).await),
        Step::Late(late) => format!("{:?}", ports.deliveries.late(late).await),
        Step::MarkSent(ids) => format!("{:?}", ports.outbox.mark_sent(ids).await),
        Step::Acquire(boot, lasts) => format!(
            "{:?}",
            ports.leaders.acquire("dispatcher", boot, lasts).await
        ),
        Step::Renew(term, lasts) => {
            format!("{:?}", ports.leaders.renew("dispatcher", term, lasts).await)
        }
        Step::Resign(term) => format!("{:?}", ports.leaders.resign("dispatcher", term).await),
    }
}

/// Everything that ports tell when they are only asked, as text.
pub async fn read_back(ports: &StorePorts, rows: &Rows) -> String {
    let mut read_back = format!(
        "{:?} {:?}",
        ports.attempts.queued(7).await,
        ports.deliveries.outstanding().await
    );
    read_back += &format!("{:?}", ports.outbox.unsent(Millis(3_000), 9).await);
    read_back += &format!("{:?}", ports.outbox.unfolded(Millis(3_000), 9).await);
    for tenant in ["one", "other"] {
        read_back += &format!(
            "{:?}",
            ports.projects.list(&Tenant::new(tenant), None, 5).await
        );
    }
    for project in rows.projects.keys() {
        read_back += &format!("{:?}", ports.projects.load(*project).await);
        read_back += &format!("{:?}", ports.projects.events(*project, Seq(1), 4).await);
        read_back += &format!(
            "{:?} {:?}",
            ports.deliveries.of_project(*project).await,
            ports.deliveries.money(*project).await
        );
    }
    read_back
}

/// Returns the first sum over the rows that does not hold.
pub fn inconsistency(rows: &Rows) -> Option<String> {
    for (id, row) in &rows.projects {
        let of_project = || {
            rows.deliveries
                .values()
                .filter(|delivery| delivery.project == *id)
        };
        let reserved: MicroUsd = of_project()
            .filter(|stored| stored.delivery.end.is_none())
            .map(|stored| stored.delivery.assignment.estimate)
            .sum();
        let spent: MicroUsd = of_project().map(|stored| stored.delivery.cost).sum();
        if (reserved, spent) != (row.money.reserved, row.money.spent)
            || row.money.wasted > row.money.spent
        {
            return Some(format!(
                "{id}: {:?}, but its deliveries hold {reserved} and cost {spent}",
                row.money
            ));
        }
    }
    let live =
        |row: &&AttemptRow| matches!(row.state, AttemptState::Dispatched | AttemptState::Running);
    let open = |id: &AttemptId, epoch: Epoch| {
        rows.deliveries
            .get(&(*id, epoch))
            .is_some_and(|stored| stored.delivery.end.is_none())
    };
    let adrift = rows
        .attempts
        .values()
        .filter(live)
        .find(|row| !open(&row.attempt.id, row.epoch));
    adrift.map(|row| {
        format!(
            "{} is {:?} without a delivery under way",
            row.attempt.id, row.state
        )
    })
}
