//! Approval of an estimate, and answers to open questions, with [`prompt`].

use std::collections::BTreeMap;

use chorus_api::{Answers, ProjectResource};

use super::Session;
use crate::prompt;

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
    session.client.approve(project.id).await?;
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
