//! Resolution of conflicts: by vote where the margin is clear, by the merger model for the rest.

use std::collections::BTreeSet;

use super::{Conflict, Resolution, ResolvedBy};
use crate::json;

/// Number of tasks that must claim a value before it can win a vote.
const VOTES: usize = 3;

/// Resolves the conflicts in which one value is claimed by at least three tasks and by two thirds
/// of all that claim any; leaves the others out.
pub fn resolve_by_rule(conflicts: &[Conflict]) -> Vec<Resolution> {
    conflicts.iter().filter_map(vote).collect()
}

fn vote(conflict: &Conflict) -> Option<Resolution> {
    let all: usize = conflict.claims.iter().map(|claim| claim.tasks.len()).sum();
    let winner = conflict
        .claims
        .iter()
        .find(|claim| claim.tasks.len() >= VOTES && claim.tasks.len() * 3 >= all * 2)?;
    Some(Resolution {
        conflict: conflict.id.clone(),
        keep: Some(winner.id.clone()),
        reason: format!("{} of {all} claims agree", winner.tasks.len()),
        by: ResolvedBy::Vote,
    })
}

/// Reads the merger's answer about these conflicts, in their order. Those it does not mention keep
/// both claims, by [`ResolvedBy::Undecided`].
pub fn read_resolutions(
    answer: &str,
    conflicts: &[Conflict],
) -> Result<Vec<Resolution>, Vec<String>> {
    let found = json::read(answer, &["resolutions"]).map_err(|error| vec![error])?;
    if !found.object.contains_key("resolutions") {
        return Err(vec!["the object has no `resolutions`".into()]);
    }
    let mut named = BTreeSet::new();
    let mut resolutions: Vec<Resolution> = Vec::new();
    for object in json::list_of(&found.object, &["resolutions"])
        .iter()
        .filter_map(|value| value.as_object())
    {
        let Some(conflict) = json::text_of(object, &["conflict", "id"])
            .and_then(|id| conflicts.iter().find(|other| other.id == id))
        else {
            continue;
        };
        let keep = json::text_of(object, &["keep", "claim"]);
        let keep = keep.and_then(|keep| {
            conflict
                .claims
                .iter()
                .find(|claim| claim.id == keep || claim.value == keep)
        });
        let reason = json::text_of(object, &["reason", "why"]).unwrap_or_default();
        if named.insert(conflict.id.clone()) {
            let keep = keep.map(|claim| claim.id.clone());
            resolutions.push(Resolution {
                conflict: conflict.id.clone(),
                keep,
                reason,
                by: ResolvedBy::Model,
            });
        }
    }
    let rest = conflicts
        .iter()
        .filter(|conflict| !named.contains(&conflict.id));
    resolutions.extend(rest.map(|conflict| Resolution {
        conflict: conflict.id.clone(),
        keep: None,
        reason: "the source does not decide it".into(),
        by: ResolvedBy::Undecided,
    }));
    let place = |resolution: &Resolution| {
        conflicts
            .iter()
            .position(|conflict| conflict.id == resolution.conflict)
    };
    resolutions.sort_by_key(place);
    Ok(resolutions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TaskKey;
    use crate::merge::Claim;

    fn conflict(id: &str, votes: &[usize]) -> Conflict {
        let claim = |(at, votes): (usize, &usize)| Claim {
            id: ["a", "b", "c"][at].into(),
            value: format!("value {at}"),
            tasks: (0..*votes)
                .map(|task| TaskKey::new(format!("t{at}{task}")))
                .collect(),
            quote: String::new(),
        };
        Conflict {
            id: id.into(),
            subject: "s".into(),
            claims: votes.iter().enumerate().map(claim).collect(),
        }
    }

    fn check(votes: &[usize], keep: Option<&str>) {
        let resolved = resolve_by_rule(&[conflict("c1", votes)]);
        assert_eq!(
            resolved
                .first()
                .and_then(|resolution| resolution.keep.as_deref()),
            keep,
            "{votes:?}"
        );
    }

    #[test]
    fn a_vote_needs_three_tasks_and_two_thirds() {
        check(&[1, 1], None);
        check(&[2, 1], None);
        check(&[3, 1], Some("a"));
        check(&[1, 4, 1], Some("b"));
        check(&[3, 2], None);
        check(&[6, 3], Some("a"));
    }

    #[test]
    fn a_mergers_answer_resolves_each_conflict_once() {
        let conflicts = [
            conflict("c1", &[1, 1]),
            conflict("c2", &[1, 1]),
            conflict("c3", &[1, 1]),
        ];
        let answer = r#"{"resolutions":[{"conflict":"c3","keep":null,"reason":"open"},{"conflict":"c1","keep":"b","reason":"the log says so"},
            {"conflict":"c1","keep":"a"},{"conflict":"c9","keep":"a"}]}"#;
        let resolved = read_resolutions(answer, &conflicts).expect("it is an answer");
        let seen: Vec<_> = resolved
            .iter()
            .map(|one| (one.conflict.as_str(), one.keep.as_deref(), one.by))
            .collect();
        assert_eq!(
            seen,
            [
                ("c1", Some("b"), ResolvedBy::Model),
                ("c2", None, ResolvedBy::Undecided),
                ("c3", None, ResolvedBy::Model)
            ]
        );
        assert!(read_resolutions("the second one", &conflicts).is_err());
    }
}
