//! Words that the project replaced by the field's terms, so that they do not come back.
//!
//! Identifiers, file names, comments and documents are checked; texts between quotes are not, since they may be
//! written for people. ARCHITECTURE.md has the terms that are used instead.

use std::path::Path;

use syn::visit::Visit;

use crate::sources::Source;

/// Parts of identifiers and file names that are refused, each with the terms used instead.
const IDENTIFIERS: [(&[&str], &str); 18] = [
    (&["house"], "App, the workspace, a fixture"),
    (&["office", "shop", "workshop"], "Context"),
    (&["desk"], "EventLoop, AppState, Inbox"),
    (&["shelf"], "cache"),
    (&["wish", "wishes"], "AdmissionRequest"),
    (&["seat", "seats"], "Endpoint"),
    (&["judgement"], "CallReport"),
    (&["fate"], "Decision, FaultInjector"),
    (&["patience"], "retry, timeout"),
    (&["praise"], "on_success"),
    (&["deed", "deeds"], "operation"),
    (
        &["told", "tell", "tells", "telling"],
        "send, report, ClientMessage",
    ),
    (&["says", "saying"], "report, message"),
    (
        &["hear", "hears", "heard", "hearing"],
        "observe, PartialReply",
    ),
    (
        &["somebody", "nobody", "whoever", "anybody"],
        "the name of the component",
    ),
    (&["story", "stories"], "ReportInput, record"),
    (&["estate"], "Fixture"),
    (&["staff"], "Services"),
];

/// Words that comments and documents do not use, each with what is written instead.
const PROSE: [(&str, &str); 10] = [
    ("somebody", "name the component"),
    ("nobody", "name the component"),
    ("whoever", "name the component"),
    ("anybody", "name the component"),
    ("everybody", "name the components"),
    ("deed", "operation"),
    ("household", "the field's term"),
    ("workshop", "Context"),
    ("judgement", "verdict, CallReport"),
    ("whose word", "name the component"),
];

/// Files that may hold the refused words: the list itself and its twin in the measures.
const EXEMPT: [&str; 2] = ["xtask/src/tidy/words.rs", "xtask/src/measures/comments.rs"];

/// Returns one line for each word of [`IDENTIFIERS`] or [`PROSE`] in a source.
pub(super) fn faults(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        if EXEMPT.contains(&source.shown.as_str()) {
            continue;
        }
        let stem = Path::new(&source.shown).file_stem().unwrap_or_default();
        if let Some((word, instead)) = refused(&stem.to_string_lossy()) {
            faults.push(format!(
                "{}: a file named for `{word}`: {instead}",
                source.shown
            ));
        }
        let mut names = Names::default();
        names.visit_file(&source.tree);
        for (line, name, word, instead) in names.found {
            faults.push(format!(
                "{}:{line}: `{name}` holds `{word}`: {instead}",
                source.shown
            ));
        }
        for (number, line) in source.text.lines().enumerate() {
            let comment = line.trim_start().strip_prefix("//");
            if let Some((word, instead)) = comment.and_then(prose) {
                faults.push(format!(
                    "{}:{}: `{word}`: {instead}",
                    source.shown,
                    number + 1
                ));
            }
        }
    }
    faults
}

/// Returns one line for each word of [`PROSE`] in a document.
pub(super) fn document_faults(shown: &str, text: &str) -> Vec<String> {
    text.lines()
        .enumerate()
        .filter_map(|(number, line)| {
            prose(line)
                .map(|(word, instead)| format!("{shown}:{}: `{word}`: {instead}", number + 1))
        })
        .collect()
}

/// The part of an identifier that [`IDENTIFIERS`] refuses, with the terms used instead.
fn refused(name: &str) -> Option<(&'static str, &'static str)> {
    parts(name).iter().find_map(|part| {
        IDENTIFIERS.iter().find_map(|(words, instead)| {
            let word = words.iter().find(|word| *word == part)?;
            Some((*word, *instead))
        })
    })
}

fn prose(line: &str) -> Option<(&'static str, &'static str)> {
    let line = line.to_lowercase();
    PROSE.into_iter().find(|(word, _)| {
        line.match_indices(word).any(|(at, _)| {
            let letter = |found: Option<char>| found.is_some_and(char::is_alphanumeric);
            !letter(line[..at].chars().next_back())
                && !letter(line[at + word.len()..].chars().next())
        })
    })
}

/// The words of an identifier in snake or camel case, in lower case.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for letter in name.chars() {
        if letter == '_' || letter == '-' {
            parts.push(String::new());
            continue;
        }
        let before = parts.last().and_then(|part| part.chars().next_back());
        if letter.is_uppercase() && before.is_some() {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.extend(letter.to_lowercase());
        }
    }
    parts
}

/// Collects identifiers that hold a word of [`IDENTIFIERS`]; a test's name is a sentence and may hold any.
#[derive(Default)]
struct Names {
    found: Vec<(usize, String, &'static str, &'static str)>,
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if item.attrs.iter().any(is_test) {
            self.visit_block(&item.block);
        } else {
            syn::visit::visit_item_fn(self, item);
        }
    }

    fn visit_ident(&mut self, ident: &'ast syn::Ident) {
        let name = ident.to_string();
        if let Some((word, instead)) = refused(&name) {
            self.found
                .push((ident.span().start().line, name, word, instead));
        }
    }
}

/// True for `#[test]` and `#[tokio::test]`.
fn is_test(attribute: &syn::Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|segment| segment.ident == "test")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<String> {
        let source = Source {
            shown: "src/a.rs".to_owned(),
            text: text.to_owned(),
            tree: syn::parse_file(text).expect("the test's source is valid"),
            test_lines: Vec::new(),
        };
        faults(&[source])
    }

    #[test]
    fn words_are_found_in_both_cases_and_only_whole() {
        assert_eq!(check("struct OpenHouse;").len(), 1);
        assert_eq!(check("fn told_twice() { let desk = 1; }").len(), 2);
        assert_eq!(check("struct Seated; fn hearth() {}"), [""; 0]);
    }

    #[test]
    fn comments_are_checked_and_quoted_texts_are_not() {
        assert_eq!(check("// Nobody waits.\nfn f() {}").len(), 1);
        assert_eq!(check("fn f() -> &'static str { \"nobody\" }"), [""; 0]);
        assert_eq!(
            document_faults("a.md", "indeed\nthe deed\n"),
            ["a.md:2: `deed`: operation"]
        );
    }
}
