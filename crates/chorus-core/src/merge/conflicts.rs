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
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (task, result) in in_order(plan, results) {
        let terms = result.terms.iter().map(definition);
        for (kind, fact) in result
            .facts
            .iter()
            .map(|fact| (Kind::Fact, fact.clone()))
            .chain(terms.map(|fact| (Kind::Term, fact)))
        {
            let name = format!(
                "{}{}",
                if kind == Kind::Term { "term " } else { "" },
                subject(&fact.subject)
            );
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

#[derive(Clone, Copy, PartialEq, Eq)]
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
