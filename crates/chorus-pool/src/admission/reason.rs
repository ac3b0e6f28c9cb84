//! Reasons why calls of [`Admission`] wait.

use std::collections::BTreeSet;

use chorus_core::attempt::{ParkedCredential, WaitReason};
use chorus_core::catalog::Model;
use chorus_core::id::{LeaseId, ModelSlug, Pool};
use chorus_core::limit::{Obstacle, ObstacleKind};
use chorus_core::port::directory::CredentialState;
use chorus_core::task_kind::ModelRole;
use chorus_core::time::Timestamp;

use super::queue::LineKey;
use super::{Admission, AdmissionRequest, ModelSelector};
use crate::endpoint_index::Endpoint;

impl Admission {
    /// Returns the reason why a queued call waits; none when it may be admitted at the next question, or waits
    /// only for its `not_before`.
    pub fn wait_reason(&self, lease: LeaseId) -> Option<WaitReason> {
        let request = self.queue.request(lease)?;
        match self.queue.line_of(lease) {
            Some(line) => self.resting.get(line)?.why.clone(),
            None if request.not_before > self.clock.now() => None,
            None => self.credentials_parked(request),
        }
    }

    /// The limit on which a line waits, on the account that would be used first.
    pub(super) fn limit_reached(
        &self,
        key: &LineKey,
        request: &AdmissionRequest,
        obstacle: Option<&Obstacle>,
        until: Option<Timestamp>,
    ) -> Option<WaitReason> {
        let of_obstacle = |endpoint: &Endpoint| {
            obstacle.is_none_or(|obstacle| obstacle.credential == endpoint.credential)
        };
        let (endpoint, model) = self
            .endpoints(key, request)
            .find(|(endpoint, _)| of_obstacle(endpoint))?;
        let account = endpoint.account;
        let until = obstacle.map_or(until, |obstacle| obstacle.until);
        match obstacle.map(|obstacle| obstacle.kind) {
            Some(ObstacleKind::SlotsOfEndedProcess) => {
                Some(WaitReason::SlotsOfEndedProcess { account, until })
            }
            Some(ObstacleKind::Closed { class, .. }) => Some(WaitReason::Retry {
                account: Some(account),
                class: Some(class),
                message: None,
                until,
            }),
            kind => {
                let groups = endpoint.groups_for(&model.slug);
                let only = || (groups.len() == 1).then(|| groups[0].id.clone());
                Some(WaitReason::Limit {
                    account,
                    group: obstacle
                        .map(|obstacle| obstacle.group.clone())
                        .or_else(only),
                    dimension: kind.and_then(ObstacleKind::dimension),
                    until,
                })
            }
        }
    }

    /// Reason why no endpoint of a line may be called: accounts rest, routes rest, or no worker has a slot.
    pub(super) fn nothing_open(
        &self,
        key: &LineKey,
        request: &AdmissionRequest,
        now: Timestamp,
    ) -> Option<WaitReason> {
        let endpoints: Vec<(&Endpoint, &Model)> = self.endpoints(key, request).collect();
        let is_open = |(endpoint, model): &&(&Endpoint, &Model)| {
            self.opens_at(endpoint, model, now) == Some(now)
        };
        if let Some((_, model)) = endpoints.iter().find(is_open) {
            return self.no_slot(&model.pool);
        }
        let rests = |(endpoint, model): &&(&Endpoint, &Model)| {
            let (account, provider) = (endpoint.account, &endpoint.provider);
            self.health.opens_at(account, provider, &model.slug, now) != Some(now)
        };
        if endpoints.iter().all(|one| rests(&one)) {
            let reasons = endpoints.iter().map(|(endpoint, model)| ParkedCredential {
                account: endpoint.account,
                why: format!("{} at {} failed lately", model.slug, endpoint.provider),
                until: self.opens_at(endpoint, model, now),
            });
            return Some(WaitReason::CredentialsParked {
                pool: endpoints.first().map(|(_, model)| model.pool.clone()),
                reasons: reasons.collect(),
            });
        }
        let routes: BTreeSet<String> = endpoints
            .iter()
            .map(|(endpoint, model)| format!("{} at {}", model.slug, endpoint.provider))
            .collect();
        let routes: Vec<String> = routes.into_iter().collect();
        Some(WaitReason::Retry {
            account: None,
            class: None,
            message: Some(format!("{} failed lately and rests", routes.join(", "))),
            until: self.line_opens(key, request, now),
        })
    }

    /// The credentials that could serve a call, none of which may be used now.
    fn credentials_parked(&self, request: &AdmissionRequest) -> Option<WaitReason> {
        let models = self.served_models(request);
        let pools: BTreeSet<&Pool> = models
            .iter()
            .filter_map(|slug| self.model(slug).map(|model| &model.pool))
            .collect();
        let pool = (pools.len() == 1)
            .then(|| pools.first().copied().cloned())
            .flatten();
        let mut seen = BTreeSet::new();
        let mut reasons = Vec::new();
        for slug in &models {
            for endpoint in self.index.serving(&request.tenant, slug) {
                if seen.insert(endpoint.credential) {
                    reasons.extend(parked(endpoint));
                }
            }
        }
        (!reasons.is_empty()).then_some(WaitReason::CredentialsParked { pool, reasons })
    }

    /// Models of the request's list that some account serves, in any state; every served model if there is none.
    fn served_models(&self, request: &AdmissionRequest) -> Vec<ModelSlug> {
        let is_served = |slug: &&ModelSlug| !self.index.serving(&request.tenant, slug).is_empty();
        let listed: Vec<&ModelSlug> = match &request.selector {
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
