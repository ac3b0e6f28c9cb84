//! Limits shared by many processes through a Redis server: one atomic script for each deed.
//!
//! The script (`lua/`) is the ledger once more, over all groups and dimensions of all candidates of a demand in
//! one round trip, in the server's time. `Ledger` is the model that it is held against. What the state is, and
//! why one hash tag holds all of it, is told in `docs/adr`.

mod hints;
mod link;
mod mirror;
mod reply;
mod text;
mod words;

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chorus_core::id::{GroupId, Holder, LeaseId};
use chorus_core::limit::{Demand, End, HeldLease, Lease, Observation, Reserved, Sent};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::{Clock, LimitState};
use chorus_core::time::{Millis, Timestamp};
use futures_util::stream::BoxStream;
use serde_json::json;

use crate::ledger::Level;
use link::{Link, unreadable};
use mirror::Mirrors;

pub use link::Time;

/// Where the shared limits are and how long to wait for them.
#[derive(Clone)]
pub struct Settings {
    /// `redis://[user:password@]host:port[/database]`, or `rediss://` where the build has TLS.
    pub url: String,
    /// The installation's name; two installations may share a server.
    pub namespace: String,
    /// How long one connection or answer may take.
    pub patience: Millis,
    /// Whose time counts.
    pub time: Time,
}

impl Settings {
    /// The usual values for a server and a namespace.
    pub fn new(url: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self { url: url.into(), namespace: namespace.into(), patience: Millis(1_000), time: Time::Server }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// The settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnusableUrl(String);

/// Limiter state on a Redis server.
pub struct Redis {
    link: Arc<Link>,
    member: String,
    members: AtomicU32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The life of the shared state in which this process last restored leases.
    token: Option<String>,
    mirrors: Mirrors,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("member", &self.member).finish_non_exhaustive()
    }
}

impl Redis {
    /// The limiter of this namespace, as one process sees it. Nothing is connected before it is asked.
    pub fn open(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, UnusableUrl> {
        let client = redis::Client::open(settings.url.as_str()).map_err(|problem| UnusableUrl(problem.to_string()))?;
        let prefix = format!("{{{}}}", settings.namespace);
        let member = format!("{:032x}", clock.number());
        let patience = Duration::from_millis(settings.patience.0);
        let link = Link::new(client, prefix, settings.time, clock, patience);
        Ok(Self { link: Arc::new(link), member, members: AtomicU32::new(0), state: Mutex::default() })
    }

    /// Whether the server answers.
    pub async fn ping(&self) -> Result<(), LimiterError> {
        self.link.ping().await
    }

    /// How many processes reserve, as far as this one was told; zero when it never was.
    pub fn members(&self) -> u32 {
        self.members.load(Ordering::Relaxed)
    }

    /// All limits seen so far, as they stand now. The server reads everything it has: not for every second.
    pub async fn levels(&self) -> Result<Vec<Level>, LimiterError> {
        Ok(self.state().await?.0)
    }

    /// How many leases hold a slot or an amount now.
    pub async fn live_leases(&self) -> Result<usize, LimiterError> {
        Ok(self.state().await?.1)
    }

    async fn state(&self) -> Result<(Vec<Level>, usize), LimiterError> {
        let mut reply = self.link.run("levels", &json!({})).await?;
        let levels = reply.levels();
        let live = reply.number().and_then(|live| usize::try_from(live).ok());
        levels.zip(live).ok_or_else(|| unreadable("levels"))
    }

    /// Opens a group that was closed for a quota or for money, because a person put it right.
    pub async fn open_group(&self, group: &GroupId) -> Result<(), LimiterError> {
        self.link.run("open", &json!({ "group": group })).await.map(drop)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counted(&self, members: i64) {
        self.members.store(u32::try_from(members).unwrap_or(1), Ordering::Relaxed);
    }
}

#[async_trait]
impl LimitState for Redis {
    async fn reserve(&self, demand: Demand) -> Result<Reserved, LimiterError> {
        let token = self.lock().token.clone();
        let words = words::reserve(&demand, &self.member, token.as_deref());
        let mut reply = self.link.run("reserve", &words).await?;
        let answer = reply.number().zip(reply.reserved(demand.lease));
        let (members, (answer, rooms)) = answer.ok_or_else(|| unreadable("reserve"))?;
        self.counted(members);
        self.lock().mirrors.saw(demand.candidates.iter().flat_map(|candidate| &candidate.groups), rooms);
        Ok(answer)
    }

    async fn send(&self, lease: &Lease, holder: &Holder, deadline: Timestamp) -> Result<Sent, LimiterError> {
        let words = json!({ "lease": lease.id, "holder": holder, "deadline": text::time(deadline) });
        match self.link.run("send", &words).await?.word.as_str() {
            "sent" => Ok(Sent::Sent),
            _ => Ok(Sent::Gone),
        }
    }

    async fn end(&self, lease: LeaseId, end: End) -> Result<(), LimiterError> {
        self.link.run("end", &json!({ "lease": lease, "word": words::end(&end) })).await.map(drop)
    }

    async fn observe(&self, observation: Observation) -> Result<(), LimiterError> {
        let mut reply = self.link.run("observe", &words::observe(&observation)).await?;
        let (rooms, closed_until) = reply.rooms().zip(reply.time()).ok_or_else(|| unreadable("observe"))?;
        let mut state = self.lock();
        state.mirrors.saw([&observation.group], rooms);
        state.mirrors.closed(&observation.group.id, closed_until);
        Ok(())
    }

    async fn restore(&self, leases: Vec<HeldLease>) -> Result<(), LimiterError> {
        let words = {
            let state = self.lock();
            let token = format!("{:032x}", self.link.clock().number());
            let leases: Vec<_> = leases.iter().map(words::held).collect();
            json!({ "leases": leases, "token": token, "mirrors": words::mirrors(state.mirrors.iter()), "member": self.member })
        };
        let mut reply = self.link.run("restore", &words).await?;
        let (token, members) = reply.text().zip(reply.number()).ok_or_else(|| unreadable("restore"))?;
        self.counted(members);
        self.lock().token = Some(token);
        Ok(())
    }

    fn changed(&self) -> BoxStream<'static, GroupId> {
        hints::listen(Arc::clone(&self.link))
    }
}

#[cfg(test)]
mod tests;
