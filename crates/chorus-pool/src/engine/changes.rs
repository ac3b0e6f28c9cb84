//! Changes of levels and times: they reach the lines that may use a group, and no other line.

use chorus_core::time::Timestamp;

use super::Engine;
use super::lines::LineState;
use crate::mirror::Fit;
use crate::targets::{GroupNo, LineNo, TargetId};

/// Number of targets about which the limiter is asked again at a poll.
const DOUBTED: usize = 16;

impl Engine {
    /// A group has other levels: bounds follow, and blocked heads that may use it are looked at.
    pub(super) fn touched(&mut self, group: GroupNo, now: Timestamp) {
        let Some(targets) = self.targets.of_group.get(group as usize) else {
            return;
        };
        for target in targets.clone() {
            self.target_changed(target, now);
        }
    }

    /// The bound of a target is other than before.
    pub(super) fn target_changed(&mut self, target: TargetId, now: Timestamp) {
        let bound = self.bound(target, now);
        for place in 0..self.targets.target(target).lines.len() {
            let (number, leaf) = self.targets.target(target).lines[place];
            if let Some(line) = self.lines.line_mut(number) {
                line.tree.set(leaf as usize, bound, now);
            }
            self.check_target(number, leaf as usize, now);
        }
    }

    pub(super) fn check_blocked(&mut self, group: GroupNo, now: Timestamp) {
        let Some(targets) = self.targets.of_group.get(group as usize) else {
            return;
        };
        for target in targets.clone() {
            for (number, leaf) in self.targets.target(target).lines.clone() {
                self.check_target(number, leaf as usize, now);
            }
        }
    }

    /// Opens a blocked line if its head fits on this target now, or wakes it when it will.
    fn check_target(&mut self, number: LineNo, leaf: usize, now: Timestamp) {
        let Some(line) = self.lines.line(number) else {
            return;
        };
        let LineState::Blocked(blocked) = &line.state else {
            return;
        };
        let (row, order, wakes_at) = (blocked.row, blocked.order, blocked.wakes_at);
        match self.look(number, line, leaf, row, &blocked.estimates, order, now) {
            Fit::Now { .. } => self.open_line(number),
            Fit::At(at, _) if at < wakes_at => {
                self.wakes.remove(&(wakes_at, number));
                self.wakes.insert((at, number));
                if let Some(line) = self.lines.line_mut(number)
                    && let LineState::Blocked(blocked) = &mut line.state
                {
                    blocked.wakes_at = at;
                }
            }
            Fit::At(..) | Fit::WhenFreed(_) | Fit::Never(_) => {}
        }
    }

    /// The time of a blocked line has come.
    pub(super) fn line_wakes(&mut self, number: LineNo, now: Timestamp) {
        let Some(line) = self.lines.line_mut(number) else {
            return;
        };
        if let LineState::Blocked(blocked) = &line.state
            && blocked.polls_at <= now
            && !line.targets.is_empty()
        {
            // A hint may be missing: some targets are asked about without regard to their mirrors.
            let count = line.targets.len();
            let first = line.doubted;
            line.doubted = (first + DOUBTED) % count;
            let turn = (first..first + DOUBTED.min(count)).map(|leaf| line.targets[leaf % count]);
            let doubted: Vec<TargetId> = turn.chain(blocked.target).collect();
            for target in doubted {
                for group in self.targets.target(target).groups.clone() {
                    self.targets.mirrors[group as usize].doubt();
                    self.touched(group, now);
                }
            }
        }
        self.open_line(number);
    }
}
