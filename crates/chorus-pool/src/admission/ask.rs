//! Asking the limiter for the heads of the lines.

use chorus_core::catalog::Model;
use chorus_core::id::LeaseId;
use chorus_core::limit::{Candidate, Demand, End, Lease, Reserved};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::time::{Millis, Timestamp};

use super::queue::LineKey;
use super::{Admission, Grant, Rest, Verdict, Wish};
use crate::roster::Seat;

/// What the limiter's answer means for a line.
enum Answer {
    /// The head is decided: ask for the next one.
    Decided,
    /// The head waits, and nobody passes it.
    Blocked(Timestamp),
    /// The limiter knows nothing: nobody is asked for before it does.
    Lost,
}

impl Admission {
    /// Asks for head after head of every line, until each is blocked or the batch is full.
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
                    Answer::Blocked(until) => {
                        self.resting.insert(key.clone(), Rest { head, until });
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
        let Some(wish) = self.queue.wish(head) else {
            return Answer::Decided;
        };
        let candidates = self.candidates(key, wish, now);
        if candidates.is_empty() {
            return Answer::Blocked(
                self.route_opens(key, wish, now)
                    .unwrap_or(net)
                    .clamp(soon, net),
            );
        }
        let not_after = now + self.settings.lease_lasts;
        let demand = Demand {
            lease: head,
            interactive: wish.interactive,
            not_after,
            candidates,
        };
        match self.limits.reserve(demand).await {
            Ok(Reserved::Granted(lease)) => self.granted(key, head, lease, now).await,
            Ok(Reserved::Wait { at }) => Answer::Blocked(at.unwrap_or(net).clamp(soon, net)),
            Ok(Reserved::Never(why)) => {
                self.decided
                    .extend(self.queue.remove(head).map(|wish| Verdict::Never {
                        wish: Box::new(wish),
                        why,
                    }));
                Answer::Decided
            }
            Err(LimiterError::Lost) => Answer::Lost,
            Err(problem @ LimiterError::Unavailable(_)) => {
                tracing::warn!(error = %problem, "failed to reserve, asking again");
                Answer::Blocked(net)
            }
        }
    }

    /// The seats of a line whose route is open, the fastest with the lowest rank.
    fn candidates(&self, key: &LineKey, wish: &Wish, now: Timestamp) -> Vec<Candidate> {
        let open = |(seat, model): &(&Seat, &Model)| {
            self.breakers.opens_at(&seat.provider, &model.slug, now) == Some(now)
        };
        let seats: Vec<(&Seat, &Model)> = self.seats(key, wish).filter(open).collect();
        let pace = |seat: &Seat, model: &Model| self.estimator.pace(&seat.provider, &model.slug);
        let fastest = seats
            .iter()
            .map(|(seat, model)| pace(seat, model))
            .fold(f64::INFINITY, f64::min);
        let candidate = |(seat, model): &(&Seat, &Model)| Candidate {
            credential: seat.credential,
            groups: seat.groups_for(&model.slug),
            estimate: self
                .estimator
                .estimate(&seat.provider, model, wish.kind, &wish.size),
            rank: ((pace(seat, model) / fastest - 1.0) * 4.0) as u32,
            floor_permille: self.settings.floor_permille,
        };
        seats.iter().map(candidate).collect()
    }

    /// The seats of a line, each with the model that it serves there.
    fn seats<'a>(
        &'a self,
        key: &'a LineKey,
        wish: &'a Wish,
    ) -> impl Iterator<Item = (&'a Seat, &'a Model)> {
        key.places.iter().filter_map(|(credential, slug)| {
            let serving = self.roster.serving(&wish.tenant, slug);
            let seat = serving
                .into_iter()
                .find(|seat| seat.credential == *credential)?;
            Some((seat, self.model(slug)?))
        })
    }

    fn route_opens(&self, key: &LineKey, wish: &Wish, now: Timestamp) -> Option<Timestamp> {
        self.seats(key, wish)
            .filter_map(|(seat, model)| self.breakers.opens_at(&seat.provider, &model.slug, now))
            .min()
    }

    async fn granted(
        &mut self,
        key: &LineKey,
        head: LeaseId,
        lease: Lease,
        now: Timestamp,
    ) -> Answer {
        let grant = self.queue.wish(head).and_then(|wish| {
            let (seat, model) = self
                .seats(key, wish)
                .find(|(seat, _)| seat.credential == lease.credential)?;
            Some(Grant {
                account: seat.account,
                provider: seat.provider.clone(),
                model: model.slug.clone(),
                pool: model.pool.clone(),
                estimate: self
                    .estimator
                    .estimate(&seat.provider, model, wish.kind, &wish.size),
                lease: lease.clone(),
            })
        });
        let Some(grant) = grant else {
            // An earlier ask whose answer was lost had been granted on a credential that is gone since.
            if let Err(problem) = self.limits.end(head, End::Unused).await {
                tracing::warn!(lease.id = %head, error = %problem, "failed to end a lease on a credential that is gone");
            }
            return Answer::Blocked(now + self.settings.poll);
        };
        if let Some(wish) = self.queue.remove(head) {
            self.queue.fairness.serve(
                &wish.tenant,
                grant.estimate.input,
                grant.estimate.output_p50,
            );
            self.breakers.started(&grant.provider, &grant.model, now);
            self.decided.push(Verdict::Granted {
                wish: Box::new(wish),
                grant: Box::new(grant),
            });
        }
        Answer::Decided
    }
}
