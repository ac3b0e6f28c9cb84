//! Queue of [`Admission`]: each waiting call is in a line of calls with the same endpoints, or deferred to a time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chorus_core::attempt::{DispatchDecision, FailureCause};
use chorus_core::id::{CredentialId, LeaseId, ModelSlug, ProjectId, ProviderId, Tenant};
use chorus_core::task_kind::ModelRole;
use chorus_core::time::{Millis, Timestamp};

use super::{Admission, AdmissionRequest, Decided, ModelSelector, Rest};
use crate::endpoint_index::Unserved;
use crate::order::{Fairness, Line, Place, Rates, Work, aged};

/// Time after which the endpoints of a call are looked up again when none of them can take it.
const LOOK_AGAIN: Millis = Millis(5_000);

/// Key of a line: calls that may use the same endpoints. Lines of interactive calls come first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LineKey {
    task: bool,
    /// Credentials, each with the first of the chosen models that it serves.
    pub(super) places: BTreeMap<CredentialId, ModelSlug>,
}

/// Waiting calls of all tenants.
#[derive(Debug, Default)]
pub(super) struct Queue {
    requests: BTreeMap<LeaseId, Waiting>,
    pub(super) lines: BTreeMap<LineKey, (Line, Rates)>,
    asleep: BTreeSet<(Timestamp, LeaseId)>,
    /// Ends of bindings to an account that refused a call: its siblings may serve it from then on.
    bindings: BTreeSet<(Timestamp, LeaseId)>,
    tenants: BTreeMap<Tenant, usize>,
    projects: BTreeMap<ProjectId, usize>,
    pub(super) fairness: Fairness,
    /// Work of calls that were not pushed, by tenant.
    pub(super) rest: BTreeMap<Tenant, Work>,
    /// Time at which the next parked credential becomes usable.
    pub(super) line_up_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Waiting {
    request: AdmissionRequest,
    slot: QueueSlot,
}

#[derive(Debug)]
enum QueueSlot {
    Asleep(Timestamp),
    InLine(LineKey, Work),
}

impl Queue {
    pub(super) fn contains(&self, lease: LeaseId) -> bool {
        self.requests.contains_key(&lease)
    }

    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn request(&self, lease: LeaseId) -> Option<&AdmissionRequest> {
        self.requests.get(&lease).map(|waiting| &waiting.request)
    }

    /// Returns the head of a line with its order among the heads of all lines.
    pub(super) fn head(&self, key: &LineKey, now: Timestamp) -> Option<(HeadOrder, LeaseId)> {
        let (line, rates) = self.lines.get(key)?;
        let rest = line.tenant().and_then(|tenant| self.rest.get(tenant));
        let rest = rest.copied().unwrap_or_default();
        let lease = line.head(&self.fairness, rates, rest, now)?;
        let request = self.request(lease)?;
        let order = HeadOrder {
            is_task: key.task,
            priority: Reverse(aged(request.priority, request.since, now)),
            used: self.fairness.used_by(&request.tenant, request.project),
            since: request.since,
        };
        Some((order, lease))
    }

    /// Returns the line of a call, unless it was deferred.
    pub(super) fn line_of(&self, lease: LeaseId) -> Option<&LineKey> {
        match &self.requests.get(&lease)?.slot {
            QueueSlot::Asleep(_) => None,
            QueueSlot::InLine(key, _) => Some(key),
        }
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        [self.asleep.first(), self.bindings.first()]
            .into_iter()
            .flatten()
            .map(|(at, _)| *at)
            .chain(self.line_up_at)
            .min()
    }

    /// Removes and returns the calls that were deferred until now.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<AdmissionRequest> {
        let mut due = Vec::new();
        while let Some((_, lease)) = self.asleep.first().copied().filter(|(at, _)| *at <= now) {
            due.extend(self.remove(lease));
        }
        while let Some(ended) = self.bindings.first().copied().filter(|(at, _)| *at <= now) {
            self.bindings.remove(&ended);
            due.extend(self.remove(ended.1));
        }
        due
    }

    pub(super) fn remove(&mut self, lease: LeaseId) -> Option<AdmissionRequest> {
        let waiting = self.requests.remove(&lease)?;
        self.leaves(&waiting.request);
        self.bindings
            .remove(&(waiting.request.refused_until, lease));
        match waiting.slot {
            QueueSlot::Asleep(at) => drop(self.asleep.remove(&(at, lease))),
            QueueSlot::InLine(key, work) => {
                if let Some((line, _)) = self.lines.get_mut(&key) {
                    line.remove(&place(&waiting.request), work);
                    if line.is_empty() {
                        self.lines.remove(&key);
                    }
                }
            }
        }
        Some(waiting.request)
    }

    fn sleep(&mut self, request: AdmissionRequest, until: Timestamp) {
        self.asleep.insert((until, request.lease));
        self.enters(&request);
        self.requests.insert(
            request.lease,
            Waiting {
                request,
                slot: QueueSlot::Asleep(until),
            },
        );
    }

    fn enters(&mut self, request: &AdmissionRequest) {
        *self.tenants.entry(request.tenant.clone()).or_insert(0) += 1;
        if let Some(project) = request.project {
            *self.projects.entry(project).or_insert(0) += 1;
        }
    }

    fn leaves(&mut self, request: &AdmissionRequest) {
        leave(&mut self.tenants, &request.tenant);
        if let Some(project) = request.project {
            leave(&mut self.projects, &project);
        }
    }

    fn join(
        &mut self,
        request: AdmissionRequest,
        key: LineKey,
        work: Work,
        rates: impl FnOnce() -> Rates,
    ) {
        if !self.tenants.contains_key(&request.tenant) {
            self.fairness.joins(&request.tenant, self.tenants.keys());
        }
        if let Some(project) = request.project
            && !self.projects.contains_key(&project)
        {
            self.fairness
                .project_joins(project, self.projects.keys().copied());
        }
        self.enters(&request);
        if request.refused_by.is_some() {
            self.bindings.insert((request.refused_until, request.lease));
        }
        let (line, _) = self
            .lines
            .entry(key.clone())
            .or_insert_with(|| (Line::default(), rates()));
        line.push(&place(&request), work);
        self.requests.insert(
            request.lease,
            Waiting {
                request,
                slot: QueueSlot::InLine(key, work),
            },
        );
    }
}

fn leave<K: Ord>(waiting: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = waiting.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            waiting.remove(key);
        }
    }
}

impl Admission {
    /// Puts a call into the line of its endpoints, or defers it until an endpoint may take it.
    pub(super) fn place(&mut self, mut request: AdmissionRequest, now: Timestamp) {
        if request.refused_until <= now {
            request.refused_by = None;
        }
        if request.not_before > now {
            let until = request.not_before;
            return self.queue.sleep(request, until);
        }
        let models = match self.models_for(&request, now) {
            Ok(models) => models,
            Err(Unserved::Parked { until, .. }) => {
                return self
                    .queue
                    .sleep(request, until.max(now + Millis(1)).min(now + LOOK_AGAIN));
            }
            Err(unserved @ (Unserved::NoAccount(_) | Unserved::Refused { .. })) => {
                let message = unserved.to_string();
                return self.decided.push(Decided {
                    request: Box::new(request),
                    charged: 0,
                    decision: DispatchDecision::Refuse(FailureCause::NoAccount { message }),
                });
            }
        };
        let mut places: BTreeMap<CredentialId, ModelSlug> = BTreeMap::new();
        let (mut groups, mut work) = (Vec::new(), None);
        for model in &models {
            for endpoint in self
                .index
                .admissible(&request.tenant, model, request.refused_by, now)
            {
                if places.contains_key(&endpoint.credential) {
                    continue;
                }
                places.insert(endpoint.credential, model.clone());
                groups.push(endpoint.groups_for(model));
                work = work.or_else(|| self.work(&request, &endpoint.provider, model));
            }
        }
        if places.is_empty() {
            let until = (now + LOOK_AGAIN).min(request.refused_until.max(now + Millis(1)));
            return self.queue.sleep(request, until);
        }
        let key = LineKey {
            task: !request.interactive,
            places,
        };
        let work = work.unwrap_or_default();
        self.queue.join(request, key, work, || Rates::of(&groups));
    }

    /// Assigns every call to a line again, after accounts were added, removed or changed.
    pub(super) fn line_up_again(&mut self) {
        let now = self.clock.now();
        let leases: Vec<LeaseId> = self.queue.requests.keys().copied().collect();
        let requests: Vec<AdmissionRequest> = leases
            .into_iter()
            .filter_map(|lease| self.queue.remove(lease))
            .collect();
        self.resting.clear();
        self.line_up_again = false;
        let returns = [self.index.next_return(now), self.health.next_return(now)];
        self.queue.line_up_at = returns.into_iter().flatten().min();
        for request in requests {
            self.place(request, now);
        }
    }

    /// Estimated work of a call on a provider's route to a model.
    fn work(
        &self,
        request: &AdmissionRequest,
        provider: &ProviderId,
        model: &ModelSlug,
    ) -> Option<Work> {
        let row = self.model(model)?;
        let (kind, size) = (request.kind, &request.size);
        Some(Work::of(&self.estimator, provider, row, kind, size))
    }

    /// Estimated work of calls that were not pushed, by tenant.
    pub(super) fn work_of(&self, rest: &[Rest], now: Timestamp) -> BTreeMap<Tenant, Work> {
        let mut sums: BTreeMap<Tenant, Work> = BTreeMap::new();
        for one in rest {
            let role = one.kind.role();
            let choice = self.index.choose(&one.tenant, role, &self.roles, now);
            let models = choice.map(|choice| choice.models).unwrap_or_default();
            let Some(model) = models.first().and_then(|slug| self.model(slug)) else {
                continue;
            };
            let Some(provider) = model.routes.keys().next() else {
                continue;
            };
            let work = Work::of(&self.estimator, provider, model, one.kind, &one.size);
            let sum = sums.entry(one.tenant.clone()).or_default();
            *sum = *sum + work.times(one.calls);
        }
        sums
    }

    fn models_for(
        &self,
        request: &AdmissionRequest,
        now: Timestamp,
    ) -> Result<Vec<ModelSlug>, Unserved> {
        let of_role = |role: ModelRole, unfit: &[ModelSlug]| {
            let tenant = &request.tenant;
            let is_open = |model: &ModelSlug| self.is_open(tenant, model, now);
            self.index
                .choose_except(tenant, role, &self.roles, now, (unfit, is_open))
                .map(|choice| choice.models)
        };
        match &request.selector {
            ModelSelector::Role(role) => of_role(*role, &[]),
            ModelSelector::RoleExcept { role, unfit } => of_role(*role, unfit),
            ModelSelector::Model(model) => self
                .index
                .check(&request.tenant, model, request.kind.role(), now)
                .map(|()| vec![model.clone()]),
        }
    }
}

/// Order of the heads of all lines; the least one is asked for first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HeadOrder {
    is_task: bool,
    priority: Reverse<u64>,
    used: (u64, u64),
    since: Timestamp,
}

fn place(request: &AdmissionRequest) -> Place {
    Place {
        lease: request.lease,
        tenant: request.tenant.clone(),
        project: request.project,
        priority: request.priority,
        path: request.path,
        since: request.since,
        ahead: request.ahead,
    }
}
