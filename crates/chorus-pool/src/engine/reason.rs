//! Reasons why calls wait.

use std::collections::BTreeSet;

use chorus_core::attempt::{ParkedCredential, WaitReason};
use chorus_core::id::{LeaseId, ModelSlug, Pool};
use chorus_core::limit::ObstacleKind;
use chorus_core::port::directory::CredentialState;
use chorus_core::task_kind::ModelRole;
use chorus_core::time::Timestamp;

use super::Engine;
use super::lines::{Blocked, Line, LineState};
use super::rows::{Row, RowSlot};
use crate::endpoint_index::Endpoint;
use crate::mirror::Cause;
use crate::request::ModelSelector;
use crate::targets::{NEVER, TargetId};

impl Engine {
    /// Returns the reason why a queued call waits; none when it may be admitted at the next question, or waits
    /// only for its `not_before`.
    pub(crate) fn wait_reason(&self, lease: LeaseId, now: Timestamp) -> Option<WaitReason> {
        let row = self.rows.row(self.rows.find(lease)?);
        let number = match row.slot {
            RowSlot::InLine(number) => number,
            RowSlot::Nowhere | RowSlot::Asleep(_) => return None,
        };
        let line = self.lines.line(number)?;
        if line.targets.is_empty() {
            return self.credentials_parked(row);
        }
        match &line.state {
            LineState::Open => None,
            LineState::Blocked(blocked) => self.blocked_by(line, blocked, now),
        }
    }

    fn blocked_by(&self, line: &Line, blocked: &Blocked, now: Timestamp) -> Option<WaitReason> {
        let target_no = blocked.target?;
        let target = self.targets.target(target_no);
        let (account, until) = (target.account, blocked.at);
        match blocked.cause? {
            Cause::NoSlot => self.no_slot(&self.targets.route_of(target_no).pool),
            Cause::Booked => Some(WaitReason::Queue { ahead: 1 }),
            Cause::Rests => self.rests(line, now),
            Cause::Group(_, ObstacleKind::SlotsOfEndedProcess) => {
                Some(WaitReason::SlotsOfEndedProcess { account, until })
            }
            Cause::Group(_, ObstacleKind::Closed { class, .. }) => Some(WaitReason::Retry {
                account: Some(account),
                class: Some(class),
                message: None,
                until,
            }),
            Cause::Group(place, kind) => Some(WaitReason::Limit {
                account,
                group: target.configs.get(place).map(|group| group.id.clone()),
                dimension: kind.dimension(),
                until,
            }),
        }
    }

    /// Accounts rest, or routes rest.
    fn rests(&self, line: &Line, now: Timestamp) -> Option<WaitReason> {
        let opens = |target: &TargetId| {
            let opens = self.targets.target(*target).opens;
            (opens != NEVER).then_some(opens)
        };
        let of_account = |target: &&TargetId| {
            let (of_target, route) = (
                self.targets.target(**target),
                self.targets.route_of(**target),
            );
            let (account, provider) = (of_target.account, &route.provider);
            let opens = self.health.opens_at(account, provider, &route.model, now);
            opens != Some(now)
        };
        if line.targets.iter().all(|one| of_account(&one)) {
            let reasons = line.targets.iter().map(|target| {
                let route = self.targets.route_of(*target);
                ParkedCredential {
                    account: self.targets.target(*target).account,
                    why: format!("{} at {} failed lately", route.model, route.provider),
                    until: opens(target),
                }
            });
            let first = line.targets.first();
            return Some(WaitReason::CredentialsParked {
                pool: first.map(|target| self.targets.route_of(*target).pool.clone()),
                reasons: reasons.collect(),
            });
        }
        let routes: BTreeSet<String> = line
            .routes
            .iter()
            .map(|route| &self.targets.routes[*route as usize])
            .map(|route| format!("{} at {}", route.model, route.provider))
            .collect();
        let routes: Vec<String> = routes.into_iter().collect();
        Some(WaitReason::Retry {
            account: None,
            class: None,
            message: Some(format!("{} failed lately and rests", routes.join(", "))),
            until: line.targets.iter().filter_map(opens).min(),
        })
    }

    /// The credentials that could serve a call, none of which may be used now.
    fn credentials_parked(&self, row: &Row) -> Option<WaitReason> {
        let selector = self.selectors.selector(row.selector);
        let models = self.served_models(&selector.tenant, &selector.wanted);
        let pools: BTreeSet<&Pool> = models
            .iter()
            .filter_map(|slug| self.index.model(slug).map(|model| &model.pool))
            .collect();
        let pool = (pools.len() == 1)
            .then(|| pools.first().copied().cloned())
            .flatten();
        let mut seen = BTreeSet::new();
        let mut reasons = Vec::new();
        for slug in &models {
            for endpoint in self.index.serving(&selector.tenant, slug) {
                if seen.insert(endpoint.credential) {
                    reasons.extend(parked(endpoint));
                }
            }
        }
        (!reasons.is_empty()).then_some(WaitReason::CredentialsParked { pool, reasons })
    }

    /// Models of a selector that some account serves, in any state; every served model if there is none.
    fn served_models(
        &self,
        tenant: &chorus_core::id::Tenant,
        wanted: &ModelSelector,
    ) -> Vec<ModelSlug> {
        let is_served = |slug: &&ModelSlug| !self.index.serving(tenant, slug).is_empty();
        let listed: Vec<&ModelSlug> = match wanted {
            ModelSelector::Role(role) => self.listed(*role, &[]),
            ModelSelector::RoleExcept { role, unfit } => self.listed(*role, unfit),
            ModelSelector::Model(model) => vec![model],
        };
        let served: Vec<ModelSlug> = listed.into_iter().filter(is_served).cloned().collect();
        if !served.is_empty() {
            return served;
        }
        let all = self.index.catalog().models.iter().map(|model| &model.slug);
        all.filter(is_served).cloned().collect()
    }

    /// Models of a role's list without the unfit ones.
    fn listed(&self, role: ModelRole, unfit: &[ModelSlug]) -> Vec<&ModelSlug> {
        let listed = self.roles.get(&role).into_iter().flatten().flatten();
        listed.filter(|slug| !unfit.contains(slug)).collect()
    }
}

fn parked(endpoint: &Endpoint) -> Option<ParkedCredential> {
    let (why, until) = match &endpoint.state {
        // The credential in its place has a state of its own.
        CredentialState::Active | CredentialState::Draining { .. } => return None,
        CredentialState::Paused { reason, .. } if reason.is_empty() => ("paused".to_owned(), None),
        CredentialState::Paused { reason, .. } => (format!("paused: {reason}"), None),
        CredentialState::Refused { reason } => (reason.clone(), None),
        CredentialState::Parked { until, reason } => (reason.clone(), Some(*until)),
    };
    Some(ParkedCredential {
        account: endpoint.account,
        why,
        until,
    })
}
