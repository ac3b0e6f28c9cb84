//! Checks of a decision before any row changes, and the fingerprint that recognises its repetition.

use chorus_core::artifact::ArtifactHash;
use chorus_core::id::Seq;
use chorus_core::port::StoreError;
use chorus_core::port::projects::Commit;

/// Place of the last event after this decision; fails when its events do not follow the stored ones.
pub fn last_event(commit: &Commit, stored: Seq) -> Result<Seq, StoreError> {
    commit.events.iter().try_fold(stored, |last, event| {
        let next = Seq(last.0 + 1);
        if event.seq == next && event.project == commit.project {
            Ok(next)
        } else {
            Err(StoreError::broken(format!(
                "a decision on {} has event {} where {} was due",
                commit.project, event.seq.0, next.0
            )))
        }
    })
}

/// Hash of the whole [`Commit`]: two calls with the same hash are the same call.
pub fn fingerprint(commit: &Commit) -> Result<ArtifactHash, StoreError> {
    let Commit {
        project,
        expected,
        head,
        tasks,
        attempts,
        cancel,
        events,
        outbox,
        budget,
        folded,
    } = commit;
    serde_json::to_vec(&(
        project, expected, head, tasks, attempts, cancel, events, outbox, budget, folded,
    ))
    .map(|text| ArtifactHash::of(&text))
    .map_err(|error| {
        let message = format!("a decision on {project} cannot be written as JSON: {error}");
        StoreError::broken(message).caused_by(error)
    })
}
