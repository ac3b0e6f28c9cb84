//! Limits shared by many processes through a Redis server: one atomic script for every operation.
//!
//! The script (`lua/`) is the ledger once more, over all groups and dimensions of all candidates of a
//! demand in one round trip, in the server's time. [`Ledger`](crate::Ledger) is the model that it is
//! tested against. `docs/adr` describes the state, and why one hash tag holds all of it. While the
//! server is away, a process goes on with its share of the limits (`alone`).

mod alone;
mod arguments;
mod away;
mod booked;
mod examine;
mod hints;
mod link;
mod mirror;
mod reply;
mod text;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chorus_core::id::{GroupId, Holder, LeaseId};
use chorus_core::limit::{
    Demand, End, GroupChange, GroupLevel, Lease, LimitSignals, QuotaGroup, Reserved, Restoration,
    Sent,
};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::{Clock, LimitLevels, LimitState};
use chorus_core::time::{Millis, Timestamp};
use futures_util::stream::BoxStream;
use serde_json::json;

use arguments::Reserver;
use away::Shared;
use link::{Link, unreadable};

pub use examine::{Examined, examine};
pub use link::Time;

/// Address of the shared limits, and bounds of waiting for them; taken by [`Redis::open`].
#[derive(Clone)]
pub struct Settings {
    /// `redis://[user:password@]host:port[/database]`, or `rediss://` where the build has TLS.
    pub url: String,
    /// Name of the installation; two installations may share a server.
    pub namespace: String,
    /// Maximum time of one connection or answer.
    pub timeout: Millis,
    /// Time for which the server may be away before this process goes on with its share.
    pub grace: Millis,
    /// Clock by which limits are kept.
    pub time: Time,
}

impl Settings {
    /// Returns the defaults for a server and a namespace.
    pub fn new(url: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            namespace: namespace.into(),
            timeout: Millis(1_000),
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

/// Reason for which the URL cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnusableUrl(String);

/// Implementation of [`LimitState`] on a Redis server.
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
    /// Creates the limiter of a namespace for one process. It connects at the first operation.
    pub fn open(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, UnusableUrl> {
        let client = redis::Client::open(settings.url.as_str())
            .map_err(|problem| UnusableUrl(problem.to_string()))?;
        let prefix = format!("{{{}}}", settings.namespace);
        let member = format!("{:032x}", clock.random_u128());
        let timeout = Duration::from_millis(settings.timeout.0);
        let link = Link::new(client, prefix, settings.time, clock, timeout);
        Ok(Self {
            shared: Shared::new(Arc::new(link), settings.grace),
            member,
        })
    }

    /// Returns an error if the server does not answer.
    pub async fn ping(&self) -> Result<(), LimiterError> {
        self.shared.link.ping().await
    }

    /// Returns the number of processes that reserve, by the last answer; 0 before the first.
    pub fn members(&self) -> u32 {
        self.shared.lock().members
    }

    /// Returns true if the server is away and this process goes on with its share.
    pub fn is_alone(&self) -> bool {
        self.shared.lock().alone.is_some()
    }

    /// Returns the levels of all groups seen so far, by id, and the number of leases that hold a slot or an
    /// amount. The server reads all of its state: not for every second.
    pub async fn state(&self) -> Result<(Vec<GroupLevel>, usize), LimiterError> {
        let mut reply = self
            .shared
            .run("levels", &json!({ "groups": null }))
            .await?;
        let levels = reply.levels();
        let live = reply.number().and_then(|live| usize::try_from(live).ok());
        let (mut levels, live) = levels.zip(live).ok_or_else(|| unreadable("levels"))?;
        levels.sort_by(|one, other| one.group.cmp(&other.group));
        Ok((levels, live))
    }

    /// Returns the number of leases that hold a slot or an amount.
    pub async fn live_leases(&self) -> Result<usize, LimiterError> {
        Ok(self.state().await?.1)
    }

    /// Opens a group that a quota or a spend limit had closed, after an operator put it right.
    pub async fn open_group(&self, group: &GroupId) -> Result<(), LimiterError> {
        self.shared
            .run("open", &json!({ "group": group }))
            .await
            .map(drop)
    }

    async fn reserve_shared(&self, demand: &Demand) -> Result<Reserved, LimiterError> {
        let (token, booked) = {
            let mut state = self.shared.lock();
            (state.token.clone(), state.booked.take(demand.lease))
        };
        let reserver = Reserver {
            member: &self.member,
            token: token.as_deref(),
            booked: &booked,
        };
        let now = self.shared.link.clock().now();
        let arguments = arguments::reserve(demand, &reserver, now);
        let answer = self.shared.run("reserve", &arguments).await;
        if answer.is_err() && !booked.is_empty() {
            self.booked(demand.lease, booked);
        }
        let mut reply = answer?;
        let answer = reply.number().zip(reply.reserved(demand.lease));
        let (members, (answer, rooms)) = answer.ok_or_else(|| unreadable("reserve"))?;
        if let Some(candidate) = reply
            .booked()
            .and_then(|place| demand.candidates.get(place))
            .filter(|_| demand.books)
        {
            let groups = candidate.groups.iter().map(|group| group.id.clone());
            self.booked(demand.lease, groups.collect());
        }
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

    fn booked(&self, lease: LeaseId, groups: Vec<GroupId>) {
        let now = self.shared.link.clock().now();
        self.shared.lock().booked.put(lease, groups, now);
    }

    async fn observe_shared(
        &self,
        lease: LeaseId,
        signals: &LimitSignals,
    ) -> Result<(), LimiterError> {
        let arguments = json!({ "lease": lease, "signals": arguments::signals(signals) });
        let mut reply = self.shared.run("observe", &arguments).await?;
        let (rooms, closed) = reply
            .rooms()
            .zip(reply.closed())
            .ok_or_else(|| unreadable("observe"))?;
        let mut state = self.shared.lock();
        state.mirrors.saw_again(rooms);
        for (group, closed) in closed {
            state.mirrors.closed(&group, closed);
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

    async fn withdraw(&self, lease: LeaseId) -> Result<(), LimiterError> {
        let booked = self.shared.lock().booked.take(lease);
        if booked.is_empty() {
            return Ok(());
        }
        let arguments = json!({ "lease": lease, "booked": booked });
        let answer = match self.shared.run("withdraw", &arguments).await {
            Ok(_) | Err(LimiterError::StateLost) => Ok(()),
            Err(problem) => Err(problem),
        };
        self.shared
            .or_alone(answer, away::Needs::Nothing, |alone, _| {
                alone.withdraw(lease);
                Ok(())
            })
    }

    async fn send(
        &self,
        lease: &Lease,
        holder: &Holder,
        deadline: Timestamp,
    ) -> Result<Sent, LimiterError> {
        let arguments =
            json!({ "lease": lease.id, "holder": holder, "deadline": text::time(deadline) });
        let reply = self.shared.run("send", &arguments).await;
        let answer = reply.map(|reply| {
            if reply.tag == "sent" {
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
            .run(
                "end",
                &json!({ "lease": lease, "ending": arguments::end(&end) }),
            )
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

    async fn restore(&self, restoration: Restoration) -> Result<(), LimiterError> {
        let answer = self.shared.restore(&restoration, &self.member).await;
        self.shared
            .or_alone(answer, away::Needs::Share, |alone, now| {
                alone.restore(restoration.leases, now);
                Ok(())
            })
    }

    async fn intact(&self) -> Result<(), LimiterError> {
        let answer = self.shared.run("intact", &json!({})).await.map(drop);
        self.shared
            .or_alone(answer, away::Needs::Nothing, |_, _| Ok(()))
    }
}

#[async_trait]
impl LimitLevels for Redis {
    async fn levels(&self, groups: &[Arc<QuotaGroup>]) -> Result<Vec<GroupLevel>, LimiterError> {
        let now = self.shared.link.clock().now();
        let days = text::days(groups.iter().map(|group| &**group), now);
        let groups: Vec<_> = groups.iter().map(|group| arguments::known(group)).collect();
        let arguments = json!({ "groups": groups, "days": days });
        let mut reply = self.shared.run("levels", &arguments).await?;
        reply.levels().ok_or_else(|| unreadable("levels"))
    }

    fn changed(&self) -> BoxStream<'static, GroupChange> {
        hints::listen(Arc::clone(&self.shared.link))
    }
}
