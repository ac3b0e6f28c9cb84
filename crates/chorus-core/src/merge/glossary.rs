//! The glossary as data, for files that are no prose.

use serde_json::{Value, json};

use crate::file_kind::FileKind;

/// Returns terms with their meanings in the form of a file's kind; nothing for kinds that have no
/// place for a list.
pub(super) fn as_data(terms: &[(String, String)], kind: FileKind) -> String {
    let quoted = |text: &String| Value::from(text.as_str()).to_string();
    let objects = || {
        terms
            .iter()
            .map(|(term, meaning)| json!({"term": term, "meaning": meaning}))
    };
    let each =
        |line: &dyn Fn(&(String, String)) -> String| terms.iter().map(line).collect::<String>();
    match kind {
        FileKind::Json | FileKind::JsonWithComments => {
            format!("{:#}\n", Value::from_iter(objects()))
        }
        FileKind::JsonLines => objects().map(|object| format!("{object}\n")).collect(),
        FileKind::Csv => records(terms, b','),
        FileKind::Tsv => records(terms, b'\t'),
        FileKind::Yaml => each(&|(term, meaning)| {
            format!("- term: {}\n  meaning: {}\n", quoted(term), quoted(meaning))
        }),
        FileKind::Toml => each(&|(term, meaning)| {
            format!(
                "[[glossary]]\nterm = {}\nmeaning = {}\n",
                quoted(term),
                quoted(meaning)
            )
        }),
        FileKind::Markdown
        | FileKind::Plain
        | FileKind::Html
        | FileKind::Css
        | FileKind::Python
        | FileKind::JavaScript
        | FileKind::TypeScript
        | FileKind::Tsx
        | FileKind::Rust
        | FileKind::Go
        | FileKind::Java
        | FileKind::Code => String::new(),
    }
}

fn records(terms: &[(String, String)], delimiter: u8) -> String {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .from_writer(Vec::new());
    let header = ["term", "meaning"];
    let rows = terms.iter().map(|(term, meaning)| [term.as_str(), meaning]);
    for row in std::iter::once(header).chain(rows) {
        writer
            .write_record(row)
            .expect("memory takes all records of two cells");
    }
    let bytes = writer.into_inner().expect("memory takes all records");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glossary_has_the_form_of_its_file() {
        let terms = [("wick".to_owned(), "a \"cord\", thin".to_owned())];
        let check = |kind, expected: &str| assert_eq!(as_data(&terms, kind), expected);
        check(
            FileKind::Csv,
            "term,meaning\nwick,\"a \"\"cord\"\", thin\"\n",
        );
        check(
            FileKind::JsonLines,
            "{\"term\":\"wick\",\"meaning\":\"a \\\"cord\\\", thin\"}\n",
        );
        check(
            FileKind::Yaml,
            "- term: \"wick\"\n  meaning: \"a \\\"cord\\\", thin\"\n",
        );
        check(FileKind::Python, "");
    }
}
