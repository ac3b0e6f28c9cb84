//! Merges results into a [`Deliverable`]: reads the results, finds conflicts, resolves them by rule or as in earlier
//! merges, and stores the merged files.
//!
//! Conflicts that remain are handed to a model once; the rules of merging are core's [`merge`](chorus_core::merge).

use bytes::Bytes;
use chorus_core::merge::{self, Deliverable, FileText, MergedFile, Resolution};
use chorus_core::plan::{Part, Plan};
use chorus_core::project::{Conflicts, Merge};
use chorus_core::verdict;
use chorus_syntax::Parsers;

use crate::aggregate::Aggregate;
use crate::artifact_cache::Missing;
use crate::context::Context;
use crate::inputs;

/// Version of the stored form of a [`Deliverable`].
const DELIVERABLE: u32 = 1;

/// Merges the results of the active tasks. `resolutions` are a model's answers to the open conflicts; with
/// `ask_model`, open conflicts end the merge as [`Merge::Open`].
pub(crate) async fn merge(
    context: &Context,
    aggregate: &mut Aggregate,
    resolutions: Vec<Resolution>,
    ask_model: bool,
) -> Result<Merge, Missing> {
    let plan = inputs::expect_plan(context, aggregate).await?;
    let results = inputs::results(context, aggregate, &plan).await?;
    let before = inputs::conflicts(context, aggregate).await?;
    let mut draft = ConflictDraft::new(merge::conflicts(&plan, &results), &before, resolutions);
    if ask_model && !draft.conflicts.open().is_empty() {
        let conflicts = aggregate.artifacts.put(context, &draft.conflicts).await;
        return Ok(Merge::Open {
            conflicts,
            found: draft.found,
            resolved: draft.resolved,
        });
    }
    draft.close();
    let ConflictDraft {
        conflicts: all,
        found,
        resolved,
    } = draft;
    let files = merge::files(&plan, &results, &all.conflicts, &all.resolutions);
    let merged = store(context, aggregate, &files).await;
    let Conflicts {
        conflicts,
        resolutions,
        ..
    } = all.clone();
    let deliverable = Deliverable {
        version: DELIVERABLE,
        files: merged,
        conflicts,
        resolutions,
    };
    Ok(Merge::Whole {
        conflicts: aggregate.artifacts.put(context, &all).await,
        found,
        resolved,
        deliverable: aggregate.artifacts.put(context, &deliverable).await,
        files: deliverable
            .files
            .iter()
            .map(|file| file.path.clone())
            .collect(),
        missing: missing(&plan, &results),
        check: verdict::check(&plan, &files, &Parsers),
        parts: u32::try_from(
            merge::chunks_to_judge(&plan, &files, aggregate.sizes.judge_tokens).len(),
        )
        .unwrap_or(u32::MAX),
    })
}

/// Conflicts of a merge under construction, with those found and resolved by this merge.
struct ConflictDraft {
    conflicts: Conflicts,
    found: Vec<merge::Conflict>,
    resolved: Vec<Resolution>,
}

impl ConflictDraft {
    /// Resolves each conflict as before, else as the model answered, else by rule.
    fn new(conflicts: Vec<merge::Conflict>, before: &Conflicts, answered: Vec<Resolution>) -> Self {
        let found = conflicts
            .iter()
            .filter(|conflict| !before.knows(conflict))
            .cloned()
            .collect();
        let mut resolutions: Vec<_> = conflicts
            .iter()
            .filter_map(|conflict| before.resolved(conflict))
            .collect();
        let proposed = answered
            .into_iter()
            .chain(merge::resolve_by_rule(&conflicts));
        let resolved = first_of_each(proposed, &conflicts, &resolutions);
        resolutions.extend(resolved.iter().cloned());
        let conflicts = Conflicts {
            version: Conflicts::VERSION,
            conflicts,
            resolutions,
        };
        Self {
            conflicts: conflicts.in_order(),
            found,
            resolved,
        }
    }

    /// Closes conflicts without a resolution: the deliverable shows all their claims.
    fn close(&mut self) {
        let open = self.conflicts.open();
        self.conflicts = std::mem::take(&mut self.conflicts).closed().in_order();
        let unresolved = |resolution: &&Resolution| {
            open.iter()
                .any(|conflict| conflict.id == resolution.conflict)
        };
        self.resolved.extend(
            self.conflicts
                .resolutions
                .iter()
                .filter(unresolved)
                .cloned(),
        );
    }
}

/// The first proposed resolution of each of these conflicts that has none yet.
fn first_of_each(
    proposed: impl Iterator<Item = Resolution>,
    conflicts: &[merge::Conflict],
    resolutions: &[Resolution],
) -> Vec<Resolution> {
    let mut first: Vec<Resolution> = Vec::new();
    for resolution in proposed {
        let same = |other: &Resolution| other.conflict == resolution.conflict;
        let known = conflicts
            .iter()
            .any(|conflict| conflict.id == resolution.conflict);
        if known && !resolutions.iter().chain(&first).any(same) {
            first.push(resolution);
        }
    }
    first
}

async fn store(
    context: &Context,
    aggregate: &mut Aggregate,
    files: &[FileText],
) -> Vec<MergedFile> {
    let mut merged = Vec::with_capacity(files.len());
    for file in files {
        let bytes = Bytes::from(file.text.clone());
        merged.push(MergedFile {
            path: file.path.clone(),
            media_type: file.media_type.clone(),
            bytes: bytes.len() as u64,
            content: aggregate.artifacts.put_bytes(context, bytes).await,
        });
    }
    merged.sort_by(|one, other| one.path.cmp(&other.path));
    merged
}

fn missing<V>(
    plan: &Plan,
    results: &std::collections::BTreeMap<chorus_core::id::TaskKey, V>,
) -> Vec<chorus_core::id::TaskKey> {
    let parts = plan
        .files
        .iter()
        .flat_map(|file| &file.parts)
        .filter_map(|part| match part {
            Part::Task { task } => Some(task),
            Part::Glossary { .. } | Part::Conflicts { .. } => None,
        });
    parts
        .filter(|task| !results.contains_key(task))
        .cloned()
        .collect()
}
