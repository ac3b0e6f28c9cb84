//! Asks a person on the terminal.

use std::io::{BufRead, IsTerminal, Write};

use chorus_core::brief::Question;

/// Whether a person can be asked.
pub(crate) fn possible() -> bool {
    std::io::stdin().is_terminal()
}

/// Asks one question; an empty line takes the default, a number takes that option.
pub(crate) fn question(question: &Question) -> std::io::Result<String> {
    let mut out = std::io::stderr().lock();
    writeln!(out, "\n{}", question.text)?;
    if !question.why.is_empty() {
        writeln!(out, "  why: {}", question.why)?;
    }
    for (at, option) in question.options.iter().enumerate() {
        writeln!(out, "  {}) {option}", at + 1)?;
    }
    let default = if question.default.is_empty() {
        String::new()
    } else {
        format!(" [{}]", question.default)
    };
    let said = line(&mut out, &format!("answer{default}: "))?;
    Ok(read(question, &said))
}

/// Asks for a yes; anything else is a no.
pub(crate) fn yes(prompt: &str) -> std::io::Result<bool> {
    let said = line(&mut std::io::stderr().lock(), &format!("{prompt} [y/N] "))?;
    Ok(matches!(
        said.trim().to_lowercase().as_str(),
        "y" | "yes" | "j" | "ja" | "c" | "có" | "co"
    ))
}

fn line(out: &mut impl Write, prompt: &str) -> std::io::Result<String> {
    write!(out, "{prompt}")?;
    out.flush()?;
    let mut said = String::new();
    std::io::stdin().lock().read_line(&mut said)?;
    Ok(said)
}

/// What the person meant.
fn read(question: &Question, said: &str) -> String {
    let said = said.trim();
    let option = said
        .parse::<usize>()
        .ok()
        .and_then(|number| question.options.get(number.checked_sub(1)?));
    match (said.is_empty(), option) {
        (true, _) => question.default.clone(),
        (false, Some(option)) => option.clone(),
        (false, None) => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_takes_an_option_and_nothing_takes_the_default() {
        let question = Question {
            id: "q1".into(),
            text: "Which language?".into(),
            why: String::new(),
            options: vec!["English".into(), "Vietnamese".into()],
            default: "English".into(),
        };
        for (said, meant) in [
            ("2\n", "Vietnamese"),
            ("\n", "English"),
            ("3\n", "3"),
            (" Latin \n", "Latin"),
        ] {
            assert_eq!(read(&question, said), meant);
        }
    }
}
