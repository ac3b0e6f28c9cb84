//! What the engine knows, for operators: queues, their heads, endpoints with levels, and why a call waits.

use std::collections::BTreeMap;

use chorus_core::attempt::WaitReason;
use chorus_core::id::{
    AccountId, CredentialId, GroupId, LeaseId, ModelSlug, Pool, ProjectId, ProviderId, Tenant,
};
use chorus_core::limit::Dimension;
use chorus_core::time::{Millis, Timestamp};
use serde::Serialize;

use super::Engine;
use super::choice::ChoiceReason;
use super::lines::{Line, LineState};
use super::rows::RowSlot;
use crate::order::RowId;
use crate::targets::{LineNo, NEVER, TargetId};

/// Calls of a tenant that wait for the same models, and the endpoints that may serve them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PoolStatus {
    /// Tenant of the calls.
    pub tenant: Tenant,
    /// Pool of the models; none while every credential is parked.
    pub pool: Option<Pool>,
    /// Models that serve the calls.
    pub models: Vec<ModelSlug>,
    /// True if persons wait for the replies.
    pub is_interactive: bool,
    /// Account that refused the calls, if its siblings may not serve them.
    pub refused_by: Option<AccountId>,
    /// Number of waiting calls.
    pub waiting: u64,
    /// Time since which the oldest one waits.
    pub oldest: Option<Timestamp>,
    /// Time that the pool needs for everything that waits for it.
    pub drain: Millis,
    /// The call that goes next, if it waits.
    pub head: Option<CallWait>,
    /// Endpoints that may serve the calls.
    pub endpoints: Vec<EndpointStatus>,
}

/// A waiting call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallWait {
    /// Lease that it will run under.
    pub lease: LeaseId,
    /// Project of the call.
    pub project: Option<ProjectId>,
    /// Time since which it waits.
    pub since: Timestamp,
    /// Priority as given.
    pub priority: u8,
    /// True if it goes next in its line.
    pub is_next: bool,
    /// Number of calls in its line.
    pub line: u64,
    /// Reason of the wait; none when it is about to be asked for.
    pub reason: Option<WaitReason>,
    /// Time at which it is expected to fit; none when something must change first.
    pub until: Option<Timestamp>,
    /// Groups on which its amounts are booked.
    pub books: Vec<GroupId>,
}

/// A credential with a model, as the engine sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EndpointStatus {
    /// Credential of the endpoint.
    pub credential: CredentialId,
    /// Account of the credential.
    pub account: AccountId,
    /// Provider of the route.
    pub provider: ProviderId,
    /// Model of the route.
    pub model: ModelSlug,
    /// True while account or route rest after failures.
    pub is_resting: bool,
    /// Time at which the rest ends; none when a probe must end first.
    pub rests_until: Option<Timestamp>,
    /// Rank by recent failures; 0 for a healthy account.
    pub rank: u32,
    /// Number of calls under way.
    pub in_flight: u32,
    /// Levels as they are known here.
    pub levels: Vec<MirroredLevel>,
    /// Number of calls for each reason for which the endpoint was chosen.
    pub choices: BTreeMap<ChoiceReason, u64>,
}

/// Level of one limit, as it is known in this process.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MirroredLevel {
    /// Group of the limit.
    pub group: GroupId,
    /// Dimension of the limit.
    pub dimension: Dimension,
    /// Amount left for new calls.
    pub room: i64,
    /// Maximum that the limit can hold.
    pub capacity: i64,
    /// Time of the last news of the group.
    pub news_at: Timestamp,
    /// True if the level may be higher, so that the limiter is asked in any case.
    pub is_doubted: bool,
}

impl Engine {
    /// State of every line with waiting calls or calls under way.
    pub(crate) fn pool_status(&mut self, now: Timestamp) -> Vec<PoolStatus> {
        let in_use = |(_, line): &(LineNo, &Line)| !line.calls.is_empty() || line.in_flight > 0;
        let numbers: Vec<LineNo> = self
            .lines
            .numbered()
            .filter(in_use)
            .map(|(number, _)| number)
            .collect();
        let mut all = Vec::with_capacity(numbers.len());
        for number in numbers {
            let drain = self.drain(number, now);
            all.extend(self.line_status(number, drain, now));
        }
        all
    }

    fn line_status(&self, number: LineNo, drain: Millis, now: Timestamp) -> Option<PoolStatus> {
        let line = self.lines.line(number)?;
        let mut models: Vec<ModelSlug> = line
            .routes
            .iter()
            .map(|route| self.targets.routes[*route as usize].model.clone())
            .collect();
        models.sort();
        models.dedup();
        let head = match &line.state {
            LineState::Blocked(blocked) => Some(self.call_wait(blocked.row, now)),
            LineState::Open => None,
        };
        Some(PoolStatus {
            tenant: self.tenant_name(line.key.tenant),
            pool: line
                .routes
                .first()
                .map(|route| self.targets.routes[*route as usize].pool.clone()),
            models,
            is_interactive: !line.key.is_task,
            refused_by: line.key.refused_by,
            waiting: line.calls.len(),
            oldest: line.calls.ages().map(|(_, since)| since).min(),
            drain,
            head,
            endpoints: line
                .targets
                .iter()
                .map(|target| self.endpoint_status(*target, now))
                .collect(),
        })
    }

    fn endpoint_status(&self, number: TargetId, now: Timestamp) -> EndpointStatus {
        let (target, route) = (self.targets.target(number), self.targets.route_of(number));
        let mut levels = Vec::new();
        for group in &target.groups {
            let mirror = &self.targets.mirrors[*group as usize];
            levels.extend(mirror.meters.iter().map(|meter| MirroredLevel {
                group: mirror.group.id.clone(),
                dimension: meter.limit.dimension,
                room: meter.room(now) as i64,
                capacity: meter.capacity,
                news_at: mirror.news_at,
                is_doubted: mirror.is_doubted(),
            }));
        }
        let is_resting = target.opens > now;
        let chosen = ChoiceReason::ALL.into_iter().zip(target.choices);
        EndpointStatus {
            credential: target.credential,
            account: target.account,
            provider: route.provider.clone(),
            model: route.model.clone(),
            is_resting,
            rests_until: Some(target.opens).filter(|opens| is_resting && *opens != NEVER),
            rank: target.rank,
            in_flight: target.in_flight,
            levels,
            choices: chosen
                .filter(|(_, count)| *count > 0)
                .map(|(reason, count)| (reason, u64::from(count)))
                .collect(),
        }
    }

    /// Reason why the call of a lease waits; none if it does not.
    pub(crate) fn why(&self, lease: LeaseId, now: Timestamp) -> Option<CallWait> {
        Some(self.call_wait(self.rows.find(lease)?, now))
    }

    fn call_wait(&self, number: RowId, now: Timestamp) -> CallWait {
        let row = self.rows.row(number);
        let line = match row.slot {
            RowSlot::InLine(line) => self.lines.line(line),
            RowSlot::Nowhere | RowSlot::Asleep(_) => None,
        };
        let blocked = line.and_then(|line| match &line.state {
            LineState::Blocked(blocked) => Some(blocked),
            LineState::Open => None,
        });
        let is_next = blocked.is_some_and(|blocked| blocked.row == number);
        let own = blocked.filter(|_| is_next);
        let books = own.into_iter().flat_map(|blocked| &blocked.booked);
        let group_name = |group: &u32| self.targets.mirrors[*group as usize].group.id.clone();
        let sleeps_until = match row.slot {
            RowSlot::Asleep(at) => Some(at),
            RowSlot::Nowhere | RowSlot::InLine(_) => None,
        };
        let payer = self.payers[row.payer as usize].names.as_ref();
        CallWait {
            lease: row.lease,
            project: payer.and_then(|(_, project)| *project),
            since: row.since,
            priority: row.priority,
            is_next,
            line: line.map_or(0, |line| line.calls.len()),
            reason: self.wait_reason(row.lease, now),
            until: own.and_then(|blocked| blocked.at).or(sleeps_until),
            books: books.map(group_name).collect(),
        }
    }
}
