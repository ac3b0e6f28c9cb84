//! Builds the model call of a task and stores it as a work order.
//!
//! One function for each [`TaskKind`] reads its [`inputs`], and the matching builder of [`prompt`] makes the
//! request. Prompts see the brief, stored artifacts and earlier refusals, never ids or times of this run, so a
//! repeated attempt gets the same request.

use std::collections::BTreeMap;

use chorus_core::attempt::{NewAttempt, WorkOrder};
use chorus_core::brief::{Answered, Attachment, Brief, Outline, Question, Section, Stretch};
use chorus_core::llm::Request;
use chorus_core::merge::{self, Term, WorkResult};
use chorus_core::plan::{Plan, PlannedTask};
use chorus_core::project::{Project, Queue, State, Subject, Task, TaskAnswer};
use chorus_core::task_kind::TaskKind;
use chorus_core::verdict::Undecided;

use crate::aggregate::Aggregate;
use crate::artifact_cache::Missing;
use crate::context::Context;
use crate::inputs;
use crate::judging;
use crate::prompt::{
    self, Answer, Clarify, Input, Judge, ParentResult, Planning, Resolve, Rework, Work,
};

/// Version of the stored form of a [`WorkOrder`].
const WORK_ORDER: u32 = 1;

// Tokens that answers to planner, merger and judge usually have.
const CLARIFICATION: u64 = 400;
const PLAN: u64 = 3_000;
const ANSWER: u64 = 150;
const RESOLUTION: u64 = 80;
const VERDICT_ITEM: u64 = 100;

/// Feedback for a part that is made again only because results that it reads were.
const READER: &str = "Results that this part reads were made again: keep what still holds of the previous text, and change what they change.";

/// A request with the number of tokens that its answer is expected to have.
struct Call {
    request: Request,
    output: u64,
}

/// Builds the attempt of a queued task; its work order is durable when this returns.
pub(crate) async fn attempt(
    context: &Context,
    aggregate: &mut Aggregate,
    queue: &Queue,
) -> Result<NewAttempt, Missing> {
    let task = queued_task(&aggregate.project, queue).clone();
    let Call { request, output } = call(context, aggregate, &task).await?;
    let size = prompt::size(&request, output);
    let order = WorkOrder {
        version: WORK_ORDER,
        request,
        so_far: String::new(),
    };
    let order = aggregate.artifacts.put(context, &order).await;
    let head = &aggregate.project.head;
    Ok(NewAttempt {
        id: queue.attempt,
        task: task.id,
        project: head.id,
        tenant: head.tenant.clone(),
        plan_version: task.plan_version,
        kind: task.kind,
        number: queue.number,
        order,
        size,
        priority: queue.priority,
        path: queue.path,
        not_before: context.clock.now() + queue.delay,
    })
}

fn queued_task<'a>(project: &'a Project, queue: &Queue) -> &'a Task {
    project
        .tasks
        .get(&queue.task)
        .expect("an attempt is queued for a task of the project")
}

async fn call(context: &Context, aggregate: &mut Aggregate, task: &Task) -> Result<Call, Missing> {
    match task.kind {
        TaskKind::Clarify => clarify(context, aggregate, task).await,
        TaskKind::Plan => plan(context, aggregate, task).await,
        TaskKind::Work => work(context, aggregate, task).await,
        TaskKind::Answer => answer(context, aggregate, task).await,
        TaskKind::Resolve => resolve(context, aggregate, task).await,
        TaskKind::Judge => judge(context, aggregate, task).await,
    }
}

async fn clarify(
    context: &Context,
    aggregate: &mut Aggregate,
    task: &Task,
) -> Result<Call, Missing> {
    let brief = inputs::brief(context, aggregate).await?;
    let outline = inputs::outline(context, aggregate).await?;
    let budget = aggregate.sizes.answers.planner;
    let request = prompt::clarify(&Clarify {
        brief: &brief.text,
        outline: &outline,
        refused: refused(task),
        budget,
    });
    Ok(Call {
        request,
        output: CLARIFICATION,
    })
}

async fn plan(context: &Context, aggregate: &mut Aggregate, task: &Task) -> Result<Call, Missing> {
    let brief = inputs::brief(context, aggregate).await?;
    let outline = inputs::outline(context, aggregate).await?;
    let head = &aggregate.project.head;
    let rejected = head
        .rejections
        .iter()
        .map(|reason| format!("The client refused the plan: {reason}"));
    let refused: Vec<_> = rejected.chain(refused(task).iter().cloned()).collect();
    let answers = known_answers(&aggregate.project);
    let request = prompt::plan(&Planning {
        brief: &brief.text,
        answers: &answers,
        outline: &outline,
        limits: aggregate.sizes.plan,
        refused: &refused,
        budget: aggregate.sizes.answers.planner,
    });
    Ok(Call {
        request,
        output: PLAN,
    })
}

async fn answer(
    context: &Context,
    aggregate: &mut Aggregate,
    task: &Task,
) -> Result<Call, Missing> {
    let brief = inputs::brief(context, aggregate).await?;
    let plan = inputs::expect_plan(context, aggregate).await?;
    let Subject::Question { task: asking, text } = &task.about else {
        unreachable!("an answer task is about a question")
    };
    let asking = aggregate
        .project
        .tasks
        .get(asking)
        .expect("a question is asked by a task of the project");
    let planned = inputs::planned(&plan, &asking.key).ok_or(Missing {
        what: "the asking task's plan",
        hash: aggregate.project.head.brief,
    })?;
    let answers: Vec<Answered> = known_answers(&aggregate.project);
    let budget = aggregate.sizes.answers.planner;
    let request = prompt::answer(&Answer {
        brief: &brief.text,
        answers: &answers,
        task: planned,
        question: text,
        refused: refused(task),
        budget,
    });
    Ok(Call {
        request,
        output: ANSWER,
    })
}

async fn resolve(
    context: &Context,
    aggregate: &mut Aggregate,
    task: &Task,
) -> Result<Call, Missing> {
    let brief = inputs::brief(context, aggregate).await?;
    let open = inputs::conflicts(context, aggregate).await?.open();
    let budget = aggregate.sizes.answers.merger;
    let request = prompt::resolve(&Resolve {
        brief: &brief.text,
        conflicts: &open,
        refused: refused(task),
        budget,
    });
    Ok(Call {
        request,
        output: RESOLUTION * open.len() as u64,
    })
}

async fn judge(context: &Context, aggregate: &mut Aggregate, task: &Task) -> Result<Call, Missing> {
    let brief = inputs::brief(context, aggregate).await?;
    let plan = inputs::expect_plan(context, aggregate).await?;
    let files = inputs::files(context, aggregate, &plan).await?;
    let chunk = judging::chunk(&plan, &files, &task.about, aggregate.sizes.judge_tokens);
    let open = match &task.about {
        Subject::Undecided { requirements } => Some(requirements.as_slice()),
        Subject::Itself | Subject::Question { .. } | Subject::Part { .. } => None,
    };
    let budget = aggregate.sizes.answers.judge;
    let request = prompt::judge(&Judge {
        brief: &brief.text,
        answers: &known_answers(&aggregate.project),
        plan: &plan,
        chunk: &chunk,
        suspected: suspected(&aggregate.project.head.state),
        open,
        refused: refused(task),
        budget,
    });
    Ok(Call {
        request,
        output: VERDICT_ITEM * chunk.requirements.len() as u64,
    })
}

/// Uncertain findings of the checks of the deliverable that is judged.
fn suspected(state: &State) -> &[Undecided] {
    if let State::Paused { was } = state {
        suspected(was)
    } else if let State::Evaluating { check, .. } = state {
        &check.undecided
    } else {
        &[]
    }
}

/// Faults of the answers before this one; empty for a first attempt.
fn refused(task: &Task) -> &[String] {
    task.current_attempt()
        .map(|attempt| attempt.feedback.as_slice())
        .unwrap_or_default()
}

async fn work(context: &Context, aggregate: &mut Aggregate, task: &Task) -> Result<Call, Missing> {
    let brief = inputs::brief(context, aggregate).await?;
    let outline = inputs::outline(context, aggregate).await?;
    let plan = inputs::expect_plan(context, aggregate).await?;
    let planned = inputs::planned(&plan, &task.key).ok_or(Missing {
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
        .map(|(task, result)| ParentResult {
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
        known: &known_answers(&aggregate.project),
        task: planned,
        file: inputs::file_of(&plan, &task.key),
        inputs: &inputs,
        results: &results,
        glossary: &glossary(parents.iter().map(|(_, result)| result)),
        answers: &answers,
        rework: (!feedback.is_empty() || !previous.is_empty()).then_some(Rework {
            feedback: &feedback,
            previous: &previous,
        }),
        budget: aggregate.sizes.answers.writer,
    });
    Ok(Call {
        request,
        output: u64::from(task.output_tokens),
    })
}

/// Answers of the client about the brief, followed by the assumptions.
fn known_answers(project: &Project) -> Vec<Answered> {
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
        let stretches: Vec<_> = section.stretches().collect();
        let (mut whole, mut is_found) = (String::new(), false);
        for stretch in &stretches {
            let Some(text) = stretch_text(context, aggregate, brief, stretch).await? else {
                continue;
            };
            is_found = true;
            if stretches.len() > 1 {
                // Several files in one section: each begins with its name.
                whole.push_str(&format!("=== {} ===\n", stretch.document));
            }
            whole.push_str(&text);
            if stretches.len() > 1 && !whole.ends_with('\n') {
                whole.push('\n');
            }
        }
        if is_found {
            sections.push((section, whole));
        }
    }
    Ok(sections)
}

/// Text of one stretch; none if the brief has no such attachment.
async fn stretch_text(
    context: &Context,
    aggregate: &mut Aggregate,
    brief: &Brief,
    stretch: &Stretch,
) -> Result<Option<String>, Missing> {
    let named = |attachment: &&Attachment| attachment.name == stretch.document;
    let Some(attachment) = brief.attachments.iter().find(named) else {
        return Ok(None);
    };
    let bytes = aggregate
        .artifacts
        .get(context, "an attachment", attachment.text)
        .await?;
    let (start, end) = (
        usize::try_from(stretch.start).unwrap_or(usize::MAX),
        usize::try_from(stretch.end).unwrap_or(usize::MAX),
    );
    let text = bytes.get(start..end.min(bytes.len())).unwrap_or_default();
    Ok(Some(String::from_utf8_lossy(text).into_owned()))
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
        if let Some(result) = inputs::result(context, aggregate, plan, &parent).await? {
            parents.push((parent, result));
        }
    }
    Ok(parents)
}

/// Terms of all parents; each term once, as the first parent in the order of the plan defines it.
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
    let answered = |answer: &TaskAnswer| Answered {
        question: question(&answer.question),
        answer: answer.answer.clone(),
        assumed: answer.assumed,
    };
    task.answers.iter().map(answered).collect()
}

/// Feedback of the judge in all rounds, oldest first, followed by the faults of the attempts since.
fn feedback(task: &Task) -> String {
    let rework = task.rework.as_ref();
    let earlier = rework.into_iter().flat_map(|rework| rework.earlier.clone());
    let judge = rework
        .map(|rework| rework.feedback.clone())
        .filter(|feedback| !feedback.is_empty());
    let faults = task
        .current_attempt()
        .map(|attempt| attempt.feedback.clone())
        .unwrap_or_default();
    let parents = rework
        .filter(|rework| rework.feedback.is_empty() && rework.previous.is_some())
        .map(|_| READER.to_owned());
    earlier
        .chain(judge)
        .chain(parents)
        .chain(faults)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Text of the result that a task replaces; empty if there was none.
async fn previous(
    context: &Context,
    aggregate: &mut Aggregate,
    plan: &Plan,
    task: &Task,
) -> Result<String, Missing> {
    let Some(hash) = task.rework.as_ref().and_then(|rework| rework.previous) else {
        return Ok(String::new());
    };
    let text = aggregate.artifacts.text(context, "a result", hash).await?;
    Ok(merge::read_result(&text, inputs::file_kind(plan, &task.key)).text)
}
