//! The groups of a lease that the signals of its reply speak about.
//!
//! A credential may draw on several groups, as an organisation and a project. A level of a header is that of
//! the limit with the shown amount, else of the limit nearest to it. A refusal is that of the group with a
//! level that is used up, else of the group that has such a limit and the least left.

use chorus_core::failure::GroupReaction;
use chorus_core::limit::{LimitSignals, ObservedLevel};
use chorus_core::time::Timestamp;

use super::Ledger;
use super::group_key::GroupKey;

/// Part of the signals that speaks about one group.
#[derive(Debug, Clone, Default)]
pub(super) struct Addressed {
    /// Levels, each with the index of its limit.
    pub(super) levels: Vec<(ObservedLevel, usize)>,
    /// True if the refusal is about this group.
    pub(super) is_refused: bool,
}

impl Ledger {
    /// Returns what the signals say about each of these groups.
    pub(super) fn addressed(
        &mut self,
        keys: &[GroupKey],
        signals: &LimitSignals,
        now: Timestamp,
    ) -> Vec<Addressed> {
        let mut addressed = vec![Addressed::default(); keys.len()];
        for level in &signals.levels {
            let nearest = keys
                .iter()
                .enumerate()
                .filter_map(|(number, id)| {
                    let (differs, place) = self.groups.get(*id)?.place_of(level)?;
                    Some((differs, number, place))
                })
                .min();
            if let Some((_, number, place)) = nearest {
                addressed[number].levels.push((*level, place));
            }
        }
        for number in self.refused(keys, signals.reaction(), &addressed, now) {
            addressed[number].is_refused = true;
        }
        addressed
    }

    /// Returns the indexes of the groups that a refusal is about.
    fn refused(
        &mut self,
        keys: &[GroupKey],
        reaction: GroupReaction,
        addressed: &[Addressed],
        now: Timestamp,
    ) -> Vec<usize> {
        let known = (0..keys.len()).filter(|number| self.groups.get(keys[*number]).is_some());
        let known: Vec<usize> = known.collect();
        if reaction == GroupReaction::CloseBucket {
            let is_used_up = |number: &usize| {
                let mut levels = addressed[*number].levels.iter();
                levels.any(|(level, _)| level.remaining == Some(0))
            };
            let named: Vec<usize> = known.iter().copied().filter(is_used_up).collect();
            if !named.is_empty() {
                return named;
            }
            let mut share = |number: &usize| {
                let scarcest = self.groups.get_mut(keys[*number])?.scarcest(now)?;
                Some((scarcest.0, *number))
            };
            let scarcest = known.iter().filter_map(&mut share).min();
            return scarcest.map_or(known, |(_, number)| vec![number]);
        }
        let has_limit = |number: &usize| {
            let group = self.groups.get(keys[*number]);
            group.is_some_and(|group| group.has_limit_of(reaction))
        };
        let concerned: Vec<usize> = known.iter().copied().filter(has_limit).collect();
        if concerned.is_empty() {
            known
        } else {
            concerned
        }
    }
}
