//! Reader of a planner's answer to "what is unclear?".

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Question;
use crate::json;

/// Maximum number of questions that a client is asked at once.
const MOST_QUESTIONS: usize = 5;

/// Unclear points of a brief, and assumptions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Clarification {
    /// Questions for the client, at most five.
    pub questions: Vec<Question>,
    /// Assumptions that need no question.
    pub assumptions: Vec<String>,
}

/// Reads the answer; an error lists the faults in it, for the model.
pub fn read_clarification(answer: &str) -> Result<Clarification, Vec<String>> {
    let found = json::read(answer, &["questions", "assumptions"]).map_err(|error| vec![error])?;
    if !found.object.contains_key("questions") && !found.object.contains_key("assumptions") {
        return Err(vec![
            "the object has neither `questions` nor `assumptions`".into(),
        ]);
    }
    let mut questions: Vec<Question> = Vec::new();
    for value in json::list_of(&found.object, &["questions"]) {
        let Some(mut question) = question(value) else {
            continue;
        };
        if questions.len() == MOST_QUESTIONS {
            break;
        }
        if question.id.is_empty() || questions.iter().any(|other| other.id == question.id) {
            question.id = free_id(&questions);
        }
        questions.push(question);
    }
    Ok(Clarification {
        questions,
        assumptions: json::texts(found.object.get("assumptions")),
    })
}

/// Reads one question, given as an object or as a bare text.
pub(super) fn question(value: &Value) -> Option<Question> {
    let Some(object) = value.as_object() else {
        let text = json::text(value).filter(|text| !text.is_empty())?;
        return Some(Question {
            id: String::new(),
            text,
            why: String::new(),
            options: Vec::new(),
            default: String::new(),
        });
    };
    let options = json::texts(object.get("options"));
    Some(Question {
        id: json::text_of(object, &["id"]).unwrap_or_default(),
        text: json::text_of(object, &["text", "question"])?,
        why: json::text_of(object, &["why", "reason"]).unwrap_or_default(),
        default: json::text_of(object, &["default"])
            .or_else(|| options.first().cloned())
            .unwrap_or_default(),
        options,
    })
}

fn free_id(questions: &[Question]) -> String {
    let ids = (questions.len() + 1..).map(|number| format!("q{number}"));
    ids.into_iter()
        .find(|id| questions.iter().all(|question| question.id != *id))
        .expect("numbers do not end")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str, ids: &[&str], defaults: &[&str]) {
        let read = read_clarification(answer).expect("it is a clarification");
        assert_eq!(
            read.questions
                .iter()
                .map(|question| question.id.as_str())
                .collect::<Vec<_>>(),
            ids
        );
        assert_eq!(
            read.questions
                .iter()
                .map(|question| question.default.as_str())
                .collect::<Vec<_>>(),
            defaults
        );
    }

    #[test]
    fn questions_get_ids_and_defaults() {
        check(r#"{"questions":[],"assumptions":["English"]}"#, &[], &[]);
        check(
            r#"{"questions":[{"text":"Who reads it?","options":["boys","men"]},"How long?"]}"#,
            &["q1", "q2"],
            &["boys", ""],
        );
        check(
            r#"{"questions":[{"id":"q1","text":"a","default":"x"},{"id":"q1","text":"b"}]}"#,
            &["q1", "q2"],
            &["x", ""],
        );
        check(
            r#"{"questions":["1","2","3","4","5","6","7"]}"#,
            &["q1", "q2", "q3", "q4", "q5"],
            &["", "", "", "", ""],
        );
    }

    #[test]
    fn what_is_no_clarification_is_refused_with_a_reason() {
        assert!(
            read_clarification("no questions").expect_err("prose")[0].contains("no JSON object")
        );
        assert!(read_clarification(r#"{"tasks":[]}"#).expect_err("a plan")[0].contains("neither"));
    }
}
