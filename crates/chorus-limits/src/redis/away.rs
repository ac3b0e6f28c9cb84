//! The server with what this process saw of it, and the change between the server and being alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use chorus_core::limit::HeldLease;
use chorus_core::port::limit_state::LimiterError;
use chorus_core::time::{Millis, Timestamp};
use serde_json::{Value, json};

use super::alone::Alone;
use super::link::{Link, unreadable};
use super::mirror::Mirrors;
use super::reply::Reply;
use super::words;

/// How often a process that is alone looks whether the server is back.
const LOOK_AGAIN: Millis = Millis(500);

/// The server, and what stands in for it.
pub(super) struct Shared {
    pub(super) link: Arc<Link>,
    grace: Millis,
    state: Mutex<State>,
    me: Weak<Self>,
}

/// What this process knows by itself.
#[derive(Default)]
pub(super) struct State {
    /// The life of the shared state in which this process last restored leases.
    pub(super) token: Option<String>,
    /// What it last saw of each group.
    pub(super) mirrors: Mirrors,
    /// How many processes reserve; zero when it was never told.
    pub(super) members: u32,
    /// The process without the server.
    pub(super) alone: Option<Alone>,
    /// Since when the server has not answered.
    away_since: Option<Timestamp>,
    /// How often something was done alone.
    deeds: u64,
}

/// What a deed needs in order to be done without the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// A share of the limits: the count of members must be known.
    Share,
    /// Nothing.
    Nothing,
}

impl State {
    /// How many members the server counted.
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

    /// Does a deed on the server, which is told first what was done without it.
    pub(super) async fn run(&self, deed: &str, words: &Value) -> Result<Reply, LimiterError> {
        self.tell().await?;
        self.noted(self.link.run(deed, words).await)
    }

    /// Puts leases back on the server.
    pub(super) async fn restore(
        &self,
        leases: &[HeldLease],
        member: &str,
    ) -> Result<(), LimiterError> {
        let words = {
            let mut state = self.lock();
            let now = self.link.clock().now();
            let mirrors = state.alone.as_mut().map(|alone| alone.mirrors(now));
            let mirrors = words::mirrors(mirrors.as_ref().unwrap_or(&state.mirrors).iter());
            let token = format!("{:032x}", self.link.clock().random_u128());
            let leases: Vec<_> = leases.iter().map(words::held).collect();
            json!({ "leases": leases, "token": token, "mirrors": mirrors, "member": member })
        };
        let mut reply = self.noted(self.link.run("restore", &words).await)?;
        let (token, members) = reply
            .text()
            .zip(reply.number())
            .ok_or_else(|| unreadable("restore"))?;
        {
            let mut state = self.lock();
            state.counted(members);
            state.token = Some(token);
        }
        self.tell().await
    }

    /// The answer, or what this process says by itself when the server has been away for longer than the grace.
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
            tokio::spawn(tell_when_back(Weak::clone(&self.me)));
        }
        state.deeds += 1;
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

    /// Tells the server what was done without it; repeated until nothing was added meanwhile.
    async fn tell(&self) -> Result<(), LimiterError> {
        loop {
            let (deeds, leases, mirrors) = {
                let now = self.link.clock().now();
                let mut state = self.lock();
                let deeds = state.deeds;
                let Some(alone) = &mut state.alone else {
                    return Ok(());
                };
                (deeds, alone.leases(), alone.mirrors(now))
            };
            self.noted(self.link.run("merge", &json!({ "leases": leases })).await)?;
            let mut state = self.lock();
            if state.deeds == deeds {
                (state.alone, state.mirrors) = (None, mirrors);
                tracing::info!("the limiter is back and knows what was done without it");
                return Ok(());
            }
        }
    }
}

/// A worker that is busy with one call would tell of it when the call is over: too late for its slot.
async fn tell_when_back(shared: Weak<Shared>) {
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
        // What fails here is tried again, or told by the next deed.
        if shared.lock().alone.is_none() || shared.tell().await.is_ok() {
            return;
        }
    }
}
