//! Approval of an estimate, answers to open questions, and ways out of an attention, with [`prompt`].

use std::collections::BTreeMap;

use chorus_api::{Answers, AttentionResource, ChoiceResource, ProjectResource, QuestionResource};
use chorus_client::ClientError;

use super::Session;
use crate::{attention, prompt};

/// Shows the estimate and approves it if the options or a person allow. Returns false otherwise.
pub(super) async fn approval(
    session: &Session<'_>,
    project: &ProjectResource,
) -> anyhow::Result<bool> {
    match &project.estimate {
        Some(estimate) => eprintln!("\n{estimate}"),
        None => eprintln!("\nThe plan waits for approval; its cost cannot be estimated now."),
    }
    let is_approved = if session.options.yes {
        true
    } else if prompt::is_possible() {
        prompt::confirm("Go on?").await?
    } else {
        eprintln!("Without a terminal nothing can be asked: give --yes to approve the estimate.");
        false
    };
    if !is_approved {
        return Ok(false);
    }
    session.client.approve(project.id, project.plan).await?;
    session
        .client
        .wait_until(project.id, |project| project.state != "waiting_approval")
        .await?;
    Ok(true)
}

/// Asks the open questions, or has assumptions stated. Returns false without a terminal.
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
                eprintln!("  {}", question.text);
            }
            eprintln!(
                "Run again on a terminal to answer them, or with --assume to have assumptions stated."
            );
            return Ok(false);
        }
        for question in open {
            answers.insert(question.id.clone(), prompt::question(question).await?);
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
    eprintln!("\n{}", attention::text(attention));
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
    let chosen = prompt::question(&question).await?;
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
            let text = prompt::question(&asked("New budget in US dollars", Vec::new(), "")).await?;
            let Ok(dollars) = text.trim().trim_start_matches('$').parse() else {
                eprintln!("{text:?} is no amount");
                return Ok(true);
            };
            client.raise_budget(id, dollars).await
        }
        "approve" => client.approve(id, offered).await,
        "reject" => {
            let question = asked("What should be different?", Vec::new(), "");
            let reason = prompt::question(&question).await?;
            client.reject(id, &reason, offered).await
        }
        "retry" => client.retry(id, None).await,
        "skip" => client.skip(id, None).await,
        "cancel" => client.cancel(id).await,
        _ => {
            eprintln!("{}", choice.command);
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
