//! Reader of a planner's answer to a worker's question. Neighbour:
//! [`clarification`](super::read_clarification) reads the questions of the beginning.

use super::Question;
use crate::json;

/// Answer of the planner to a worker's question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerReply {
    /// The planner knows the answer.
    Answer(String),
    /// Only the client can know. The question has no id yet.
    AskClient(Question),
}

/// Reads the answer; an error lists the faults in it, for the model.
pub fn read_answer(answer: &str) -> Result<AnswerReply, Vec<String>> {
    let found = json::read(answer, &["answer", "ask_client"]).map_err(|error| vec![error])?;
    if let Some(text) = json::text_of(&found.object, &["answer"]) {
        return Ok(AnswerReply::Answer(text));
    }
    let question = json::list_of(&found.object, &["ask_client"])
        .iter()
        .find_map(super::clarification::question);
    question
        .map(AnswerReply::AskClient)
        .ok_or_else(|| vec!["the object has neither `answer` nor `ask_client`".into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_or_a_question_to_the_client_is_read() {
        let answer = |text: &str| Ok(AnswerReply::Answer(text.into()));
        assert_eq!(
            read_answer(r#"{"answer":"British spelling.","ask_client":null}"#),
            answer("British spelling.")
        );
        assert_eq!(read_answer("```json\n{'answer': 12,}\n```"), answer("12"));
        match read_answer(
            r#"{"answer":null,"ask_client":{"text":"Which edition?","default":"the first"}}"#,
        ) {
            Ok(AnswerReply::AskClient(question)) => {
                assert_eq!(
                    (question.text.as_str(), question.default.as_str()),
                    ("Which edition?", "the first")
                );
            }
            other => panic!("{other:?}"),
        }
        assert!(read_answer("British spelling.").is_err());
        assert!(read_answer("{\"answer\":\"\"}").is_err());
    }
}
