//! Questions to the person at the terminal. A prompt waits without blocking the runtime, so that Ctrl-C works.

use std::io::{self, IsTerminal, Write};

use chorus_api::QuestionResource;
use tokio::sync::oneshot;

/// Returns true if standard input is a terminal.
pub(crate) fn is_possible() -> bool {
    io::stdin().is_terminal()
}

/// Asks one question; an empty line takes the default, a number takes that option.
pub(crate) async fn question(question: &QuestionResource) -> io::Result<String> {
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
    Ok(answer(
        question,
        &line(&format!("answer{default}: ")).await?,
    ))
}

/// Asks for a yes; any other reply is a no.
pub(crate) async fn confirm(prompt: &str) -> io::Result<bool> {
    let reply = line(&format!("{prompt} [y/N] ")).await?;
    Ok(matches!(
        reply.trim().to_lowercase().as_str(),
        "y" | "yes" | "j" | "ja" | "c" | "có" | "co"
    ))
}

/// Reads a line on a thread of its own. The thread ends with the line, or with the process if the wait is dropped.
async fn line(prompt: &str) -> io::Result<String> {
    let mut out = io::stderr();
    write!(out, "{prompt}")?;
    out.flush()?;
    let (sender, line) = oneshot::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = io::stdin().read_line(&mut text).map(|_| text);
        // Without a receiver the wait was dropped, and the line with it.
        let _ = sender.send(read);
    });
    line.await.map_err(io::Error::other)?
}

/// Answer that a typed line stands for.
fn answer(question: &QuestionResource, typed: &str) -> String {
    let typed = typed.trim();
    let option = typed
        .parse::<usize>()
        .ok()
        .and_then(|number| question.options.get(number.checked_sub(1)?));
    match (typed.is_empty(), option) {
        (true, _) => question.default.clone(),
        (false, Some(option)) => option.clone(),
        (false, None) => typed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_takes_an_option_and_nothing_takes_the_default() {
        let question = QuestionResource {
            id: "q1".into(),
            text: "Which language?".into(),
            why: String::new(),
            options: vec!["English".into(), "Vietnamese".into()],
            default: "English".into(),
            task: None,
        };
        for (typed, expected) in [
            ("2\n", "Vietnamese"),
            ("\n", "English"),
            ("3\n", "3"),
            (" Latin \n", "Latin"),
        ] {
            assert_eq!(answer(&question, typed), expected);
        }
    }
}
