//! Takes the answers of the limiter: grants become decisions, refusals correct the mirrors.

use chorus_core::attempt::{Assignment, DispatchDecision};
use chorus_core::id::LeaseId;
use chorus_core::limit::{Lease, Obstacle, Reserved};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::time::{Millis, Timestamp};

use super::Engine;
use super::find::{ASKED_AGAIN, Question, RENEWED};
use super::lines::{Blocked, LineState};
use crate::decided::Decided;
use crate::order::Fairness;
use crate::targets::{LineNo, TargetId};

/// What the shell does after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    /// The lease was granted on a credential that is gone: it is ended as unused.
    End(LeaseId),
    /// The limiter has lost its state.
    Lost,
}

impl Engine {
    /// Takes the answer to a question.
    pub(crate) fn answered(
        &mut self,
        question: &Question,
        answer: Result<Reserved, LimiterError>,
        now: Timestamp,
    ) -> Effect {
        if matches!(answer, Ok(Reserved::Wait { .. } | Reserved::Never(_))) {
            self.asked.remove(&question.lease);
        }
        match answer {
            Ok(Reserved::Granted(lease)) => return self.granted(question, lease, now),
            Ok(Reserved::Wait { at, obstacle }) => {
                self.refused(question, at, obstacle.as_ref(), now);
                if question.demand.interactive {
                    // It is asked again when its booking is due; the calls behind it are looked at as well.
                    let latest = now + RENEWED;
                    let again = at.map_or(latest, |at| at.clamp(now + ASKED_AGAIN, latest));
                    if let Some(line) = self.lines.line_mut(question.line) {
                        line.asked.retain(|(row, _)| *row != question.row);
                        line.asked.push((question.row, again));
                    }
                    self.open_line(question.line);
                }
            }
            Ok(Reserved::Never(_)) => {
                if let Some(line) = self.lines.line_mut(question.line) {
                    let fresh = (question.row, Vec::new());
                    let never = line.never.get_or_insert_with(|| fresh.clone());
                    if never.0 != question.row {
                        *never = fresh;
                    }
                    never.1.push(question.target);
                }
            }
            Err(LimiterError::StateLost) => {
                self.state_lost(now);
                return Effect::Lost;
            }
            Err(problem @ LimiterError::Unavailable { .. }) => {
                tracing::warn!(error = %problem, "failed to reserve, asking again");
                self.ask_later(question.line, question.row, now);
            }
        }
        Effect::Nothing
    }

    /// Asks for the head of a line again after a poll.
    fn ask_later(&mut self, number: LineNo, row: u32, now: Timestamp) {
        let Some(order) = self.lines.line(number).and_then(|line| line.order) else {
            return;
        };
        self.sorted.remove(&(order, number));
        let at = now + self.settings.poll.max(Millis(1));
        if let Some(line) = self.lines.line_mut(number) {
            line.order = None;
            line.state = LineState::Blocked(Box::new(Blocked {
                row,
                order,
                estimates: Vec::new(),
                target: None,
                cause: None,
                at: None,
                wakes_at: at,
                polls_at: at,
                booked: Vec::new(),
            }));
            self.wakes.insert((at, number));
        }
    }

    fn refused(
        &mut self,
        question: &Question,
        at: Option<Timestamp>,
        obstacle: Option<&Obstacle>,
        now: Timestamp,
    ) {
        let groups = self.targets.target(question.target).groups.clone();
        let named = obstacle.and_then(|obstacle| self.targets.group_number(&obstacle.group));
        for group in groups {
            if named.is_none_or(|named| named == group) {
                let mirror = &mut self.targets.mirrors[group as usize];
                mirror.refused(&question.estimate, obstacle, at, now);
                self.touched(group, now);
            }
        }
    }

    fn granted(&mut self, question: &Question, lease: Lease, now: Timestamp) -> Effect {
        let Some(row) = self.rows.find(question.lease) else {
            return Effect::Nothing;
        };
        let Some(target) = self.granted_target(question, &lease) else {
            // An earlier request, the reply to which was lost, was granted on a credential that is gone since.
            self.ask_later(question.line, row, now);
            return Effect::End(question.lease);
        };
        let estimate = question.estimate;
        let payer = self.rows.row(row).payer;
        self.started(target, &lease, now);
        if target == question.target {
            self.targets.target_mut(target).choices[question.because as usize] += 1;
        }
        if let Some(prefix) = self.rows.prefix(row) {
            self.prefixes.used(prefix.key, target, now);
        }
        let request = Box::new(self.take(row));
        let charged = Fairness::weight(estimate.input, estimate.output_p50);
        self.add_use(payer, charged, 0);
        self.open_line(question.line);
        self.counts.granted += 1;
        let (of_target, route) = (self.targets.target(target), self.targets.route_of(target));
        let assignment = Assignment {
            account: of_target.account,
            provider: route.provider.clone(),
            model: route.model.clone(),
            pool: route.pool.clone(),
            estimate: estimate.cost,
            resets: of_target.resets.clone(),
            lease,
        };
        self.take_slot(&assignment.pool);
        self.decided.push(Decided {
            request,
            charged,
            decision: DispatchDecision::Send(Box::new(assignment)),
            because: Some(question.because),
        });
        Effect::Nothing
    }

    /// Target that a lease was granted on: the one that was asked for, or one of an earlier request.
    fn granted_target(&self, question: &Question, lease: &Lease) -> Option<TargetId> {
        if self.targets.target(question.target).credential == lease.credential {
            return Some(question.target);
        }
        let line = self.lines.line(question.line)?;
        let mut targets = line.targets.iter().copied();
        targets.find(|target| self.targets.target(*target).credential == lease.credential)
    }

    /// Counts a call that begins on a target.
    fn started(&mut self, number: TargetId, lease: &Lease, now: Timestamp) {
        self.uses += 1;
        let uses = self.uses;
        let target = self.targets.target_mut(number);
        target.in_flight += 1;
        target.last_use = uses;
        let (account, groups) = (target.account, target.groups.clone());
        let lines = target.lines.clone();
        for (line, _) in lines {
            if let Some(line) = self.lines.line_mut(line) {
                line.in_flight += 1;
            }
        }
        for group in groups {
            self.targets.mirrors[group as usize].granted(lease, now);
        }
        let bound = self.bound(number, now);
        for (line, leaf) in self.targets.target(number).lines.clone() {
            if let Some(line) = self.lines.line_mut(line) {
                line.tree.lower(leaf as usize, bound);
            }
        }
        let route = self.targets.route_of(number);
        let (provider, model) = (route.provider.clone(), route.model.clone());
        // A probe has begun: calls that may go elsewhere do not wait for it.
        let is_probe = self.health.started(account, &provider, &model, now)
            | self.breakers.started(&provider, &model, now);
        if is_probe {
            self.account_changed(account, &provider, now);
            self.route_changed(&provider, &model, now);
        }
    }
}
