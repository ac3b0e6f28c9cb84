//! Merging, as far as it needs artifacts: results are read, conflicts found and resolved by rule or carried
//! over, files made and stored. What cannot be resolved so is handed to a model, once.

use bytes::Bytes;
use chorus_core::merge::{self, Deliverable, FileText, MergedFile, Resolution};
use chorus_core::plan::{Part, Plan};
use chorus_core::project::{Conflicts, Merge};
use chorus_core::verdict::{self, Verdict};

use crate::aggregate::Aggregate;
use crate::context::Context;
use crate::shelf::Missing;
use crate::{material, opening};

/// Version of the stored form of deliverables.
const DELIVERABLE: u32 = 1;

/// Merges the results that stand. `resolutions` are a model's word on the conflicts that the ledger holds open.
pub(crate) async fn merge(
    context: &Context,
    aggregate: &mut Aggregate,
    resolutions: Vec<Resolution>,
    ask_model: bool,
) -> Result<Merge, Missing> {
    let plan = opening::plan(context, aggregate).await?.ok_or(Missing {
        what: "the plan",
        hash: aggregate.project.head.brief,
    })?;
    let results = material::results(context, aggregate, &plan).await?;
    let before = material::ledger(context, aggregate).await?;
    let mut draft = LedgerDraft::new(merge::conflicts(&plan, &results), &before, resolutions);
    if ask_model && !draft.ledger.open().is_empty() {
        let ledger = aggregate.shelf.put(context, &draft.ledger).await;
        return Ok(Merge::Open {
            conflicts: ledger,
            found: draft.found,
            resolved: draft.resolved,
        });
    }
    draft.close();
    let LedgerDraft {
        ledger,
        found,
        resolved,
    } = draft;
    let files = merge::files(&plan, &results, &ledger.conflicts, &ledger.resolutions);
    let merged = store(context, aggregate, &files).await;
    let Conflicts {
        conflicts,
        resolutions,
        ..
    } = ledger.clone();
    let deliverable = Deliverable {
        version: DELIVERABLE,
        files: merged,
        conflicts,
        resolutions,
    };
    Ok(Merge::Whole {
        conflicts: aggregate.shelf.put(context, &ledger).await,
        found,
        resolved,
        deliverable: aggregate.shelf.put(context, &deliverable).await,
        files: deliverable
            .files
            .iter()
            .map(|file| file.path.clone())
            .collect(),
        missing: missing(&plan, &results),
        check: Verdict {
            items: verdict::check(&plan, &files),
        },
        parts: u32::try_from(
            merge::framed_for_judge(&plan, &files, aggregate.sizes.judge_tokens).len(),
        )
        .unwrap_or(u32::MAX),
    })
}

/// A ledger in the making, with what is new in it.
struct LedgerDraft {
    ledger: Conflicts,
    found: Vec<merge::Conflict>,
    resolved: Vec<Resolution>,
}

impl LedgerDraft {
    /// Each conflict as it was resolved before, else as the model says, else by rule.
    fn new(conflicts: Vec<merge::Conflict>, before: &Conflicts, said: Vec<Resolution>) -> Self {
        let found = conflicts
            .iter()
            .filter(|conflict| !before.knows(conflict))
            .cloned()
            .collect();
        let mut resolutions: Vec<_> = conflicts
            .iter()
            .filter_map(|conflict| before.resolved(conflict))
            .collect();
        let mut resolved = Vec::new();
        for resolution in said.into_iter().chain(merge::resolve_by_rule(&conflicts)) {
            let known = conflicts
                .iter()
                .any(|conflict| conflict.id == resolution.conflict);
            if known
                && !resolutions
                    .iter()
                    .any(|other| other.conflict == resolution.conflict)
            {
                resolutions.push(resolution.clone());
                resolved.push(resolution);
            }
        }
        Self {
            ledger: Conflicts {
                version: Conflicts::VERSION,
                conflicts,
                resolutions,
            }
            .in_order(),
            found,
            resolved,
        }
    }

    /// Resolves by nobody what nobody resolved.
    fn close(&mut self) {
        let open = self.ledger.open();
        self.ledger = std::mem::take(&mut self.ledger).closed().in_order();
        let by_nobody = |resolution: &&Resolution| {
            open.iter()
                .any(|conflict| conflict.id == resolution.conflict)
        };
        self.resolved
            .extend(self.ledger.resolutions.iter().filter(by_nobody).cloned());
    }
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
            content: aggregate.shelf.put_bytes(context, bytes).await,
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
