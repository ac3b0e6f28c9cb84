//! Where waiting calls stand: in a line, or asleep until their time.

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::id::{CredentialId, LeaseId, ModelSlug, ProviderId, Tenant};
use chorus_core::time::{Millis, Timestamp};

use super::{Admission, Verdict, Wants, Wish};
use crate::order::{Fairness, Line, Place, Rates, Work};
use crate::roster::Unserved;

/// How long a call sleeps that no credential can take for the moment, before its accounts are looked at again.
const LOOK_AGAIN: Millis = Millis(5_000);

/// Who stands in one line: calls that may go to the same seats. Interactive lines come first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LineKey {
    task: bool,
    /// Each credential with the model it would serve: the first of the wanted ones that it can.
    pub(super) places: BTreeMap<CredentialId, ModelSlug>,
}

/// All waiting calls.
#[derive(Debug, Default)]
pub(super) struct Queue {
    wishes: BTreeMap<LeaseId, Waiting>,
    pub(super) lines: BTreeMap<LineKey, (Line, Rates)>,
    asleep: BTreeSet<(Timestamp, LeaseId)>,
    tenants: BTreeMap<Tenant, usize>,
    pub(super) fairness: Fairness,
    /// When a parked credential comes back.
    pub(super) line_up_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Waiting {
    wish: Wish,
    spot: Spot,
}

#[derive(Debug)]
enum Spot {
    Asleep(Timestamp),
    InLine(LineKey, Work),
}

impl Queue {
    pub(super) fn contains(&self, lease: LeaseId) -> bool {
        self.wishes.contains_key(&lease)
    }

    pub(super) fn len(&self) -> usize {
        self.wishes.len()
    }

    pub(super) fn wish(&self, lease: LeaseId) -> Option<&Wish> {
        self.wishes.get(&lease).map(|waiting| &waiting.wish)
    }

    pub(super) fn head(&self, key: &LineKey) -> Option<LeaseId> {
        self.lines
            .get(key)
            .and_then(|(line, rates)| line.head(&self.fairness, rates))
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.asleep
            .first()
            .map(|(at, _)| *at)
            .into_iter()
            .chain(self.line_up_at)
            .min()
    }

    /// Takes out the calls whose time has come.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Wish> {
        let mut due = Vec::new();
        while let Some((_, lease)) = self.asleep.first().copied().filter(|(at, _)| *at <= now) {
            due.extend(self.remove(lease));
        }
        due
    }

    pub(super) fn remove(&mut self, lease: LeaseId) -> Option<Wish> {
        let waiting = self.wishes.remove(&lease)?;
        self.leaves(&waiting.wish.tenant);
        match waiting.spot {
            Spot::Asleep(at) => drop(self.asleep.remove(&(at, lease))),
            Spot::InLine(key, work) => {
                if let Some((line, _)) = self.lines.get_mut(&key) {
                    line.remove(&place(&waiting.wish), work);
                    if line.is_empty() {
                        self.lines.remove(&key);
                    }
                }
            }
        }
        Some(waiting.wish)
    }

    fn sleep(&mut self, wish: Wish, until: Timestamp) {
        self.asleep.insert((until, wish.lease));
        *self.tenants.entry(wish.tenant.clone()).or_insert(0) += 1;
        self.wishes.insert(
            wish.lease,
            Waiting {
                wish,
                spot: Spot::Asleep(until),
            },
        );
    }

    fn leaves(&mut self, tenant: &Tenant) {
        if let Some(waiting) = self.tenants.get_mut(tenant) {
            *waiting -= 1;
            if *waiting == 0 {
                self.tenants.remove(tenant);
            }
        }
    }

    fn join(&mut self, wish: Wish, key: LineKey, work: Work, rates: impl FnOnce() -> Rates) {
        if !self.tenants.contains_key(&wish.tenant) {
            self.fairness.joins(&wish.tenant, self.tenants.keys());
        }
        *self.tenants.entry(wish.tenant.clone()).or_insert(0) += 1;
        let (line, _) = self
            .lines
            .entry(key.clone())
            .or_insert_with(|| (Line::default(), rates()));
        line.push(&place(&wish), work);
        self.wishes.insert(
            wish.lease,
            Waiting {
                wish,
                spot: Spot::InLine(key, work),
            },
        );
    }
}

impl Admission {
    /// Finds the call's line, or its bed.
    pub(super) fn place(&mut self, wish: Wish, now: Timestamp) {
        if wish.not_before > now {
            let until = wish.not_before;
            return self.queue.sleep(wish, until);
        }
        let models = match self.models_for(&wish, now) {
            Ok(models) => models,
            Err(Unserved::Parked { until, .. }) => {
                return self
                    .queue
                    .sleep(wish, until.max(now + Millis(1)).min(now + LOOK_AGAIN));
            }
            Err(unserved @ Unserved::NoAccount(_)) => {
                return self.decided.push(Verdict::Never {
                    wish: Box::new(wish),
                    why: unserved.to_string(),
                });
            }
        };
        let mut places: BTreeMap<CredentialId, ModelSlug> = BTreeMap::new();
        let (mut groups, mut work) = (Vec::new(), None);
        for model in &models {
            for seat in self
                .roster
                .admissible(&wish.tenant, model, wish.refused_by, now)
            {
                if places.contains_key(&seat.credential) {
                    continue;
                }
                places.insert(seat.credential, model.clone());
                groups.push(seat.groups_for(model));
                work = work.or_else(|| self.work(&wish, &seat.provider, model));
            }
        }
        if places.is_empty() {
            return self.queue.sleep(wish, now + LOOK_AGAIN);
        }
        let key = LineKey {
            task: !wish.interactive,
            places,
        };
        let work = work.unwrap_or_default();
        self.queue.join(wish, key, work, || Rates::of(&groups));
    }

    /// Every call finds its line anew: accounts have come, gone or changed their state.
    pub(super) fn line_up_again(&mut self) {
        let now = self.clock.now();
        let leases: Vec<LeaseId> = self.queue.wishes.keys().copied().collect();
        let wishes: Vec<Wish> = leases
            .into_iter()
            .filter_map(|lease| self.queue.remove(lease))
            .collect();
        self.resting.clear();
        self.queue.line_up_at = self.roster.next_return(now);
        for wish in wishes {
            self.place(wish, now);
        }
    }

    /// What a call will likely take on a provider's route to a model.
    fn work(&self, wish: &Wish, provider: &ProviderId, model: &ModelSlug) -> Option<Work> {
        let row = self.model(model)?;
        let estimate = self
            .estimator
            .estimate(provider, row, wish.kind, &wish.size);
        let service = self.estimator.service(provider, row, wish.kind, &wish.size);
        Some(Work {
            calls: 1,
            input: estimate.input,
            output: estimate.output_p50,
            service,
        })
    }

    fn models_for(&self, wish: &Wish, now: Timestamp) -> Result<Vec<ModelSlug>, Unserved> {
        match &wish.wants {
            Wants::Role(role) => self
                .roster
                .choose(&wish.tenant, *role, &self.roles, now)
                .map(|choice| choice.models),
            Wants::Model(model) => self
                .roster
                .check(&wish.tenant, model, wish.kind.role(), now)
                .map(|()| vec![model.clone()]),
        }
    }
}

fn place(wish: &Wish) -> Place {
    Place {
        lease: wish.lease,
        tenant: wish.tenant.clone(),
        priority: wish.priority,
        path: wish.path,
        since: wish.since,
        ahead: wish.ahead,
    }
}
