//! Finding of claims that contradict each other: facts with one subject and several values, terms
//! with numbers that differ.

use std::collections::BTreeMap;

use super::value::{agree, numbers, subject};
use super::{Claim, Conflict, Fact, WorkResult};
use crate::id::TaskKey;
use crate::plan::Plan;

/// Returns the conflicts among results, in plan order; each is found once, however many tasks claim
/// its sides.
pub fn conflicts(plan: &Plan, results: &BTreeMap<TaskKey, WorkResult>) -> Vec<Conflict> {
    let mut topics: Vec<Topic> = Vec::new();
    let mut places: BTreeMap<(Kind, String), usize> = BTreeMap::new();
    for (task, result) in in_order(plan, results) {
        let terms = result.terms.iter().map(definition);
        for (kind, fact) in result
            .facts
            .iter()
            .map(|fact| (Kind::Fact, fact.clone()))
            .chain(terms.map(|fact| (Kind::Term, fact)))
        {
            let name = (kind, subject(&fact.subject));
            let at = *places.entry(name).or_insert_with(|| {
                topics.push(Topic {
                    kind,
                    subject: fact.subject.clone(),
                    claims: Vec::new(),
                });
                topics.len() - 1
            });
            topics[at].add(task, &fact);
        }
    }
    let disputed = topics.into_iter().filter_map(Topic::dispute).enumerate();
    disputed
        .map(|(at, (subject, claims))| Conflict {
            id: format!("c{}", at + 1),
            subject,
            claims,
        })
        .collect()
}

/// Returns the results that exist, in plan order.
pub(super) fn in_order<'a>(
    plan: &'a Plan,
    results: &'a BTreeMap<TaskKey, WorkResult>,
) -> impl Iterator<Item = (&'a TaskKey, &'a WorkResult)> {
    plan.tasks
        .iter()
        .filter_map(|task| results.get(&task.key).map(|result| (&task.key, result)))
}

/// Returns the subject of a conflict about a term.
pub(super) fn term_subject(term: &str) -> String {
    format!("meaning of “{term}”")
}

fn definition(term: &super::Term) -> Fact {
    Fact {
        subject: term.term.clone(),
        value: term.meaning.clone(),
        quote: String::new(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Fact,
    Term,
}

/// All claims about one subject.
struct Topic {
    kind: Kind,
    subject: String,
    claims: Vec<Claim>,
}

impl Topic {
    fn add(&mut self, task: &TaskKey, fact: &Fact) {
        let same = match self.kind {
            Kind::Fact => |left: &str, right: &str| agree(left, right),
            Kind::Term => |left: &str, right: &str| definitions_agree(left, right),
        };
        match self
            .claims
            .iter_mut()
            .find(|claim| same(&claim.value, &fact.value))
        {
            Some(claim) => {
                if !claim.tasks.contains(task) {
                    claim.tasks.push(task.clone());
                }
                if claim.quote.is_empty() {
                    claim.quote.clone_from(&fact.quote);
                }
            }
            None => self.claims.push(Claim {
                id: letter(self.claims.len()),
                value: fact.value.clone(),
                tasks: vec![task.clone()],
                quote: fact.quote.clone(),
            }),
        }
    }

    /// Returns subject and claims when the claims contradict each other. Several values without
    /// numbers from one task alone are a list of its own making (members of a crew), not a dispute.
    fn dispute(self) -> Option<(String, Vec<Claim>)> {
        let first = self.claims.first()?;
        let listed = |claim: &Claim| {
            claim.tasks.iter().all(|task| first.tasks.contains(task))
                && numbers(&claim.value).is_empty()
        };
        let several = self.claims.len() > 1;
        let list = self.claims.iter().all(listed) && first.tasks.len() == 1;
        let subject = if self.kind == Kind::Term {
            term_subject(&self.subject)
        } else {
            self.subject
        };
        (several && !list).then_some((subject, self.claims))
    }
}

/// Returns true unless the numbers differ: two definitions may differ in wording.
fn definitions_agree(left: &str, right: &str) -> bool {
    let (left, right) = (numbers(left), numbers(right));
    left.is_subset(&right) || right.is_subset(&left)
}

/// Returns the id of a claim: `a`, `b`, … `z`, `a1`, `b1`, …
fn letter(at: usize) -> String {
    let letter = char::from(b'a' + u8::try_from(at % 26).expect("a remainder of 26 is small"));
    if at < 26 {
        letter.to_string()
    } else {
        format!("{letter}{}", at / 26)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::merge::Term;
    use crate::plan::sketch;

    /// Facts and terms of three tasks, each as `task subject = value` or `task term: meaning`.
    fn check(lines: &[&str], expected: &[&str]) {
        let mut results: BTreeMap<TaskKey, WorkResult> = BTreeMap::new();
        for line in lines {
            let (task, line) = line.split_once(' ').expect("a task first");
            let result = results.entry(TaskKey::new(task)).or_default();
            match (line.split_once(" = "), line.split_once(": ")) {
                (Some((subject, value)), _) => result.facts.push(Fact {
                    subject: subject.into(),
                    value: value.into(),
                    quote: String::new(),
                }),
                (None, Some((term, meaning))) => result.terms.push(Term {
                    term: term.into(),
                    meaning: meaning.into(),
                }),
                (None, None) => panic!("{line}"),
            }
        }
        let plan = sketch::plan("t1 t2 t3 | a.md: t1 t2 t3");
        let found = conflicts(&plan, &results);
        let drawn = |conflict: &Conflict| {
            let claims = conflict.claims.iter().map(|claim| {
                let tasks: Vec<&str> = claim.tasks.iter().map(TaskKey::as_str).collect();
                format!("{}={}({})", claim.id, claim.value, tasks.join(" "))
            });
            let claims = claims.collect::<Vec<_>>().join(" ");
            format!("{} {}: {claims}", conflict.id, conflict.subject)
        };
        assert_eq!(
            found.iter().map(drawn).collect::<Vec<_>>(),
            expected,
            "{lines:?}"
        );
    }

    #[test]
    fn a_fact_with_two_values_is_a_conflict_whatever_the_wording_of_its_subject() {
        check(&["t1 height = 42", "t2 height = 42 m"], &[]);
        check(
            &[
                "t1 height of the tower = 42",
                "t3 The tower's height = 40",
                "t2 tower height = 42",
            ],
            &["c1 height of the tower: a=42(t1 t2) b=40(t3)"],
        );
        check(
            &[
                "t2 mast = 9",
                "t1 mast = 8",
                "t2 door = red",
                "t3 door = blue",
            ],
            &["c1 mast: a=8(t1) b=9(t2)", "c2 door: a=red(t2) b=blue(t3)"],
        );
    }

    #[test]
    fn a_list_of_one_task_is_no_conflict_unless_it_counts() {
        check(&["t1 crew = Anna", "t1 crew = Jonas"], &[]);
        check(
            &["t1 crew = Anna", "t2 crew = Jonas"],
            &["c1 crew: a=Anna(t1) b=Jonas(t2)"],
        );
        check(
            &["t1 crew = 4", "t1 crew = 5"],
            &["c1 crew: a=4(t1) b=5(t1)"],
        );
    }

    #[test]
    fn definitions_contradict_each_other_in_numbers_only() {
        check(
            &["t1 knot: a unit of speed", "t2 knot: how fast a ship is"],
            &[],
        );
        check(
            &["t1 knot: 1852 m an hour", "t2 knot: 1800 m an hour"],
            &["c1 meaning of “knot”: a=1852 m an hour(t1) b=1800 m an hour(t2)"],
        );
        check(&["t1 knot: a unit", "t2 knot: a unit of 1852 m"], &[]);
    }

    #[test]
    fn a_fact_about_a_term_is_no_definition_of_it() {
        check(
            &[
                "t1 term length = 4 years",
                "t2 length: distance from end to end",
            ],
            &[],
        );
        check(&["t1 term length = 4 years", "t2 length: 5 steps"], &[]);
    }

    proptest! {
        #[test]
        fn the_ids_of_claims_differ(count in 1usize..200) {
            let ids: std::collections::BTreeSet<String> = (0..count).map(letter).collect();
            prop_assert_eq!(ids.len(), count);
        }

        #[test]
        fn every_disputed_value_is_claimed_once(values in prop::collection::vec(0u32..6, 2..9)) {
            let lines: Vec<String> = values.iter().enumerate()
                .map(|(at, value)| format!("t{at} depth = {value}")).collect();
            let keys: Vec<String> = (0..values.len()).map(|at| format!("t{at}")).collect();
            let plan = sketch::plan(&format!("{} | a.md: {}", keys.join(" "), keys.join(" ")));
            let fact = |line: &String| {
                let (key, rest) = line.split_once(' ').expect("a task first");
                let (subject, value) = rest.split_once(" = ").expect("a value");
                let facts = vec![Fact { subject: subject.into(), value: value.into(), quote: String::new() }];
                (TaskKey::new(key), WorkResult { facts, ..WorkResult::default() })
            };
            let found = conflicts(&plan, &lines.iter().map(fact).collect());
            let distinct: std::collections::BTreeSet<&u32> = values.iter().collect();
            prop_assert_eq!(found.len(), usize::from(distinct.len() > 1));
            if let Some(conflict) = found.first() {
                prop_assert_eq!(conflict.claims.len(), distinct.len());
                let tasks: usize = conflict.claims.iter().map(|claim| claim.tasks.len()).sum();
                prop_assert_eq!(tasks, values.len());
            }
        }
    }
}
