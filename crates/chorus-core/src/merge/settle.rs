//! Settling conflicts: by vote where the margin is clear, by the merger model's word for the rest.

use std::collections::BTreeSet;

use super::{Conflict, SettledBy, Settlement};
use crate::json;

/// Tasks that must claim a value before it can win a vote.
const VOTES: usize = 3;

/// Settles the conflicts in which one value is claimed by at least three tasks and by two thirds of all that
/// claim any; the others are left out.
pub fn settle_by_rule(conflicts: &[Conflict]) -> Vec<Settlement> {
    conflicts.iter().filter_map(vote).collect()
}

fn vote(conflict: &Conflict) -> Option<Settlement> {
    let all: usize = conflict.claims.iter().map(|claim| claim.tasks.len()).sum();
    let winner = conflict
        .claims
        .iter()
        .find(|claim| claim.tasks.len() >= VOTES && claim.tasks.len() * 3 >= all * 2)?;
    Some(Settlement {
        conflict: conflict.id.clone(),
        keep: Some(winner.id.clone()),
        reason: format!("{} of {all} claims agree", winner.tasks.len()),
        by: SettledBy::Vote,
    })
}

/// Reads the merger's answer about these conflicts. Those it does not mention are kept side by side.
pub fn read_settlements(
    answer: &str,
    conflicts: &[Conflict],
) -> Result<Vec<Settlement>, Vec<String>> {
    let found = json::read(answer, &["settlements"]).map_err(|error| vec![error])?;
    if !found.object.contains_key("settlements") {
        return Err(vec!["the object has no `settlements`".into()]);
    }
    let mut named = BTreeSet::new();
    let mut settlements: Vec<Settlement> = Vec::new();
    for object in json::list_of(&found.object, &["settlements"])
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
            settlements.push(Settlement {
                conflict: conflict.id.clone(),
                keep,
                reason,
                by: SettledBy::Model,
            });
        }
    }
    let rest = conflicts
        .iter()
        .filter(|conflict| !named.contains(&conflict.id));
    settlements.extend(rest.map(|conflict| Settlement {
        conflict: conflict.id.clone(),
        keep: None,
        reason: "the source does not decide it".into(),
        by: SettledBy::Nobody,
    }));
    let place = |settlement: &Settlement| {
        conflicts
            .iter()
            .position(|conflict| conflict.id == settlement.conflict)
    };
    settlements.sort_by_key(place);
    Ok(settlements)
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
        let settled = settle_by_rule(&[conflict("c1", votes)]);
        assert_eq!(
            settled
                .first()
                .and_then(|settlement| settlement.keep.as_deref()),
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
    fn a_mergers_answer_settles_each_conflict_once() {
        let conflicts = [
            conflict("c1", &[1, 1]),
            conflict("c2", &[1, 1]),
            conflict("c3", &[1, 1]),
        ];
        let answer = r#"{"settlements":[{"conflict":"c3","keep":null,"reason":"open"},{"conflict":"c1","keep":"b","reason":"the log says so"},
            {"conflict":"c1","keep":"a"},{"conflict":"c9","keep":"a"}]}"#;
        let settled = read_settlements(answer, &conflicts).expect("it is an answer");
        let seen: Vec<_> = settled
            .iter()
            .map(|one| (one.conflict.as_str(), one.keep.as_deref(), one.by))
            .collect();
        assert_eq!(
            seen,
            [
                ("c1", Some("b"), SettledBy::Model),
                ("c2", None, SettledBy::Nobody),
                ("c3", None, SettledBy::Model)
            ]
        );
        assert!(read_settlements("the second one", &conflicts).is_err());
    }
}
