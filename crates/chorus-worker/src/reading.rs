//! Meaning of a complete reply for its task.

use chorus_core::attempt::WorkOrder;
use chorus_core::llm::{Content, Extra, FinishReason, Message, Reply, Role};
use chorus_core::merge::question;
use chorus_core::task_kind::TaskKind;

const GO_ON: &str = "Your answer was cut off by its length limit. Go on exactly where it stopped: repeat nothing, explain nothing, \
                     begin with the very next character.";

/// Meaning of a reply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reading {
    /// Complete result, with the text of earlier deliveries first.
    Result(String),
    /// Question; the task cannot go on without its answer.
    Question(String),
    /// Cut by `max_tokens`; the order continues it.
    Cut(Box<WorkOrder>),
    /// Without any text.
    Empty,
    /// Declined by the model or a filter, with its text.
    Refused(String),
}

/// Reads the reply to an order; thinking is not part of the result.
pub(crate) fn read(kind: TaskKind, order: &WorkOrder, reply: &Reply) -> Reading {
    let text = reply.text();
    if let Some(refusal) = declined(reply) {
        return Reading::Refused(if refusal.is_empty() {
            text
        } else {
            refusal.to_owned()
        });
    }
    let whole = format!("{}{text}", order.so_far);
    if whole.trim().is_empty() {
        return Reading::Empty;
    }
    if reply.finish == Some(FinishReason::Length) {
        return Reading::Cut(Box::new(continued(order, whole)));
    }
    // The merge takes every result as a text, so this alone decides what a question is.
    let question = (kind == TaskKind::Work).then(|| question(&whole)).flatten();
    match question {
        Some(question) => Reading::Question(question.to_owned()),
        None => Reading::Result(whole),
    }
}

fn declined(reply: &Reply) -> Option<&str> {
    match reply.finish {
        Some(FinishReason::Refusal | FinishReason::ContentFilter) => {
            Some(reply.refusal().unwrap_or_default())
        }
        _ => reply.refusal(),
    }
}

/// Returns the same call with the text so far as the model's own turn, and the request to go on.
fn continued(order: &WorkOrder, so_far: String) -> WorkOrder {
    let mut request = order.request.clone();
    if !order.so_far.is_empty() {
        // The last two turns are the ones that an earlier cut put there.
        request
            .messages
            .truncate(request.messages.len().saturating_sub(2));
    }
    // A model that must answer with an object would begin a new one.
    request.response_format = None;
    request.messages.push(turn(Role::Assistant, &so_far));
    request.messages.push(turn(Role::User, GO_ON));
    WorkOrder {
        version: order.version,
        request,
        so_far,
    }
}

fn turn(role: Role, text: &str) -> Message {
    Message {
        role,
        content: vec![Content::text(text)],
        extra: Extra::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorus_core::llm::{Request, ResponseFormat};

    fn order(so_far: &str) -> WorkOrder {
        let response_format = Some(ResponseFormat::JsonObject);
        let request = Request {
            messages: vec![turn(Role::User, "write")],
            response_format,
            ..Request::default()
        };
        let first = WorkOrder {
            version: 1,
            request,
            so_far: String::new(),
        };
        if so_far.is_empty() {
            first
        } else {
            continued(&first, so_far.to_owned())
        }
    }

    fn reply(text: &str, finish: FinishReason) -> Reply {
        let thinking = Content::Reasoning {
            text: "hm".into(),
            signature: None,
            redacted: None,
        };
        Reply {
            content: vec![thinking, Content::text(text)],
            finish: Some(finish),
            ..Reply::default()
        }
    }

    fn check(kind: TaskKind, so_far: &str, reply: &Reply, expected: &Reading) {
        assert_eq!(&read(kind, &order(so_far), reply), expected);
    }

    #[test]
    fn answers_mean_what_the_table_says() {
        let result = |text: &str| Reading::Result(text.into());
        let rows = [
            (
                TaskKind::Work,
                "",
                reply("done", FinishReason::Stop),
                result("done"),
            ),
            (
                TaskKind::Work,
                "half ",
                reply("done", FinishReason::Stop),
                result("half done"),
            ),
            (
                TaskKind::Work,
                "all of it",
                reply("", FinishReason::Stop),
                result("all of it"),
            ),
            (
                TaskKind::Work,
                "",
                reply(" \n", FinishReason::Stop),
                Reading::Empty,
            ),
            (
                TaskKind::Work,
                "",
                reply("", FinishReason::Length),
                Reading::Empty,
            ),
            (
                TaskKind::Work,
                "",
                reply("QUESTION: which year?\n", FinishReason::Stop),
                Reading::Question("which year?".into()),
            ),
            (
                TaskKind::Work,
                "",
                reply("QUESTION: a\nANSWER: b", FinishReason::Stop),
                result("QUESTION: a\nANSWER: b"),
            ),
            (
                TaskKind::Work,
                "",
                reply("QUESTION:", FinishReason::Stop),
                result("QUESTION:"),
            ),
            (
                TaskKind::Plan,
                "",
                reply("QUESTION: which year?", FinishReason::Stop),
                result("QUESTION: which year?"),
            ),
            (
                TaskKind::Work,
                "",
                reply("I must not", FinishReason::Refusal),
                Reading::Refused("I must not".into()),
            ),
            (
                TaskKind::Work,
                "",
                reply("half a", FinishReason::ContentFilter),
                Reading::Refused("half a".into()),
            ),
            (
                TaskKind::Work,
                "",
                reply("called", FinishReason::Other("eos".into())),
                result("called"),
            ),
        ];
        for (kind, so_far, reply, expected) in rows {
            check(kind, so_far, &reply, &expected);
        }
    }

    #[test]
    fn a_refusal_in_the_content_counts_whatever_the_finish() {
        let mut declining = reply("", FinishReason::Stop);
        declining
            .content
            .push(Content::Refusal { text: "no".into() });
        check(
            TaskKind::Work,
            "",
            &declining,
            &Reading::Refused("no".into()),
        );
    }

    #[test]
    fn a_second_cut_does_not_pile_up_turns() {
        let Reading::Cut(second) = read(
            TaskKind::Work,
            &order("one "),
            &reply("two ", FinishReason::Length),
        ) else {
            panic!("it was cut")
        };
        assert_eq!(second.so_far, "one two ");
        let turns: Vec<_> = second
            .request
            .messages
            .iter()
            .map(|message| message.role)
            .collect();
        assert_eq!(turns, [Role::User, Role::Assistant, Role::User]);
        assert_eq!(
            second.request.messages[1],
            turn(Role::Assistant, "one two ")
        );
        assert_eq!(second.request.response_format, None);
    }
}
