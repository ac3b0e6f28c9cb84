//! Asks the limiter for a reservation for the head of each line.
//!
//! A blocked head is not passed by others of its [`LineKey`]; see [`order`](crate::order).

use chorus_core::attempt::{Assignment, DispatchDecision, FailureCause, WaitReason};
use chorus_core::catalog::Model;
use chorus_core::id::LeaseId;
use chorus_core::limit::{Candidate, Demand, End, Lease, QuotaResets, Reserved};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::time::{Millis, Timestamp};

use super::queue::LineKey;
use super::{Admission, AdmissionRequest, Decided, Rest};
use crate::endpoint_index::Endpoint;

/// Consequence of the answer of the limiter for a line.
enum Answer {
    /// The head was decided; the next one is asked for.
    Decided,
    /// The head waits until this time, and no other call passes it.
    Blocked(Timestamp, Option<WaitReason>),
    /// The limiter has lost its state; no line is asked for until it is restored.
    Lost,
}

impl Admission {
    /// Asks for the heads of every line until each line is blocked or the batch is full.
    pub(super) async fn ask_all_lines(&mut self, now: Timestamp) {
        let keys: Vec<LineKey> = self.queue.lines.keys().cloned().collect();
        for key in keys {
            while self.decided.len() < self.settings.batch {
                let Some(head) = self.queue.head(&key) else {
                    break;
                };
                if self
                    .resting
                    .get(&key)
                    .is_some_and(|rest| rest.head == head && rest.until > now)
                {
                    break;
                }
                self.resting.remove(&key);
                match self.ask(&key, head, now).await {
                    Answer::Decided => {}
                    Answer::Blocked(until, why) => {
                        self.resting.insert(key.clone(), Rest { head, until, why });
                        break;
                    }
                    Answer::Lost => {
                        self.lost = true;
                        return;
                    }
                }
            }
        }
        let queue = &self.queue;
        self.resting.retain(|key, _| queue.lines.contains_key(key));
    }

    async fn ask(&mut self, key: &LineKey, head: LeaseId, now: Timestamp) -> Answer {
        let (soon, net) = (now + Millis(1), now + self.settings.poll.max(Millis(1)));
        let Some(request) = self.queue.request(head) else {
            return Answer::Decided;
        };
        let candidates = self.candidates(key, request, now);
        if candidates.is_empty() {
            let opens = self.route_opens(key, request, now);
            let why = self.route_rests(key, request, opens);
            return Answer::Blocked(opens.unwrap_or(net).clamp(soon, net), why);
        }
        let not_after = now + self.settings.lease_lasts;
        let demand = Demand {
            lease: head,
            interactive: request.interactive,
            not_after,
            candidates,
        };
        match self.limits.reserve(demand).await {
            Ok(Reserved::Granted(lease)) => self.granted(key, head, lease, now).await,
            Ok(Reserved::Wait { at, obstacle }) => {
                let why = self.limit_reached(key, request, obstacle.as_ref(), at);
                Answer::Blocked(at.unwrap_or(net).clamp(soon, net), why)
            }
            Ok(Reserved::Never(why)) => {
                self.decided
                    .extend(self.queue.remove(head).map(|request| Decided {
                        request: Box::new(request),
                        decision: DispatchDecision::Refuse(FailureCause::NoAccount {
                            message: why,
                        }),
                    }));
                Answer::Decided
            }
            Err(LimiterError::StateLost) => Answer::Lost,
            Err(problem @ LimiterError::Unavailable { .. }) => {
                tracing::warn!(error = %problem, "failed to reserve, asking again");
                Answer::Blocked(net, None)
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
            self.breakers.opens_at(&endpoint.provider, &model.slug, now) == Some(now)
        };
        let endpoints: Vec<(&Endpoint, &Model)> =
            self.endpoints(key, request).filter(open).collect();
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
                + self.health.rank(endpoint.account, now),
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

    fn route_opens(
        &self,
        key: &LineKey,
        request: &AdmissionRequest,
        now: Timestamp,
    ) -> Option<Timestamp> {
        self.endpoints(key, request)
            .filter_map(|(endpoint, model)| {
                self.breakers.opens_at(&endpoint.provider, &model.slug, now)
            })
            .min()
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
            let groups = endpoint.groups_for(&model.slug);
            let estimate =
                self.estimator
                    .estimate(&endpoint.provider, model, request.kind, &request.size);
            let assignment = Assignment {
                account: endpoint.account,
                provider: endpoint.provider.clone(),
                model: model.slug.clone(),
                pool: model.pool.clone(),
                estimate: estimate.cost,
                resets: QuotaResets::of(groups.iter().map(|group| &**group)),
                lease: lease.clone(),
            };
            Some((assignment, estimate))
        });
        let Some((assignment, estimate)) = granted else {
            // An earlier request, the reply to which was lost, was granted on a credential that is gone since.
            if let Err(problem) = self.limits.end(head, End::Unused).await {
                tracing::warn!(lease.id = %head, error = %problem, "failed to end a lease on a credential that is gone");
            }
            return Answer::Blocked(now + self.settings.poll, None);
        };
        if let Some(request) = self.queue.remove(head) {
            self.queue
                .fairness
                .serve(&request.tenant, estimate.input, estimate.output_p50);
            self.breakers
                .started(&assignment.provider, &assignment.model, now);
            self.decided.push(Decided {
                request: Box::new(request),
                decision: DispatchDecision::Send(Box::new(assignment)),
            });
        }
        Answer::Decided
    }
}
