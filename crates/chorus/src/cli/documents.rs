//! Commands in documents parse: a reader can type what the pages show.
//!
//! Values are placeholders in many places, so only the shape is checked: subcommands and flags must exist.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::Cli;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn commands_in_documents_parse() {
    let mut count = 0;
    let mut faults = Vec::new();
    for path in documents(Path::new(ROOT)) {
        let text = std::fs::read_to_string(&path).expect("a document is text");
        for (line, command) in commands(&text) {
            count += 1;
            for arguments in alternatives(&command) {
                if let Some(problem) = problem(&arguments) {
                    faults.push(format!("{}:{line}: `{command}`: {problem}", path.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count > 40, "only {count} commands were found in documents");
}

#[test]
fn unknown_commands_and_flags_are_found() {
    let check = |text: &str| {
        let found = commands(text);
        found
            .iter()
            .flat_map(|(_, command)| alternatives(command))
            .filter_map(|arguments| problem(&arguments))
            .count()
    };
    assert_eq!(
        check("`chorus run brief.md --out result/` and `chorus project list|show`"),
        0
    );
    assert_eq!(
        check("```sh\nFOO=1 chorus serve --migrate &  # starts\n```"),
        0
    );
    assert_eq!(check("`chorus run brief.md --nothing`"), 1);
    assert_eq!(check("`chorus project list|nothing`"), 1);
    assert_eq!(check("```\n$ chorus nothing | head\n```"), 1);
}

fn documents(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("docs")];
    for name in [
        "README.md",
        "README.vi.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
        "examples/README.md",
    ] {
        found.push(root.join(name));
    }
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("docs is a folder") {
            let path = entry.expect("docs can be read").path();
            if path.is_dir() && !path.ends_with("adr") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// Commands in fenced blocks and in single backticks, each with its line.
fn commands(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut is_fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
            continue;
        }
        let spans: Vec<&str> = if is_fenced {
            vec![line]
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        found.extend(
            spans
                .iter()
                .filter_map(|span| command(span))
                .map(|command| (number + 1, command)),
        );
    }
    found
}

/// The part of a shell line from the word `chorus` to the end of its simple command.
fn command(line: &str) -> Option<String> {
    let words: Vec<&str> = line
        .split_whitespace()
        .take_while(|word| !word.starts_with('#'))
        .collect();
    let start = words.iter().position(|word| {
        !word.contains('=') && !matches!(*word, "$" | "(umask" | "077;" | "sudo" | "exec")
    })?;
    let name = words[start].trim_start_matches("$(");
    if name != "chorus" && name != "./chorus" {
        return None;
    }
    let end = |word: &&&str| {
        !matches!(
            **word,
            "|" | "&" | "&&" | ">" | ">>" | "<" | "\\" | "…" | "..."
        )
    };
    let kept: Vec<&str> = words[start + 1..].iter().take_while(end).copied().collect();
    (!kept.is_empty()).then(|| kept.join(" "))
}

/// A command with each alternative of `list|show|cancel` written out.
fn alternatives(command: &str) -> Vec<Vec<String>> {
    let mut all = vec![vec!["chorus".to_owned()]];
    for word in command.split_whitespace() {
        let word = word.trim_matches(['[', ']', '(', ')', ',', ';', '.']);
        if word.is_empty() {
            continue;
        }
        let choices: Vec<&str> = word.split('|').collect();
        all = all
            .into_iter()
            .flat_map(|before| {
                choices
                    .iter()
                    .map(move |choice| [before.clone(), vec![(*choice).to_owned()]].concat())
            })
            .collect();
    }
    all
}

/// What is wrong with the shape of a command line.
fn problem(arguments: &[String]) -> Option<String> {
    let error = Cli::command().try_get_matches_from(arguments).err()?;
    match error.kind() {
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => Some(
            error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        ),
        _ => None,
    }
}
