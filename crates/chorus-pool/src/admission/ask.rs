//! Asks the limiter for a reservation for the head of each line.
//!
//! A blocked head is not passed by others of its [`LineKey`]; see [`order`](crate::order).

use std::collections::BTreeSet;

use chorus_core::attempt::{Assignment, DispatchDecision, FailureCause, WaitReason};
use chorus_core::catalog::Model;
use chorus_core::id::{GroupId, LeaseId, ModelSlug, Tenant};
use chorus_core::limit::{Candidate, Demand, End, Lease, Reserved};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::time::{Millis, Timestamp};

use super::queue::LineKey;
use super::{Admission, AdmissionRequest, Decided, Pause};
use crate::endpoint_index::Endpoint;

/// Consequence of the answer of the limiter for a line.
enum Answer {
    /// The head was decided; the next one is asked for.
    Decided,
    /// The head waits, and no other call passes it.
    Blocked(Pause),
    /// The limiter has lost its state; no line is asked for until it is restored.
    Lost,
}

impl Admission {
    /// Asks for the heads of all lines, the first in their order first, until each line is blocked or the batch is
    /// full. A blocked head books the groups on which it is expected to fit: no later head takes from them, so that
    /// lines with common accounts cannot starve each other.
    pub(super) async fn ask_all_lines(&mut self, now: Timestamp) {
        let mut open: Vec<LineKey> = self.queue.lines.keys().cloned().collect();
        let mut booked = BTreeSet::new();
        while self.decided.len() < self.settings.batch {
            let heads = (0..).zip(&open).filter_map(|(at, key)| {
                let (order, head) = self.queue.head(key, now)?;
                Some((order, head, at))
            });
            let Some((_, head, at)) = heads.min() else {
                break;
            };
            if let Some(rest) = self.resting.get(&open[at])
                && rest.head == head
                && rest.until > now
            {
                booked.extend(rest.books.iter().cloned());
                open.swap_remove(at);
                continue;
            }
            self.resting.remove(&open[at]);
            match self.ask(&open[at], head, &booked, now).await {
                Answer::Decided => {}
                Answer::Blocked(blocked) => {
                    booked.extend(blocked.books.iter().cloned());
                    let rest = Pause { head, ..blocked };
                    self.resting.insert(open.swap_remove(at), rest);
                }
                Answer::Lost => {
                    self.lost = true;
                    return;
                }
            }
        }
        let queue = &self.queue;
        self.resting.retain(|key, _| queue.lines.contains_key(key));
    }

    async fn ask(
        &mut self,
        key: &LineKey,
        head: LeaseId,
        booked: &BTreeSet<GroupId>,
        now: Timestamp,
    ) -> Answer {
        let (soon, net) = (now + Millis(1), now + self.settings.poll.max(Millis(1)));
        let blocked = |until: Option<Timestamp>, why, books| {
            let until = until.unwrap_or(net).clamp(soon, net);
            Answer::Blocked(Pause {
                head,
                until,
                why,
                books,
            })
        };
        let Some(request) = self.queue.request(head) else {
            return Answer::Decided;
        };
        let mut candidates = self.candidates(key, request, now);
        if candidates.is_empty() {
            let opens = self.line_opens(key, request, now);
            let why = self.nothing_open(key, request, now);
            return blocked(opens, why, Vec::new());
        }
        candidates.retain(|candidate| {
            let mut groups = candidate.groups.iter();
            !groups.any(|group| booked.contains(&group.id))
        });
        let Some(first) = candidates.iter().min_by_key(|candidate| candidate.rank) else {
            return blocked(None, Some(WaitReason::Queue { ahead: 1 }), Vec::new());
        };
        let first = first.clone();
        let not_after = now + self.settings.lease_lasts;
        let demand = Demand {
            lease: head,
            interactive: request.interactive,
            not_after,
            candidates,
            books: request.interactive,
        };
        self.asked.insert(head);
        let answer = self.limits.reserve(demand).await;
        if matches!(answer, Ok(Reserved::Wait { .. } | Reserved::Never(_))) {
            self.asked.remove(&head);
        }
        let Some(request) = self.queue.request(head) else {
            return Answer::Decided;
        };
        match answer {
            Ok(Reserved::Granted(lease)) => self.granted(key, head, lease, now).await,
            Ok(Reserved::Wait { at, obstacle }) => {
                let why = self.limit_reached(key, request, obstacle.as_ref(), at);
                let named = obstacle.map(|obstacle| obstacle.group);
                let guessed = || first.groups.first().map(|group| group.id.clone());
                blocked(at, why, named.or_else(guessed).into_iter().collect())
            }
            Ok(Reserved::Never(why)) => {
                self.decided
                    .extend(self.queue.remove(head).map(|request| Decided {
                        request: Box::new(request),
                        charged: 0,
                        decision: DispatchDecision::Refuse(FailureCause::NoAccount {
                            message: why,
                        }),
                    }));
                Answer::Decided
            }
            Err(LimiterError::StateLost) => Answer::Lost,
            Err(problem @ LimiterError::Unavailable { .. }) => {
                tracing::warn!(error = %problem, "failed to reserve, asking again");
                blocked(None, None, Vec::new())
            }
        }
    }

    /// Candidates of a line: endpoints with an open route, ranked by pace and by the health of their account.
    fn candidates(
        &self,
        key: &LineKey,
        request: &AdmissionRequest,
        now: Timestamp,
    ) -> Vec<Candidate> {
        let open = |(endpoint, model): &(&Endpoint, &Model)| {
            self.opens_at(endpoint, model, now) == Some(now) && self.has_slot(&model.pool)
        };
        let mut endpoints: Vec<(&Endpoint, &Model)> =
            self.endpoints(key, request).filter(open).collect();
        // Where ranks and headroom are equal, the limiter takes the first one.
        endpoints.sort_by_key(|(endpoint, _)| {
            self.health.use_order(endpoint.account, &endpoint.provider)
        });
        let pace = |endpoint: &Endpoint, model: &Model| {
            self.estimator.pace(&endpoint.provider, &model.slug)
        };
        let fastest = endpoints
            .iter()
            .map(|(endpoint, model)| pace(endpoint, model))
            .fold(f64::INFINITY, f64::min);
        let candidate = |(endpoint, model): &(&Endpoint, &Model)| Candidate {
            credential: endpoint.credential,
            groups: endpoint.groups_for(&model.slug),
            estimate: self.estimator.estimate(
                &endpoint.provider,
                model,
                request.kind,
                &request.size,
            ),
            rank: ((pace(endpoint, model) / fastest - 1.0) * 4.0) as u32
                + self.health.rank(endpoint.account, &endpoint.provider, now),
            floor_permille: self.settings.floor_permille,
        };
        endpoints.iter().map(candidate).collect()
    }

    /// Endpoints of a line, each with the model that it would serve.
    pub(super) fn endpoints<'a>(
        &'a self,
        key: &'a LineKey,
        request: &'a AdmissionRequest,
    ) -> impl Iterator<Item = (&'a Endpoint, &'a Model)> {
        key.places.iter().filter_map(|(credential, slug)| {
            let serving = self.index.serving(&request.tenant, slug);
            let endpoint = serving
                .into_iter()
                .find(|endpoint| endpoint.credential == *credential)?;
            Some((endpoint, self.model(slug)?))
        })
    }

    /// Time at which the first endpoint of a line may be called; none while probes are under way.
    pub(super) fn line_opens(
        &self,
        key: &LineKey,
        request: &AdmissionRequest,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let opens = |(endpoint, model): (&Endpoint, &Model)| self.opens_at(endpoint, model, now);
        self.endpoints(key, request).filter_map(opens).min()
    }

    /// Time at which an endpoint may be called: its account does not rest, and the route is open.
    pub(super) fn opens_at(
        &self,
        endpoint: &Endpoint,
        model: &Model,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let (account, provider) = (endpoint.account, &endpoint.provider);
        let of_account = self.health.opens_at(account, provider, &model.slug, now)?;
        let of_route = self.breakers.opens_at(provider, &model.slug, now)?;
        Some(of_account.max(of_route))
    }

    /// Returns true if some account of the tenant may be called with the model now.
    pub(super) fn is_open(&self, tenant: &Tenant, slug: &ModelSlug, now: Timestamp) -> bool {
        self.model(slug).is_some_and(|model| {
            let mut serving = self.index.serving(tenant, slug).into_iter();
            serving.any(|endpoint| {
                endpoint.is_active(now) && self.opens_at(endpoint, model, now) == Some(now)
            })
        })
    }

    async fn granted(
        &mut self,
        key: &LineKey,
        head: LeaseId,
        lease: Lease,
        now: Timestamp,
    ) -> Answer {
        let granted = self.queue.request(head).and_then(|request| {
            let (endpoint, model) = self
                .endpoints(key, request)
                .find(|(endpoint, _)| endpoint.credential == lease.credential)?;
            let estimate =
                self.estimator
                    .estimate(&endpoint.provider, model, request.kind, &request.size);
            let assignment = Assignment {
                account: endpoint.account,
                provider: endpoint.provider.clone(),
                model: model.slug.clone(),
                pool: model.pool.clone(),
                estimate: estimate.cost,
                resets: endpoint.resets_for(&model.slug),
                lease: lease.clone(),
            };
            Some((assignment, estimate))
        });
        let Some((assignment, estimate)) = granted else {
            // An earlier request, the reply to which was lost, was granted on a credential that is gone since.
            if let Err(problem) = self.limits.end(head, End::Unused).await {
                tracing::warn!(lease.id = %head, error = %problem, "failed to end a lease on a credential that is gone");
            }
            return Answer::Blocked(Pause {
                head,
                until: now + self.settings.poll,
                why: None,
                books: Vec::new(),
            });
        };
        if let Some(request) = self.queue.remove(head) {
            let (account, provider, model) =
                (assignment.account, &assignment.provider, &assignment.model);
            let charged = self.queue.fairness.serve(
                &request.tenant,
                request.project,
                estimate.input,
                estimate.output_p50,
            );
            // A probe has begun: calls that may go elsewhere do not wait for it.
            self.line_up_again |= self.health.started(account, provider, model, now);
            self.line_up_again |= self.breakers.started(provider, model, now);
            self.take_slot(&assignment.pool);
            self.decided.push(Decided {
                request: Box::new(request),
                charged,
                decision: DispatchDecision::Send(Box::new(assignment)),
            });
        }
        Answer::Decided
    }
}
