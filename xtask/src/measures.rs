//! `cargo xtask measures [crate]`: size, test and comment figures of each crate, with the bounds the project keeps.
//!
//! Figures come from the parsed sources as they are formatted. [`tidy`](crate::tidy) holds the hard limits;
//! this command shows the tails and the comment figures, and fails on a bound only with `--check`.

mod comments;
mod shape;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::sources::{self, Source};
use comments::Comments;
use shape::Shape;

/// Maximum share of doc blocks that open with a question word, in per cent.
const MAX_OPENINGS: f64 = 5.0;
/// Maximum indefinite pronouns in 1,000 words of comment.
const MAX_PRONOUNS: f64 = 0.5;
/// Minimum intra-doc links in 100 doc blocks.
const MIN_LINKS: f64 = 10.0;
/// Maximum length of nine functions in ten, in lines.
const MAX_FUNCTION_P90: usize = 30;
/// Minimum ratio of test lines to product lines, for crates that have one.
const MIN_TESTS: [(&str, f64); 3] = [
    ("chorus-core", 0.5),
    ("chorus-gateway", 0.3),
    ("chorus-report", 0.3),
];

/// Figures of one crate, or of all: [`Shape`] and [`Comments`].
#[derive(Default)]
struct Figures {
    shape: Shape,
    comments: Comments,
}

/// Prints the figures of all crates, or of those with a name that contains an argument.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let check = arguments.iter().any(|argument| argument == "--check");
    let wanted: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let root = sources::root()?;
    let mut total = Figures::default();
    let mut missed = Vec::new();
    println!("{}", header());
    for folder in crates(&root)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if !wanted.is_empty() && !wanted.iter().any(|wanted| name.contains(wanted.as_str())) {
            continue;
        }
        let mut figures = Figures::default();
        for path in sources::rust_files(std::slice::from_ref(&folder))? {
            let source = Source::read(&root, &path)?;
            figures.add(&source);
            total.add(&source);
        }
        println!("{}", figures.row(&name));
        missed.extend(figures.missed(&name));
    }
    println!("{}", total.row("all"));
    for line in &missed {
        println!("  missed: {line}");
    }
    if check && !missed.is_empty() {
        bail!("{} bounds are missed", missed.len());
    }
    Ok(())
}

fn crates(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folder = root.join("crates");
    let mut found = vec![root.join("bench"), root.join("xtask")];
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        found.push(entry?.path());
    }
    found.sort();
    Ok(found)
}

fn header() -> String {
    format!(
        "{:<22}{:>6}{:>15}{:>16}{:>6}{:>7}{:>6}{:>6}{:>6}{:>6}{:>7}  {:>7}{:>8}{:>8}{:>8}{:>8}",
        "crate",
        "files",
        "file 50/90/max",
        "fn 50/90/99/max",
        "fn>60",
        "tests",
        "com%",
        "doc%",
        "unw/k",
        ">5par",
        "line95",
        "open%",
        "pron/k",
        "old/k",
        "lnk/100",
        "short%"
    )
}

impl Figures {
    fn add(&mut self, source: &Source) {
        self.shape.add(source);
        self.comments.add(source);
    }

    fn row(&self, name: &str) -> String {
        let (shape, comments) = (&self.shape, &self.comments);
        format!(
            "{name:<22}{:>6}{:>15}{:>16}{:>5.1}%{:>7.2}{:>6.1}{:>6.0}{:>6.1}{:>6}{:>7}  {:>7.1}{:>8.2}{:>8.2}{:>8.1}{:>8.1}",
            shape.files.len(),
            shape.file_tail(),
            shape.function_tail(),
            shape.functions_over(60),
            shape.tests_to_code(),
            shape.comment_percent(),
            shape.documented_percent(),
            shape.unwraps_in_1000(),
            shape.many_parameters,
            shape.line_p95(),
            comments.openings_percent(),
            comments.pronouns_in_1000(),
            comments.old_words_in_1000(),
            comments.links_in_100(),
            comments.short_percent(),
        )
    }

    fn missed(&self, name: &str) -> Vec<String> {
        let (shape, comments) = (&self.shape, &self.comments);
        let least = MIN_TESTS.iter().find(|(known, _)| *known == name);
        [
            (comments.openings_percent() >= MAX_OPENINGS).then(|| "openings".to_owned()),
            (comments.pronouns_in_1000() >= MAX_PRONOUNS).then(|| "pronouns".to_owned()),
            (comments.links_in_100() < MIN_LINKS).then(|| "links".to_owned()),
            (shape.function_p90() > MAX_FUNCTION_P90).then(|| "function p90".to_owned()),
            least
                .filter(|(_, least)| shape.tests_to_code() < *least)
                .map(|(_, least)| format!("tests to code, at least {least}")),
        ]
        .into_iter()
        .flatten()
        .map(|bound| format!("{name}: {bound}"))
        .collect()
    }
}
