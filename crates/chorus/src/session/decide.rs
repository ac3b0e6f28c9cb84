//! Decision about a plan, answers to open questions, and ways out of an attention, with [`prompt`].

use std::collections::BTreeMap;

use chorus_api::{
    Answers, AttentionResource, ChoiceResource, PlanResource, ProjectResource, QuestionResource,
};
use chorus_client::ClientError;

use super::Session;
use crate::attention;
use crate::prompt::{self, PlanDecision};

/// Maximum number of tasks of a plan that are shown for a decision.
const SHOWN: usize = 40;

/// Shows plan and estimate, and approves or rejects it if the options or a person decide. Returns false otherwise.
pub(super) async fn approval(
    session: &Session<'_>,
    project: &ProjectResource,
) -> anyhow::Result<bool> {
    if let Some(plan) = session.client.plan(project.id).await? {
        show(&plan);
    }
    match &project.estimate {
        Some(estimate) => eprintln!("\n{estimate}"),
        None => eprintln!("\nThe plan waits for approval; its cost cannot be estimated now."),
    }
    let decision = if session.options.yes {
        PlanDecision::Approve
    } else if prompt::is_possible() {
        prompt::plan_decision().await?
    } else {
        eprintln!(
            "Without a terminal nothing can be asked: give --yes to approve the estimate, or use \
             `chorus project approve {0}` or `chorus project reject {0} --reason TEXT`.",
            project.id
        );
        PlanDecision::Leave
    };
    match decision {
        PlanDecision::Leave => return Ok(false),
        PlanDecision::Approve => session.client.approve(project.id, project.plan).await?,
        PlanDecision::Reject(reason) => {
            let client = session.client;
            client.reject(project.id, &reason, project.plan).await?
        }
    };
    session
        .client
        .wait_until(project.id, |project| project.state != "waiting_approval")
        .await?;
    Ok(true)
}

/// Shows the tasks of a plan with what they read, and its files with the tasks that they consist of.
fn show(plan: &PlanResource) {
    eprintln!("\nTasks of the plan:");
    let tasks = &plan.plan.tasks;
    for task in tasks.iter().take(SHOWN) {
        let parents: Vec<String> = task.parents.iter().map(ToString::to_string).collect();
        let after = match parents.as_slice() {
            [] => String::new(),
            parents => format!("  (after {})", parents.join(", ")),
        };
        eprintln!("  {:<10} {}{after}", task.key.to_string(), task.title);
    }
    if tasks.len() > SHOWN {
        eprintln!("  and {} more", tasks.len() - SHOWN);
    }
    eprintln!("Files:");
    for file in &plan.plan.files {
        eprintln!("  {}", file.path);
    }
}

/// Asks the open questions, or has assumptions stated. Returns false without a terminal, and at the end of the input.
pub(super) async fn questions(
    session: &Session<'_>,
    project: &ProjectResource,
) -> anyhow::Result<bool> {
    let open = &project.questions;
    let mut answers = BTreeMap::new();
    if !session.options.assume {
        if !prompt::is_possible() {
            eprintln!("\n{} questions wait for you:", open.len());
            for question in open {
                eprintln!("  {}: {}", question.id, question.text);
            }
            eprintln!(
                "Answer with `chorus project answer {} QUESTION=TEXT`, run again on a terminal, or with --assume to have \
                 assumptions stated.",
                project.id
            );
            return Ok(false);
        }
        for question in open {
            let Some(answer) = prompt::question(question).await? else {
                return Ok(false);
            };
            answers.insert(question.id.clone(), answer);
        }
    }
    let answers = Answers {
        answers,
        assume_rest: true,
        questions: Some(open.iter().map(|question| question.id.clone()).collect()),
    };
    session.client.answer(project.id, &answers).await?;
    let is_answered = |project: &ProjectResource| {
        !project
            .questions
            .iter()
            .any(|question| open.iter().any(|asked| asked.id == question.id))
    };
    session.client.wait_until(project.id, is_answered).await?;
    Ok(true)
}

/// Shows what the project waits for with the ways out, and takes the one that a person chooses. Returns false
/// without a terminal, and when the way out lies outside of the project.
pub(super) async fn attention(
    session: &Session<'_>,
    project: &ProjectResource,
    attention: &AttentionResource,
) -> anyhow::Result<bool> {
    eprintln!("\n{}", attention::text(attention, &session.flags));
    if !prompt::is_possible() {
        return Ok(false);
    }
    let later = "leave it for now";
    let mut options: Vec<String> = attention
        .choices
        .iter()
        .map(|choice| choice.label.clone())
        .collect();
    options.push(later.to_owned());
    let question = asked("What shall be done?", options, later);
    let Some(chosen) = prompt::question(&question).await? else {
        return Ok(false);
    };
    let choice = attention
        .choices
        .iter()
        .find(|choice| choice.label == chosen);
    let Some(choice) = choice else {
        return Ok(false);
    };
    take(session, project, attention, choice).await
}

/// Sends the command of a way out, with what else it needs, and waits until it shows.
async fn take(
    session: &Session<'_>,
    project: &ProjectResource,
    attention: &AttentionResource,
    choice: &ChoiceResource,
) -> anyhow::Result<bool> {
    let (client, id) = (session.client, project.id);
    let offered = attention.plan_offer.as_ref().map(|offer| offer.plan);
    let sent = match choice.verb.as_str() {
        "budget" => {
            let question = asked("New budget in US dollars", Vec::new(), "");
            let text = prompt::question(&question).await?.unwrap_or_default();
            let Ok(dollars) = text.trim().trim_start_matches('$').parse() else {
                eprintln!("{text:?} is no amount");
                return Ok(true);
            };
            client.raise_budget(id, dollars).await
        }
        "approve" => client.approve(id, offered).await,
        "reject" => {
            let question = asked("What should be different?", Vec::new(), "");
            let Some(reason) = prompt::question(&question).await? else {
                return Ok(false);
            };
            client.reject(id, &reason, offered).await
        }
        "retry" => client.retry(id, None).await,
        "skip" => client.skip(id, None).await,
        "cancel" => client.cancel(id).await,
        _ => {
            eprintln!("{}{}", choice.command, session.flags);
            return Ok(false);
        }
    };
    match sent {
        Ok(_) => {}
        Err(ClientError::Refused { problem, .. }) => {
            eprintln!("{}", problem.message);
            return Ok(true);
        }
        Err(error) => return Err(error.into()),
    }
    client
        .wait_until(id, |found| found.version != project.version)
        .await?;
    Ok(true)
}

fn asked(text: &str, options: Vec<String>, default: &str) -> QuestionResource {
    QuestionResource {
        id: String::new(),
        text: text.to_owned(),
        why: String::new(),
        options,
        default: default.to_owned(),
        task: None,
    }
}
