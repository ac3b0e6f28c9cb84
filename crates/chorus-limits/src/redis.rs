//! Limits shared by many processes through a Redis server: one atomic script for each deed.
//!
//! The script (`lua/`) is the ledger once more, over all groups and dimensions of all candidates of a demand in
//! one round trip, in the server's time. `Ledger` is the model that it is held against. What the state is, and
//! why one hash tag holds all of it, is told in `docs/adr`. While the server is away a process goes on with its
//! share of the limits (`alone`).

mod alone;
mod away;
mod examine;
mod hints;
mod link;
mod mirror;
mod reply;
mod text;
mod words;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chorus_core::id::{GroupId, Holder, LeaseId};
use chorus_core::limit::{Demand, End, HeldLease, Lease, LimitSignals, Reserved, Sent};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::{Clock, LimitState};
use chorus_core::time::{Millis, Timestamp};
use futures_util::stream::BoxStream;
use serde_json::json;

use crate::ledger::Level;
use away::Shared;
use link::{Link, unreadable};

pub use examine::{Examined, examine};
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
    /// How long the server may be away before this process goes on with its share of the limits.
    pub grace: Millis,
    /// Whose time counts.
    pub time: Time,
}

impl Settings {
    /// The usual values for a server and a namespace.
    pub fn new(url: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            namespace: namespace.into(),
            patience: Millis(1_000),
            grace: Millis(2_000),
            time: Time::Server,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// The settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnusableUrl(String);

/// Limiter state on a Redis server.
pub struct Redis {
    shared: Arc<Shared>,
    member: String,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("member", &self.member)
            .finish_non_exhaustive()
    }
}

impl Redis {
    /// The limiter of this namespace, as one process sees it. Nothing is connected before it is asked.
    pub fn open(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, UnusableUrl> {
        let client = redis::Client::open(settings.url.as_str())
            .map_err(|problem| UnusableUrl(problem.to_string()))?;
        let prefix = format!("{{{}}}", settings.namespace);
        let member = format!("{:032x}", clock.random_u128());
        let patience = Duration::from_millis(settings.patience.0);
        let link = Link::new(client, prefix, settings.time, clock, patience);
        Ok(Self {
            shared: Shared::new(Arc::new(link), settings.grace),
            member,
        })
    }

    /// Whether the server answers.
    pub async fn ping(&self) -> Result<(), LimiterError> {
        self.shared.link.ping().await
    }

    /// How many processes reserve, as far as this one was told; zero when it never was.
    pub fn members(&self) -> u32 {
        self.shared.lock().members
    }

    /// Whether the server is away and this process goes on with its share.
    pub fn is_alone(&self) -> bool {
        self.shared.lock().alone.is_some()
    }

    /// All limits seen so far, as they stand now. The server reads everything it has: not for every second.
    pub async fn levels(&self) -> Result<Vec<Level>, LimiterError> {
        Ok(self.state().await?.0)
    }

    /// How many leases hold a slot or an amount now.
    pub async fn live_leases(&self) -> Result<usize, LimiterError> {
        Ok(self.state().await?.1)
    }

    /// All limits, and how many leases hold something.
    pub async fn state(&self) -> Result<(Vec<Level>, usize), LimiterError> {
        let mut reply = self.shared.run("levels", &json!({})).await?;
        let levels = reply.levels();
        let live = reply.number().and_then(|live| usize::try_from(live).ok());
        levels.zip(live).ok_or_else(|| unreadable("levels"))
    }

    /// Opens a group that was closed for a quota or for money, because a person put it right.
    pub async fn open_group(&self, group: &GroupId) -> Result<(), LimiterError> {
        self.shared
            .run("open", &json!({ "group": group }))
            .await
            .map(drop)
    }

    async fn reserve_shared(&self, demand: &Demand) -> Result<Reserved, LimiterError> {
        let token = self.shared.lock().token.clone();
        let words = words::reserve(demand, &self.member, token.as_deref());
        let mut reply = self.shared.run("reserve", &words).await?;
        let answer = reply.number().zip(reply.reserved(demand.lease));
        let (members, (answer, rooms)) = answer.ok_or_else(|| unreadable("reserve"))?;
        let mut state = self.shared.lock();
        state.counted(members);
        state.mirrors.saw(
            demand
                .candidates
                .iter()
                .flat_map(|candidate| &candidate.groups),
            rooms,
        );
        Ok(answer)
    }

    async fn observe_shared(
        &self,
        lease: LeaseId,
        signals: &LimitSignals,
    ) -> Result<(), LimiterError> {
        let words = json!({ "lease": lease, "signals": words::signals(signals) });
        let mut reply = self.shared.run("observe", &words).await?;
        let (rooms, closed) = reply
            .rooms()
            .zip(reply.closed())
            .ok_or_else(|| unreadable("observe"))?;
        let mut state = self.shared.lock();
        state.mirrors.saw_again(rooms);
        for (group, closed_until) in closed {
            state.mirrors.closed(&group, closed_until);
        }
        Ok(())
    }
}

#[async_trait]
impl LimitState for Redis {
    async fn reserve(&self, demand: Demand) -> Result<Reserved, LimiterError> {
        let answer = self.reserve_shared(&demand).await;
        self.shared
            .or_alone(answer, away::Needs::Share, |alone, now| {
                alone.reserve(demand, now)
            })
    }

    async fn send(
        &self,
        lease: &Lease,
        holder: &Holder,
        deadline: Timestamp,
    ) -> Result<Sent, LimiterError> {
        let words =
            json!({ "lease": lease.id, "holder": holder, "deadline": text::time(deadline) });
        let reply = self.shared.run("send", &words).await;
        let answer = reply.map(|reply| {
            if reply.word == "sent" {
                Sent::Sent
            } else {
                Sent::Gone
            }
        });
        self.shared
            .or_alone(answer, away::Needs::Nothing, |alone, now| {
                Ok(alone.send(lease, holder, deadline, now))
            })
    }

    async fn end(&self, lease: LeaseId, end: End) -> Result<(), LimiterError> {
        let answer = self
            .shared
            .run("end", &json!({ "lease": lease, "word": words::end(&end) }))
            .await
            .map(drop);
        self.shared
            .or_alone(answer, away::Needs::Nothing, |alone, now| {
                alone.end(lease, end, now)
            })
    }

    async fn observe(&self, lease: LeaseId, signals: LimitSignals) -> Result<(), LimiterError> {
        let answer = self.observe_shared(lease, &signals).await;
        self.shared
            .or_alone(answer, away::Needs::Nothing, |alone, now| {
                alone.observe(lease, signals, now);
                Ok(())
            })
    }

    async fn restore(&self, leases: Vec<HeldLease>) -> Result<(), LimiterError> {
        let answer = self.shared.restore(&leases, &self.member).await;
        self.shared
            .or_alone(answer, away::Needs::Share, |alone, now| {
                alone.restore(leases, now);
                Ok(())
            })
    }

    async fn intact(&self) -> Result<(), LimiterError> {
        let answer = self.shared.run("intact", &json!({})).await.map(drop);
        self.shared
            .or_alone(answer, away::Needs::Nothing, |_, _| Ok(()))
    }

    fn changed(&self) -> BoxStream<'static, GroupId> {
        hints::listen(Arc::clone(&self.shared.link))
    }
}
