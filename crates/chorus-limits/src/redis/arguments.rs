//! Arguments of the script as JSON; [`Reply`](super::reply::Reply) reads the answers.

use std::collections::BTreeSet;

use chorus_core::failure::FailureClass;
use chorus_core::id::GroupId;
use chorus_core::limit::{
    CallEstimate, Demand, End, GroupClosure, HeldLease, Lease, LimitSignals, QuotaGroup,
};
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::time::Timestamp;
use serde_json::{Value, json};

use super::mirror::Mirror;
use super::text::{amount, config, days, dimension, time};
use crate::ledger::{PastGroup, PastLevel};

/// Process that asks, and what it knows of the shared state.
pub(super) struct Reserver<'a> {
    /// Name of the process among the members.
    pub(super) member: &'a str,
    /// Life of the state in which it restored leases.
    pub(super) token: Option<&'a str>,
    /// Groups that it has booked for the call.
    pub(super) booked: &'a [GroupId],
}

/// Returns a [`Demand`] by a member of the namespace.
pub(super) fn reserve(demand: &Demand, reserver: &Reserver<'_>, now: Timestamp) -> Value {
    let Reserver {
        member,
        token,
        booked,
    } = reserver;
    let mut seen = BTreeSet::new();
    let groups = demand
        .candidates
        .iter()
        .flat_map(|candidate| &candidate.groups);
    let groups: Vec<(GroupId, String)> = groups
        .map(|group| (group.id.clone(), config(group)))
        .filter(|group| seen.insert(group.clone()))
        .collect();
    let candidates: Vec<Value> = demand.candidates.iter().map(candidate).collect();
    let named = demand
        .candidates
        .iter()
        .flat_map(|candidate| &candidate.groups);
    let days = days(named.map(|group| &**group), now);
    json!({
        "lease": demand.lease, "interactive": demand.interactive, "not_after": time(demand.not_after),
        "member": member, "token": token, "groups": groups, "candidates": candidates, "days": days,
        "books": demand.books, "booked": booked,
    })
}

fn candidate(candidate: &chorus_core::limit::Candidate) -> Value {
    let groups: Vec<&GroupId> = candidate.groups.iter().map(|group| &group.id).collect();
    let CallEstimate {
        input,
        cached,
        output_p50,
        output_p90,
        max_tokens,
        cost,
    } = candidate.estimate;
    json!({
        "credential": candidate.credential, "groups": groups, "rank": candidate.rank, "floor": candidate.floor_permille,
        "estimate": {
            "input": amount(input), "cached": amount(cached), "p50": amount(output_p50), "p90": amount(output_p90), "max": amount(max_tokens),
            "cost": money(cost),
        },
    })
}

fn money(cost: MicroUsd) -> u64 {
    amount(u64::try_from(cost.0).unwrap_or(0))
}

/// Returns the [`End`] of a lease.
pub(super) fn end(end: &End) -> Value {
    match end {
        End::Unused => json!({ "how": "unused" }),
        End::Used { usage, cost } => {
            json!({ "how": "used", "usage": counted(usage), "cost": money(*cost) })
        }
        End::Aborted { usage, grace } => {
            json!({ "how": "aborted", "usage": counted(&usage.unwrap_or_default()), "grace": amount(grace.0) })
        }
        End::Lost { grace } => json!({ "how": "lost", "grace": amount(grace.0) }),
        End::Refused { counts_request } => {
            json!({ "how": "refused", "counts": u8::from(*counts_request) })
        }
    }
}

fn counted(usage: &Usage) -> Value {
    let Usage {
        input,
        cache_read,
        cache_write,
        output,
        ..
    } = *usage;
    json!({ "input": amount(input), "read": amount(cache_read), "write": amount(cache_write), "output": amount(output) })
}

/// Returns the [`LimitSignals`] of a reply, with the reaction of the failure table in place of a class.
pub(super) fn signals(signals: &LimitSignals) -> Value {
    let levels = signals.levels.iter().map(|level| {
        json!({
            "dim": dimension(level.dimension), "limit": level.limit.map(amount), "remaining": level.remaining.map(amount),
            "rounded": amount(level.rounded_to), "window": level.window.map(|length| amount(length.0)),
        })
    });
    json!({
        "sent_at": time(signals.sent_at), "class": signals.failure.map(FailureClass::as_str), "reaction": signals.reaction().as_str(),
        "retry": signals.retry_after.map(|wait| amount(wait.0)), "levels": levels.collect::<Vec<_>>(),
    })
}

/// Returns a lease with its groups, reserved or sent.
pub(super) fn held(held: &HeldLease) -> Value {
    let Lease {
        id,
        credential,
        charges,
        granted_at,
        not_after,
    } = &held.lease;
    let charges: Vec<_> = charges
        .iter()
        .map(|charge| {
            json!([
                charge.group,
                dimension(charge.dimension),
                amount(charge.amount)
            ])
        })
        .collect();
    json!({
        "lease": id, "credential": credential, "granted_at": time(*granted_at), "not_after": time(*not_after),
        "charges": charges, "groups": held.groups.iter().map(|group| known(group)).collect::<Vec<_>>(),
        "sent_until": held.sent_until.map(time), "dead": held.process_ended, "holder": null, "signals": null, "ending": null,
    })
}

/// Returns a group with its limits as the script reads them.
pub(super) fn known(group: &QuotaGroup) -> Value {
    json!([group.id, config(group)])
}

fn closure(closed: GroupClosure) -> Value {
    json!([
        time(closed.until),
        time(closed.since),
        closed.class.as_str()
    ])
}

/// Returns the levels that past calls left; null when they are not known.
pub(super) fn past(groups: Option<&[PastGroup]>) -> Value {
    let level = |level: &PastLevel| match level {
        PastLevel::Unused => Value::Null,
        PastLevel::Left(room) => json!(room),
        PastLevel::Charges(charges) => charges
            .iter()
            .map(|(at, charge)| json!([time(*at), charge]))
            .collect(),
    };
    let one = |PastGroup { group, levels }: &PastGroup| {
        json!({
            "group": group.id, "config": config(group),
            "levels": levels.iter().map(level).collect::<Vec<_>>(),
        })
    };
    groups.map_or(Value::Null, |groups| groups.iter().map(one).collect())
}

/// Returns the levels last seen of some groups.
pub(super) fn mirrors<'a>(mirrors: impl Iterator<Item = (&'a GroupId, &'a Mirror)>) -> Value {
    let one = |(group, mirror): (&GroupId, &Mirror)| json!({ "group": group, "config": mirror.config, "rooms": mirror.rooms, "closed": mirror.closed.map(closure) });
    mirrors.map(one).collect()
}
