//! The server with the state last seen of it, and the change to [`Alone`] and back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use chorus_core::limit::Restoration;
use chorus_core::port::limit_state::LimiterError;
use chorus_core::time::{Millis, Timestamp};
use serde_json::{Value, json};

use super::alone::Alone;
use super::arguments;
use super::booked::Booked;
use super::link::{Link, unreadable};
use super::mirror::Mirrors;
use super::reply::Reply;
use crate::ledger::levels_after;

/// Time between two attempts to reach a server that is away.
const LOOK_AGAIN: Millis = Millis(500);

/// Connection to the server, and the [`State`] that stands in for it.
pub(super) struct Shared {
    pub(super) link: Arc<Link>,
    grace: Millis,
    state: Mutex<State>,
    me: Weak<Self>,
}

/// State that this process knows without the server.
#[derive(Default)]
pub(super) struct State {
    /// Life of the shared state in which this process last restored leases.
    pub(super) token: Option<String>,
    /// Levels last seen of each group.
    pub(super) mirrors: Mirrors,
    /// Number of processes that reserve; 0 before the first answer.
    pub(super) members: u32,
    /// Groups that each waiting call has booked.
    pub(super) booked: Booked,
    /// State without the server, while that is away.
    pub(super) alone: Option<Alone>,
    /// Time of the first unanswered operation; none while the server answers.
    away_since: Option<Timestamp>,
    /// Number of operations done alone.
    operations: u64,
}

/// Requirement of an operation that is done without the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Share of the limits: the count of members must be known.
    Share,
    Nothing,
}

impl State {
    /// Notes the number of members that the server counted.
    pub(super) fn counted(&mut self, members: i64) {
        self.members = u32::try_from(members).unwrap_or(1);
    }
}

impl Shared {
    pub(super) fn new(link: Arc<Link>, grace: Millis) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            link,
            grace,
            state: Mutex::default(),
            me: Weak::clone(me),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs an operation on the server, after the operations that were done without it.
    pub(super) async fn run(
        &self,
        operation: &str,
        arguments: &Value,
    ) -> Result<Reply, LimiterError> {
        self.send_kept().await?;
        self.noted(self.link.run(operation, arguments).await)
    }

    /// Restores leases on the server.
    pub(super) async fn restore(
        &self,
        restoration: &Restoration,
        member: &str,
    ) -> Result<(), LimiterError> {
        let arguments = {
            let mut state = self.lock();
            let now = self.link.clock().now();
            let mirrors = state.alone.as_mut().map(|alone| alone.mirrors(now));
            let mirrors = arguments::mirrors(mirrors.as_ref().unwrap_or(&state.mirrors).iter());
            let token = format!("{:032x}", self.link.clock().random_u128());
            let leases: Vec<_> = restoration.leases.iter().map(arguments::held).collect();
            let past = restoration.past.as_deref();
            let past = past.map(|past| levels_after(past, now));
            let groups = restoration.leases.iter().flat_map(|held| &held.groups);
            let earlier = restoration.past.iter().flatten();
            let groups = groups.chain(earlier.flat_map(|call| &call.groups));
            let days = super::text::days(groups.map(|group| &**group), now);
            let past = arguments::past(past.as_deref());
            json!({
                "leases": leases, "past": past, "days": days, "token": token, "mirrors": mirrors, "member": member,
            })
        };
        let mut reply = self.noted(self.link.run("restore", &arguments).await)?;
        let (token, members) = reply
            .text()
            .zip(reply.number())
            .ok_or_else(|| unreadable("restore"))?;
        {
            let mut state = self.lock();
            state.counted(members);
            state.token = Some(token);
        }
        self.send_kept().await
    }

    /// Returns the answer, or the result of `act` when the server has been away longer than the grace.
    pub(super) fn or_alone<T>(
        &self,
        answer: Result<T, LimiterError>,
        needs: Needs,
        act: impl FnOnce(&mut Alone, Timestamp) -> Result<T, LimiterError>,
    ) -> Result<T, LimiterError> {
        let Err(LimiterError::Unavailable { .. }) = &answer else {
            return answer;
        };
        let now = self.link.clock().now();
        let mut guard = self.lock();
        let state = &mut *guard;
        if state
            .away_since
            .is_none_or(|since| now.since(since) < self.grace)
            || (needs == Needs::Share && state.members == 0)
        {
            return answer;
        }
        if state.alone.is_none() {
            tracing::warn!(
                limits.members = state.members,
                "the limiter is away, this process goes on with its share"
            );
            state.alone = Some(Alone::new(state.members, &state.mirrors, now));
            tokio::spawn(send_kept_when_back(Weak::clone(&self.me)));
        }
        state.operations += 1;
        state.alone.as_mut().map_or(answer, |alone| act(alone, now))
    }

    fn noted<T>(&self, answer: Result<T, LimiterError>) -> Result<T, LimiterError> {
        let now = self.link.clock().now();
        let mut state = self.lock();
        match &answer {
            Err(LimiterError::Unavailable { .. }) => drop(state.away_since.get_or_insert(now)),
            Ok(_) | Err(LimiterError::StateLost) => state.away_since = None,
        }
        answer
    }

    /// Sends the operations done without the server; repeated until none was added meanwhile.
    async fn send_kept(&self) -> Result<(), LimiterError> {
        loop {
            let (operations, leases, mirrors) = {
                let now = self.link.clock().now();
                let mut state = self.lock();
                let operations = state.operations;
                let Some(alone) = &mut state.alone else {
                    return Ok(());
                };
                (operations, alone.leases(), alone.mirrors(now))
            };
            self.noted(self.link.run("merge", &json!({ "leases": leases })).await)?;
            let mut state = self.lock();
            if state.operations == operations {
                (state.alone, state.mirrors) = (None, mirrors);
                tracing::info!(
                    "the limiter is back and has received the operations done without it"
                );
                return Ok(());
            }
        }
    }
}

/// Sends kept operations when the server is back. A worker busy with one call would send them at the
/// end of the call only, too late for its slot.
async fn send_kept_when_back(shared: Weak<Shared>) {
    loop {
        let Some(sleep) = shared
            .upgrade()
            .map(|shared| shared.link.clock().sleep(LOOK_AGAIN))
        else {
            return;
        };
        sleep.await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        // A failure is tried again, or repaired by the next operation.
        if shared.lock().alone.is_none() || shared.send_kept().await.is_ok() {
            return;
        }
    }
}
