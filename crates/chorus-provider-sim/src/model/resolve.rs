//! Resolving conflicts and answering workers: by count, then by order; by words that question and
//! brief share.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Reply;
use super::prompt::{Block, Prompt};
use super::text::{content_words, mentions, sentences};

/// Replies to a resolve turn: the claim of most tasks wins; among equals none if the brief wants
/// both, else the earliest.
pub(super) fn resolve(prompt: &Prompt<'_>) -> Reply {
    let brief = prompt.text("brief");
    let both = mentions(
        &brief,
        &[
            "do not choose",
            "don't choose",
            "both sentences",
            "không chọn",
        ],
    );
    let resolutions: Vec<Value> = prompt
        .all("conflict")
        .map(|conflict| resolution(conflict, both))
        .collect();
    let reasoning = format!(
        "There are {} conflicts. I count the tasks behind each claim and keep to the order of the plan among equals.",
        resolutions.len()
    );
    Reply {
        reasoning,
        text: json!({"resolutions": resolutions}).to_string(),
    }
}

fn resolution(conflict: &Block<'_>, both: bool) -> Value {
    let id = conflict.attribute("id");
    let claims = conflict.inside("claim");
    let support = |claim: &Block<'_>| {
        claim
            .attribute("tasks")
            .split(',')
            .filter(|task| !task.trim().is_empty())
            .count()
    };
    let most = claims.iter().map(support).max().unwrap_or(0);
    let leading: Vec<&Block<'_>> = claims
        .iter()
        .filter(|claim| support(claim) == most)
        .collect();
    let Some(first) = leading.first() else {
        return json!({"conflict": id, "keep": null, "reason": "No claim was given."});
    };
    if both {
        return json!({"conflict": id, "keep": null, "reason": "The brief asks that both statements are kept side by side."});
    }
    let reason = if leading.len() == 1 {
        format!(
            "{most} of the tasks state {}, more than any other value.",
            first.attribute("value")
        )
    } else {
        format!(
            "{} values have equal support; {} is stated first.",
            leading.len(),
            first.attribute("value")
        )
    };
    json!({"conflict": id, "keep": first.attribute("id"), "reason": reason})
}

/// Answers a worker's question from the brief and earlier answers, or passes it on to the client.
pub(super) fn answer(prompt: &Prompt<'_>) -> Reply {
    let question = prompt.text("question");
    let wanted: BTreeSet<String> = content_words(&question).into_iter().collect();
    let facts = prompt
        .first("answers")
        .map(|answers| answers.inside("answer"))
        .unwrap_or_default();
    let earlier = facts
        .iter()
        .map(|answer| (answer.attribute("question"), answer.text()));
    let brief = prompt.text("brief");
    let lines = sentences(&brief).into_iter().chain(
        brief
            .lines()
            .filter_map(super::text::item)
            .map(str::to_owned),
    );
    let shared = |text: &str| {
        content_words(text)
            .into_iter()
            .filter(|word| wanted.contains(word))
            .collect::<BTreeSet<_>>()
            .len()
    };
    let best = earlier
        .map(|(question, answer)| (shared(&question) * 2, answer))
        .chain(lines.map(|line| (shared(&line), line)))
        .fold((0, String::new()), |best, next| {
            if next.0 > best.0 { next } else { best }
        });
    let reasoning = format!(
        "The question has {} words that matter; the best passage shares {} of them.",
        wanted.len(),
        best.0
    );
    let text = if best.0 >= 2 {
        json!({"answer": best.1})
    } else {
        json!({"ask_client": {"text": question, "why": "Neither the brief nor earlier answers say it.", "options": [], "default": "Leave it out and say so."}})
    };
    Reply {
        reasoning,
        text: text.to_string(),
    }
}
