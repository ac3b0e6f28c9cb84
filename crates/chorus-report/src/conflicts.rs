//! Conflicts with their resolutions, and the places of their claims: chapters and files.

use std::collections::BTreeMap;

use chorus_core::id::TaskKey;
use chorus_core::merge::{Claim, Resolution};
use chorus_core::plan::Part;
use chorus_core::project::Task;

use super::figures::{ClaimPlace, ConflictFigures};
use super::input::ReportInput;

pub(super) fn conflicts(input: &ReportInput) -> Vec<ConflictFigures> {
    let Some(deliverable) = &input.deliverable else {
        return Vec::new();
    };
    let resolutions = deliverable.resolutions.iter();
    let resolved: BTreeMap<&str, &Resolution> = resolutions
        .map(|resolution| (resolution.conflict.as_str(), resolution))
        .collect();
    let places = Places::of(input);
    let conflicts = deliverable.conflicts.iter();
    conflicts
        .map(|conflict| ConflictFigures {
            resolution: resolved.get(conflict.id.as_str()).copied().cloned(),
            places: conflict
                .claims
                .iter()
                .map(|claim| places.of_claim(claim))
                .collect(),
            conflict: conflict.clone(),
        })
        .collect()
}

/// Titles of tasks and paths of their parts.
struct Places<'a> {
    titles: BTreeMap<&'a TaskKey, &'a str>,
    files: BTreeMap<&'a TaskKey, &'a str>,
}

impl<'a> Places<'a> {
    fn of(input: &'a ReportInput) -> Self {
        let newest = |task: &&Task| task.superseded_by.is_none();
        let tasks = input.project.tasks.values().filter(newest);
        let files = input.plan.iter().flat_map(|plan| &plan.files);
        let parts = files.flat_map(|file| {
            let parts = file.parts.iter();
            parts.filter_map(|part| match part {
                Part::Task { task } => Some((task, file.path.as_str())),
                Part::Glossary { .. } | Part::Conflicts { .. } => None,
            })
        });
        Self {
            titles: tasks.map(|task| (&task.key, task.title.as_str())).collect(),
            files: parts.collect(),
        }
    }

    fn of_claim(&self, claim: &Claim) -> ClaimPlace {
        let names = |table: &BTreeMap<&TaskKey, &str>| -> Vec<String> {
            let mut names: Vec<String> = Vec::new();
            for name in claim.tasks.iter().filter_map(|key| table.get(key)) {
                if !names.iter().any(|known| known == name) {
                    names.push((*name).to_owned());
                }
            }
            names
        };
        ClaimPlace {
            claim: claim.id.clone(),
            titles: names(&self.titles),
            files: names(&self.files),
        }
    }
}
