//! The prompt of a work task: its sections, its parents' results, what was asked and what was wrong before.

use std::collections::BTreeMap;

use chorus_core::brief::{Answered, Brief, Outline, Question, Section};
use chorus_core::merge::{Term, WorkResult};
use chorus_core::plan::{Plan, PlannedTask};
use chorus_core::project::{Project, Task};

use crate::aggregate::Aggregate;
use crate::context::Context;
use crate::order::{Call, stored_plan};
use crate::prompt::{self, Given, Input, Rework, Work};
use crate::shelf::Missing;
use crate::{material, opening};

/// The call of a work task.
pub(crate) async fn work(
    context: &Context,
    aggregate: &mut Aggregate,
    task: &Task,
) -> Result<Call, Missing> {
    let brief = opening::brief(context, aggregate).await?;
    let outline = opening::stored_outline(context, aggregate).await?;
    let plan = stored_plan(context, aggregate).await?;
    let planned = material::planned(&plan, &task.key).ok_or(Missing {
        what: "the task's plan",
        hash: aggregate.project.head.brief,
    })?;
    let sections = sections(context, aggregate, (&brief, &outline), planned).await?;
    let inputs: Vec<_> = sections
        .iter()
        .map(|(section, text)| Input { section, text })
        .collect();
    let parents = parents(context, aggregate, &plan, task).await?;
    let results: Vec<_> = parents
        .iter()
        .map(|(task, result)| Given {
            task: &task.key,
            title: &task.title,
            text: &result.text,
        })
        .collect();
    let answers = answers(task);
    let feedback = feedback(task);
    let previous = previous(context, aggregate, &plan, task).await?;
    let request = prompt::work(&Work {
        title: &aggregate.project.head.title,
        brief: &brief.text,
        known: &known(&aggregate.project),
        task: planned,
        file: material::file_of(&plan, &task.key),
        inputs: &inputs,
        results: &results,
        glossary: &glossary(parents.iter().map(|(_, result)| result)),
        answers: &answers,
        rework: (!feedback.is_empty()).then_some(Rework {
            feedback: &feedback,
            previous: &previous,
        }),
        room: aggregate.sizes.rooms.worker,
    });
    Ok(Call {
        request,
        output: u64::from(task.output_tokens),
    })
}

/// What is known about the brief: answers of the client, and what is taken for granted.
pub(crate) fn known(project: &Project) -> Vec<Answered> {
    let assumptions = project.head.assumptions.iter().map(|assumption| Answered {
        question: question("What may be taken for granted?"),
        answer: assumption.clone(),
        assumed: true,
    });
    project
        .head
        .answers
        .iter()
        .cloned()
        .chain(assumptions)
        .collect()
}

fn question(text: &str) -> Question {
    Question {
        id: String::new(),
        text: text.to_owned(),
        why: String::new(),
        options: Vec::new(),
        default: String::new(),
    }
}

async fn sections<'a>(
    context: &Context,
    aggregate: &mut Aggregate,
    (brief, outline): (&Brief, &'a Outline),
    planned: &PlannedTask,
) -> Result<Vec<(&'a Section, String)>, Missing> {
    let mut sections = Vec::with_capacity(planned.sections.len());
    for id in &planned.sections {
        let Some(section) = outline.sections.iter().find(|section| section.id == *id) else {
            continue;
        };
        let Some(attachment) = brief
            .attachments
            .iter()
            .find(|attachment| attachment.name == section.document)
        else {
            continue;
        };
        let bytes = aggregate
            .shelf
            .get(context, "an attachment", attachment.text)
            .await?;
        let (start, end) = (
            usize::try_from(section.start).unwrap_or(usize::MAX),
            usize::try_from(section.end).unwrap_or(usize::MAX),
        );
        let text = bytes.get(start..end.min(bytes.len())).unwrap_or_default();
        sections.push((section, String::from_utf8_lossy(text).into_owned()));
    }
    Ok(sections)
}

async fn parents(
    context: &Context,
    aggregate: &mut Aggregate,
    plan: &Plan,
    task: &Task,
) -> Result<Vec<(Task, WorkResult)>, Missing> {
    let mut parents = Vec::with_capacity(task.parents.len());
    for id in &task.parents {
        let Some(parent) = aggregate.project.tasks.get(id).cloned() else {
            continue;
        };
        if let Some(result) = material::result(context, aggregate, plan, &parent).await? {
            parents.push((parent, result));
        }
    }
    Ok(parents)
}

/// Each term once, as the first parent in the plan's order defines it.
fn glossary<'a>(results: impl Iterator<Item = &'a WorkResult>) -> Vec<Term> {
    let mut terms: BTreeMap<String, Term> = BTreeMap::new();
    for term in results.flat_map(|result| &result.terms) {
        terms
            .entry(term.term.to_lowercase())
            .or_insert_with(|| term.clone());
    }
    terms.into_values().collect()
}

fn answers(task: &Task) -> Vec<Answered> {
    let answered = |answer: &chorus_core::project::TaskAnswer| Answered {
        question: question(&answer.question),
        answer: answer.answer.clone(),
        assumed: answer.assumed,
    };
    task.answers.iter().map(answered).collect()
}

/// What the judge said, and what was wrong with the tries since.
fn feedback(task: &Task) -> String {
    let judge = task
        .rework
        .as_ref()
        .map(|rework| rework.feedback.clone())
        .filter(|feedback| !feedback.is_empty());
    let tries = task
        .current_attempt()
        .map(|doing| doing.feedback.clone())
        .unwrap_or_default();
    judge
        .into_iter()
        .chain(tries)
        .collect::<Vec<_>>()
        .join("\n")
}

async fn previous(
    context: &Context,
    aggregate: &mut Aggregate,
    plan: &Plan,
    task: &Task,
) -> Result<String, Missing> {
    let Some(replaced) = task
        .rework
        .as_ref()
        .and_then(|rework| aggregate.project.tasks.get(&rework.replaces))
        .cloned()
    else {
        return Ok(String::new());
    };
    let result = material::result(context, aggregate, plan, &replaced).await?;
    Ok(result.map(|result| result.text).unwrap_or_default())
}
