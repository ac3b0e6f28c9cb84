//! Questions to the person at the terminal. A prompt waits without blocking the runtime, so that Ctrl-C works.
//!
//! A reply that cannot be meant is asked for again: an option number that is not there, or an empty line where there
//! is no default. The end of the input is no reply.

use std::io::{self, IsTerminal, Write};

use chorus_api::QuestionResource;
use tokio::sync::oneshot;

/// Returns true if standard input is a terminal.
pub(crate) fn is_possible() -> bool {
    io::stdin().is_terminal()
}

/// Asks one question; an empty line takes the default, a number takes that option. None at the end of the input.
pub(crate) async fn question(question: &QuestionResource) -> io::Result<Option<String>> {
    eprintln!("\n{}", question.text);
    if !question.why.is_empty() {
        eprintln!("  why: {}", question.why);
    }
    for (at, option) in question.options.iter().enumerate() {
        eprintln!("  {}) {option}", at + 1);
    }
    let default = if question.default.is_empty() {
        String::new()
    } else {
        format!(" [{}]", question.default)
    };
    loop {
        let Some(typed) = line(&format!("answer{default}: ")).await? else {
            return Ok(None);
        };
        match answer(question, &typed) {
            Ok(answer) => return Ok(Some(answer)),
            Err(reason) => eprintln!("  {reason}"),
        }
    }
}

/// Decision about a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PlanDecision {
    /// The plan is carried out.
    Approve,
    /// Another plan is made, with this reason.
    Reject(String),
    /// The project waits.
    Leave,
}

/// Asks about a plan; the end of the input leaves it waiting.
pub(crate) async fn plan_decision() -> io::Result<PlanDecision> {
    loop {
        let Some(typed) = line("Go on? [y]es, [N]o, park it, [r]eject with a reason: ").await?
        else {
            return Ok(PlanDecision::Leave);
        };
        match typed.trim().to_lowercase().as_str() {
            "y" | "yes" | "j" | "ja" | "c" | "có" | "co" => return Ok(PlanDecision::Approve),
            "" | "n" | "no" | "nein" | "k" | "không" => return Ok(PlanDecision::Leave),
            "r" | "reject" => {
                let reason = line("what should be different: ")
                    .await?
                    .unwrap_or_default();
                if !reason.trim().is_empty() {
                    return Ok(PlanDecision::Reject(reason.trim().to_owned()));
                }
            }
            _ => eprintln!("  type y, n or r"),
        }
    }
}

/// Reads a line on a thread of its own, none at the end of the input. The thread ends with the line, or with the
/// process if the wait is dropped.
async fn line(prompt: &str) -> io::Result<Option<String>> {
    let mut out = io::stderr();
    write!(out, "{prompt}")?;
    out.flush()?;
    let (sender, line) = oneshot::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = io::stdin()
            .read_line(&mut text)
            .map(|bytes| (bytes > 0).then_some(text));
        // Without a receiver the wait was dropped, and the line with it.
        let _ = sender.send(read);
    });
    line.await.map_err(io::Error::other)?
}

/// Answer that a typed line stands for, or the reason why it stands for none. A number in quotes is the number itself.
fn answer(question: &QuestionResource, typed: &str) -> Result<String, String> {
    let typed = typed.trim();
    let options = &question.options;
    if typed.is_empty() {
        let none = "there is no default: type an answer".to_owned();
        return Some(question.default.clone())
            .filter(|default| !default.is_empty())
            .ok_or(none);
    }
    if let Some(option) = options.iter().find(|option| option.as_str() == typed) {
        return Ok(option.clone());
    }
    let Ok(number) = typed.parse::<i64>() else {
        let quoted = typed
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        return Ok(quoted.unwrap_or(typed).to_owned());
    };
    if options.is_empty() {
        return Ok(typed.to_owned());
    }
    let at = usize::try_from(number)
        .ok()
        .and_then(|at| at.checked_sub(1));
    at.and_then(|at| options.get(at)).cloned().ok_or_else(|| {
        format!(
            "there is no option {number}: type 1 to {}, an answer of your own, or \"{number}\" in quotes",
            options.len()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(options: &[&str], default: &str) -> QuestionResource {
        QuestionResource {
            id: "q1".into(),
            text: "Which language?".into(),
            why: String::new(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            default: default.into(),
            task: None,
        }
    }

    #[test]
    fn a_number_takes_an_option_and_nothing_takes_the_default() {
        let question = asked(&["English", "Vietnamese"], "English");
        for (typed, expected) in [
            ("2\n", "Vietnamese"),
            ("\n", "English"),
            ("\"3\"\n", "3"),
            (" Latin \n", "Latin"),
        ] {
            assert_eq!(answer(&question, typed).as_deref(), Ok(expected));
        }
        let numbers = asked(&["10", "20"], "");
        assert_eq!(answer(&numbers, "20\n").as_deref(), Ok("20"));
        assert_eq!(answer(&asked(&[], ""), "7\n").as_deref(), Ok("7"));
    }

    #[test]
    fn a_number_without_an_option_and_an_empty_line_without_a_default_are_asked_again() {
        let question = asked(&["English", "Vietnamese"], "");
        for typed in ["3\n", "0\n", "-1\n", "99999999999\n", "\n", "  \n"] {
            assert!(answer(&question, typed).is_err(), "{typed:?}");
        }
    }
}
