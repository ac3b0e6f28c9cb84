//! Projects kept in memory between their records; the one that was folded least recently goes first.
//!
//! The [`Orchestrator`](crate::Orchestrator) takes a project out while it is folded, and puts it back afterwards.

use std::collections::BTreeMap;

use chorus_core::id::ProjectId;

/// Values by project, in order of their last use.
#[derive(Debug)]
pub(crate) struct ProjectCache<T> {
    entries: BTreeMap<ProjectId, (u64, T)>,
    /// Number of insertions so far.
    uses: u64,
}

impl<T> Default for ProjectCache<T> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            uses: 0,
        }
    }
}

impl<T> ProjectCache<T> {
    /// Takes a project out.
    pub(crate) fn take(&mut self, project: ProjectId) -> Option<T> {
        self.entries.remove(&project).map(|(_, value)| value)
    }

    /// Keeps a project, and drops the least recent ones beyond so many.
    pub(crate) fn insert(&mut self, project: ProjectId, value: T, most: usize) {
        self.uses += 1;
        self.entries.insert(project, (self.uses, value));
        while self.entries.len() > most {
            let oldest = self.entries.iter().min_by_key(|(_, (used, _))| *used);
            let Some(oldest) = oldest.map(|(project, _)| *project) else {
                return;
            };
            self.entries.remove(&oldest);
        }
    }

    /// Keeps only the projects that pass the filter.
    pub(crate) fn retain(&mut self, keep: impl Fn(&ProjectId) -> bool) {
        self.entries.retain(|project, _| keep(project));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_project_that_is_busy_stays_and_an_idle_one_goes() {
        let mut cache = ProjectCache::default();
        let [old, idle, new] = [1, 2, 3].map(ProjectId::new);
        cache.insert(old, "old", 2);
        cache.insert(idle, "idle", 2);
        let folded = cache.take(old).expect("it is kept");
        cache.insert(old, folded, 2);
        cache.insert(new, "new", 2);
        assert_eq!(cache.take(idle), None);
        assert_eq!(
            (cache.take(old), cache.take(new)),
            (Some("old"), Some("new"))
        );
    }
}
