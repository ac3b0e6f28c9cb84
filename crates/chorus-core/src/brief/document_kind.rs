//! Kind of a document, by the ending of its name: it decides by which marks headings are found.

/// Marks by which the headings of a document are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DocumentKind {
    /// Markdown, by CommonMark.
    Markdown,
    /// Plain text: chapter lines, then numbered lines, then capital lines.
    Plain,
    /// HTML and XHTML: `h1` to `h6`.
    Html,
    /// LaTeX: `\part` to `\subsubsection`.
    Latex,
    /// reStructuredText: underlined titles.
    Restructured,
    /// AsciiDoc: lines that begin with `=`.
    AsciiDoc,
    /// Org: lines that begin with `*`.
    Org,
    /// Source code: no headings, but symbols.
    Code,
    /// Data and configuration: neither headings nor symbols.
    Data,
}

/// Endings of names, by kind. Every other document is plain text.
const ENDINGS: [(DocumentKind, &[&str]); 8] = [
    (
        DocumentKind::Markdown,
        &[
            "md", "markdown", "mdown", "mkd", "mdx", "rmd", "qmd", "mdwn",
        ],
    ),
    (DocumentKind::Html, &["html", "htm", "xhtml"]),
    (DocumentKind::Latex, &["tex", "ltx", "latex"]),
    (DocumentKind::Restructured, &["rst", "rest"]),
    (DocumentKind::AsciiDoc, &["adoc", "asciidoc", "asc"]),
    (DocumentKind::Org, &["org"]),
    (
        DocumentKind::Code,
        &[
            "py", "pyi", "pyx", "rs", "js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "java",
            "kt", "kts", "go", "c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx", "m", "mm", "cs",
            "fs", "fsx", "vb", "rb", "php", "swift", "scala", "sh", "bash", "zsh", "fish", "ps1",
            "bat", "cmd", "pl", "pm", "lua", "r", "jl", "sql", "hs", "ml", "mli", "ex", "exs",
            "erl", "hrl", "clj", "cljs", "lisp", "el", "scm", "dart", "zig", "nim", "v", "sv",
            "vhd", "vue", "svelte", "css", "scss", "sass", "less", "cmake", "gradle", "groovy",
            "tf", "hcl", "proto", "graphql", "gql", "sol", "asm", "s", "f", "f90", "pas", "d",
            "cu", "mk", "awk", "tcl", "ipynb", "wat", "prisma", "astro", "coffee", "cr", "odin",
        ],
    ),
    (
        DocumentKind::Data,
        &[
            "yaml",
            "yml",
            "toml",
            "ini",
            "cfg",
            "conf",
            "config",
            "env",
            "properties",
            "json",
            "jsonl",
            "ndjson",
            "json5",
            "jsonc",
            "xml",
            "xsd",
            "xsl",
            "svg",
            "csv",
            "tsv",
            "lock",
            "log",
            "diff",
            "patch",
            "po",
            "pot",
            "srt",
            "vtt",
            "ics",
            "vcf",
            "bib",
            "geojson",
            "plist",
            "pem",
            "crt",
            "map",
            "sum",
            "mod",
            "service",
            "editorconfig",
            "gitignore",
            "dockerignore",
            "requirements",
        ],
    ),
];

/// Whole names of files without a telling ending.
const NAMES: [(&str, DocumentKind); 15] = [
    ("makefile", DocumentKind::Code),
    ("gnumakefile", DocumentKind::Code),
    ("dockerfile", DocumentKind::Code),
    ("containerfile", DocumentKind::Code),
    ("justfile", DocumentKind::Code),
    ("rakefile", DocumentKind::Code),
    ("gemfile", DocumentKind::Code),
    ("vagrantfile", DocumentKind::Code),
    ("jenkinsfile", DocumentKind::Code),
    ("procfile", DocumentKind::Data),
    ("cmakelists.txt", DocumentKind::Code),
    ("requirements.txt", DocumentKind::Data),
    ("constraints.txt", DocumentKind::Data),
    ("robots.txt", DocumentKind::Data),
    ("codeowners", DocumentKind::Data),
];

impl DocumentKind {
    /// Kind of a document with this path and text. The text decides only where the name does not:
    /// a first line `#!` marks a script.
    pub(super) fn of(name: &str, text: &str) -> Self {
        let file = name
            .rsplit(['/', '\\'])
            .next()
            .unwrap_or(name)
            .to_lowercase();
        if let Some((_, kind)) = NAMES.iter().find(|(whole, _)| *whole == file) {
            return *kind;
        }
        let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
        let by_ending = ENDINGS
            .iter()
            .find(|(_, endings)| endings.contains(&ending))
            .map(|(kind, _)| *kind);
        match by_ending {
            Some(kind) => kind,
            None if text.starts_with("#!") => Self::Code,
            None => Self::Plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_a_name_decides_the_kind() {
        for (name, text, kind) in [
            ("a/README.MD", "", DocumentKind::Markdown),
            ("book.txt", "", DocumentKind::Plain),
            ("README", "", DocumentKind::Plain),
            ("src/main.py", "", DocumentKind::Code),
            ("Dockerfile", "", DocumentKind::Code),
            ("requirements.txt", "", DocumentKind::Data),
            ("configure", "#!/bin/sh\n", DocumentKind::Code),
            ("page.htm", "", DocumentKind::Html),
            ("paper.tex", "", DocumentKind::Latex),
            ("index.rst", "", DocumentKind::Restructured),
            ("guide.adoc", "", DocumentKind::AsciiDoc),
            ("notes.org", "", DocumentKind::Org),
            ("table.csv", "", DocumentKind::Data),
        ] {
            assert_eq!(DocumentKind::of(name, text), kind, "{name}");
        }
    }
}
