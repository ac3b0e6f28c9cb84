//! Checks what clients see: states, deliverables, events.

use std::collections::BTreeMap;

use chorus_bench::cluster::rows::Files;

use super::Check;
use crate::census::Census;
use crate::runs::Run;

/// Checks that every project of a run is done.
pub(crate) fn done(census: &Census, run: &Run) -> Check {
    let mut states: BTreeMap<&str, u32> = BTreeMap::new();
    let mut faults = Vec::new();
    for (name, id) in &run.projects {
        let state = census
            .project(id)
            .map_or("missing", |project| project.state.as_str());
        *states.entry(state).or_default() += 1;
        if state != "done" {
            faults.push(format!("{name} ({id}) is {state}"));
        }
    }
    if run.projects.is_empty() {
        faults.push("there was no project".to_owned());
    }
    let saw = states
        .iter()
        .map(|(state, many)| format!("{many} {state}"))
        .collect::<Vec<_>>()
        .join(", ");
    Check::new(
        &format!("every project of the {} run completes", run.name),
        format!("{saw} in {:.0} s", run.seconds),
        faults,
    )
}

/// Checks that every deliverable equals that of the undisturbed run, byte for byte.
pub(crate) fn equal(
    run: &str,
    undisturbed: &BTreeMap<String, Files>,
    files: &BTreeMap<String, Files>,
) -> Check {
    let mut faults = Vec::new();
    for (name, own) in files {
        match undisturbed.get(name) {
            _ if own.is_empty() => faults.push(format!("{name}: there is no file")),
            Some(expected) if expected == own => {}
            Some(expected) => faults.push(format!("{name}: {own:?}, undisturbed {expected:?}")),
            None => faults.push(format!("{name}: there was no undisturbed run")),
        }
    }
    let count: usize = files.values().map(BTreeMap::len).sum();
    let saw = format!("{count} files of {} projects", files.len());
    Check::new(
        &format!("deliverables of the {run} run equal the undisturbed ones"),
        saw,
        faults,
    )
}

/// Checks that the files received by clients equal the rows.
pub(crate) fn received(
    run: &str,
    files: &BTreeMap<String, Files>,
    received_files: &BTreeMap<String, anyhow::Result<Files>>,
) -> Check {
    let mut faults = Vec::new();
    for (name, got) in received_files {
        let expected = files.get(name.trim_end_matches(" by the command line"));
        match got {
            Ok(got) if Some(got) == expected => {}
            Ok(got) => faults.push(format!("{name}: the client has {got:?}")),
            Err(error) => faults.push(format!("{name}: {error:#}")),
        }
    }
    let saw = format!(
        "{} deliverables fetched from the gateway or written by the command line",
        received_files.len()
    );
    Check::new(
        &format!("clients of the {run} run have what was delivered"),
        saw,
        faults,
    )
}

/// Checks that events have consecutive sequence numbers in the rows, and that each client received
/// each event once, in order.
pub(crate) fn events(census: &Census, run: &Run) -> Check {
    let mut faults = Vec::new();
    let (mut events, mut listeners, mut streams) = (0, 0, 0);
    for (name, id) in &run.projects {
        let sequence = census.events.get(id).cloned().unwrap_or_default();
        events += sequence.len();
        let expected: Vec<i64> = (1..).take(sequence.len()).collect();
        if sequence.is_empty() || sequence != expected {
            faults.push(format!("{name}: the sequence in the rows is {sequence:?}"));
        }
        if let Some(received) = run.events.get(id) {
            listeners += 1;
            streams += received.streams();
            if received.sequence() != expected {
                faults.push(format!(
                    "{name}: the client received {:?}",
                    received.sequence()
                ));
            }
        }
    }
    let saw = format!(
        "{events} events of {} projects, {listeners} clients received theirs over {streams} streams",
        run.projects.len()
    );
    Check::new(
        &format!(
            "events of the {} run are consecutive, none missing, none doubled",
            run.name
        ),
        saw,
        faults,
    )
}

/// A sentence about each attempt in a state that is not final.
fn live_attempts(census: &Census) -> Vec<String> {
    let terminal = ["succeeded", "asked", "failed", "cancelled"];
    census
        .attempts
        .iter()
        .filter(|attempt| !terminal.contains(&attempt.state.as_str()))
        .map(|attempt| {
            format!(
                "{} of {} is {} at epoch {}",
                attempt.id, attempt.project, attempt.state, attempt.epoch
            )
        })
        .collect()
}

/// Checks that nothing is in progress: no live attempt, no reserved money, no record unsent or
/// unfolded.
pub(crate) fn resolved(census: &Census) -> Check {
    let mut faults = live_attempts(census);
    faults.extend(
        census
            .projects
            .iter()
            .filter(|project| project.reserved != 0)
            .map(|project| {
                format!(
                    "{} still has {} millionths of a dollar set aside",
                    project.id, project.reserved
                )
            }),
    );
    if census.unresolved != (0, 0) {
        faults.push(format!(
            "{} records were never sent, {} never folded",
            census.unresolved.0, census.unresolved.1
        ));
    }
    let wasted: i64 = census.projects.iter().map(|project| project.wasted).sum();
    let saw = format!(
        "{} attempts over; {:.4} dollars of waste shown",
        census.attempts.len(),
        wasted as f64 / 1e6
    );
    Check::new("nothing is left under way", saw, faults)
}
