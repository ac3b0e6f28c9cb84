//! Fitting the inputs of tasks to their model: sections and results that are too many for one call
//! pass through condensing tasks. A task stays one task.

use std::collections::BTreeSet;

use super::draft::DraftTask;
use super::expand::Sections;
use super::notes::Notes;
use super::{ParentPolicy, Scope};
use crate::brief::SectionId;

/// Puts condensing tasks between a task and its sections when these are too many for one call.
/// Parents keep half of the room.
pub(super) fn condense(
    tasks: Vec<DraftTask>,
    scope: &Scope<'_>,
    notes: &mut Notes,
) -> Vec<DraftTask> {
    let sections = Sections::of(scope);
    let taken: BTreeSet<String> = tasks.iter().map(|task| task.key.clone()).collect();
    let mut fitting = Vec::new();
    for mut task in tasks {
        let limit = scope.limits.input_tokens;
        let room = if task.parents.is_empty() {
            limit
        } else {
            limit / 2
        };
        let weight = |id: &String| sections.tokens(&[SectionId(id.clone())]);
        let total: u64 = task.sections.iter().map(weight).sum();
        if total <= room || task.sections.len() < 2 {
            fitting.push(task);
            continue;
        }
        let groups = groups(&task.sections, limit, weight);
        notes.warn(format!(
            "task {} reads {total} tokens, more than {room}; {} condensing tasks were put before it",
            task.key,
            groups.len()
        ));
        let each = share(room, groups.len(), scope);
        let mut numbers = (1..).filter(|number| !taken.contains(&condensing_key(&task, *number)));
        let condensing: Vec<DraftTask> = groups
            .into_iter()
            .zip(&mut numbers)
            .map(|(group, number)| condensing_sections(&task, number, group, each))
            .collect();
        let keys = condensing.iter().map(|condensing| condensing.key.clone());
        task.parents.extend(keys);
        task.sections.clear();
        if task.policy != ParentPolicy::All {
            task.policy = ParentPolicy::Settled;
        }
        fitting.extend(condensing);
        fitting.push(task);
    }
    fitting
}

/// Returns the tokens that each of so many condensing tasks may produce.
fn share(room: u64, tasks: usize, scope: &Scope<'_>) -> u64 {
    let most = u64::from(scope.limits.max_output_tokens.max(1));
    (room / tasks.max(1) as u64).clamp(1, most)
}

/// Puts condensing tasks before tasks that read more results than fit one call. Parents stand before
/// children, before and after.
pub(super) fn narrow(
    tasks: Vec<DraftTask>,
    scope: &Scope<'_>,
    notes: &mut Notes,
) -> Vec<DraftTask> {
    let sections = Sections::of(scope);
    let limit = scope.limits.input_tokens.max(1);
    let taken: BTreeSet<String> = tasks.iter().map(|task| task.key.clone()).collect();
    let mut narrow: Vec<DraftTask> = Vec::new();
    for mut task in tasks {
        let own: Vec<SectionId> = task.sections.iter().cloned().map(SectionId).collect();
        let room = limit.saturating_sub(sections.tokens(&own)).max(limit / 4);
        let output = |key: &String| {
            narrow
                .iter()
                .find(|other| other.key == *key)
                .map_or(0, |other| u64::from(other.output_tokens))
        };
        let total: u64 = task.parents.iter().map(output).sum();
        if total > room && task.parents.len() > 1 {
            let groups = groups(&task.parents, limit, output);
            notes.warn(format!(
                "task {} reads results of {total} tokens; {} condensing tasks were put before it",
                task.key,
                groups.len()
            ));
            let each = share(room, groups.len(), scope);
            let mut numbers =
                (1..).filter(|number| !taken.contains(&condensing_key(&task, *number)));
            let condensing: Vec<DraftTask> = groups
                .iter()
                .zip(&mut numbers)
                .map(|(group, number)| condensing_results(&task, number, group, each))
                .collect();
            let keys = condensing.iter().map(|condensing| condensing.key.clone());
            task.parents = keys.collect();
            task.policy = if task.policy == ParentPolicy::All {
                ParentPolicy::All
            } else {
                ParentPolicy::Any
            };
            narrow.extend(condensing);
        }
        narrow.push(task);
    }
    narrow
}

/// Returns the key of a condensing task. A planner may have given it to a task of its own.
fn condensing_key(task: &DraftTask, number: usize) -> String {
    format!("{}.in{number}", task.key)
}

fn condensing_results(
    task: &DraftTask,
    number: usize,
    parents: &[String],
    tokens: u64,
) -> DraftTask {
    DraftTask {
        title: format!("Condense results for: {} ({number})", task.title),
        parents: parents.to_vec(),
        policy: if task.policy == ParentPolicy::All {
            ParentPolicy::All
        } else {
            ParentPolicy::Settled
        },
        acceptance: vec!["Each of the results given is represented, in the order given".into()],
        ..condensing(task, number, tokens, ("results", "result"))
    }
}

fn condensing_sections(
    task: &DraftTask,
    number: usize,
    sections: Vec<String>,
    tokens: u64,
) -> DraftTask {
    DraftTask {
        title: format!("Condense sections for: {} ({number})", task.title),
        sections,
        acceptance: vec!["Each of the sections given is represented, in the order given".into()],
        ..condensing(task, number, tokens, ("sections", "section"))
    }
}

fn condensing(
    task: &DraftTask,
    number: usize,
    tokens: u64,
    (many, one): (&str, &str),
) -> DraftTask {
    let key = condensing_key(task, number);
    DraftTask {
        names: vec![key.clone()],
        key,
        instructions: format!(
            "Condense the {many} given to about {tokens} tokens for a task that cannot read them in full. Keep, {one} by {one} and in their order, every fact, \
             name, number, term and quotation which that task needs. That task is called {:?}; its instructions are: {}",
            task.title, task.instructions
        ),
        covers: task.covers.clone(),
        output_tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
        ..DraftTask::default()
    }
}

/// Packs neighbours into groups that weigh at most `most`; one alone may weigh more.
pub(super) fn groups<T: Clone>(items: &[T], most: u64, weight: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut filled = 0;
    for item in items {
        let weight = weight(item);
        match groups.last_mut() {
            Some(group) if filled + weight <= most => group.push(item.clone()),
            _ => {
                groups.push(vec![item.clone()]);
                filled = 0;
            }
        }
        filled += weight;
    }
    groups
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Limits, sketch};

    const LIMITS: Limits = Limits {
        max_tasks: 100,
        max_output_tokens: 300,
        input_tokens: 1_000,
    };

    fn task(key: &str, parents: &[&str], sections: &[&str], output_tokens: u32) -> DraftTask {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        DraftTask {
            key: key.into(),
            names: vec![key.into()],
            title: format!("Part {key}"),
            instructions: "Write".into(),
            sections: all(sections),
            parents: all(parents),
            output_tokens,
            ..DraftTask::default()
        }
    }

    /// Draws tasks as `key(parents)[sections]`.
    fn drawn(tasks: &[DraftTask]) -> Vec<String> {
        let list = |open, names: &[String], close| match names {
            [] => String::new(),
            names => format!("{open}{}{close}", names.join(",")),
        };
        tasks
            .iter()
            .map(|task| {
                let parents = list("(", &task.parents, ")");
                let sections = list("[", &task.sections, "]");
                format!("{}{parents}{sections}", task.key)
            })
            .collect()
    }

    #[test]
    fn a_task_with_too_many_sections_stays_one_task_behind_condensing_ones() {
        let check = |sizes: &[u64], task: DraftTask, expected: &[&str], warnings: usize| {
            let outline = sketch::outline(sizes);
            let scope = Scope {
                outline: &outline,
                limits: LIMITS,
            };
            let mut notes = Notes::default();
            assert_eq!(drawn(&condense(vec![task], &scope, &mut notes)), expected);
            assert_eq!(notes.into_warnings().len(), warnings);
        };
        let all = ["d1.1", "d1.2", "d1.3"];
        check(
            &[300, 300, 400],
            task("t", &[], &all, 90),
            &["t[d1.1,d1.2,d1.3]"],
            0,
        );
        check(
            &[600, 300, 400],
            task("t", &[], &all, 90),
            &["t.in1[d1.1,d1.2]", "t.in2[d1.3]", "t(t.in1,t.in2)"],
            1,
        );
        // Results of parents take half of the room.
        check(
            &[300, 300, 400],
            task("t", &["p"], &all, 90),
            &["t.in1[d1.1,d1.2,d1.3]", "t(p,t.in1)"],
            1,
        );
        check(&[5_000], task("t", &[], &["d1.1"], 90), &["t[d1.1]"], 0);
        check(&[], task("t", &[], &[], 90), &["t"], 0);
    }

    #[test]
    fn what_condensing_tasks_write_fits_the_task_that_reads_it() {
        let outline = sketch::outline(&[400; 12]);
        let scope = Scope {
            outline: &outline,
            limits: LIMITS,
        };
        let sections: Vec<String> = (1..=12).map(|at| format!("d1.{at}")).collect();
        let names: Vec<&str> = sections.iter().map(String::as_str).collect();
        let tasks = condense(
            vec![task("t", &[], &names, 90)],
            &scope,
            &mut Notes::default(),
        );
        let (whole, condensing) = tasks.split_last().expect("a task");
        let read: u64 = condensing
            .iter()
            .map(|task| u64::from(task.output_tokens))
            .sum();
        assert!(read <= LIMITS.input_tokens, "{read}");
        assert_eq!(whole.output_tokens, 90);
        let covered: Vec<&String> = condensing.iter().flat_map(|task| &task.sections).collect();
        assert_eq!(covered, sections.iter().collect::<Vec<_>>());
    }

    #[test]
    fn condensing_tasks_stand_before_a_task_with_too_many_results() {
        let outline = sketch::outline(&[500]);
        let scope = Scope {
            outline: &outline,
            limits: LIMITS,
        };
        let check = |tasks: Vec<DraftTask>, expected: &[&str]| {
            let narrow = narrow(tasks, &scope, &mut Notes::default());
            assert_eq!(drawn(&narrow), expected);
        };
        let (a, b, c) = (
            task("a", &[], &[], 500),
            task("b", &[], &[], 500),
            task("c", &[], &[], 500),
        );
        check(
            vec![a.clone(), b.clone(), task("t", &["a", "b"], &[], 50)],
            &["a", "b", "t(a,b)"],
        );
        check(
            vec![
                a.clone(),
                b.clone(),
                c,
                task("t", &["a", "b", "c"], &[], 50),
            ],
            &["a", "b", "c", "t.in1(a,b)", "t.in2(c)", "t(t.in1,t.in2)"],
        );
        check(
            vec![a, b, task("t", &["a", "b"], &["d1.1"], 50)],
            &["a", "b", "t.in1(a,b)", "t(t.in1)[d1.1]"],
        );
    }

    #[test]
    fn a_condensing_task_never_takes_the_key_of_another_task() {
        let outline = sketch::outline(&[]);
        let scope = Scope {
            outline: &outline,
            limits: LIMITS,
        };
        let tasks = vec![
            task("t.in1", &[], &[], 900),
            task("b", &[], &[], 900),
            task("t", &["t.in1", "b"], &[], 50),
            task("t.in2", &[], &[], 50),
        ];
        let narrow = narrow(tasks, &scope, &mut Notes::default());
        let mut keys: Vec<&str> = narrow.iter().map(|task| task.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), narrow.len(), "{:?}", drawn(&narrow));
    }

    proptest! {
        #[test]
        fn groups_keep_the_order_and_are_full(weights in prop::collection::vec(0u64..50, 0..20), most in 1u64..60) {
            let groups = groups(&weights, most, |weight| *weight);
            prop_assert_eq!(groups.concat(), weights);
            for group in &groups {
                prop_assert!(group.len() == 1 || group.iter().sum::<u64>() <= most);
            }
            for pair in groups.windows(2) {
                prop_assert!(pair[0].iter().sum::<u64>() + pair[1][0] > most, "the next item had room");
            }
        }

        #[test]
        fn after_narrowing_every_task_can_read_its_results(outputs in prop::collection::vec(1u32..300, 1..30)) {
            let outline = sketch::outline(&[]);
            let scope = Scope { outline: &outline, limits: LIMITS };
            let keys: Vec<String> = (0..outputs.len()).map(|at| format!("p{at}")).collect();
            let parents: Vec<&str> = keys.iter().map(String::as_str).collect();
            let mut tasks: Vec<DraftTask> = parents.iter().zip(&outputs).map(|(key, output)| task(key, &[], &[], *output)).collect();
            tasks.push(task("t", &parents, &[], 50));
            let narrow = narrow(tasks, &scope, &mut Notes::default());
            let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
            for task in &narrow {
                let known = task.parents.iter().all(|parent| sizes.contains_key(parent.as_str()));
                prop_assert!(known, "parents stand before {}", task.key);
                let read: u64 = task.parents.iter().map(|parent| sizes[parent.as_str()]).sum();
                prop_assert!(read <= LIMITS.input_tokens, "{} reads {read}", task.key);
                sizes.insert(&task.key, u64::from(task.output_tokens));
            }
        }
    }
}
