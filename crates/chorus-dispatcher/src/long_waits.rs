//! Waits of whole projects that last longer than a bound, as conditions for the orchestrator.
//!
//! A project waits when none of its deliveries is under way, none was for the bound, and a row has a recorded reason
//! other than its place in the queue. The leading dispatcher sends the
//! [`Condition`](chorus_core::project::ClientCommand::Condition) once, and its end with the next delivery. A wait for a
//! limit counts only if it lasts for the bound from here on: limits that come back by themselves are no news. Where every
//! credential is parked for that long, nothing will change meanwhile, and the wait counts after [`CERTAIN`].

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::attempt::{AttemptWait, QueuedAttempt, WaitReason};
use chorus_core::id::{ProjectId, Tenant};
use chorus_core::project::LongWait;
use chorus_core::time::{Millis, Timestamp};

/// Time after which a wait counts that cannot end before the bound.
const CERTAIN: Millis = Millis::from_secs(5);

/// [`LongWait`](chorus_core::project::LongWait)s that were sent in this term.
#[derive(Debug)]
pub(crate) struct LongWaits {
    term_began: Timestamp,
    sent: BTreeMap<ProjectId, WaitReason>,
    /// Last delivery of each project in this term; a first one ends the conditions of earlier terms.
    served: BTreeMap<ProjectId, Timestamp>,
    /// Ends of conditions that could not be sent.
    unsent_ends: BTreeMap<ProjectId, Finding>,
}

/// A condition to be sent to a project; none for its end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    pub(crate) tenant: Tenant,
    pub(crate) project: ProjectId,
    pub(crate) wait: Option<LongWait>,
}

/// Rows of one project in the backlog.
struct Waiting<'a> {
    tenant: &'a Tenant,
    /// Longest recorded wait.
    longest: &'a AttemptWait,
}

impl LongWaits {
    /// No condition; the term began at `term_began`.
    pub(crate) const fn new(term_began: Timestamp) -> Self {
        Self {
            term_began,
            sent: BTreeMap::new(),
            served: BTreeMap::new(),
            unsent_ends: BTreeMap::new(),
        }
    }

    /// Records a delivery; returns the end of the project's condition, if it may have one.
    pub(crate) fn served(&mut self, row: &QueuedAttempt, now: Timestamp) -> Option<Finding> {
        let attempt = &row.attempt;
        let is_first = self.served.insert(attempt.project, now).is_none();
        let had_one = self.sent.remove(&attempt.project).is_some();
        let may_be_earlier = is_first && row.created_at < self.term_began;
        (had_one || may_be_earlier).then(|| Finding {
            tenant: attempt.tenant.clone(),
            project: attempt.project,
            wait: None,
        })
    }

    /// Forgets the condition of a project; returns its end.
    pub(crate) fn ended(&mut self, tenant: Tenant, project: ProjectId) -> Finding {
        self.sent.remove(&project);
        Finding {
            tenant,
            project,
            wait: None,
        }
    }

    /// Returns a finding that could not be sent with the next ones: a condition if it still holds, an end in any
    /// case.
    pub(crate) fn unsent(&mut self, finding: Finding) {
        self.sent.remove(&finding.project);
        if finding.wait.is_none() {
            self.unsent_ends.insert(finding.project, finding);
        }
    }

    /// Returns the conditions of projects that have waited for longer than the bound, each reason once.
    pub(crate) fn find<'a>(
        &mut self,
        rows: impl Iterator<Item = (&'a QueuedAttempt, &'a AttemptWait)>,
        under_way: &BTreeSet<ProjectId>,
        bound: Millis,
        now: Timestamp,
    ) -> Vec<Finding> {
        let mut projects: BTreeMap<ProjectId, Waiting<'a>> = BTreeMap::new();
        for (row, wait) in rows {
            let waiting = projects.entry(row.attempt.project).or_insert(Waiting {
                tenant: &row.attempt.tenant,
                longest: wait,
            });
            if wait.since < waiting.longest.since {
                waiting.longest = wait;
            }
        }
        self.sent
            .retain(|project, _| projects.contains_key(project));
        self.served.retain(|project, at| {
            let is_live = projects.contains_key(project) || under_way.contains(project);
            is_live || now.since(*at) < bound
        });
        let unsent_ends = std::mem::take(&mut self.unsent_ends);
        let mut findings: Vec<Finding> = unsent_ends.into_values().collect();
        for (project, waiting) in projects {
            let wait = waiting.longest;
            let least = least(&wait.reason, bound);
            let was_served = self
                .served
                .get(&project)
                .is_some_and(|at| now.since(*at) < least);
            let is_known = self
                .sent
                .get(&project)
                .is_some_and(|sent| sent.is_like(&wait.reason));
            if is_known || was_served || under_way.contains(&project) || !is_long(wait, bound, now)
            {
                continue;
            }
            self.sent.insert(project, wait.reason.clone());
            findings.push(Finding {
                tenant: waiting.tenant.clone(),
                project,
                wait: Some(LongWait {
                    reason: wait.reason.as_str().to_owned(),
                    message: wait.reason.sentence(|_| "an account".to_owned()),
                    detail: Some(wait.reason.clone()),
                    since: wait.since,
                    until: wait.reason.until(),
                }),
            });
        }
        findings
    }
}

/// Time for which a wait must have lasted.
fn least(reason: &WaitReason, bound: Millis) -> Millis {
    match reason {
        WaitReason::CredentialsParked { .. } => CERTAIN.min(bound),
        WaitReason::Limit { .. }
        | WaitReason::SlotsOfEndedProcess { .. }
        | WaitReason::NoAccount { .. }
        | WaitReason::NoWorker { .. }
        | WaitReason::WorkerBusy { .. }
        | WaitReason::Queue { .. }
        | WaitReason::Retry { .. }
        | WaitReason::Budget => bound,
    }
}

/// Returns true if the wait has lasted long enough and will not end soon by itself.
fn is_long(wait: &AttemptWait, bound: Millis, now: Timestamp) -> bool {
    let lasted = now.since(wait.since) >= least(&wait.reason, bound);
    let ends_late = wait.reason.until().is_none_or(|until| until >= now + bound);
    match &wait.reason {
        WaitReason::Queue { .. } | WaitReason::WorkerBusy { .. } | WaitReason::Budget => false,
        WaitReason::Limit { .. }
        | WaitReason::SlotsOfEndedProcess { .. }
        | WaitReason::Retry { .. } => lasted && ends_late && wait.reason.until().is_some(),
        WaitReason::CredentialsParked { .. } => lasted && ends_late,
        WaitReason::NoAccount { .. } | WaitReason::NoWorker { .. } => lasted,
    }
}
