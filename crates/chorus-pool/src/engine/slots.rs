//! Slots of workers: no call is admitted that no worker can begin.

use std::collections::BTreeMap;

use chorus_core::attempt::WaitReason;
use chorus_core::id::Pool;

use super::Engine;
use super::lines::LineState;
use crate::mirror::Cause;
use crate::targets::LineNo;

/// Workers of one pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolSlots {
    /// Number of calls that may be handed out now.
    pub free: u32,
    /// Number of live workers.
    pub workers: u32,
}

impl Engine {
    /// Replaces the slots of all pools. Without a first call of this method, slots are not counted.
    pub(crate) fn set_slots(&mut self, slots: BTreeMap<Pool, PoolSlots>) {
        let has_more = |(pool, now): (&Pool, &PoolSlots)| {
            let before = self.slots.as_ref().and_then(|slots| slots.get(pool));
            now.free > before.map_or(0, |before| before.free)
        };
        let is_more = slots.iter().any(has_more);
        self.slots = Some(slots);
        if is_more {
            self.open_lines_without_slots();
        }
    }

    /// Gives back the slot of a call that has ended.
    pub(crate) fn slot_freed(&mut self, pool: &Pool) {
        let slots = self.slots.as_mut().and_then(|slots| slots.get_mut(pool));
        if let Some(slots) = slots.filter(|slots| slots.workers > 0) {
            slots.free += 1;
            if slots.free == 1 {
                self.open_lines_without_slots();
            }
        }
    }

    fn open_lines_without_slots(&mut self) {
        let waits = |blocked: &super::lines::Blocked| {
            matches!(blocked.cause, None | Some(Cause::NoSlot)) || self.slots.is_some()
        };
        let numbers: Vec<LineNo> = self
            .lines
            .numbered()
            .filter(|(_, line)| match &line.state {
                LineState::Blocked(blocked) => waits(blocked),
                LineState::Open => false,
            })
            .map(|(number, _)| number)
            .collect();
        for number in numbers {
            self.open_line(number);
        }
    }

    pub(super) fn has_slot(&self, pool: &Pool) -> bool {
        let Some(slots) = &self.slots else {
            return true;
        };
        slots.get(pool).is_some_and(|slots| slots.free > 0)
    }

    pub(super) fn take_slot(&mut self, pool: &Pool) {
        let slots = self.slots.as_mut().and_then(|slots| slots.get_mut(pool));
        if let Some(slots) = slots {
            slots.free = slots.free.saturating_sub(1);
        }
    }

    pub(super) fn no_slot(&self, pool: &Pool) -> Option<WaitReason> {
        let workers = self.slots.as_ref()?.get(pool);
        let pool = pool.clone();
        Some(match workers {
            Some(slots) if slots.workers > 0 => WaitReason::WorkerBusy { pool },
            Some(_) | None => WaitReason::NoWorker { pool },
        })
    }
}
