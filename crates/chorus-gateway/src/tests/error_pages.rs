//! Pages in `docs/errors`: one for each code of the API and of failed tasks, all in one index.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chorus_core::attempt::FailureCause;
use chorus_core::failure;
use chorus_core::money::MicroUsd;

use crate::error_code::TABLE;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors")
}

/// Rows of the index: code, where, status.
fn index() -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(folder().join("README.md")).expect("the index");
    text.lines()
        .filter(|line| line.starts_with("| [`"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let name = cells[1].split('`').nth(1).expect("a code");
            assert_eq!(cells[1], format!("[`{name}`]({name}.md)"), "{line}");
            (name.to_owned(), cells[2].to_owned(), cells[3].to_owned())
        })
        .collect()
}

fn listed(place: &str) -> BTreeSet<(String, u16)> {
    index()
        .into_iter()
        .filter(|(_, found, _)| found == place)
        .map(|(name, _, status)| (name, status.parse().expect("a status")))
        .collect()
}

/// One cause of each variant but the two with codes in the table of failures.
fn causes() -> Vec<FailureCause> {
    let message = String::new;
    let causes = vec![
        FailureCause::Empty,
        FailureCause::Refused { message: message() },
        FailureCause::Endless,
        FailureCause::KillsWorkers,
        FailureCause::NoAccount { message: message() },
        FailureCause::OverBudget {
            needs: MicroUsd(30_000),
            spent: MicroUsd(80_000),
            budget: MicroUsd(100_000),
        },
        FailureCause::MissingArtifact { message: message() },
    ];
    for cause in &causes {
        // Compiles only if every variant is named here.
        match cause {
            FailureCause::Request { .. }
            | FailureCause::Upstream { .. }
            | FailureCause::Empty
            | FailureCause::Refused { .. }
            | FailureCause::Endless
            | FailureCause::KillsWorkers
            | FailureCause::NoAccount { .. }
            | FailureCause::OverBudget { .. }
            | FailureCause::MissingArtifact { .. } => {}
        }
    }
    causes
}

#[test]
fn the_index_lists_every_code_of_the_api_with_its_status() {
    let known: BTreeSet<(String, u16)> = TABLE
        .iter()
        .map(|row| (row.name.to_owned(), row.status.as_u16()))
        .collect();
    assert_eq!(listed("API"), known);
}

#[test]
fn the_index_lists_every_code_of_failed_tasks_with_its_status() {
    let classes = failure::TABLE
        .iter()
        .map(|rule| (rule.client_text.code.to_owned(), rule.http_status));
    let causes = causes();
    let causes = causes
        .iter()
        .map(|cause| (cause.code().to_owned(), cause.http_status()));
    assert_eq!(listed("task"), classes.chain(causes).collect());
}

#[test]
fn every_page_is_in_the_index_and_every_row_has_its_page() {
    let rows: BTreeSet<String> = index().into_iter().map(|(name, ..)| name).collect();
    let entries = std::fs::read_dir(folder()).expect("the folder");
    let pages: BTreeSet<String> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .filter_map(|name| Some(name.to_str()?.strip_suffix(".md")?.to_owned()))
        .filter(|name| name != "README")
        .collect();
    assert_eq!(pages, rows);
}

#[test]
fn pages_of_the_api_and_of_tasks_explain_what_why_and_what_to_do() {
    for (name, place, status) in index() {
        if place != "API" && place != "task" {
            continue;
        }
        let page = folder().join(format!("{name}.md"));
        let text = std::fs::read_to_string(&page)
            .unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(text.starts_with(&format!("# {name}\n")), "{name}");
        assert!(text.contains(&format!("Status {status}")), "{name}");
        for part in ["What happened", "Why", "What to do"] {
            assert!(text.contains(&format!("**{part}.**")), "{name}: {part}");
        }
    }
}
